"""Ends of sessions, told to all processes."""

from collections.abc import Coroutine
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClosable
from sso_proxy.session import Session
from sso_proxy.sessions.endings import PURPOSE, Ended, Endings
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity

SESSION = Session(
    id="one", identity=make_identity("alice"), created=100, used=100, expires=1000
)
OTHER = attrs.evolve(SESSION, id="two", identity=make_identity("bob"))


class EndingsTests(TestCase):
    """A process that ends sessions, and one that hears of it."""

    def setUp(self) -> None:
        self.clock = SettableClock()
        self.cache = MemoryCache(MemoryCacheConfig(), self.clock)
        self.sleeping: list[Deferred[None]] = []
        self.here, self.there = self.make(self.cache), self.make(self.cache)
        self.there.listen()

    def make(self, cache: MemoryCache | None) -> Endings:
        def spawn(coroutine: Coroutine[Any, Any, None]) -> None:
            Deferred.fromCoroutine(coroutine)

        def sleep(_: float) -> Deferred[None]:
            self.sleeping.append(Deferred())
            return self.sleeping[-1]

        endings = Endings(
            cache=cache,
            sealer=FakeTools().sealer("session-ended"),
            clock=self.clock,
            spawn=spawn,
            sleep=sleep,
        )
        self.addCleanup(endings.close)
        return endings

    async def test_an_end_is_heard_of(self) -> None:
        await self.here.end("one")
        assert self.there.is_over(SESSION)
        assert not self.there.is_over(OTHER)
        assert self.there.take() == Ended(ids=frozenset({"one"}))
        assert self.there.take() is None

    async def test_it_is_known_where_it_happens_without_listening(self) -> None:
        alone = self.make(None)
        alone.listen()
        await alone.end("one")
        assert alone.is_over(SESSION)

    async def test_the_end_of_a_users_sessions_is_heard_of(self) -> None:
        issuer = SESSION.identity.issuer
        await self.here.end_group(("sub", issuer, "alice"), 100)
        assert self.there.is_over(SESSION)
        assert not self.there.is_over(attrs.evolve(SESSION, created=101))
        assert not self.there.is_over(OTHER)
        ended = self.there.take()
        assert ended is not None
        assert ended.has(SESSION)
        assert not ended.has(OTHER)

    async def test_ends_are_forgotten_when_no_decision_is_as_old(self) -> None:
        await self.here.end("one")
        await self.here.end_group(("sub", "i", "u"), 1)
        self.clock.advance(200)
        await self.here.end("two")
        await self.here.end_group(("sub", "i", "v"), 1)
        assert not self.here.is_over(SESSION)
        assert self.here.is_over(OTHER)

    async def test_what_others_write_ends_nothing(self) -> None:
        """Whoever gets at the cache has not our keys."""
        await self.cache.publish(PURPOSE, b'{"id": "one"}')
        later = FakeTools().sealer("session-ended").seal(b'{"all": true}')
        await self.cache.publish(PURPOSE, later)
        assert self.there.take() is None
        await self.here.end("one")
        assert self.there.is_over(SESSION)

    async def test_it_goes_on_listening_when_messages_were_missed(self) -> None:
        for subscription in self.cache._kinds[PURPOSE].subscriptions:  # noqa: SLF001
            subscription.miss()
        assert len(self.sleeping) == 1
        assert not self.there.take_missed()
        self.sleeping[0].callback(None)
        await self.here.end("one")
        assert self.there.is_over(SESSION)

    async def test_it_says_that_messages_were_missed_once_it_hears_again(self) -> None:
        assert not self.there.take_missed()
        for subscription in self.cache._kinds[PURPOSE].subscriptions:  # noqa: SLF001
            subscription.miss()
        self.clock.advance(10.0)
        assert not self.there.take_missed()
        self.sleeping[0].callback(None)
        assert not self.there.take_missed()
        self.clock.advance(2.0)
        assert self.there.take_missed()
        assert not self.there.take_missed()

    async def test_it_goes_on_listening_when_the_cache_comes_back(self) -> None:
        real, calls = self.cache.subscribe, []

        def subscribe(purpose: str) -> Any:  # noqa: ANN401
            calls.append(purpose)
            if len(calls) == 1:
                raise UnavailableError("the cache")
            return real(purpose)

        self.cache.subscribe = subscribe  # type: ignore[method-assign]
        third = self.make(self.cache)
        third.listen()
        third.listen()
        self.sleeping[-1].callback(None)
        await self.here.end("one")
        assert third.is_over(SESSION)

    async def test_nothing_is_heard_after_the_end(self) -> None:
        assert IClosable.providedBy(self.there)  # or a reload would not end it
        self.there.close()
        await self.here.end("one")
        assert self.there.take() is None
