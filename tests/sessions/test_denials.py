"""The list of cookie sessions that are over."""

import attrs

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.session import Session
from sso_proxy.sessions.denials import Denials
from sso_proxy.sessions.groups import Group
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now

SESSION = Session(
    id="one", identity=make_identity("alice"), created=100, used=100, expires=1000
)

ALICE: Group = ("sub", SESSION.identity.issuer, "alice")


def make(clock: SettableClock, **options: int) -> Denials:
    return Denials("main", MemoryCache(MemoryCacheConfig(**options), clock), 3600)


def test_one_session_is_denied() -> None:
    denials = make(SettableClock())
    assert now(denials.deny("one"))
    assert not now(denials.deny("one"))
    assert now(denials.has(SESSION))
    assert not now(denials.has(attrs.evolve(SESSION, id="two")))


def test_sessions_of_a_user_are_denied_that_began_before() -> None:
    denials = make(SettableClock())
    now(denials.deny_group(ALICE, 150))
    now(denials.deny_group(ALICE, 50))
    assert now(denials.has(SESSION))
    assert not now(denials.has(attrs.evolve(SESSION, created=151)))
    assert not now(denials.has(attrs.evolve(SESSION, identity=make_identity("bob"))))


def test_what_is_denied_stays_so_for_as_long_as_it_could_be_used() -> None:
    clock = SettableClock()
    denials = make(clock)
    now(denials.deny("one"))
    now(denials.deny_group(ALICE, 150))
    clock.advance(3600)
    assert now(denials.has(SESSION))
    clock.advance(600)
    assert not now(denials.has(SESSION))
