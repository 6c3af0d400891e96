"""The examples in docs/howto/tokens-by-grant.md can be used as they stand there."""

import re
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.testing.pki import Pki
from tests.support.login_proxy import write_secret

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "tokens-by-grant.md"
EXAMPLES = re.findall(
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
"""
STAFF = '\n[authenticator.staff]\ntype = "anonymous"\n'


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text[:20])
def test_an_example_has_no_mistake(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    issued = Pki.create().issue("app", dns=["app.example.com"], server=True)
    issued.write(tmp_path, "server")
    write_secret(tmp_path, "login.secret", "s3cret")
    config = tmp_path / "proxy.toml"
    needed = STAFF if '"staff"' in text else ""
    config.write_text(AROUND + needed + text)
    assert main(["check", str(config)]) == 0, capsys.readouterr().err


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2
