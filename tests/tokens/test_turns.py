"""A refresh token is used by one at a time, and the one that comes for it is kept."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.errors import SessionTooLargeError, SsoProxyError, UnavailableError
from sso_proxy.model import Identity
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_identity
from sso_proxy.tokens.turns import Turn, Used, fields_of, take_turn
from tests.support.sessions import MAKERS, Browser, SessionTools, Store


class Server:
    """Takes each refresh token once, and gives the next one for it."""

    def __init__(self) -> None:
        self.good = "r0"
        self.used: list[str] = []
        self.held: list[Deferred[None]] = []
        self.hold = False

    async def use(self, token: str) -> Used[str]:
        self.used.append(token)
        if self.hold:
            self.held.append(Deferred())
            await self.held[-1]
        if token != self.good:
            return Used(result="invalid_grant")
        self.good = f"r{len(self.used)}"
        return Used(result=f"for {token}", refresh_token=self.good)


@attrs.frozen
class OtherError(SsoProxyError):
    """What somebody else does not get."""


class Turns:
    """What both types of sessions have to do."""

    kind: str

    def setUp(self) -> None:
        self.tools = SessionTools()
        self.here = self.make(self.tools)
        self.there = self.make(self.tools.another())
        self.server = Server()
        self.browser = Browser()

    def make(self, tools: SessionTools) -> Store:
        return MAKERS[self.kind](tools)

    async def begin(self, **data: str) -> Session:
        kept = {"refresh_token": "r0", "access_token": "a0", **data}
        opened = await self.here.start(
            self.browser.request(), make_identity("alice"), kept
        )
        self.browser.take(opened)
        assert opened.session is not None
        return opened.session

    def ask(self, store: Store, session: Session) -> Deferred[Turn[str] | None]:
        request = attrs.evolve(self.browser.request(), sessions=store)
        return Deferred.fromCoroutine(take_turn(request, session, self.server.use))

    async def tell(self, store: Store, session: Session) -> None:
        """Have the browser know of what has changed in *session*."""
        request = attrs.evolve(self.browser.request(), sessions=store)
        self.browser.take(await fields_of(request, session))

    async def now(self, store: Store) -> Session:
        found = (await store.load(self.browser.request())).session
        assert found is not None
        return found

    def pass_time(self, seconds: float) -> None:
        self.tools.clock.advance(seconds)
        self.tools.reactor.advance(seconds)


class Cases(Turns):
    """What is the same for both."""

    async def test_what_comes_for_it_is_in_the_session(self: Any) -> None:
        session = await self.begin()
        turn = await self.ask(self.here, session)
        assert turn.result == "for r0"
        await self.tell(self.here, session)
        data = (await self.now(self.there)).data
        assert data == {"refresh_token": "r1", "access_token": "a0"}

    async def test_who_has_an_old_session_uses_the_newest_token(self: Any) -> None:
        session = await self.begin()
        results = [
            (await self.ask(store, session)).result
            for store in (self.here, self.there, self.here, self.there)
        ]
        assert results == ["for r0", "for r1", "for r2", "for r3"]

    async def test_at_once_they_take_turns(self: Any) -> None:
        """Two processes, and several of one process (RFC 6749 section 10.4)."""
        session = await self.begin()
        self.server.hold = True
        waiting = [self.ask(store, session) for store in (self.here, self.there) * 3]
        for number in range(6):
            assert len(self.server.held) == number + 1
            self.server.held[number].callback(None)
            self.pass_time(0.2)
        results = {(await each).result for each in waiting}
        assert results == {f"for r{number}" for number in range(6)}
        assert self.server.used == [f"r{number}" for number in range(6)]

    async def test_a_refusal_is_a_result_and_changes_nothing(self: Any) -> None:
        self.server.good = "another"
        session = await self.begin()
        turn = await self.ask(self.here, session)
        assert turn.result == "invalid_grant"
        await self.tell(self.here, session)
        assert (await self.now(self.here)).data["refresh_token"] == "r0"

    async def test_an_outage_changes_nothing(self: Any) -> None:
        session = await self.begin()
        self.server.use = _down
        with pytest.raises(UnavailableError):
            await self.ask(self.here, session)
        assert await self.now(self.here) == session

    async def test_without_a_refresh_token_nobody_is_asked(self: Any) -> None:
        assert await self.ask(self.here, await self.begin(refresh_token="")) is None
        assert self.server.used == []

    async def test_what_another_process_took_away_is_not_used(self: Any) -> None:
        session = await self.begin()
        changed = {"access_token": "a0"}
        await self.here.replace(
            self.browser.request(), session, session.identity, changed
        )
        assert await self.ask(self.there, session) is None
        assert self.server.used == []

    async def test_a_session_that_is_over_gets_nothing(self: Any) -> None:
        session = await self.begin()
        await self.here.end(self.browser.request())
        assert await self.ask(self.here, session) is None
        assert self.server.used == []

    async def test_who_waited_for_anothers_failure_has_a_turn(self: Any) -> None:
        """A refresh of the session's own tokens, which its provider refused."""
        session = await self.begin()
        failing: Deferred[None] = Deferred()

        async def work(_: Session) -> tuple[Identity, Mapping[str, Any]]:
            await failing
            raise OtherError

        first = Deferred.fromCoroutine(
            self.here.renew(self.browser.request(), session, work)
        )
        second = self.ask(self.here, session)
        failing.callback(None)
        with pytest.raises(OtherError):
            await first
        assert (await second).result == "for r0"

    async def test_our_own_failure_is_not_tried_again(self: Any) -> None:
        session, tried = await self.begin(), []

        async def fail(token: str) -> Used[str]:
            tried.append(token)
            raise OtherError

        self.server.use = fail
        with pytest.raises(OtherError):
            await self.ask(self.here, session)
        assert tried == ["r0"]


async def _down(_: str) -> Used[str]:
    raise UnavailableError("the server")


class ServerTests(Cases, TestCase):
    """Sessions in a store."""

    kind = "server"

    async def test_no_browser_has_to_be_told(self) -> None:
        turn = await self.ask(self.here, await self.begin())
        assert turn == Turn(result="for r0", revision=1, told=False)


class CookieTests(Cases, TestCase):
    """Sessions in browsers."""

    kind = "cookie"

    async def test_all_who_waited_can_tell_the_browser(self) -> None:
        """Nobody else keeps it for long, and the first of them may be gone."""
        session = await self.begin()
        turn = await self.ask(self.here, session)
        assert turn is not None
        assert (turn.told, turn.revision) == (True, 1)
        for _ in range(2):
            request = attrs.evolve(Browser().request(), sessions=self.here)
            browser = Browser()
            browser.take(await fields_of(request, session))
            found = (await self.there.load(browser.request())).session
            assert found is not None
            assert (found.revision, found.data["refresh_token"]) == (1, "r1")

    async def test_what_has_no_room_is_said(self) -> None:
        async def grow(token: str) -> Used[str]:
            return Used(result="for it", refresh_token=token * 20000)

        session = await self.begin()
        self.server.use = grow  # type: ignore[method-assign]
        with pytest.raises(UnavailableError) as caught:
            await self.ask(self.here, session)
        assert isinstance(caught.value.__cause__, SessionTooLargeError)
