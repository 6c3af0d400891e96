"""The examples in docs/howto/plugins.md work as they stand there."""

import importlib.util
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.config.model import ComponentConfig
from sso_proxy.registry import Registry
from sso_proxy.testing import check_user_mapper, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity
from sso_proxy.testing.pki import Pki

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "plugins.md"
PAGE = HOWTO.read_text("utf-8")
PLUGIN, TESTS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
[OPTIONS] = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = dict(
    re.findall(
        r"^```\{code-block\} \w+\n:caption: ([^\n]+)\n(.*?)^```",
        PAGE,
        re.MULTILINE | re.DOTALL,
    )
)
AROUND = """
host = "app.example.com"
authenticate = ["api"]
backend = "http://127.0.0.1:9000"

[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "server.crt"
key = "server.key"

[authenticator.api]
type = "bearer"
issuer = "https://login.example.com"
audience = ["https://app.example.com"]
"""


@pytest.fixture
def plugin_path(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "domain.py").write_text(PLUGIN, "utf-8")
    before = set(sys.modules)
    yield str(tmp_path)
    for name in set(sys.modules) - before:
        if "domain" in name:
            del sys.modules[name]


def test_the_single_file_is_found_and_keeps_the_contract(plugin_path: str) -> None:
    registry = Registry.load([plugin_path])
    component = ComponentConfig(type="domain", options={"domain": "example.com"})
    made, config = registry.read_options("IUserMapper", component, "mapper.staff")
    mapper = made.from_config(config, FakeTools())
    alice = make_identity(claims={"email": "alice@example.com"})
    check_user_mapper(mapper, [alice])
    assert outcome_of(mapper.map_user(alice)) == "alice"


def test_its_tests_pass(plugin_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(plugin_path)
    file = Path(plugin_path) / "check_domain.py"
    file.write_text(TESTS, "utf-8")
    spec = importlib.util.spec_from_file_location("check_domain", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


@pytest.mark.parametrize(
    ("command", "typed"), [("check", "domian ="), ("explain", "domain =")]
)
def test_a_command_says_what_the_page_says(
    command: str,
    typed: str,
    plugin_path: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    directory = Path(plugin_path)
    Pki.create().issue("app.example.com").write(directory, "server")
    options = OPTIONS.replace("/etc/sso-proxy/plugins", plugin_path)
    text = (options + AROUND).replace("domain =", typed)
    (directory / "sso-proxy.toml").write_text(text)
    (directory / "alice.json").write_text(BLOCKS["alice.json"])
    monkeypatch.chdir(directory)
    [caption] = [each for each in BLOCKS if each.startswith(f"$ sso-proxy {command}")]
    status = main(shlex.split(caption)[2:])
    assert status == ("mistakes" in BLOCKS[caption])
    told = capsys.readouterr()
    assert told.out + told.err == BLOCKS[caption]
