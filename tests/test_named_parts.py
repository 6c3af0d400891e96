"""Components that need others of their family."""

import pytest

from sso_proxy.config.model import ComponentConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.named_parts import NamedParts


class Family:
    """Components that are the names of what they need, joined."""

    def __init__(self, **needs: str) -> None:
        self.made: list[str] = []
        self.needs = needs
        tables = {name: ComponentConfig(type="fake") for name in needs}
        self.parts = NamedParts("thing", tables, self.make)

    def make(self, name: str, _: ComponentConfig) -> str:
        self.made.append(name)
        if self.needs[name] == "broken":
            raise ConfigError(Mistake(f"thing.{name}", "is broken"))
        needed = [self.parts.give(each) for each in self.needs[name].split()]
        return f"{name}({', '.join(needed)})"

    def mistakes(self) -> list[str]:
        self.parts.make_all()
        return [f"{each.path}: {each.problem}" for each in self.parts.mistakes]


def test_each_is_made_once_and_after_what_it_needs() -> None:
    family = Family(a="c b", b="c", c="")
    assert family.mistakes() == []
    assert family.made == ["a", "c", "b"]
    assert family.parts.find("a") == "a(c(), b(c()))"
    assert family.parts.needs == {"a": ["c", "b"], "b": ["c"]}


def test_those_that_need_each_other_cannot_be_made() -> None:
    family = Family(a="b", b="c", c="b", d="")
    first, *others = family.mistakes()
    assert first == ": goes round in a circle: 'a' needs 'b' needs 'c' needs 'b'"
    assert len(others) == 2  # of b and a, which need one that cannot be made
    assert family.parts.made == {"d": "d()"}


def test_one_that_needs_itself_cannot_be_made() -> None:
    assert Family(a="a").mistakes() == [
        ": goes round in a circle: 'a' needs 'a'",
    ]


def test_what_needs_something_broken_is_broken() -> None:
    assert Family(a="b", b="broken").mistakes() == [
        "thing.b: is broken",
        ": needs thing.b, which cannot be used",
    ]


def test_what_is_not_there_is_said_with_what_is() -> None:
    (mistake,) = Family(a="things", thing="").mistakes()
    assert "thing 'things'" in mistake
    assert "'thing'" in mistake


def test_nothing_is_found_that_is_not_configured() -> None:
    family = Family(a="")
    assert family.parts.find("b") is None
    with pytest.raises(ConfigError):
        family.parts.give("b")
