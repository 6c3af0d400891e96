"""The cache of one process."""

import pytest
from zope.interface.verify import verifyObject

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.caches.records import cost
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache
from sso_proxy.testing import check_cache, outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools

SMALL = 2**16
FITS = SMALL // cost(b"")
"""Records without a value that fit into `SMALL`."""


def small(clock: SettableClock) -> MemoryCache:
    cache = MemoryCache(MemoryCacheConfig(budget=SMALL), clock)
    cache.open()
    return cache


def test_it_keeps_the_contract(clock: SettableClock) -> None:
    async def let_pass(seconds: float) -> None:
        clock.advance(seconds)

    outcome_of(check_cache(MemoryCache(MemoryCacheConfig(), clock), let_pass))


def test_it_is_made_of_a_configuration() -> None:
    cache = MemoryCache.from_config(MemoryCacheConfig(), FakeTools())
    assert verifyObject(ICache, cache)


def test_it_survives_a_reload() -> None:
    kept: dict[object, object] = {}

    class Tools(FakeTools):
        def shared(self, key, make):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            return kept.setdefault(key, make())

    first = MemoryCache.from_config(MemoryCacheConfig(), Tools())
    outcome_of(first.put("a", b"1", b"x", 60))
    second = MemoryCache.from_config(MemoryCacheConfig(), Tools())
    assert outcome_of(second.get("a", b"1")) == b"x"


async def fill(cache: MemoryCache, purpose: str) -> None:
    for number in range(FITS):
        await cache.put(purpose, b"%d" % number, b"", 60 + number)


def test_full_kind_loses_what_expires_soonest(clock: SettableClock) -> None:
    async def conversation() -> None:
        cache = small(clock)
        await fill(cache, "a")
        assert await cache.get("a", b"0") is not None
        await cache.put("a", b"more", b"", 60)
        assert await cache.get("a", b"0") is None
        assert await cache.get("a", b"1") is not None
        assert await cache.get("a", b"more") is not None

    outcome_of(conversation())


def test_full_kind_takes_nothing_from_another(clock: SettableClock) -> None:
    async def conversation() -> None:
        cache = small(clock)
        await cache.put("b", b"first to expire", b"", 1)
        await fill(cache, "a")
        await cache.put("a", b"more", b"", 60)
        assert await cache.get("b", b"first to expire") is not None

    outcome_of(conversation())


def test_replay_marks_are_never_evicted(clock: SettableClock) -> None:
    """A mark that is lost is a replay that passes."""

    async def conversation() -> None:
        cache = small(clock)
        for number in range(FITS):
            assert await cache.add("a", b"%d" % number, b"", 60)
        with pytest.raises(UnavailableError):
            await cache.add("a", b"more", b"", 60)
        with pytest.raises(UnavailableError):
            await cache.put("a", b"more", b"", 60)
        for number in range(FITS):
            assert not await cache.add("a", b"%d" % number, b"", 60)
        clock.advance(61)
        assert await cache.add("a", b"more", b"", 60)

    outcome_of(conversation())


def test_what_is_refused_changes_nothing(clock: SettableClock) -> None:
    async def conversation() -> None:
        cache = small(clock)
        await cache.put("a", b"1", b"x", 60)
        with pytest.raises(UnavailableError):
            await cache.put("a", b"1", b"x" * SMALL, 60)
        assert await cache.get("a", b"1") == b"x"

    outcome_of(conversation())


def test_record_makes_room_for_a_longer_one_of_its_name(clock: SettableClock) -> None:
    async def conversation() -> None:
        cache = small(clock)
        long = b"x" * (SMALL // 2 - 200)
        for _ in range(3):
            await cache.put("a", b"1", long, 60)
        await cache.put("a", b"2", b"", 60)
        assert await cache.get("a", b"2") == b""

    outcome_of(conversation())


def test_prolonging_again_and_again_takes_no_room(clock: SettableClock) -> None:
    async def conversation() -> None:
        cache = small(clock)
        await cache.put("a", b"1", b"x", 60)
        for _ in range(1000):
            clock.advance(1)
            assert await cache.touch("a", b"1", 60)
        kind = cache._kind("a")  # noqa: SLF001
        assert kind.octets == cost(b"x")
        assert len(kind._due[False]) < 100  # noqa: SLF001

    outcome_of(conversation())


def test_setting_the_clock_changes_nothing(clock: SettableClock) -> None:
    async def conversation() -> None:
        cache = small(clock)
        await cache.put("a", b"1", b"", 60)
        await cache.put("a", b"2", b"", 600)
        clock.advance(61)
        clock.now -= 3600
        assert await cache.get("a", b"1") is None
        clock.now += 7200
        assert await cache.get("a", b"2") is not None

    outcome_of(conversation())
