"""
Tell a provider that somebody logs out.

Their tokens are given back (RFC 7009), and their browser is sent to the provider's
``end_session_endpoint`` (OpenID Connect RP-Initiated Logout 1.0).  The session has
ended here before: a provider that is down, or says no, changes nothing about that.
"""

import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

from twisted.logger import Logger

from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.authn.oidc_rules import id_token_rules
from sso_proxy.errors import BadMessageError, TokenError, UnavailableError
from sso_proxy.login import Ended
from sso_proxy.model import Request
from sso_proxy.net.provider import ProviderError
from sso_proxy.session import Session
from sso_proxy.specs.http.parameters import read_parameter
from sso_proxy.specs.jose.encrypted import is_encrypted
from sso_proxy.specs.oidc.envelope import decrypt
from sso_proxy.specs.oidc.logout_request import LogoutRequest, build_logout_url
from sso_proxy.specs.oidc.metadata import ProviderEndpoints

_log = Logger()

WITHIN: Final = 5.0
"""Seconds in which a provider has to take tokens back: somebody is waiting."""

_TOKENS: Final = ("refresh_token", "access_token")
"""What is given back; the first may take the second along (RFC 7009 section 2.1)."""
_OCTETS: Final = 32


class Leaver:
    """
    Tells the provider.

    Args:
        parts: The parts of the authenticator.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config

    async def end(self, session: Session, back: str) -> Ended:
        """Give tokens back, and say where the browser goes; never fails."""
        if session.data.get("provider") != self._config.issuer:
            return Ended(detail="the session is of another provider")
        try:
            endpoints = await self._parts.provider.endpoints()
        except UnavailableError as e:
            return Ended(revoked=False, detail=e.what)
        revoked, detail = await self._give_back(session, endpoints)
        url, state = self._leave(session, endpoints, back)
        kept = {"state": state} if state else {}
        return Ended(url=url, revoked=revoked, kept=kept, detail=detail)

    def confirm(self, request: Request, kept: Mapping[str, Any]) -> bool:
        """
        Say whether the provider has sent this browser back (section 3).

        Only ``state`` tells: everybody can send somebody to ``logout/done``.
        """
        try:
            states = read_parameter(request.head.query, "state")
        except BadMessageError:
            return False
        expected: str = kept.get("state", "")
        if len(states) != 1 or not expected:
            return False
        return hmac.compare_digest(states[0].encode(), expected.encode())

    async def _give_back(
        self, session: Session, endpoints: ProviderEndpoints
    ) -> tuple[bool | None, str]:
        """Say whether the provider has taken the tokens back, and if not, why."""
        tokens = {name: session.data[name] for name in _TOKENS if name in session.data}
        if endpoints.revocation is None or not tokens:
            return None, ""
        clock, provider = self._parts.clock, self._parts.provider
        until = clock.monotonic() + WITHIN
        taken, problems = [], []
        for name, token in tokens.items():
            left = until - clock.monotonic()
            if left <= 0:
                problems.append("it took too long")
                break
            try:
                taken.append(await provider.revoke(token, name, left))
            except UnavailableError as e:
                problems.append(e.what)
                break  # who does not answer once will not in the time that is left
            except ProviderError as e:
                problems.append(f"{name}: {e.error} {e.description}".strip())
        if problems:
            return False, "; ".join(problems)
        return True if any(taken) else None, ""

    def _leave(
        self, session: Session, endpoints: ProviderEndpoints, back: str
    ) -> tuple[str, str]:
        """Give where the browser goes, and the state that comes back; or nothing."""
        config = self._config
        if endpoints.end_session is None:
            return "", ""
        configured = config.post_logout_redirect_uri
        back = back if configured is None else configured
        state = secrets.token_urlsafe(_OCTETS) if back else ""
        claim = session.identity.claims.get(config.logout_hint)
        request = LogoutRequest(
            client_id=config.client_id,
            id_token_hint=hint_of(self._parts, session, endpoints),
            logout_hint=claim if isinstance(claim, str) else "",
            post_logout_redirect_uri=back,
            state=state,
            ui_locales=config.ui_locales,
            extra=config.logout_params,
        )
        try:
            return build_logout_url(endpoints.end_session, request), state
        except ValueError as e:
            _log.warn(
                "Nobody is logged out at {issuer}: {why}",
                issuer=config.issuer,
                why=str(e),
            )
            return "", ""


def hint_of(parts: Parts, session: Session, endpoints: ProviderEndpoints) -> str:
    """
    Give the ID token of *session* as the provider has signed it, or nothing.

    Only we can read one that is encrypted for us (section 2).
    """
    token: str = session.data.get("id_token", "")
    if not is_encrypted(token):
        return token
    rules = id_token_rules(parts.config, endpoints).envelope
    try:
        _, content = decrypt(token, rules, parts.secrets.decryption)
    except TokenError:  # the key may be gone since
        return ""
    return content.decode("ascii", "ignore")
