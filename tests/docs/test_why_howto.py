"""docs/howto/why.md: its commands are run, and say what it says that they say."""

import re
import shlex
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.testing.pki import Pki

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "why.md").read_text("utf-8")
BLOCK = re.compile(
    r"^```\{code-block\} \w+\n:caption: ([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
AROUND = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "server.crt"
key = "server.key"

[authenticator.api]
type = "bearer"
issuer = "https://login.example.com"
jwks_uri = "https://login.example.com/jwks"
audience = ["https://app.example.com"]
"""
BLOCKS = dict(BLOCK.findall(PAGE))
COMMANDS = [caption for caption in BLOCKS if caption.startswith("$ ")]
STATUS = {"=> permitted": 0, "=> cannot tell": 2, "3 cases, 0 failed": 0, "1 loses": 1}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Pki.create().issue("app.example.com").write(tmp_path, "server")
    for name, text in BLOCKS.items():
        if not name.startswith("$ "):
            whole = AROUND if name in {"sso-proxy.toml", "new.toml"} else ""
            (tmp_path / name).write_text(whole + text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_the_page_says(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(shlex.split(command)[2:])
    assert capsys.readouterr().out == BLOCKS[command]
    last = BLOCKS[command].splitlines()[-1]
    assert [status] == [
        known for begin, known in STATUS.items() if last.startswith(begin)
    ]


def test_all_commands_of_the_page_are_known() -> None:
    assert len(COMMANDS) == 4
