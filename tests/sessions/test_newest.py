"""The newest form of a cookie session."""

import attrs

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.session import Session
from sso_proxy.sessions.newest import GRACE, Newest
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity
from tests.support.caching import now

SESSION = Session(
    id="one", identity=make_identity("alice"), created=100, used=100, expires=1000
)
LATER = attrs.evolve(SESSION, revision=1, data={"at": 2})


def make(clock: SettableClock, cache: MemoryCache | None = None) -> Newest:
    return Newest("main", cache, FakeTools().sealer("session-cookie"), clock)


def test_a_change_is_known_here_for_a_while() -> None:
    clock = SettableClock()
    newest = make(clock)
    now(newest.remember(LATER))
    assert newest.here(SESSION) is LATER
    assert now(newest.anywhere(SESSION)) is LATER
    assert newest.here(attrs.evolve(SESSION, revision=2)).revision == 2
    clock.advance(GRACE + 1)
    assert newest.here(SESSION) is SESSION


def test_a_change_is_known_elsewhere() -> None:
    clock = SettableClock()
    cache = MemoryCache(MemoryCacheConfig(), clock)
    now(make(clock, cache).remember(LATER))
    there = make(clock, cache)
    assert there.here(SESSION) is SESSION
    assert now(there.anywhere(SESSION)) == LATER
    assert now(there.anywhere(attrs.evolve(SESSION, id="two"))).revision == 0


def test_what_is_remembered_is_bounded() -> None:
    clock = SettableClock()
    newest = make(clock)
    for number in range(1200):
        now(newest.remember(attrs.evolve(LATER, id=str(number))))
    assert newest.here(attrs.evolve(SESSION, id="0")).revision == 0
    assert newest.here(attrs.evolve(SESSION, id="1199")).revision == 1
