"""docs/howto/ldap.md: its examples are good, and its numbers are the defaults."""

import re
from pathlib import Path

import attrs
import pytest

from sso_proxy.checkers.ldap_groups import LdapGroupsConfig
from sso_proxy.cli import main
from sso_proxy.net.ldap_options import LdapOptions
from sso_proxy.testing.pki import Pki

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "ldap.md").read_text("utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
OPTIONS = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`|([\d,]+))? ?\|", PAGE, re.MULTILINE)
AROUND = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[[route]]
host = "app.example.com"
authenticate = ["api"]
backend = "http://127.0.0.1:9000"
"""
BASIC = """
[authenticator.api]
type = "basic"
checker = "staff"
"""
BEARER = """
map_user = ["account"]

[authenticator.api]
type = "mtls"
"""


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 4
    assert len(OPTIONS) == 11


@pytest.mark.parametrize("block", BLOCKS, ids=["search", "ad", "template", "mapper"])
def test_an_example_is_good(
    block: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LDAP_PASSWORD", "s3cret")
    pki = Pki.create()
    pki.issue("app", dns=["app.example.com"], server=True).write(tmp_path, "server")
    pki.write(tmp_path, "ca")
    file = tmp_path / "sso-proxy.toml"
    text = AROUND + (BASIC if "[checker" in block else BEARER) + block
    if "mtls" in text:
        wanted = 'client_certificate = "required"\nclient_ca = "ca.crt"\n\n[[route]]'
        text = text.replace("[[route]]", wanted)
    file.write_text(f'[server]\nstate_dir = "{tmp_path / "state"}"\n' + text)
    status = main(["check", str(file)])
    assert status == 0, capsys.readouterr()


@pytest.mark.parametrize(("name", "text", "number"), OPTIONS, ids=lambda v: v)
def test_a_default_is_as_it_says(name: str, text: str, number: str) -> None:
    fields = {
        f.name: f
        for kind in (LdapOptions, LdapGroupsConfig)
        for f in attrs.fields(kind)
    }
    if number:
        assert fields[name].default == float(number.replace(",", ""))
    else:
        assert fields[name].default == text
