"""Sessions in a cache."""

import attrs
import pytest

from sso_proxy.caches.memcached import MemcachedCache
from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.sessions.names import encode
from sso_proxy.sessions.records import PURPOSE
from sso_proxy.sessions.server import ServerSessions
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.sessions import (
    BrokenCache,
    Browser,
    SessionTools,
    server_sessions,
)

ALICE = make_identity("alice")


def begin(store: ServerSessions) -> Browser:
    browser = Browser()
    browser.take(now(store.start(browser.request(), ALICE, {"t": 1})))
    return browser


def test_the_cookie_is_a_random_number_and_nothing_else() -> None:
    browser = begin(server_sessions(SessionTools()))
    assert list(browser.cookies) == ["__Host-sso"]
    assert len(browser.cookies["__Host-sso"]) == len("1.") + 43


def test_no_number_of_cookies_fills_the_memory() -> None:
    store = server_sessions(SessionTools())
    browser = begin(store)
    names = [Browser(**{"__Host-sso": f"1.{n:043}"}) for n in range(1100)]
    browser.cookies["theirs"] = "x" * 2048
    for each in names:
        assert now(store.load(each.request())).session is None
    remembered = store._read_again.cache_info()  # noqa: SLF001
    assert remembered.currsize == 1024
    assert now(store.load(browser.request())).session is not None
    assert store._read_again.cache_info() == remembered  # noqa: SLF001


def test_what_is_in_the_store_gives_nobody_a_session() -> None:
    """Names there are hashes (C21): a stolen backup lets nobody in."""
    tools = SessionTools()
    store = server_sessions(tools)
    begin(store)
    (key,) = tools.memory._kinds[PURPOSE]._entries  # noqa: SLF001
    thief = Browser(**{"__Host-sso": "1." + encode(key[0])})
    assert now(store.load(thief.request())).session is None


def test_use_is_written_now_and_then_only() -> None:
    tools = SessionTools()
    tools.memory = cache = BrokenCache(MemoryCacheConfig(), tools.clock)
    store = server_sessions(tools)
    browser = begin(store)
    cache.broken = frozenset({"put", "compare_and_set", "touch", "index_add"})
    tools.clock.advance(59)
    assert now(store.load(browser.request())).session is not None
    assert not tools.reactor.getDelayedCalls()


def test_a_store_that_takes_nothing_keeps_sessions_as_they_are() -> None:
    """A disk that is full logs nobody out at once, and keeps nobody longer."""
    tools = SessionTools()
    tools.memory = cache = BrokenCache(MemoryCacheConfig(), tools.clock)
    store = server_sessions(tools)
    browser = begin(store)
    cache.broken = frozenset({"put", "compare_and_set", "touch", "index_add"})
    tools.clock.advance(1799)
    assert now(store.load(browser.request())).session is not None
    with pytest.raises(UnavailableError):
        now(store.start(Browser().request(), ALICE, {}))
    tools.clock.advance(1)
    assert now(store.load(browser.request())).session is None


def test_a_users_sessions_are_listed() -> None:
    tools = SessionTools()
    store = server_sessions(tools)
    first = begin(store)
    tools.clock.advance(100)
    begin(store)
    now(store.load(first.request()))
    one, two = now(store.sessions_of(ALICE.issuer, "alice"))
    begun = tools.clock.time() - 100
    assert (one.created, one.used) == (begun, begun + 100)
    assert (two.created, two.used) == (begun + 100, begun + 100)
    assert now(store.sessions_of(ALICE.issuer, "bob")) == ()


def test_what_is_over_is_listed_no_more() -> None:
    tools = SessionTools()
    store = server_sessions(tools)
    begin(store)
    browser = begin(store)
    now(store.end(browser.request()))
    assert len(now(store.sessions_of(ALICE.issuer, "alice"))) == 1
    tools.clock.advance(1800)
    assert now(store.sessions_of(ALICE.issuer, "alice")) == ()


def test_the_oldest_of_too_many_sessions_is_over() -> None:
    tools = SessionTools()
    store = server_sessions(tools, per_user=2)
    browsers = []
    for _ in range(3):
        browsers.append(begin(store))
        tools.clock.advance(1)
    found = [now(store.load(browser.request())).session for browser in browsers]
    assert [session is not None for session in found] == [False, True, True]


def test_a_session_that_ends_while_its_use_is_noted_is_over() -> None:
    """The note must not bring it back."""
    tools = SessionTools()
    store = server_sessions(tools)
    browser = begin(store)
    tools.clock.advance(100)
    memory = tools.memory
    swap = memory.compare_and_set

    async def late(
        purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        await memory.delete(purpose, name)
        return await swap(purpose, name, old, new, ttl)

    memory.compare_and_set = late  # type: ignore[method-assign]
    assert now(store.load(browser.request())).session is None


def test_a_store_that_lags_behind_lets_nobody_in_who_has_logged_out() -> None:
    """A replica may give for a moment what was deleted elsewhere."""
    tools = SessionTools()
    store = server_sessions(tools)
    browser = begin(store)

    async def later(purpose: str, name: bytes) -> None:
        """Delete nothing yet."""

    tools.memory.delete = later  # type: ignore[method-assign]
    now(store.end(browser.request()))
    assert now(store.load(browser.request())).session is None


def test_a_change_is_kept_although_use_is_noted_meanwhile() -> None:
    tools = SessionTools()
    store = server_sessions(tools)
    browser = begin(store)
    session = now(store.load(browser.request())).session
    assert session is not None
    tools.clock.advance(100)
    memory = tools.memory
    swap = memory.compare_and_set

    async def late(
        purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        memory.compare_and_set = swap  # type: ignore[method-assign]
        now(store.load(browser.request()))
        return await swap(purpose, name, old, new, ttl)

    memory.compare_and_set = late  # type: ignore[method-assign]
    opened = now(store.replace(browser.request(), session, ALICE, {"t": 2}))
    assert opened is not None
    assert opened.session is not None
    assert opened.session.data == {"t": 2}
    assert opened.session.used == tools.clock.time()


@attrs.define(kw_only=True)
class PoorTools(SessionTools):
    """Tools whose cache can do what memcached can."""

    def cache(self, name: str | None, needs: frozenset[str]) -> MemoryCache:
        if needs - MemcachedCache.operations:
            raise ConfigError(Mistake("cache", "cannot do that"))
        return super().cache(name, needs)


def test_without_lists_a_simple_cache_will_do() -> None:
    tools = PoorTools()
    with pytest.raises(ConfigError):
        server_sessions(tools)
    store = server_sessions(tools, listed=False)
    browser = begin(store)
    assert now(store.load(browser.request())).session is not None
    with pytest.raises(UnavailableError):
        now(store.sessions_of(ALICE.issuer, "alice"))
    with pytest.raises(UnavailableError):
        now(store.revoke_user(ALICE.issuer, "alice"))
    with pytest.raises(UnavailableError):
        now(store.revoke_sid(ALICE.issuer, "s-1"))
    assert not store.revocable
    assert not now(store.find_sid(ALICE.issuer, "s-1"))
    now(store.end(browser.request()))
    assert now(store.load(browser.request())).session is None
