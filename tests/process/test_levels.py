"""How much is logged, by namespace."""

from typing import Any

import pytest
from twisted.logger import LogLevel

from sso_proxy.process.levels import LONGEST, MOST, Change, Levels


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def event(level: str, namespace: str = "sso_proxy.authn.oidc") -> dict[str, Any]:
    return {"log_level": LogLevel.levelWithName(level), "log_namespace": namespace}


def change(namespace: str, level: str = "debug", seconds: float = 60.0) -> Change:
    return Change(namespace=namespace, level=level, seconds=seconds)


def test_debugging_is_not_logged_unless_wanted() -> None:
    levels = Levels(Time())
    assert not levels.wants(event("debug"))
    assert levels.wants(event("info"))
    assert levels.wants({"log_format": "without a level"})


def test_a_level_holds_for_what_is_below() -> None:
    levels = Levels(Time())
    assert levels.change(change("sso_proxy.authn"))
    assert levels.wants(event("debug"))
    assert levels.wants(event("debug", "sso_proxy.authn"))
    assert not levels.wants(event("debug", "sso_proxy.authnx.y"))
    assert not levels.wants(event("debug", "sso_proxy"))
    assert not levels.wants(event("debug", ""))


def test_the_longest_name_counts() -> None:
    levels = Levels(Time())
    levels.change(change("sso_proxy", "error"))
    levels.change(change("sso_proxy.authn.oidc"))
    assert levels.wants(event("debug"))
    assert not levels.wants(event("warn", "sso_proxy.edge.site"))
    assert levels.wants(event("critical", "sso_proxy.edge.site"))


def test_a_level_goes_back_by_itself() -> None:
    time = Time()
    levels = Levels(time)
    levels.change(change("sso_proxy", seconds=60))
    time.now = 59.0
    assert levels.wants(event("debug"))
    told = {"namespace": "sso_proxy", "level": "debug", "seconds": 1.0}
    assert levels.show() == [told]
    time.now = 60.0
    assert not levels.wants(event("debug"))
    assert levels.show() == []


def test_there_is_a_bound() -> None:
    levels = Levels(Time())
    for number in range(MOST):
        assert levels.change(change(f"n{number}"))
    assert not levels.change(change("more"))
    assert levels.change(change("n1", "error"))


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"namespace": "a"},
        {"namespace": "a", "level": "loud"},
        {"namespace": "a", "level": "debug", "seconds": 0},
        {"namespace": "a", "level": "debug", "seconds": LONGEST + 1},
        {"namespace": "a", "level": "debug", "seconds": True},
        {"namespace": "a", "level": "debug", "seconds": "1"},
        {"namespace": "a", "level": "debug", "more": 1},
        {"namespace": "", "level": "debug"},
        {"namespace": "a..b", "level": "debug"},
        {"namespace": "a\nb", "level": "debug"},
        {"namespace": "a" * 201, "level": "debug"},
    ],
)
def test_what_cannot_be_meant_is_refused(document: object) -> None:
    assert isinstance(Change.read(document), str)


def test_what_is_said_is_read() -> None:
    read = Change.read({"namespace": "sso_proxy.net", "level": "debug"})
    assert read == change("sso_proxy.net", "debug", 600.0)
