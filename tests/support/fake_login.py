"""An authenticator that has people log in at a provider that believes everybody."""

from typing import Any

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IAuthenticator, ILogin
from sso_proxy.login import Finished, Wanted
from sso_proxy.model import (
    Authenticated,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Request,
    Response,
)
from sso_proxy.specs.http.parameters import read_parameter

PROVIDER = "https://login.example/authorize"


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
        refuses: What it answers to who comes back, instead of logging them in.
    """

    name: str = "corp"
    title: str = "Corporate login"
    public_keys: tuple[dict[str, Any], ...] = ()
    began: list[Wanted] = attrs.field(factory=list)
    claims: dict[str, Any] = attrs.field(factory=dict)
    data: dict[str, Any] = attrs.field(factory=dict)
    refuses: Response | None = None
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

    async def begin(self, request: Request, wanted: Wanted) -> Response:
        """Send the browser to the provider."""
        self.began.append(wanted)
        state, headers = request.sessions.logins.begin(
            request, {"wanted": wanted.as_json()}
        )
        location = ("location", f"{PROVIDER}?state={state}")
        return Response(status=302, reason="login", headers=(location, *headers))

    async def finish(self, request: Request) -> Finished | Response:
        """Believe whoever came back."""
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
