"""Groups and tables are read from files, or refused."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sso_proxy.authz.rule_data import Files, read_group, read_table
from sso_proxy.authz.rules_config import GroupFileConfig, TableConfig

Put = Callable[[str, str], str]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file and give its name."""

    def write(name: str, text: str) -> str:
        file = tmp_path / name
        file.write_text(text, "utf-8")
        return str(file)

    return write


def group(file: str, column: str | None = None) -> set[str]:
    return set(read_group(Files(), GroupFileConfig(file=file, column=column)))


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("g.csv", "login\nalice\nbob\n", None),
        ("g.csv", "\ufefflogin,mail\r\nalice,a@b\r\n\r\nbob,b@b", "login"),
        ("g.json", '["alice", "bob"]', None),
        ("g.json", '[{"login": "alice"}, {"login": "bob"}]', None),
    ],
)
def test_a_group_is_read_from_a_file(
    put: Put, name: str, text: str, column: str | None
) -> None:
    assert group(put(name, text), column) == {"alice", "bob"}


@pytest.mark.parametrize(
    ("name", "text", "column", "problem"),
    [
        ("g.csv", "", None, "no line that names the columns"),
        ("g.csv", "a,b\n1,2\n", None, "several columns"),
        ("g.csv", "a,b\n1,2\n", "c", "no column 'c'; it has: a, b"),
        ("g.csv", "a,a\n1,2\n", "a", "a name of its own"),
        ("g.csv", "a,b\n1\n", "a", "row 2 has 1 values for 2 columns"),
        ("g.csv", 'a\n"x', None, "is not CSV"),
        ("g.json", '[{"a": "x", "a": "y"}]', "a", "two members of one name"),
        ("g.json", "{}", None, "is no list"),
        ("g.json", "[1]", None, "values are texts"),
        ("g.json", "[" * 100_000, None, "is not JSON"),
        ("g.json", '["a"]', "login", "has no columns"),
        ("g.txt", "alice", None, "end with .csv or .json"),
    ],
)
def test_what_is_no_group_is_refused(
    put: Put, name: str, text: str, column: str | None, problem: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        group(put(name, text), column)


def test_a_table_is_read_from_a_file(put: Put) -> None:
    config = TableConfig(file=put("t.csv", "code,country\nx1,DE\n"), key="code")
    assert read_table(Files(), config) == {"x1": {"code": "x1", "country": "DE"}}


def test_two_rows_with_one_key_are_refused(put: Put) -> None:
    config = TableConfig(file=put("t.csv", "code\nx\nx\n"), key="code")
    with pytest.raises(ValueError, match="two rows with code 'x'"):
        read_table(Files(), config)


def test_an_empty_cell_is_nobody(put: Put) -> None:
    """Else who has an empty claim would be a member."""
    file = put("g.csv", "login,deputy\nalice,\nbob,carol\n")
    assert group(file, "deputy") == {"carol"}
    assert group(put("g.json", '["", "a"]')) == {"a"}


def test_a_million_members_are_read(put: Put) -> None:
    text = "login\n" + "".join(f"user{n}\n" for n in range(1_000_000))
    assert len(group(put("g.csv", text))) == 1_000_000


def test_what_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "g.csv"
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match="is no file"):
        group(str(pipe))


def test_a_file_that_is_gone_or_another_one_has_changed(put: Put) -> None:
    files = Files()
    names = [put("a", "x"), put("b", "x"), put("c", "x")]
    for name in names:
        files.read_text(name)
    Path(names[0]).unlink()
    Path(put("other", "x")).rename(names[1])
    assert list(files.changed()) == names[:2]
