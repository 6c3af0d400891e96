"""The front page says what it is, shows it, and stays short."""

import re
import struct
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    _, _, rest = PAGE.partition(f"## {title}\n")
    assert rest, title
    return rest.partition("\n## ")[0]


def test_what_it_is_takes_three_sentences() -> None:
    first = PAGE.split("\n\n")[1]
    assert first.startswith("A reverse proxy")
    assert len(re.findall(r"\.(?=\s|$)", first)) == 3


def test_picture_is_one() -> None:
    found = re.search(r"!\[[^\]]+\]\(([\w/.-]+\.png)\)", PAGE)
    assert found is not None
    content = (ROOT / found[1]).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert width >= 800
    assert height >= 400


def test_there_are_two_commands() -> None:
    block = re.search(r"```sh\n(.*?)```", section("Two commands"), re.DOTALL)
    assert block is not None
    commands = [line.split("#")[0].strip() for line in block[1].splitlines()]
    assert commands == ["make demo", "make test"]


def test_both_commands_are_run_in_new_clones() -> None:
    """The first by test_start.py, which follows a page; the second lands changes."""
    assert "```sh\nmake demo\n```" in (ROOT / "docs" / "start.md").read_text()
    assert "exec make test " in (ROOT / ".ci" / "run").read_text()


def test_whatever_it_takes_the_place_of_is_explained_somewhere() -> None:
    rows = section("What it takes the place of").strip().splitlines()[2:]
    assert len(rows) >= 6
    assert [row for row in rows if "](docs/howto/" not in row] == []


def test_production_takes_five_steps() -> None:
    steps = re.findall(
        r"^(\d)\. \*\*", section("In production, in five steps"), re.MULTILINE
    )
    assert steps == list("12345")
