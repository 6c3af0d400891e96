"""
An authenticator that believes whoever says a name, and keeps it in a session.

For tests of sessions alone: ``X-Login: alice`` logs in, ``X-Logout`` out, and
``X-Renew`` has the session hold something new, as tokens that are refreshed.
"""

from collections.abc import Mapping
from typing import Any, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IAuthenticator, ITools
from sso_proxy.model import (
    Authenticated,
    HeaderChallenge,
    Identity,
    LoginRedirect,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)
from sso_proxy.session import Session


@attrs.frozen(kw_only=True)
class HeaderLoginConfig:
    """
    Whom to believe.

    Attributes:
        login: Where people log in.
    """

    login: str = "/login"


@implementer(IAuthenticator)
class HeaderLogin:
    """Logs in whoever says a name."""

    config_class = HeaderLoginConfig
    consumes = ("x-login", "x-logout", "x-renew")
    reads_session = True

    def __init__(self, name: str, config: HeaderLoginConfig) -> None:
        self.name = name
        self._config = config
        self.renewals = 0

    @classmethod
    def from_config(cls, config: HeaderLoginConfig, tools: ITools) -> Self:
        """Make it."""
        return cls(tools.name, config)

    async def authenticate(self, request: Request) -> Outcome:
        """Log in or out, or go by the session."""
        names = request.head.values("x-login")
        if names:
            identity = Identity(
                issuer="https://test.example",
                subject=names[0],
                authenticator=self.name,
                claims={"count": 0},
            )
            opened = await request.sessions.start(request, identity, {"token": "t0"})
            return Authenticated(identity, headers=opened.headers)
        if request.head.values("x-logout"):
            headers = await request.sessions.end(request)
            challenge = HeaderChallenge(("Test",), headers)
            return Rejected(reason="logged-out", challenge=challenge)
        session = request.session
        if session is None or session.identity.authenticator != self.name:
            return NotPresented()
        if request.head.values("x-renew"):
            opened = await request.sessions.renew(request, session, self._renew)
            if opened.session is None:
                return NotPresented()
            return Authenticated(opened.session.identity, headers=opened.headers)
        return Authenticated(session.identity)

    async def _renew(self, session: Session) -> tuple[Identity, Mapping[str, Any]]:
        self.renewals += 1
        count = session.identity.claims["count"] + 1
        identity = attrs.evolve(session.identity, claims={"count": count})
        return identity, {"token": f"t{count}"}

    def challenge(self, request: Request) -> LoginRedirect | None:  # noqa: ARG002
        """Send people to log in."""
        return LoginRedirect(self._config.login)

    def refusal(
        self,
        request: Request,
        refusal: Refusal,
    ) -> None:
        """Say nothing."""
