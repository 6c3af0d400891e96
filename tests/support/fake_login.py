"""An authenticator that has people log in at a provider that believes everybody."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IAuthenticator, ILogin, ILogout
from sso_proxy.login import Ended, Finished, InFragment, LogoutNotice, Question, Wanted
from sso_proxy.model import (
    Authenticated,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Request,
    Response,
)
from sso_proxy.session import Session
from sso_proxy.specs.http.parameters import read_parameter

PROVIDER = "https://login.example/authorize"
LOGOUT = "https://login.example/logout"


@implementer(IAuthenticator, ILogin)
@attrs.define
class FakeLogin:
    """
    Logs in whoever comes back with a name.

    Attributes:
        name: What the configuration calls it.
        title: What people know it by.
        public_keys: What it publishes.
        began: What was wanted, each time.
        claims: What it says about everybody.
        data: What it keeps with sessions.
        issuer: The provider.
        asks: What it asks before a login begins, or None.
        refuses: What it answers to who comes back, instead of logging them in.
        fragment: The field for what is behind the ``#``, if answers are there.
    """

    name: str = "corp"
    title: str = "Corporate login"
    public_keys: tuple[dict[str, Any], ...] = ()
    began: list[Wanted] = attrs.field(factory=list)
    claims: dict[str, Any] = attrs.field(factory=dict)
    data: dict[str, Any] = attrs.field(factory=dict)
    refuses: Response | None = None
    fragment: str = ""
    issuer: str = "https://login.example"
    asks: Question | None = None
    consumes = ()
    reads_session = True

    async def authenticate(self, request: Request) -> Outcome:
        """Go by the session."""
        session = request.session
        if session is None or session.identity.authenticator != self.name:
            return NotPresented()
        return Authenticated(session.identity)

    def challenge(self, request: Request) -> None:
        """Say nothing."""

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing."""

    def takes_issuer(self, issuer: str) -> bool:
        """Say whether it is the provider's."""
        return issuer == self.issuer

    async def begin(self, request: Request, wanted: Wanted) -> Response | Question:
        """Send the browser to the provider."""
        self.began.append(wanted)
        if self.asks is not None and not (wanted.issuer or wanted.account):
            return self.asks
        state, headers = request.sessions.logins.begin(
            request, {"wanted": wanted.as_json()}
        )
        location = ("location", f"{PROVIDER}?state={state}")
        return Response(status=302, reason="login", headers=(location, *headers))

    async def finish(self, request: Request) -> Finished | Response | InFragment:
        """Believe whoever came back."""
        if self.fragment:
            return InFragment(field=self.fragment)
        if self.refuses is not None:
            return self.refuses
        query = request.head.query
        states, users = read_parameter(query, "state"), read_parameter(query, "user")
        state, headers = request.sessions.logins.take(request, states[0])
        if state is None:
            return Response(status=400, reason="login-state", headers=headers)
        identity = Identity(
            issuer="https://login.example",
            subject=users[0],
            authenticator=self.name,
            claims=self.claims,
        )
        return Finished(
            identity=identity,
            data=self.data,
            wanted=Wanted.from_json(state["wanted"]),
            headers=headers,
        )

    async def request_object(self, name: str) -> Response | None:
        """Give one that is always there."""
        if name != "there":
            return None
        return Response(status=200, reason="request-object", body=b"a.b.c")


@implementer(ILogout)
@attrs.define
class FakeLogout(FakeLogin):
    """
    Logs people out at the provider, too.

    Attributes:
        revoked: Whether the provider takes tokens back.
        url: Where people log out there; empty: nowhere.
        fails: What it raises, though it never should.
        when_told: Called when it is told that somebody logs out.
        ended: The sessions that it was told of, and where browsers come back.
    """

    revoked: bool | None = None
    url: str = LOGOUT
    fails: Exception | None = None
    when_told: Callable[[], None] = lambda: None
    ended: list[tuple[Session, str]] = attrs.field(factory=list)
    relies_on_notices = False

    async def end(self, request: Request, session: Session, back: str) -> Ended:
        """Send the browser away with a state that anybody could guess."""
        assert request.session is session
        self.ended.append((session, back))
        self.when_told()
        if self.fails is not None:
            raise self.fails
        kept = {"state": "s-1"} if self.url else {}
        return Ended(url=self.url, revoked=self.revoked, kept=kept)

    def confirm(self, request: Request, kept: Mapping[str, Any]) -> bool:
        """Compare states."""
        return read_parameter(request.head.query, "state") == [kept["state"]]

    async def front_channel(self, request: Request) -> LogoutNotice | Response:
        """Take everything for somebody else's."""
        del request
        return Response(status=400, reason="logout-notice")

    async def back_channel(self, request: Request) -> LogoutNotice | Response:
        """Take everything for somebody else's."""
        del request
        return Response(status=400, reason="logout-notice")

    async def settled(self, notice: LogoutNotice) -> bool:
        """Note nothing."""
        del notice
        return True
