"""Files of rules, groups and tables are read as one, or refused with every mistake."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sso_proxy.authz import rule_files
from sso_proxy.authz.rule_files import RuleSet, load_rules
from sso_proxy.authz.rules_config import (
    GroupFileConfig,
    RuleConfig,
    RulesConfig,
    TableConfig,
)
from sso_proxy.errors import ConfigError

Put = Callable[[str, str], str]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file and give its name."""

    def write(name: str, text: str) -> str:
        file = tmp_path / name
        file.write_text(text, "utf-8")
        return str(file)

    return write


def rule(name: str) -> str:
    return f"[[rule]]\nname = '{name}'\neffect = 'permit'\n"


def names(found: RuleSet) -> list[str]:
    return [each.name for _, each in found.rules]


def mistakes(config: RulesConfig) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_rules(config)
    return [f"{m.path}: {m.problem}" for m in caught.value.mistakes]


def test_files_come_after_the_configuration_in_the_order_of_their_names(
    put: Put, tmp_path: Path
) -> None:
    put("b.toml", rule("b"))
    put("a.toml", rule("a"))
    ours = RuleConfig(name="ours", effect="permit")
    config = RulesConfig(rule=(ours,), files=(str(tmp_path / "*.toml"),))
    assert names(load_rules(config)) == ["ours", "a", "b"]


def test_a_file_is_read_once(put: Put, tmp_path: Path) -> None:
    file = put("a.toml", rule("a"))
    config = RulesConfig(files=(file, str(tmp_path / "*.toml")))
    assert names(load_rules(config)) == ["a"]


def test_all_that_is_wrong_is_said(put: Put, tmp_path: Path) -> None:
    bad = put("bad.toml", "[[rule]]\nname = 'x'\neffect = 'allow'\nwhat = 1\n")
    broken = put("broken.toml", "[[rule")
    config = RulesConfig(files=(bad, broken, str(tmp_path / "none*.toml")))
    found = mistakes(config)
    assert len(found) == 4
    assert any("rule[0].effect" in each and bad in each for each in found)
    assert any("is not TOML" in each for each in found)
    assert any("no file fits" in each for each in found)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    (mistake,) = mistakes(RulesConfig(files=(str(tmp_path / "gone.toml"),)))
    assert "No such file" in mistake


def test_a_name_is_that_of_one_rule(put: Put) -> None:
    files = (put("a.toml", rule("x")), put("b.toml", rule("x")))
    (mistake,) = mistakes(RulesConfig(files=files))
    assert "rule 'x' is files: " in mistake


def test_a_megabyte_is_too_much(put: Put) -> None:
    file = put("a.toml", "#" * (1 << 20) + "\n")
    (mistake,) = mistakes(RulesConfig(files=(file,)))
    assert "more than 1048576 octets" in mistake


def test_deep_nesting_is_refused(put: Put) -> None:
    deep = put("a.toml", "a = " + "[" * 5000 + "]" * 5000)
    (mistake,) = mistakes(RulesConfig(files=(deep,)))
    assert "is not TOML" in mistake


def test_rules_have_a_number(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_files, "MOST_RULES", 2)
    file = put("a.toml", "".join(map(rule, "abc")))
    (mistake,) = mistakes(RulesConfig(files=(file,)))
    assert mistake == "rule: there are 3 rules; 2 at most"


def test_groups_have_groups_in_them() -> None:
    groups = {"all": ("@staff", "carol"), "staff": ("alice", "bob")}
    found = load_rules(RulesConfig(groups=groups))
    assert found.groups["all"] == {"alice", "bob", "carol"}


def test_groups_that_go_round_in_a_circle_are_refused() -> None:
    groups = {"a": ("@b",), "b": ("@c",), "c": ("@b",)}
    assert mistakes(RulesConfig(groups=groups)) == [
        "groups.b: goes round in a circle: b has c has b",
        "groups.c: goes round in a circle: c has b has c",
    ]


def test_a_group_that_is_not_there_is_said() -> None:
    (mistake,) = mistakes(RulesConfig(groups={"a": ("@b",)}))
    assert mistake == "groups.a: there is no group 'b'"


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
    config = GroupFileConfig(file=put(name, text), column=column)
    found = load_rules(RulesConfig(group_files={"g": config}))
    assert found.groups == {"g": frozenset({"alice", "bob"})}


@pytest.mark.parametrize(
    ("name", "text", "column", "problem"),
    [
        ("g.csv", "", None, "no line that names the columns"),
        ("g.csv", "a,b\n1,2\n", None, "several columns"),
        ("g.csv", "a,b\n1,2\n", "c", "no column 'c'; it has: a, b"),
        ("g.csv", "a,a\n1,2\n", "a", "a name of its own"),
        ("g.csv", "a,b\n1\n", "a", "row 2 has 1 values for 2 columns"),
        ("g.csv", 'a\n"x', None, "is not CSV"),
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
    config = GroupFileConfig(file=put(name, text), column=column)
    (mistake,) = mistakes(RulesConfig(group_files={"g": config}))
    assert mistake.startswith("group_files.g: ")
    assert problem in mistake


def test_a_table_is_read_from_a_file(put: Put) -> None:
    config = TableConfig(file=put("t.csv", "code,country\nx1,DE\n"), key="code")
    found = load_rules(RulesConfig(tables={"t": config}))
    assert found.tables == {"t": {"x1": {"code": "x1", "country": "DE"}}}


def test_two_rows_with_one_key_are_refused(put: Put) -> None:
    config = TableConfig(file=put("t.csv", "code\nx\nx\n"), key="code")
    (mistake,) = mistakes(RulesConfig(tables={"t": config}))
    assert "two rows with code 'x'" in mistake


def test_octets_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xff")
    (mistake,) = mistakes(RulesConfig(files=(str(file),)))
    assert "is not UTF-8" in mistake
