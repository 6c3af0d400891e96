"""
An authenticator that believes whoever says a name, and keeps it in a session.

For tests of sessions alone: ``X-Login: alice`` logs in, ``X-Logout`` out, and
``X-Renew: 1`` has the session hold something new if it never did, as tokens that are
refreshed when they are over.
"""

import os
from collections.abc import Mapping
from typing import Any, Self, cast

import attrs
from twisted.internet.task import deferLater
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
        calls: A file that gets a line for each renewal; none if empty.
    """

    login: str = "/login"
    calls: str = ""


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
            data = {"token": "t0", "sid": f"sid-of-{names[0]}"}
            opened = await request.sessions.start(request, identity, data)
            return Authenticated(identity, headers=opened.headers)
        if request.head.values("x-logout"):
            headers = await request.sessions.end(request)
            challenge = HeaderChallenge(("Test",), headers)
            return Rejected(reason="logged-out", challenge=challenge)
        session = request.session
        if session is None or session.identity.authenticator != self.name:
            return NotPresented()
        wanted = request.head.values("x-renew")
        if wanted and session.identity.claims["count"] < int(wanted[0]):
            opened = await request.sessions.renew(request, session, self._renew)
            if opened.session is None:
                return NotPresented()
            return Authenticated(opened.session.identity, headers=opened.headers)
        return Authenticated(session.identity)

    async def _renew(self, session: Session) -> tuple[Identity, Mapping[str, Any]]:
        self.renewals += 1
        if self._config.calls:
            await self._call()
        count = session.identity.claims["count"] + 1
        identity = attrs.evolve(session.identity, claims={"count": count})
        return identity, {"token": f"t{count}"}

    async def _call(self) -> None:
        """Do what takes a while and must be done once, as at a token endpoint."""
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self._config.calls, flags, 0o600)
        os.write(descriptor, b"%d\n" % os.getpid())
        os.close(descriptor)
        await deferLater(cast("Any", reactor), 0.3)

    def challenge(self, request: Request) -> LoginRedirect | None:  # noqa: ARG002
        """Send people to log in."""
        return LoginRedirect(self._config.login)

    def refusal(
        self,
        request: Request,
        refusal: Refusal,
    ) -> None:
        """Say nothing."""
