"""Tries are counted, and pauses grow."""

import pytest

from sso_proxy.errors import UnavailableError
from sso_proxy.net.tries import NEEDS, PURPOSE, Pace, Tries, fold
from sso_proxy.testing.fakes import FakeTools
from tests.support.caching import now

PACE = Pace(free=2, first=10.0, longest=40.0, memory=100.0)


def make(tools: FakeTools) -> Tries:
    cache, sealer = tools.cache(None, NEEDS), tools.sealer(PURPOSE)
    return Tries(cache, sealer, tools.clock, PACE)


def test_pauses_double_up_to_the_longest() -> None:
    tools = FakeTools()
    tries, waits = make(tools), []
    for _ in range(6):
        assert now(tries.begin("user", "a")) == 0.0
        waits.append(now(tries.begin("user", "a")) if _ else 0.0)
        tools.clock.now += waits[-1]
    assert waits == [0.0, 10.0, 20.0, 40.0, 40.0, 40.0]


def test_a_try_that_comes_too_soon_is_not_counted() -> None:
    """Else who goes on trying would keep the user out for ever."""
    tools = FakeTools()
    tries = make(tools)
    for _ in range(9):
        now(tries.begin("user", "a"))
    tools.clock.now += 10.0
    assert now(tries.begin("user", "a")) == 0.0


def test_who_else_tries_is_another_count() -> None:
    tries = make(FakeTools())
    for _ in range(3):
        now(tries.begin("user", "a"))
    assert now(tries.begin("user", "b")) == 0.0
    assert now(tries.begin("usera", "")) == 0.0


def test_what_was_right_is_taken_back_or_forgotten() -> None:
    tries = make(FakeTools())
    for _ in range(5):
        assert now(tries.begin("user", "a")) == 0.0
        now(tries.take_back("user", "a"))
    for _ in range(5):
        assert now(tries.begin("user", "b")) == 0.0
        now(tries.forget("user", "b"))


def test_a_try_can_be_added_and_looked_at() -> None:
    tries = make(FakeTools())
    assert now(tries.wait("user", "a")) == 0.0
    for _ in range(2):
        now(tries.add("user", "a"))
    assert now(tries.wait("user", "a")) == 10.0


def test_a_clock_that_is_set_back_keeps_nobody_out_for_longer() -> None:
    tools = FakeTools()
    tries = make(tools)
    for _ in range(2):
        now(tries.begin("user", "a"))
    tools.clock.now -= 86400
    assert now(tries.begin("user", "a")) == 10.0


def test_all_is_forgotten_in_the_end() -> None:
    tools = FakeTools()
    tries = make(tools)
    for _ in range(2):
        now(tries.begin("user", "a"))
    tools.clock.advance(101)
    assert now(tries.begin("user", "a")) == 0.0


def test_names_are_not_in_the_cache() -> None:
    tools = FakeTools()
    now(make(tools).begin("user", "alice"))
    assert "alice" not in repr(vars(tools.memory))


def test_without_the_cache_nobody_can_try() -> None:
    """Who could bring it down would else have as many tries as they like."""

    class Broken:
        async def get(self, purpose: str, name: bytes) -> bytes:
            raise UnavailableError(f"{purpose} {len(name)}")

    tools = FakeTools()
    tries = Tries(Broken(), tools.sealer(PURPOSE), tools.clock, PACE)  # type: ignore[arg-type]
    with pytest.raises(UnavailableError):
        now(tries.begin("user", "a"))


class Contended:
    """A cache in which somebody else is always faster."""

    async def get(self, purpose: str, name: bytes) -> None:
        """Give nothing."""

    async def compare_and_set(self, *arguments: object) -> bool:
        """Be too late."""
        return not arguments


def test_too_many_at_the_same_moment_come_again() -> None:
    tools = FakeTools()
    tries = Tries(Contended(), tools.sealer(PURPOSE), tools.clock, PACE)  # type: ignore[arg-type]
    assert now(tries.begin("user", "a")) == 1.0
    with pytest.raises(UnavailableError):
        now(tries.add("user", "a"))


def test_names_that_look_alike_to_directories_are_folded() -> None:
    assert {fold(n) for n in ("Bob", " bob", "BOB ", "\uff22ob")} == {"bob"}
    assert fold("a  b") == fold("a b")
    assert fold("bob") != fold("b ob")
