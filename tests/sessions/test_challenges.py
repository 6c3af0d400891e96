"""A challenge is good for one holder, host and use, for a while, and once."""

from pathlib import Path

import pytest

from sso_proxy.sessions.challenges import Challenges, Use
from sso_proxy.sessions.lifetime import SKEW
from tests.support.caching import now, real_cache
from tests.support.sessions import SessionTools

HOST = "app.example.com"


def challenges_of(tools: SessionTools, name: str = "main") -> Challenges:
    sealer = tools.sealer("device-challenge")
    return Challenges(sealer, tools.memory, tools.clock, 900, name)


def test_any_process_knows_it() -> None:
    tools = SessionTools()
    text = challenges_of(tools).make("refresh", "h", HOST)
    assert challenges_of(tools.another()).check(text, "refresh", "h", HOST)


@pytest.mark.parametrize(
    ("use", "holder", "host", "name"),
    [
        ("register", "h", HOST, "main"),
        ("authorize", "h", HOST, "main"),
        ("refresh", "thief", HOST, "main"),
        ("refresh", "h", "other.example.com", "main"),
        ("refresh", "h", HOST, "admin"),
    ],
)
def test_it_is_good_for_nothing_else(
    use: Use, holder: str, host: str, name: str
) -> None:
    tools = SessionTools()
    text = challenges_of(tools).make("refresh", "h", HOST)
    assert not challenges_of(tools, name).check(text, use, holder, host)


@pytest.mark.parametrize("text", ["", "challenge", "A", "é", "A" * 100])
def test_what_was_never_made_is_none(text: str) -> None:
    assert not challenges_of(SessionTools()).check(text, "refresh", "h", HOST)


def test_several_are_good_at_a_time_but_not_for_ever() -> None:
    tools = SessionTools()
    challenges = challenges_of(tools)
    first = challenges.make("refresh", "h", HOST)
    tools.clock.advance(899)
    second = challenges.make("refresh", "h", HOST)
    assert challenges.check(first, "refresh", "h", HOST)
    tools.clock.advance(1)
    assert not challenges.check(first, "refresh", "h", HOST)
    assert challenges.check(second, "refresh", "h", HOST)


def test_a_clock_may_be_a_little_ahead_of_another() -> None:
    tools = SessionTools()
    text = challenges_of(tools).make("refresh", "h", HOST)
    tools.clock.now -= SKEW
    assert challenges_of(tools).check(text, "refresh", "h", HOST)
    tools.clock.now -= 1
    assert not challenges_of(tools).check(text, "refresh", "h", HOST)


def test_one_is_used_once_by_whichever_process() -> None:
    tools = SessionTools()
    first, second = (challenges_of(tools).make("refresh", "h", HOST) for _ in "ab")
    assert first != second
    assert now(challenges_of(tools).spend(first))
    assert not now(challenges_of(tools.another()).spend(first))
    assert now(challenges_of(tools.another()).spend(second))


def test_it_is_known_as_used_for_as_long_as_any_machine_takes_it() -> None:
    tools = SessionTools()
    challenges = challenges_of(tools)
    text = challenges.make("refresh", "h", HOST)
    assert now(challenges.spend(text))
    tools.clock.advance(900 + SKEW)
    assert not now(challenges.spend(text))


def test_the_cache_of_a_machine_knows_what_was_used(tmp_path: Path) -> None:
    tools, cache = SessionTools(), real_cache(tmp_path)
    cache.open()
    try:
        challenges = Challenges(tools.sealer("device-challenge"), cache, tools.clock)
        text = challenges.make("refresh", "h", HOST)
        assert now(challenges.spend(text))
        assert not now(challenges.spend(text))
    finally:
        cache.store.close()
