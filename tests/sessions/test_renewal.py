"""Of many who want new tokens, one gets them."""

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Identity
from sso_proxy.session import Session
from sso_proxy.sessions.renewal import PATIENCE, Renewals
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity

SESSION = Session(
    id="one", identity=make_identity("alice"), created=100, used=100, expires=1000
)


class Kept:
    """Keeps one session."""

    def __init__(self) -> None:
        self.session: Session | None = SESSION
        self.failures = 0

    async def newest(self, session: Session) -> Session | None:  # noqa: ARG002
        return self.session

    async def write(
        self, session: Session, identity: Identity, data: Mapping[str, Any]
    ) -> Session | None:
        if self.failures:
            self.failures -= 1
            raise UnavailableError("the store")
        if self.session is None or self.session.revision != session.revision:
            return None
        self.session = attrs.evolve(
            session, identity=identity, data=data, revision=session.revision + 1
        )
        return self.session


class Many:
    """Keeps several sessions."""

    def __init__(self, *sessions: Session) -> None:
        self._sessions = {session.id: session for session in sessions}

    async def newest(self, session: Session) -> Session | None:
        return self._sessions.get(session.id)

    async def write(
        self, session: Session, identity: Identity, data: Mapping[str, Any]
    ) -> Session | None:
        changed = attrs.evolve(session, identity=identity, data=data, revision=1)
        self._sessions[session.id] = changed
        return changed


class RenewalTests(TestCase):
    """Two processes with one store."""

    def setUp(self) -> None:
        self.kept = Kept()
        self.reactor = Clock()
        self.clock = SettableClock()
        self.cache = MemoryCache(MemoryCacheConfig(), self.clock)
        self.asked: list[Deferred[None]] = []
        self.here, self.there = self.make(), self.make()

    def make(self, *, alone: bool = False) -> Renewals:
        return Renewals(
            self.kept,
            None if alone else self.cache,
            lambda session: session.id.encode(),
            lambda seconds: deferLater(self.reactor, seconds),
        )

    async def work(self, session: Session) -> tuple[Identity, dict[str, Any]]:
        """Ask an authorization server, which takes its time."""
        self.asked.append(Deferred())
        await self.asked[-1]
        return session.identity, {"token": len(self.asked)}

    def ask(self, renewals: Renewals) -> Deferred[Session | None]:
        return Deferred.fromCoroutine(renewals.renew(SESSION, self.work))

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.reactor.advance(seconds)

    async def test_a_hundred_requests_ask_once(self) -> None:
        """And all of them go on with what came of it (C31)."""
        waiting = [self.ask(renewals) for renewals in (self.here, self.there) * 50]
        assert len(self.asked) == 1
        self.asked[0].callback(None)
        self.pass_time(0.2)
        found = [await each for each in waiting]
        assert {session.data["token"] for session in found if session} == {1}
        assert len(found) == 100
        assert len(self.asked) == 1

    async def test_who_comes_later_with_the_old_one_gets_the_new_one(self) -> None:
        first = self.ask(self.here)
        self.asked[0].callback(None)
        assert await first == await self.ask(self.here) == await self.ask(self.there)
        assert len(self.asked) == 1

    async def test_nobody_gets_what_came_of_anothers_change(self) -> None:
        """Work is shared by those of one session alone (C11)."""
        other = attrs.evolve(SESSION, id="another", identity=make_identity("bob"))
        many = Many(SESSION, other)
        one = Renewals(many, None, lambda session: session.id.encode(), lambda _: None)
        waiting = [
            Deferred.fromCoroutine(one.renew(session, self.work))
            for session in (SESSION, other, SESSION, other)
        ]
        assert len(self.asked) == 2
        for each in reversed(self.asked):
            each.callback(None)
        found = [await each for each in waiting]
        subjects = [each.identity.subject for each in found if each is not None]
        assert subjects == ["alice", "bob", "alice", "bob"]

    async def test_without_other_processes_nothing_is_marked(self) -> None:
        alone = self.make(alone=True)
        waiting = [self.ask(alone) for _ in range(10)]
        self.asked[0].callback(None)
        assert all([await each for each in waiting])
        assert len(self.asked) == 1

    async def test_a_failure_is_told_to_all_and_may_be_tried_again(self) -> None:
        waiting = [self.ask(self.here) for _ in range(3)]
        self.asked[0].errback(UnavailableError("the authorization server"))
        for each in waiting:
            self.failureResultOf(each, UnavailableError)
        again = self.ask(self.there)
        self.asked[1].callback(None)
        assert (await again) == self.kept.session
        assert self.kept.session is not None
        assert self.kept.session.revision == 1

    async def test_one_that_gives_up_does_not_stop_the_others(self) -> None:
        first, second = self.ask(self.here), self.ask(self.here)
        first.addErrback(lambda _: None)
        first.cancel()
        self.asked[0].callback(None)
        assert await second is not None

    async def test_who_ends_the_session_meanwhile_is_heard(self) -> None:
        waiting, elsewhere = self.ask(self.here), self.ask(self.there)
        self.kept.session = None
        self.asked[0].callback(None)
        self.pass_time(0.2)
        assert await waiting is None
        assert await elsewhere is None

    async def test_a_process_that_died_is_waited_for_within_bounds(self) -> None:
        self.ask(self.here)  # never answers
        waiting = self.ask(self.there)
        for _ in range(int(PATIENCE * 10) + 1):
            self.pass_time(0.1)
        self.asked[1].callback(None)
        assert await waiting is not None

    async def test_new_tokens_survive_a_store_that_hesitates(self) -> None:
        """They are good for one use, and exist nowhere else."""
        self.kept.failures = 2
        waiting = self.ask(self.here)
        self.asked[0].callback(None)
        for _ in range(5):
            self.pass_time(0.1)
        found = await waiting
        assert found is not None
        assert found.data == {"token": 1}

    async def test_a_store_that_stays_down_is_said(self) -> None:
        self.kept.failures = 100
        waiting = self.ask(self.here)
        self.asked[0].callback(None)
        for _ in range(20):
            self.pass_time(0.1)
        self.failureResultOf(waiting, UnavailableError)
