"""Files of rules, groups and tables are read as one, or refused with every mistake."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sso_proxy.authz import rule_files
from sso_proxy.authz.rule_data import Files, read_group
from sso_proxy.authz.rule_files import RuleSet, load_rules
from sso_proxy.authz.rules_config import (
    GroupFileConfig,
    RuleConfig,
    RulesConfig,
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


def test_groups_that_are_named_again_and_again_are_read_once() -> None:
    groups = {f"g{n}": (f"@g{n + 1}",) * 3 for n in range(200)}
    found = load_rules(RulesConfig(groups={**groups, "g200": ("alice",)}))
    assert found.groups["g0"] == {"alice"}


def test_a_member_in_a_file_is_nobodys_group(put: Put) -> None:
    """Who chooses a login of ``@staff`` does not make all of staff members."""
    file = GroupFileConfig(file=put("g.csv", "login\n@staff\nbob\n"))
    config = RulesConfig(groups={"staff": ("alice",)}, group_files={"g": file})
    assert load_rules(config).groups["g"] == {"@staff", "bob"}


def test_groups_that_go_round_in_a_circle_are_refused() -> None:
    groups = {"a": ("@b",), "b": ("@c",), "c": ("@b",)}
    assert mistakes(RulesConfig(groups=groups)) == [
        "groups.b: goes round in a circle: b has c has b",
        "groups.c: goes round in a circle: c has b has c",
    ]


def test_a_group_that_is_not_there_is_said() -> None:
    (mistake,) = mistakes(RulesConfig(groups={"a": ("@b",)}))
    assert mistake == "groups.a: there is no group 'b'"


def test_a_file_that_is_written_while_it_is_read_is_refused(
    put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a file may be a whole set of rules, without those that deny."""
    file = put("a.toml", rule("a"))
    group = put("g.csv", "login\nalice\n")
    late = put("z.toml", f"[group_files.g]\nfile = '{group}'\n")
    config = RulesConfig(files=(file, late))

    def read(files: Files, config: GroupFileConfig) -> object:
        members = read_group(files, config)
        put("a.toml", rule("a") + rule("b"))
        return members

    monkeypatch.setattr(rule_files, "read_group", read)
    (mistake,) = mistakes(config)
    assert mistake == f"files: {file}: was written while it was read"


def test_a_file_that_comes_while_others_are_read_is_not_forgotten(
    put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = put("g.csv", "login\nalice\n")
    put("a.toml", rule("a") + f"[group_files.g]\nfile = '{group}'\n")
    pattern = str(tmp_path / "*.toml")
    config = RulesConfig(files=(pattern,))

    def read(files: Files, config: GroupFileConfig) -> object:
        put("b.toml", rule("b"))
        return read_group(files, config)

    monkeypatch.setattr(rule_files, "read_group", read)
    (mistake,) = mistakes(config)
    assert "other files are there now" in mistake


def test_octets_that_are_no_text_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"\xff")
    (mistake,) = mistakes(RulesConfig(files=(str(file),)))
    assert "is not UTF-8" in mistake
