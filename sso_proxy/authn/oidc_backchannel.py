"""What an OpenID Provider tells us itself: that somebody has logged out there."""

import json
from hashlib import sha256
from typing import Final

from twisted.logger import Logger

from sso_proxy.authn.oidc_identity import Identifier
from sso_proxy.authn.oidc_parts import Parts
from sso_proxy.authn.oidc_rules import id_token_rules
from sso_proxy.errors import BadMessageError, TokenError, UnavailableError
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Headers, Request, Response
from sso_proxy.specs.http.parameters import is_form, read_parameter
from sso_proxy.specs.oidc.logout_token import open_logout_token, read_logout

_log = Logger()

PURPOSE: Final = "oidc-logout"
"""Of logout tokens that were heeded, in the cache."""

MOST: Final = 80000
"""Octets of the form: the longest token, and what is ignored besides."""

_HEADERS: Final[Headers] = (
    ("cache-control", "no-store"),
    ("content-type", "application/json"),
    ("x-content-type-options", "nosniff"),
)


class BackChannel:
    """
    Reads logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.5).

    Args:
        parts: The parts of the authenticator.
        identifier: Has the provider's keys.
    """

    def __init__(self, parts: Parts, identifier: Identifier) -> None:
        self._parts = parts
        self._config = parts.config
        self._identifier = identifier

    async def read(self, request: Request) -> LogoutNotice | Response:
        """
        Give whose sessions are over, or 400.

        Raises:
            UnavailableError: The provider's keys cannot be had, or nobody knows whether
                the token came before.
        """
        if self._config.backchannel_logout == "off" or self._parts.cache is None:
            return Response(status=404, reason="no-endpoint")
        try:
            return await self._check(await _read_token(request))
        except TokenError as e:
            return refuse(request, f"{e.reason}: {e.detail}")
        except BadMessageError as e:
            return refuse(request, e.reason)

    async def settle(self, notice: LogoutNotice) -> bool:
        """
        Note that a token was heeded; False if it was before.

        It is good for as long as ``iat`` may be off, to both sides.

        Raises:
            UnavailableError: It cannot be noted.
        """
        name, ttl = bytes.fromhex(notice.mark), 2 * self._config.max_id_token_age + 10
        cache = self._parts.cache
        if cache is None:
            raise UnavailableError("a cache for logout tokens")
        if "add" in cache.operations:  # what it wrote is not forgotten for others
            return await cache.add(PURPOSE, name, b"1", ttl)
        return await cache.compare_and_set(PURPOSE, name, None, b"1", ttl)

    async def _check(self, text: str) -> LogoutNotice:
        """
        Check a logout token.

        Raises:
            TokenError: It ends nothing.
            UnavailableError: As for `read`.
        """
        endpoints = await self._parts.provider.endpoints()
        rules, secrets = id_token_rules(self._config, endpoints), self._parts.secrets
        claims = await self._identifier.with_keys(
            endpoints,
            lambda keys: open_logout_token(
                text,
                keys,
                rules,
                decryption_keys=secrets.decryption,
                mac_keys=secrets.mac_keys,
            ),
        )
        told = read_logout(claims, rules, now=self._parts.clock.time())
        mark = sha256(
            json.dumps([self._parts.name, told.issuer, told.jti]).encode()
        ).hexdigest()
        cache = self._parts.cache
        if cache is None or await cache.get(PURPOSE, bytes.fromhex(mark)) is not None:
            raise TokenError("it came before", reason="token-replayed")
        return LogoutNotice(
            issuer=told.issuer, subject=told.subject, sid=told.sid, mark=mark
        )


def refuse(request: Request, detail: str) -> Response:
    """Refuse what does not come from the provider, or says nothing (section 2.8)."""
    _log.warn("Request {id}: logout-notice: {detail}", id=request.id, detail=detail)
    body = {"error": "invalid_request", "error_description": detail}
    return Response(
        status=400,
        reason="logout-notice",
        headers=_HEADERS,
        body=json.dumps(body).encode(),
    )


async def _read_token(request: Request) -> str:
    """
    Give the token; other parameters are ignored.

    Raises:
        TokenError: There is not exactly one.
        BadMessageError: The form cannot be read.
    """
    if not is_form(request.head) or request.body is None:
        raise TokenError("this is no form", reason="logout-form")
    content = await request.body.read(MOST)
    try:
        tokens = read_parameter(content.decode("ascii"), "logout_token")
    except UnicodeDecodeError:
        raise TokenError("the form is no ASCII", reason="logout-form") from None
    if len(tokens) != 1:
        detail = f"logout_token is there {len(tokens)} times"
        raise TokenError(detail, reason="logout-form")
    return tokens[0]
