"""Tokens are refreshed in time, once; what a session is without is configured."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from sso_proxy.authn.oidc_refresh import (
    AGAIN,
    REFUSED,
    SELDOM,
    Refresher,
    RefreshRefusedError,
    refresh_at,
)
from sso_proxy.config.login_parts import RefreshFailed
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Authenticated, Identity, NotPresented, Request
from sso_proxy.session import Opened, Session
from sso_proxy.testing.fakes import NOW, make_identity
from tests.support.sessions import (
    Browser,
    SessionTools,
    cookie_sessions,
    server_sessions,
)

DATA = {
    "access_token": "old",
    "refresh_token": "r0",
    "access_expires": NOW + 300,
    "refresh_at": NOW + 240,
}


class Provider:
    """Gives new tokens, or does not."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failure: Exception | None = None
        self.ready: Deferred[None] | None = None

    async def get(self, session: Session) -> tuple[Identity, Mapping[str, Any]]:
        self.asked.append(session.data["refresh_token"])
        if self.ready is not None:
            await self.ready
        if self.failure is not None:
            raise self.failure
        number = len(self.asked)
        data = {
            "access_token": f"new{number}",
            "refresh_token": f"r{number}",
            "access_expires": NOW + 9000,
            "refresh_at": NOW + 8000,
        }
        return session.identity, data


class Case(TestCase):
    """A session in a store, and a provider."""

    def setUp(self) -> None:
        self.tools = SessionTools()
        self.store: Any = server_sessions(self.tools)
        self.provider = Provider()
        self.browser = Browser()

    def refresher(self, failed: RefreshFailed = "end") -> Refresher:
        return Refresher(self.provider.get, failed, self.tools.clock)

    async def log_in(self, data: Mapping[str, Any] = DATA) -> None:
        started = await self.store.start(self.request(), make_identity(), data)
        self.browser.take(started)

    def request(self) -> Request:
        return attrs.evolve(self.browser.request(), sessions=self.store)

    async def ask(
        self, refresher: Refresher, refresh_failed: str = ""
    ) -> Authenticated | NotPresented:
        request = self.request()
        opened = await self.store.load(request)
        assert opened.session is not None
        request = attrs.evolve(
            request, session=opened.session, refresh_failed=refresh_failed
        )
        assert refresher.is_due(opened.session) or REFUSED in opened.session.data
        return await refresher.authenticate(request, opened.session)

    async def data(self) -> Mapping[str, Any] | None:
        opened = await self.store.load(self.request())
        return None if opened.session is None else opened.session.data


class WhenTests(Case):
    """When tokens are refreshed."""

    async def test_not_before_it_is_time(self) -> None:
        await self.log_in()
        session = (await self.store.load(self.request())).session
        self.tools.clock.advance(239)
        assert not self.refresher().is_due(session)
        self.tools.clock.advance(1)
        assert self.refresher().is_due(session)

    async def test_not_without_a_refresh_token(self) -> None:
        await self.log_in({**DATA, "refresh_token": None})
        session = (await self.store.load(self.request())).session
        self.tools.clock.advance(1000)
        assert not self.refresher().is_due(session)

    def test_a_minute_before_they_expire(self) -> None:
        assert refresh_at(NOW, 300, 60) == NOW + 240

    def test_short_lived_tokens_are_used_for_half_of_their_time(self) -> None:
        """Else every request would bring new ones."""
        assert refresh_at(NOW, 60, 60) == NOW + 30
        assert refresh_at(NOW, 0, 60) == NOW + 1

    def test_tokens_that_do_not_say_when_they_expire_are_kept(self) -> None:
        assert refresh_at(NOW, None, 60) is None


class RefreshTests(Case):
    """Getting new tokens."""

    async def test_the_session_has_the_new_tokens(self) -> None:
        await self.log_in()
        self.tools.clock.advance(250)
        found = await self.ask(self.refresher())
        assert isinstance(found, Authenticated)
        assert found.until == NOW + 8000
        data = await self.data()
        assert data is not None
        assert (data["access_token"], data["refresh_token"]) == ("new1", "r1")

    async def test_many_requests_at_once_make_one_refresh(self) -> None:
        await self.log_in()
        self.tools.clock.advance(250)
        self.provider.ready = Deferred()
        refresher = self.refresher()
        waiting = [ensureDeferred(self.ask(refresher)) for _ in range(100)]
        self.provider.ready.callback(None)
        for one in waiting:
            assert isinstance(self.successResultOf(one), Authenticated)
        assert self.provider.asked == ["r0"]

    async def test_other_processes_wait_for_the_one_that_asks(self) -> None:
        await self.log_in()
        self.tools.clock.advance(250)
        self.provider.ready = Deferred()
        first = ensureDeferred(self.ask(self.refresher()))
        mine, self.store = self.store, server_sessions(self.tools.another())
        second = ensureDeferred(self.ask(self.refresher()))
        assert not second.called
        self.provider.ready.callback(None)
        assert isinstance(self.successResultOf(first), Authenticated)
        self.tools.reactor.advance(1)
        assert isinstance(self.successResultOf(second), Authenticated)
        assert self.provider.asked == ["r0"]
        self.store = mine

    async def test_cookies_get_the_new_tokens_with_the_answer(self) -> None:
        self.store = cookie_sessions(self.tools)
        await self.log_in()
        self.tools.clock.advance(250)
        found = await self.ask(self.refresher())
        assert isinstance(found, Authenticated)
        self.browser.take(found.headers)
        self.tools.clock.advance(1000)  # what processes remember of it is gone
        data = await self.data()
        assert data is not None
        assert data["refresh_token"] == "r1"


class RefusedTests(Case):
    """The provider says no."""

    async def asked_when_refused(
        self, failed: RefreshFailed
    ) -> Authenticated | NotPresented:
        await self.log_in()
        self.tools.clock.advance(250)
        self.provider.failure = RefreshRefusedError("invalid_grant")
        return await self.ask(self.refresher(failed))

    async def test_end_ends_the_session(self) -> None:
        found = await self.asked_when_refused("end")
        assert found == NotPresented()
        assert await self.data() is None

    async def test_keep_goes_on_and_never_asks_again(self) -> None:
        found = await self.asked_when_refused("keep")
        assert isinstance(found, Authenticated)
        data = await self.data()
        assert data is not None
        assert data["access_token"] == "old"
        assert "refresh_token" not in data

    async def test_unavailable_keeps_the_session_until_its_tokens_expire(self) -> None:
        found = await self.asked_when_refused("unavailable")
        assert isinstance(found, Authenticated)
        self.tools.clock.advance(60)
        await self.assertFailure(
            ensureDeferred(self.ask(self.refresher("unavailable"))), UnavailableError
        )
        assert await self.data() is not None

    async def test_a_route_may_say_something_else_than_its_login(self) -> None:
        await self.log_in()
        self.tools.clock.advance(250)
        self.provider.failure = RefreshRefusedError("invalid_grant")
        found = await self.ask(self.refresher("end"), refresh_failed="keep")
        assert isinstance(found, Authenticated)
        data = await self.data()
        assert data is not None
        assert data[REFUSED] is True

    async def test_who_goes_on_elsewhere_is_not_let_in_where_tokens_count(self) -> None:
        await self.asked_when_refused("keep")
        refresher = self.refresher("keep")
        assert isinstance(await self.ask(refresher), Authenticated)
        found = await self.ask(refresher, refresh_failed="unavailable")
        assert isinstance(found, Authenticated)
        self.tools.clock.advance(60)
        await self.assertFailure(
            ensureDeferred(self.ask(refresher, refresh_failed="unavailable")),
            UnavailableError,
        )
        assert isinstance(await self.ask(refresher), Authenticated)
        assert await self.ask(refresher, refresh_failed="end") == NotPresented()
        assert await self.data() is None
        assert len(self.provider.asked) == 1

    async def test_a_session_that_got_too_large_ends(self) -> None:
        """What its refresh token was exchanged for cannot be kept."""
        await self.log_in()
        self.tools.clock.advance(250)

        async def much(session: Session) -> tuple[Identity, Mapping[str, Any]]:
            return session.identity, {"access_token": "x" * 600_000}

        found = await self.ask(Refresher(much, "end", self.tools.clock))
        assert found == NotPresented()
        assert await self.data() is None


class DownTests(Case):
    """The provider does not answer."""

    async def begin(self) -> None:
        await self.log_in()
        self.tools.clock.advance(250)
        self.provider.failure = UnavailableError("login.example.com")

    async def test_the_session_goes_on_while_its_tokens_are_good(self) -> None:
        await self.begin()
        found = await self.ask(self.refresher())
        assert isinstance(found, Authenticated)

    async def test_then_nobody_is_let_in_but_the_session_stays(self) -> None:
        await self.begin()
        self.tools.clock.advance(50)
        await self.assertFailure(
            ensureDeferred(self.ask(self.refresher())), UnavailableError
        )
        self.provider.failure = None
        found = await self.ask(self.refresher())
        assert isinstance(found, Authenticated)

    async def test_keep_goes_on_with_expired_tokens(self) -> None:
        await self.begin()
        self.tools.clock.advance(50)
        assert isinstance(await self.ask(self.refresher("keep")), Authenticated)

    async def test_it_is_not_asked_again_at_each_request(self) -> None:
        await self.begin()
        refresher = self.refresher()
        for _ in range(5):
            await self.ask(refresher)
        assert len(self.provider.asked) == 1
        self.tools.clock.advance(AGAIN)
        self.provider.failure = None
        found = await self.ask(refresher)
        assert len(self.provider.asked) == 2
        assert isinstance(found, Authenticated)
        assert found.until == NOW + 8000


class WantedTests(Case):
    """Somebody wants new tokens before it is time."""

    async def want(self, refresher: Refresher, min_age: float) -> Opened:
        request = self.request()
        session = (await self.store.load(request)).session
        assert session is not None
        return await refresher.refresh(request, session, min_age)

    async def test_only_tokens_that_are_old_enough(self) -> None:
        await self.log_in({**DATA, "access_since": NOW + 10})
        refresher = self.refresher()
        self.tools.clock.advance(29.5)
        assert (await self.want(refresher, 20)).session is not None
        assert self.provider.asked == []
        self.tools.clock.advance(0.5)
        opened = await self.want(refresher, 20)
        assert opened.session is not None
        assert opened.session.data["access_token"] == "new1"

    async def test_tokens_of_which_nothing_is_known_are_as_old_as_the_login(
        self,
    ) -> None:
        await self.log_in()
        self.tools.clock.advance(20)
        await self.want(self.refresher(), 20)
        assert self.provider.asked == ["r0"]

    async def test_every_token_is_used_for_some_seconds(self) -> None:
        await self.log_in()
        self.tools.clock.advance(SELDOM - 0.1)
        await self.want(self.refresher(), 0)
        assert self.provider.asked == []

    async def test_many_who_want_them_at_once_make_one_refresh(self) -> None:
        await self.log_in()
        self.tools.clock.advance(20)
        self.provider.ready = Deferred()
        refresher = self.refresher()
        waiting = [ensureDeferred(self.want(refresher, 0)) for _ in range(100)]
        self.provider.ready.callback(None)
        for one in waiting:
            session = self.successResultOf(one).session
            assert session is not None
            assert session.data["access_token"] == "new1"
        assert self.provider.asked == ["r0"]

    async def test_a_failure_is_told_and_not_tried_again_at_once(self) -> None:
        for failed, failure, status in (
            ("end", UnavailableError("it"), 503),
            ("keep", UnavailableError("it"), 503),
            ("unavailable", RefreshRefusedError("no"), 502),
        ):
            self.setUp()
            await self.log_in()
            self.tools.clock.advance(20)
            self.provider.failure = failure
            refresher = self.refresher(failed)  # type: ignore[arg-type]
            with pytest.raises(UnavailableError) as e:
                await self.want(refresher, 0)
            assert e.value.status == status
            with pytest.raises(UnavailableError):
                await self.want(refresher, 0)
            assert self.provider.asked == ["r0"]
            assert await self.data() is not None

    async def test_a_refusal_ends_the_session_and_takes_its_cookie(self) -> None:
        await self.log_in()
        self.tools.clock.advance(20)
        self.provider.failure = RefreshRefusedError("no")
        opened = await self.want(self.refresher(), 0)
        assert opened.session is None
        self.browser.take(opened)
        assert self.browser.cookies == {}

    async def test_the_answer_to_a_request_knows_the_session_as_it_is(self) -> None:
        await self.log_in()
        self.tools.clock.advance(250)
        found = await self.ask(self.refresher())
        assert isinstance(found, Authenticated)
        assert found.session is not None
        assert found.session.data["access_token"] == "new1"
