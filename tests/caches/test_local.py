"""The cache that processes share: its contract, budgets and health."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sso_proxy.caches.local import LocalCache, LocalCacheConfig
from sso_proxy.caches.records import cost
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.interfaces import ICache, IHealth
from sso_proxy.testing import check_cache, outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools
from tests.support.caching import MakeLocal

SMALL = 2**20
FITS = SMALL // cost(b"")
"""Records without a value that fit into `SMALL`."""


def test_it_keeps_the_contract(make_local: MakeLocal, clock: SettableClock) -> None:
    async def let_pass(seconds: float) -> None:
        clock.advance(seconds)

    outcome_of(check_cache(make_local(), let_pass))


def test_it_is_a_cache_whose_state_matters(make_local: MakeLocal) -> None:
    cache = make_local()
    assert verifyObject(ICache, cache)
    assert verifyObject(IHealth, cache)
    assert outcome_of(cache.probe()) == ()


def test_files_are_in_the_state_directory(tmp_path: Path) -> None:
    tools = FakeTools(state_dir=tmp_path / "state")
    cache = LocalCache.from_config(LocalCacheConfig(), tools)
    expected = tmp_path / "state" / "cache"
    assert cache.store.environment.directory == expected.resolve()
    assert not (tmp_path / "state").exists(), "making a cache opens nothing"


def test_closed_cache_is_unavailable(make_local: MakeLocal) -> None:
    cache = make_local(opened=False)
    calls: list[Coroutine[Any, Any, Any]] = [
        cache.get("a", b"1"),
        cache.add("a", b"1", b"", 1),
        cache.index_list("a", b"1"),
    ]
    for call in calls:
        with pytest.raises(UnavailableError):
            outcome_of(call)
    assert "closed" in "".join(outcome_of(cache.probe()))


def test_what_cannot_be_opened_is_a_mistake_at_its_place(
    make_local: MakeLocal, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ConfigError) as caught:
        make_local(name="mine")
    (mistake,) = caught.value.mistakes
    assert mistake.path == "cache.mine.directory"
    assert str(tmp_path / "cache") in mistake.problem


def test_full_kind_evicts_only_its_own(make_local: MakeLocal) -> None:
    async def conversation() -> None:
        cache = make_local(budget=SMALL)
        await cache.put("b", b"first to expire", b"", 1)
        for number in range(FITS):
            await cache.put("a", b"%d" % number, b"", 60 + number)
        assert await cache.get("a", b"0") is not None
        await cache.put("a", b"more", b"", 60)
        assert await cache.get("a", b"0") is None
        assert await cache.get("a", b"1") is not None
        assert await cache.get("b", b"first to expire") is not None

    outcome_of(conversation())


def test_replay_marks_are_never_evicted(
    make_local: MakeLocal, clock: SettableClock
) -> None:
    """A mark that is lost is a replay that passes."""

    async def conversation() -> None:
        cache = make_local(budget=SMALL)
        for number in range(FITS):
            assert await cache.add("a", b"%d" % number, b"", 60)
        with pytest.raises(UnavailableError):
            await cache.add("a", b"more", b"", 60)
        assert await cache.add("b", b"more", b"", 60), "another kind has room"
        assert not await cache.add("a", b"0", b"", 60)
        (line,) = await cache.probe()
        assert line.startswith("warning: ")
        assert "a" in line
        clock.advance(61)
        assert await cache.add("a", b"more", b"", 60)

    outcome_of(conversation())


def test_marks_that_expire_make_room_at_once(
    make_local: MakeLocal, clock: SettableClock
) -> None:
    """A steady stream of marks needs no sweep to go on for ever."""

    async def conversation() -> None:
        cache = make_local(budget=SMALL)
        for number in range(4 * FITS):
            clock.advance(60 / FITS)
            assert await cache.add("a", b"%d" % number, b"", 50)

    outcome_of(conversation())


def test_setting_the_clock_changes_nothing(
    make_local: MakeLocal, clock: SettableClock
) -> None:
    async def conversation() -> None:
        cache = make_local()
        await cache.put("a", b"1", b"", 60)
        await cache.add("a", b"2", b"", 600)
        clock.advance(61)
        clock.now -= 3600
        assert await cache.get("a", b"1") is None
        clock.now += 7200
        assert not await cache.add("a", b"2", b"", 600)

    outcome_of(conversation())


def test_names_and_members_are_not_readable_in_the_files(
    make_local: MakeLocal, tmp_path: Path
) -> None:
    """A session's id in the file would be as good as its cookie."""
    cache = make_local()
    outcome_of(cache.put("a", b"session-id-of-alice", b"sealed", 60))
    outcome_of(cache.index_add("a", b"index-of-alice", b"sealed", 60))
    cache.store.close()
    content = (tmp_path / "cache" / "data.mdb").read_bytes()
    assert b"sealed" in content
    assert b"-of-alice" not in content
