"""The first five minutes: what the page says is done, in an empty directory."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sso_proxy.config.load import load_config
from sso_proxy.errors import ConfigError

PAGE = (Path(__file__).parent.parent.parent / "docs" / "start.md").read_text()
_, _, SECTION = PAGE.partition("## Put it in front of something\n")
BLOCKS: list[tuple[str, str]] = re.findall(
    r"^```(\w+)\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL
)
FILE = re.search(r"This is the whole file, `([\w.-]+)`:\n\n```toml", SECTION)


def follow(blocks: list[tuple[str, str]]) -> str:
    """Give the commands as they are, and those that write the file as it is."""
    assert FILE is not None
    written = {"toml": "cat > {} <<'END'\n{}END\n", "sh": "{1}", "text": ""}
    return "".join(written[kind].format(FILE[1], text) for kind, text in blocks)


def test_page_says_what_to_do() -> None:
    assert [kind for kind, _ in BLOCKS] == ["sh", "toml", "sh", "text", "sh"]


def own_network() -> list[str]:
    """Give what runs a command where no port is taken, if the system lets us."""
    mapped = [] if os.geteuid() == 0 else ["--map-current-user", "--keep-caps"]
    up = 'ip link set lo up && exec "$@"'
    alone = ["unshare", "--net", *mapped, "/bin/sh", "-c", up, "sh"]
    try:
        tried = subprocess.run([*alone, "true"], check=False, capture_output=True)  # noqa: S603
    except OSError:
        return []
    return alone if tried.returncode == 0 else []


def test_who_does_what_the_page_says_sees_the_application(tmp_path: Path) -> None:
    script = "set -e\n" + follow(BLOCKS)
    programs = Path(sys.executable).parent
    output = tmp_path / "output"
    with output.open("wb") as said:
        shell = subprocess.Popen(  # noqa: S603
            [*own_network(), "/bin/bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert shell.wait(120) == 0, output.read_text()
    finally:
        with suppress(ProcessLookupError):  # what it has left running
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait(60)
    text = output.read_text()
    assert "sso-proxy.toml: no mistakes\n" in text
    assert "Hello from the application\n" in text


def test_mistake_on_the_page_is_what_is_said(tmp_path: Path) -> None:
    texts = dict(BLOCKS)
    file = tmp_path / "sso-proxy.toml"
    file.write_text(texts["toml"].replace("address", "adress"))
    with pytest.raises(ConfigError) as refused:
        load_config(file)
    assert texts["text"].strip() in map(str, refused.value.mistakes)
