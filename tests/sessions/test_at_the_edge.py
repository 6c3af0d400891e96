"""Sessions in the requests of a connection, until they end."""

import json
import time
from typing import Any

from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.model import Authenticated, NotPresented
from sso_proxy.session import Opened, Session
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from tests.support.caching import now
from tests.support.doubles import Scene, answer_ok, make_reply, status_of
from tests.support.header_login import HeaderLogin, HeaderLoginConfig
from tests.support.sessions import (
    MAKERS,
    BrokenCache,
    Browser,
    SessionTools,
    Store,
)

STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
SWITCHED = b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: other"


class Desk:
    """A route whose people log in by a header, and a browser of one of them."""

    def __init__(self, kind: str, **route: Any) -> None:  # noqa: ANN401
        self.tools = SessionTools()
        self.tools.clock.now = time.time()
        self.tools.memory = self.cache = BrokenCache(
            MemoryCacheConfig(), self.tools.clock
        )
        self.store: Store = MAKERS[kind](self.tools)
        self.login = HeaderLogin("corp", HeaderLoginConfig())
        route.setdefault("authenticators", (self.login,))
        self.scene = Scene(
            sessions=self.store, consumed=frozenset(self.login.consumes), **route
        )
        self.browser = Browser()
        self.loads = 0
        load = self.store.load

        async def counted(request: Any) -> Opened:  # noqa: ANN401
            self.loads += 1
            return await load(request)

        self.store.load = counted  # type: ignore[method-assign]

    def ask(self, *fields: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
        """Send a request as the browser; gives what was answered at once."""
        cookies = self.browser.cookies
        if cookies:
            text = "; ".join(f"{name}={value}" for name, value in cookies.items())
            fields = (*fields, b"Cookie: " + text.encode())
        self.scene.client.take()
        self.scene.ask(line, *fields)
        return self.scene.client.sent

    def answer(self) -> bytes:
        """Let the backend answer; gives what the browser got."""
        answer_ok(self.scene.backend.exchange)
        sent = self.scene.client.take()
        self.keep(sent)
        return sent

    def keep(self, sent: bytes) -> None:
        for each in sent.decode().split("\r\n"):
            name, _, value = each.partition(": ")
            if name.lower() == "set-cookie":
                self.browser.set(value)

    def log_in(self) -> Session:
        self.ask(b"X-Login: alice")
        self.answer()
        session = now(self.store.load(self.browser.request())).session
        assert session is not None
        return session


def test_whoever_logged_in_is_known_by_the_cookie(kind: str) -> None:
    desk = Desk(kind)
    desk.log_in()
    desk.ask()
    head = desk.scene.backend.head
    assert b"X-Remote-User: alice\r\n" in head
    assert b"__Host-sso" not in head
    assert b"X-Login" not in desk.scene.backend.asked[0][1].head


def test_records_say_which_session_it_was(kind: str) -> None:
    desk = Desk(kind)
    session = desk.log_in()
    desk.ask()
    admission = desk.scene.backend.exchange.admission
    assert admission is not None
    record = json.loads("{" + admission.stable + "}")
    assert (record["session"], record["subject"]) == (session.id, "alice")
    assert desk.browser.cookies["__Host-sso"] not in admission.stable
    desk.answer()


def test_who_has_no_session_is_sent_to_log_in(kind: str) -> None:
    desk = Desk(kind)
    sent = desk.ask(b"Accept: text/html")
    assert status_of(sent) == 302
    assert b"Location: /login\r\n" in sent


def test_an_answer_with_a_cookie_is_in_no_shared_cache(kind: str) -> None:
    desk = Desk(kind)
    desk.ask(b"X-Login: alice")
    sent = desk.answer()
    assert b"Cache-Control: no-store\r\n" in sent
    assert b"; Secure; HttpOnly; SameSite=Lax\r\n" in sent


def test_a_repeated_request_is_not_looked_up_again(kind: str) -> None:
    desk = Desk(kind)
    desk.log_in()
    loads = desk.loads
    for number in range(5):
        desk.ask(line=b"GET /%d HTTP/1.1" % number)
        assert b"Set-Cookie" not in desk.answer()
    assert desk.loads == loads + 1


def test_a_login_is_never_repeated(kind: str) -> None:
    """The second answer would have the cookie of a session that is over by then."""
    desk = Desk(kind)
    first = desk.log_in()
    desk.browser.cookies.clear()
    assert desk.log_in().id != first.id


def test_logging_out_is_told_to_the_browser(kind: str) -> None:
    desk = Desk(kind)
    desk.log_in()
    copy = Browser(**desk.browser.cookies)
    sent = desk.ask(b"X-Logout: 1")
    desk.keep(sent)
    assert status_of(sent) == 401
    assert desk.browser.cookies == {}
    desk.browser = copy
    assert status_of(desk.ask()) == 401


def ended(desk: Desk) -> None:
    """Let the edge hear what has ended."""
    each = desk.store.take_ended()
    assert each is not None
    desk.scene.site.end_sessions(each.has)


def test_a_repeated_request_of_a_session_that_has_ended_is_refused(kind: str) -> None:
    desk = Desk(kind)
    session = desk.log_in()
    desk.ask()
    desk.answer()
    now(desk.store.revoke(session.id))
    ended(desk)
    assert status_of(desk.ask()) == 401


def test_requests_of_other_sessions_go_on_as_they_were(kind: str) -> None:
    desk = Desk(kind)
    desk.log_in()
    desk.ask()
    desk.answer()
    other = Browser()
    opened = now(desk.store.start(other.request(), make_identity("bob"), {}))
    assert opened.session is not None
    now(desk.store.revoke(opened.session.id))
    loads = desk.loads
    ended(desk)
    desk.ask()
    assert desk.loads == loads
    assert b"alice" in desk.scene.backend.head


def test_a_stream_of_a_session_that_has_ended_is_cut(kind: str) -> None:
    desk = Desk(kind)
    session = desk.log_in()
    desk.ask()
    desk.scene.backend.exchange.begin(make_reply(STREAM), b"first")
    now(desk.store.revoke(session.id))
    ended(desk)
    assert desk.scene.client.closed
    assert desk.scene.reasons()[-1] == "session-ended"
    assert desk.scene.backend.sink.abandoned == 1


def test_a_request_that_waits_for_its_answer_is_refused(kind: str) -> None:
    desk = Desk(kind)
    session = desk.log_in()
    desk.ask()
    now(desk.store.revoke_user(session.identity.issuer, "alice"))
    ended(desk)
    assert status_of(desk.scene.client.sent) == 403
    assert desk.scene.reasons()[-1] == "session-ended"


def test_a_tunnel_of_a_session_that_has_ended_is_closed(kind: str) -> None:
    desk = Desk(kind, upgrades=frozenset({"other"}))
    session = desk.log_in()
    desk.ask(b"Connection: Upgrade", b"Upgrade: other")
    backend = type(desk.scene.client)(desk.scene.connection)
    desk.scene.backend.exchange.switch(make_reply(SWITCHED), backend, b"")
    now(desk.store.revoke(session.id))
    ended(desk)
    assert desk.scene.client.closed
    assert backend.closed
    assert desk.scene.reasons()[-1] == "session-ended"


def test_a_tunnel_is_closed_when_the_provider_ends_its_session(kind: str) -> None:
    desk = Desk(kind, upgrades=frozenset({"other"}))
    session = desk.log_in()
    desk.ask(b"Connection: Upgrade", b"Upgrade: other")
    backend = type(desk.scene.client)(desk.scene.connection)
    desk.scene.backend.exchange.switch(make_reply(SWITCHED), backend, b"")
    now(desk.store.revoke_sid(session.identity.issuer, "sid-of-bob"))
    ended(desk)
    assert not desk.scene.client.closed
    now(desk.store.revoke_sid(session.identity.issuer, "sid-of-alice"))
    ended(desk)
    assert backend.closed


class Meanwhile(FakeAuthenticator):
    """Has a session end while it makes up its mind."""

    reads_session = True

    def __init__(self, desk: list[Desk]) -> None:
        super().__init__()
        self.desk = desk

    async def authenticate(self, request: Any) -> Any:  # noqa: ANN401
        if request.session is None:
            return NotPresented()
        await self.desk[0].store.revoke(request.session.id)
        return Authenticated(request.session.identity)


def test_a_session_that_ends_while_it_is_decided_on_is_over(kind: str) -> None:
    desks: list[Desk] = []
    desk = Desk(kind, authenticators=(Meanwhile(desks),))
    desks.append(desk)
    desk.browser.take(
        now(desk.store.start(desk.browser.request(), make_identity("alice"), {}))
    )
    desk.ask()
    assert not desk.scene.backend.asked
    assert status_of(desk.scene.client.sent) in {401, 403}


def test_who_shows_a_token_needs_no_session(kind: str) -> None:
    """And does not depend on the store."""
    desk = Desk(kind, authenticators=(FakeAuthenticator(), HeaderLogin("x", None)))  # type: ignore[arg-type]
    desk.browser.cookies["__Host-sso"] = "1." + "A" * 43
    desk.cache.broken = frozenset({"get"})
    desk.ask()
    assert desk.scene.backend.asked
    assert not desk.loads


def test_a_store_that_is_down_lets_nobody_in(kind: str) -> None:
    desk = Desk(kind)
    desk.log_in()
    desk.cache.broken = frozenset({"get"})
    assert status_of(desk.ask(b"X: 1")) == 503
    desk.cache.broken = frozenset()
    desk.ask(b"X: 2")
    assert b"alice" in desk.scene.backend.head


def test_whose_session_another_authenticator_has_made_is_nobody(kind: str) -> None:
    """What logs people in for one thing does not for another."""
    desk = Desk(kind)
    desk.log_in()
    other = HeaderLogin("other", HeaderLoginConfig())
    desk.scene = Scene(sessions=desk.store, authenticators=(other,))
    assert status_of(desk.ask()) == 401


def test_new_tokens_reach_the_browser_or_the_store(kind: str) -> None:
    desk = Desk(kind)
    desk.log_in()
    desk.ask(b"X-Renew: 1")
    desk.answer()
    opened = now(desk.store.load(desk.browser.request()))
    assert opened.session is not None
    assert opened.session.data == {"token": "t1"}
    assert desk.login.renewals == 1


def test_nothing_of_a_session_is_taken_for_another_credential(kind: str) -> None:
    """Heads that differ in a token share what depends on all the rest."""
    desk = Desk(kind)
    desk.log_in()
    desk.ask()
    assert desk.scene.backend.exchange.admission is not None
    assert desk.scene.backend.exchange.admission.shared == 0
