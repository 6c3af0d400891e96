"""The first five minutes: what the page says is done, in an empty directory."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs
import pytest

from sso_proxy.config.load import load_config
from sso_proxy.errors import ConfigError
from tests.support.wheels import environment, put_wheels

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "start.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE))
DEMO, INSTALL, USE = SECTIONS
FILE = re.search(r"This is the whole file, `([\w.-]+)`:\n\n```toml", PAGE)
PATIENCE = 120
DROPPED = ("COVERAGE", "MAKE", "MFLAGS", "PIP_", "PYTHON", "SSO_PROXY")


def blocks(section: str) -> list[tuple[str, str]]:
    """Give the language and the text of each block of a section."""
    return re.findall(
        r"^```(\w+)\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL
    )


def follow(section: str) -> str:
    """Give the commands as they are, and those that write the file as it is."""
    assert FILE is not None
    written = {"toml": "cat > {} <<'END'\n{}END\n", "sh": "{1}", "text": ""}
    return "".join(
        written[kind].format(FILE[1], text) for kind, text in blocks(section)
    )


@attrs.frozen
class Newcomer:
    """
    Somebody with an empty home, a source tree, and no environment.

    Attributes:
        home: The home.
        tree: The source tree.
        environ: The variables: of what is installed for the tests, nothing is found.
    """

    home: Path
    tree: Path
    environ: Mapping[str, str]

    def made(self) -> set[str]:
        """Give what one sees in the home."""
        return {each.name for each in self.home.iterdir() if each.name[0] != "."}

    @contextmanager
    def terminal(self, script: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a script in the source tree; in the end nothing of it is left."""
        shell = subprocess.Popen(  # noqa: S603
            [*own_network(), "/bin/bash", "-e", "-c", script],
            cwd=self.tree,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield shell
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.communicate(timeout=PATIENCE)


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


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what stands in for a package index."""
    directory = tmp_path_factory.mktemp("wheels")
    put_wheels(directory)
    return directory


@pytest.fixture
def newcomer(tmp_path: Path, wheels: Path) -> Newcomer:
    """Copy what a clone would have, uncommitted changes included."""
    home, tree, programs = (tmp_path / n for n in ("home", "home/tree", "programs"))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    programs.mkdir()
    base: str = sys._base_executable  # type: ignore[attr-defined]  # noqa: SLF001
    for name in ("python3", "python3.11"):  # the one that the wheels are for
        (programs / name).write_text(f'#!/bin/sh\nexec "{base}" "$@"\n')
        (programs / name).chmod(0o755)
    ours = Path(sys.prefix) / "bin"
    path = [each for each in os.environ["PATH"].split(":") if Path(each) != ours]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(DROPPED) and name != "VIRTUAL_ENV"
    }
    own = {"HOME": str(home), "PATH": ":".join([str(programs), *path])}
    return Newcomer(home, tree, {**kept, **environment(wheels), **own})


def test_page_says_what_to_do() -> None:
    assert [kind for kind, _ in blocks(DEMO)] == ["sh", "sh"]
    assert [kind for kind, _ in blocks(INSTALL)] == ["sh"]
    assert [kind for kind, _ in blocks(USE)] == ["sh", "toml", "sh", "text", "sh", "sh"]
    assert PAGE.count("```") == 2 * 9


def test_demo_runs_in_a_new_clone_until_ctrl_c(newcomer: Newcomer) -> None:
    (_, demo), (_, look) = blocks(DEMO)
    with newcomer.terminal(demo) as first:
        assert first.stdout is not None
        lines = []
        for line in first.stdout:
            lines.append(line)
            if "until Ctrl-C" in line:
                break
        said = "".join(lines)
        assert "until Ctrl-C" in said, said
        with newcomer.terminal(look) as second:
            shown, _ = second.communicate(timeout=PATIENCE)
        os.killpg(first.pid, signal.SIGINT)
        rest, _ = first.communicate(timeout=PATIENCE)
    assert "23 of 23 checks went as they have to." in said
    assert said.count("200 passes") == 11
    assert said.count("401 refused") == 4
    assert said.count("403 refused") == 4
    assert said.count("303 leads on") == 4
    assert said.count("there is no session: log in") == 2
    assert said.count("the application takes the thief for Alice Archer") == 2
    assert 'error="invalid_token"' in said
    assert (second.returncode, first.returncode) == (0, -signal.SIGINT), rest
    assert "[[route]]" in shown
    assert shown.count('"decision":') == 3
    assert "Traceback" not in rest
    assert newcomer.made() == {"tree"}


def test_who_does_what_the_page_says_sees_the_application(newcomer: Newcomer) -> None:
    with newcomer.terminal(follow(INSTALL) + follow(USE)) as shell:
        said, _ = shell.communicate(timeout=PATIENCE)
    assert shell.returncode == 0, said
    assert re.search(r"^\d+\.\d+\.\d+ pure$", said, re.MULTILINE), said
    assert "sso-proxy.toml: no mistakes\n" in said
    assert "Hello from the application\n" in said
    assert newcomer.made() == {"tree", "try-sso-proxy"}


def test_mistake_on_the_page_is_what_is_said(tmp_path: Path) -> None:
    texts = dict(blocks(USE))
    file = tmp_path / "sso-proxy.toml"
    file.write_text(texts["toml"].replace("address", "adress"))
    with pytest.raises(ConfigError) as refused:
        load_config(file)
    assert texts["text"].strip() in map(str, refused.value.mistakes)
