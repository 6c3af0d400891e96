"""The configuration file is read, or refused with every mistake."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from sso_proxy.config.load import load_config, parse_config
from sso_proxy.config.model import Config
from sso_proxy.errors import ConfigError

Parse = Callable[..., Config]

PLAIN = """
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
forwarded_certificate = "unverified"
[[route]]
host = "*"
authenticate = ["cert", "anonymous"]
map_user = ["names"]
backend = "http://127.0.0.1:9000"
[server]
trusted_proxies = ["10.0.0.0/8"]
"""


def refused(text: str, directory: Path) -> list[str]:
    path = directory / "sso-proxy.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as e:
        load_config(path)
    return [mistake.path for mistake in e.value.mistakes]


def test_good_file_becomes_values(parse: Parse, tmp_path: Path) -> None:
    config = parse('[mapper.m]\ntype = "static"\n[key_ring]\nfile = "k.json"')
    assert config.listener[0].certificate == str(tmp_path / "tls/app.crt")
    assert config.route[0].authenticate == ("anonymous",)
    assert config.mapper["m"].type == "static"
    assert config.key_ring is not None
    assert config.key_ring.file == str(tmp_path / "k.json")


def test_design_example_is_read(tmp_path: Path) -> None:
    text = """
        [[listener]]
        address = "0.0.0.0"
        port = 8443
        certificate = "tls/app.crt"
        key = "tls/app.key"
        client_certificate = "optional_no_ca"

        [authenticator.api]
        type = "bearer"
        issuer = "https://login.example.com"
        audience = ["https://api.example.com"]

        [[route]]
        host = "api.example.com"
        path = "/orders/"
        authenticate = ["api"]
        binding = { certificate = "require" }
        require = ["scope:orders.read"]
        backend = "http://127.0.0.1:9000"
    """
    config = parse_config(text, tmp_path / "c.toml")
    assert config.authenticator["api"].options == {
        "issuer": "https://login.example.com",
        "audience": ["https://api.example.com"],
    }
    assert config.route[0].binding.certificate == "require"


def test_relative_name_of_the_file_is_no_trap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = PLAIN.replace('"cert", ', "").replace('map_user = ["names"]', "")
    config = parse_config('key_ring.file = "k"\n' + text, "c.toml")
    assert config.key_ring is not None
    assert config.key_ring.file == str(tmp_path / "k")


def test_mistakes_of_tables_rules_and_components_come_at_once(tmp_path: Path) -> None:
    text = f"""
        {PLAIN}
        workers = 0
        [[listener]]
        address = "127.0.0.1"
        port = 8080
        [authenticator.cert]
        type = "mtls"
        usr = "subject"
        [mapper.names]
        type = "static"
        users = 5
        [mapper.other]
        type = "sttic"
        [[route]]
        host = "a.example"
        authenticate = ["cret"]
        backend = "ftp://b"
    """
    spoilt = text.replace("workers = 0", "drain_timeout = 5")
    assert refused(spoilt, tmp_path) == [
        "listener[1].certificate",
        "listener[1].key",
        "listener[1].port",
        "authenticator.cert.usr",
        "mapper.names.users",
        "mapper.other.type",
        "route[1].authenticate[0]",
        "route[1].backend",
    ]


def test_empty_file_is_refused(tmp_path: Path) -> None:
    assert refused("", tmp_path) == ["listener", "route"]


def test_text_that_is_not_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not TOML: .*line 2"):
        parse_config("a = 1\nb c", tmp_path / "c.toml")


def test_text_nested_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not TOML"):
        parse_config("a = " + "[" * 100000, tmp_path / "c.toml")


def test_components_wait_for_the_server_table(tmp_path: Path) -> None:
    """Without plugin_path a type that is there would be called unknown."""
    text = PLAIN.replace('"cert", ', "").replace('"names"', "")
    text += 'workers = 0\n[mapper.m]\ntype = "of-plugin-path"'
    assert refused(text, tmp_path) == ["server.workers"]


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: cannot be read: No such"):
        load_config(tmp_path / "missing.toml")


def test_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(tmp_path / "c.toml")


def test_broken_plugin_stops_the_load(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir(mode=0o700)
    (tmp_path / "plugins/bad.py").write_text("import nothing_of_that_name")
    text = PLAIN.replace('"cert", ', "").replace('map_user = ["names"]', "")
    text = text.replace("[server]", '[server]\nplugin_path = ["plugins"]')
    assert refused(text, tmp_path) == ["server.plugin_path[0]"]


@pytest.mark.parametrize(
    "family", [f.name for f in attrs.fields(Config) if "Component" in str(f.type)]
)
def test_no_table_is_lost_on_the_way(parse: Parse, family: str) -> None:
    """What is written has an effect, or is refused (C27)."""
    tables = {
        "authenticator": '[authenticator.x]\ntype = "anonymous"',
        "mapper": '[mapper.x]\ntype = "static"\nusers = {}',
        "binding": "[binding.certificate]",
        "cache": '[cache.x]\ntype = "local"',
        "session": '[session.x]\ntype = "cookie"',
        "token": '[token.x]\ntype = "jwt"',
        "policy": '[policy.x]\ntype = "rules"',
        "checker": '[checker.x]\ntype = "htpasswd"',
        "obligation": '[obligation.x]\ntype = "module:Class"',
    }
    config = parse(tables[family])
    assert len(getattr(config, family)) == 1


def test_pages_are_tried(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "error.html").write_text("{{ oops")
    text = PLAIN.replace('"cert", ', "").replace('map_user = ["names"]', "")
    text += '[pages]\ntemplates = "pages"\nlanguage = "xx"'
    assert refused(text, tmp_path) == ["pages.language", "pages.templates"]
