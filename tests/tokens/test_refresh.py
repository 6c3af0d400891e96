"""A login's refresh token makes a token for each backend, and is never lost."""

import json
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.config.secrets import Secret
from sso_proxy.model import Caller
from sso_proxy.testing.fakes import make_identity
from sso_proxy.token import MISSING, Audience, NotIssued, Token
from sso_proxy.tokens.refresh import RefreshConfig, RefreshSource
from tests.conformance.parts import Asked
from tests.support.remote_scene import ORDERS, SECRET, STOCK, RemoteScene
from tests.support.sessions import MAKERS, Browser, SessionTools, Store
from tests.support.sts_faults import Said

OPTIONS: dict[str, Any] = {
    "client_id": "proxy",
    "client_secret": Secret(SECRET),
    "endpoint": "https://sts.example.com/token",
    "authenticator": "corp",
}
JSON = (("Content-Type", "application/json"),)


class Rotating:
    """
    Takes each refresh token once, for the token and the next one.

    Attributes:
        good: The one that it takes now.
        spoilt: What else it says, the next time.
        used: What it was asked, in order.
    """

    def __init__(self) -> None:
        self.good = "r0"
        self.spoilt: dict[str, object] = {}
        self.used: list[tuple[str, str]] = []

    def answer(self, asked: Asked) -> Said:
        token = asked.one("refresh_token")
        self.used.append((token, asked.one("resource")))
        if token != self.good:
            body: dict[str, object] = {"error": "invalid_grant"}
            return Said(status=400, headers=JSON, body=json.dumps(body).encode())
        self.good = f"r{len(self.used)}"
        body = {
            "access_token": f"{asked.one('resource')}#{len(self.used)}",
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_token": self.good,
            **self.spoilt,
        }
        self.spoilt = {}
        return Said(headers=JSON, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"authenticator": ""}, "authenticator is missing"),
        ({"subject": "session:access_token"}, "subject has no effect"),
        ({"timeout": 40.0}, "25 seconds at most"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RefreshConfig(**(OPTIONS | options))


class Setting:
    """Two processes with one store, a browser, and the server."""

    kind: str

    def setUp(self) -> None:
        self.tools = SessionTools()
        self.server = Rotating()
        self.stores: list[Store] = []
        self.sources: list[Any] = []
        for tools in (self.tools, self.tools.another()):
            scene = RemoteScene(RefreshSource, **OPTIONS)
            scene.clock = scene.tools.clock = self.tools.clock
            scene.tools.memory = self.tools.memory
            scene.tools.reactor = self.tools.reactor
            scene.sts.said = self.server.answer
            self.sources.append(scene.make())
            self.stores.append(MAKERS[self.kind](tools))
        self.browser = Browser()

    async def log_in(self, login: str = "corp", **data: object) -> None:
        identity = make_identity("alice", authenticator=login)
        kept = {"refresh_token": "r0", "access_token": "a0", **data}
        opened = await self.stores[0].start(self.browser.request(), identity, kept)
        self.browser.take(opened)

    async def call(self, process: int = 0) -> Caller:
        """Give what the pipeline makes of the browser's request."""
        request, store = self.browser.request(), self.stores[process]
        opened = await store.load(request)
        self.browser.take(opened)
        found = attrs.evolve(request, session=opened.session, sessions=store)
        who = None if opened.session is None else opened.session.identity
        return Caller(request=found, identity=who, user="alice")

    async def ask(
        self, audience: Audience = ORDERS, process: int = 0
    ) -> Token | NotIssued:
        given = await self.wait(await self.call(process), audience, process)
        if isinstance(given, Token):
            self.browser.take(given.headers)
        return given

    def wait(
        self, caller: Caller, audience: Audience = ORDERS, process: int = 0
    ) -> Deferred[Token | NotIssued]:
        asking = self.sources[process].token_for(caller, audience)
        return Deferred.fromCoroutine(asking)

    async def data(self, process: int = 0) -> dict[str, object]:
        session = (await self.call(process)).request.session
        assert session is not None
        return dict(session.data)


class Cases(Setting):
    """What holds for both types of sessions."""

    async def test_each_backend_gets_a_token_for_itself(self: Any) -> None:
        """RFC 6749 section 6, RFC 8707 section 2.2."""
        await self.log_in()
        orders, stock = await self.ask(ORDERS), await self.ask(STOCK)
        assert (orders.value, stock.value) == (f"{ORDERS.name}#1", f"{STOCK.name}#2")
        assert self.server.used == [("r0", ORDERS.name), ("r1", STOCK.name)]
        assert orders.expires == self.tools.clock.time() + 300
        assert await self.data() == {"refresh_token": "r2", "access_token": "a0"}

    async def test_they_are_kept_however_often_refresh_tokens_change(self: Any) -> None:
        await self.log_in()
        first = [(await self.ask(audience)).value for audience in (ORDERS, STOCK)]
        for process in (0, 1):
            again = [
                (await self.ask(audience, process)).value
                for audience in (ORDERS, STOCK)
            ]
            assert again == first
        assert len(self.server.used) == 2

    async def test_when_they_are_over_the_newest_one_is_used(self: Any) -> None:
        await self.log_in()
        for process in (0, 1, 0):
            assert isinstance(await self.ask(process=process), Token)
            self.tools.clock.advance(301)
        assert [token for token, _ in self.server.used] == ["r0", "r1", "r2"]

    async def test_none_is_got_while_nobody_waits_for_it(self: Any) -> None:
        """No answer would tell the browser of what has changed."""
        await self.log_in()
        for seconds in (0, 200, 65):
            self.tools.clock.advance(seconds)
            assert isinstance(await self.ask(), Token)
            assert len(self.server.used) == 1

    async def test_no_token_is_kept_for_longer_than_the_session(self: Any) -> None:
        await self.log_in()
        caller = await self.call()
        made_from = await self.sources[0].subject_of(caller)
        assert made_from.expires == caller.request.session.expires

    async def test_many_at_once_are_one(self: Any) -> None:
        await self.log_in()
        caller = await self.call()
        given = [await each for each in [self.wait(caller) for _ in range(20)]]
        assert {token.value for token in given} == {f"{ORDERS.name}#1"}
        assert len(self.server.used) == 1

    async def test_who_waited_for_nothing_has_the_newest_too(self: Any) -> None:
        """Requests of one page, for several backends, at two processes."""
        await self.log_in()
        callers = [await self.call(process) for process in (0, 1)]
        audiences = [Audience(name=f"https://{n}.example") for n in range(6)]
        waiting = [
            self.wait(callers[n % 2], audience, n % 2)
            for n, audience in enumerate(audiences)
        ]
        for _ in range(10):
            self.tools.clock.advance(0.2)
            self.tools.reactor.advance(0.2)
        given = [await each for each in waiting]
        assert all(isinstance(each, Token) for each in given)
        assert len({token for token, _ in self.server.used}) == 6

    async def test_a_refusal_leaves_the_session_as_it_is(self: Any) -> None:
        await self.log_in(refresh_token="withdrawn")
        refused = await self.ask()
        assert (refused.reason, refused.status) == ("token-refused", 401)
        assert (await self.data())["refresh_token"] == "withdrawn"

    async def test_an_answer_of_no_use_does_not_lose_the_next_one(self: Any) -> None:
        """It is no longer any use to say the first one again."""
        await self.log_in()
        for spoilt in (
            {"token_type": "mac"},
            {"expires_in": -1},
            {"access_token": "a\nb"},
            {"token_type": "DPoP"},
        ):
            self.server.spoilt = spoilt
            refused = await self.ask()
            assert (refused.reason, refused.status) == ("token-unusable", 502)
            assert (await self.data())["refresh_token"] == self.server.good
        assert isinstance(await self.ask(), Token)

    async def test_another_providers_refresh_token_is_not_sent(self: Any) -> None:
        """On a route with two logins: it would be the wrong server's to see."""
        await self.log_in("customers")
        assert await self.ask() == MISSING
        assert self.server.used == []

    async def test_of_one_login_at_many_providers_the_right_one_counts(
        self: Any,
    ) -> None:
        """Two providers, one ``oidc_discovery``; `make_identity` is of the first."""
        await self.log_in()
        for issuer, seen in (
            ("https://another.example", MISSING),
            (make_identity("alice").issuer, None),
        ):
            scene = RemoteScene(RefreshSource, **OPTIONS, issuer=issuer)
            scene.tools.clock = self.tools.clock
            scene.sts.said = self.server.answer
            self.sources[0] = scene.make()
            given = await self.ask()
            assert given == seen or (seen is None and isinstance(given, Token))
        assert len(self.server.used) == 1

    async def test_who_calls_by_a_token_gets_nothing_of_a_session(self: Any) -> None:
        """Alice's access token and Bob's cookie, in one request."""
        await self.log_in()
        for identity in (
            make_identity("bob", authenticator="corp"),
            make_identity("alice", authenticator="api"),
        ):
            caller = attrs.evolve(await self.call(), identity=identity)
            assert await self.wait(caller) == MISSING
        assert self.server.used == []

    async def test_without_a_login_there_is_no_token(self: Any) -> None:
        assert await self.ask() == MISSING

    async def test_a_login_without_refresh_token_has_no_token(self: Any) -> None:
        await self.log_in(refresh_token=None)
        assert await self.ask() == MISSING

    async def test_after_a_logout_nothing_of_it_is_given(self: Any) -> None:
        await self.log_in()
        caller = await self.call()
        assert isinstance(await self.wait(caller), Token)
        await self.stores[0].end(caller.request)
        assert await self.wait(caller, STOCK) == MISSING
        self.browser.cookies.clear()
        await self.log_in()
        self.server.good = "r0"
        assert (await self.ask()).value == f"{ORDERS.name}#2"  # of another session


class ServerTests(Cases, TestCase):
    """Sessions in a store."""

    kind = "server"

    async def test_no_browser_has_to_know(self) -> None:
        await self.log_in()
        given = await self.ask()
        assert isinstance(given, Token)
        assert given.headers == ()


class CookieTests(Cases, TestCase):
    """Sessions in browsers."""

    kind = "cookie"

    async def test_the_browser_has_the_next_one_before_it_is_needed(self) -> None:
        """It comes back much later, to a process that knows nothing else."""
        await self.log_in()
        await self.ask()
        self.tools.clock.advance(1000)
        fresh = MAKERS[self.kind](self.tools.another())
        session = (await fresh.load(self.browser.request())).session
        assert session is not None
        assert session.data["refresh_token"] == "r1"

    async def test_all_who_waited_tell_the_browser(self) -> None:
        """One of the answers may never arrive."""
        await self.log_in()
        caller = await self.call()
        for given in [await each for each in [self.wait(caller), self.wait(caller)]]:
            assert isinstance(given, Token)
            assert "set-cookie" in dict(given.headers)

    async def test_who_has_the_new_cookie_is_told_nothing(self) -> None:
        await self.log_in()
        await self.ask()
        given = await self.ask()
        assert isinstance(given, Token)
        assert given.headers == ()
