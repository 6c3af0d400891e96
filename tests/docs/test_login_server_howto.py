"""The examples in docs/howto/login-server.md can be used as they stand there."""

import re
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.testing.pki import Pki
from tests.support.login_proxy import write_secret
from tests.support.pubtkt_keys import private_pem

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "login-server.md"
FIRST, TKT, SECOND = re.findall(
    r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)
AROUND = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[server]
state_dir = "state"

[authenticator.corp]
type = "anonymous"
"""


def test_the_examples_have_no_mistake(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TICKET_SECRET", "a secret of all")
    issued = Pki.create().issue("app", dns=["login.example.com"], server=True)
    issued.write(tmp_path, "server")
    write_secret(tmp_path, "ticket.pem", private_pem("rsa").decode())
    config = tmp_path / "proxy.toml"
    config.write_text(AROUND + FIRST + TKT + SECOND)
    assert main(["check", str(config)]) == 0, capsys.readouterr().err


def test_the_page_shows_what_the_example_has() -> None:
    example = (PAGE.parents[2] / "etc" / "login-server-auth-tkt.toml").read_text()
    lines = {line.partition("  #")[0].rstrip() for line in example.splitlines()}
    assert set(TKT.splitlines()) <= lines
