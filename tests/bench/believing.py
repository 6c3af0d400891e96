"""
An authenticator that believes an ID token that it is shown, and begins a session.

What it measures is what comes after a login, so nothing of the login is checked.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Self

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IAuthenticator, ITools
from sso_proxy.model import (
    Authenticated,
    HeaderChallenge,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Request,
)

FIELD = "x-tokens"
"""The answer of a token endpoint, as JSON: who sends it is logged in."""


@attrs.frozen(kw_only=True)
class BelievingConfig:
    """There is nothing to choose."""


@implementer(IAuthenticator)
class Believing:
    """Logs in whoever shows tokens, and goes by the session from then on."""

    config_class = BelievingConfig
    consumes = (FIELD,)
    reads_session = True

    def __init__(self, name: str) -> None:
        self._name = name

    @classmethod
    def from_config(cls, config: BelievingConfig, tools: ITools) -> Self:  # noqa: ARG003
        """Make it."""
        return cls(tools.name)

    async def authenticate(self, request: Request) -> Outcome:
        """Begin a session, or go by the one that there is."""
        shown = request.head.values(FIELD)
        if not shown:
            session = request.session
            if session is None or session.identity.authenticator != self._name:
                return NotPresented()
            return Authenticated(session.identity)
        tokens = json.loads(shown[0])
        claims = _payload(tokens["id_token"])
        identity = Identity(
            issuer=claims["iss"],
            subject=claims["sub"],
            authenticator=self._name,
            claims=claims,
        )
        opened = await request.sessions.start(request, identity, tokens)
        return Authenticated(identity, headers=opened.headers)

    def challenge(self, request: Request) -> HeaderChallenge:  # noqa: ARG002
        """Ask for tokens."""
        return HeaderChallenge(("Tokens",))

    def refusal(self, request: Request, refusal: Refusal) -> None:
        """Say nothing."""


def _payload(token: str) -> Mapping[str, Any]:
    text = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=="))
    return claims
