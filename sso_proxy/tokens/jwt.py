"""
Tokens that we sign ourselves: JWTs (RFC 7519) good for one backend.

They say who the caller is and nothing else: what a caller's own token says about itself
(its issuer, audience, times, keys) never gets into ours.  ``typ`` is ``JWT`` by default
and not ``at+jwt``: RFC 9068 access tokens need a ``client_id``, which a caller who has
logged in here does not have, and many verifiers refuse a ``typ`` that they are not told
to expect.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Self

from zope.interface import implementer

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock, IPublishesKeys, ITokenSource, ITools
from sso_proxy.model import ANONYMOUS, Caller, Identity
from sso_proxy.net.client_keys import ClientKeys, read_client_keys
from sso_proxy.specs.claims import claim_at
from sso_proxy.specs.jose.sign import sign_compact
from sso_proxy.specs.user_name import is_safe_user_name
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.caller_facts import end_of
from sso_proxy.tokens.jwt_config import ACCESS_TOKEN, JwtTokenConfig
from sso_proxy.tokens.minted import MintedTokens

_KINDS: Final = "urn:ietf:params:oauth:token-type:"

_NOBODY: Final = NotIssued(
    reason="token-nobody", status=401, detail="the caller is nobody in particular"
)
_EXPIRED: Final = NotIssued(
    reason="token-expired", status=401, detail="the caller's identity is about to end"
)
_write: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@implementer(ITokenSource, IPublishesKeys)
class JwtSource:
    """
    Signs tokens, and gives each to the same caller until a quarter of it is left.

    Args:
        config: The options.
        keys: The keys; the first signs.
        clock: The time.
        new_id: Makes a ``jti``.
    """

    config_class: ClassVar = JwtTokenConfig
    consumes: tuple[str, ...] = ()

    def __init__(
        self,
        config: JwtTokenConfig,
        keys: ClientKeys,
        clock: IClock,
        new_id: Callable[[], str],
    ) -> None:
        self.public_keys = keys.public
        self.publish_at = config.publish_at
        self._config = config
        self._key = keys.signing[0]
        self._kind = _KINDS + ("access_token" if config.typ in ACCESS_TOKEN else "jwt")
        self._clock = clock
        self._new_id = new_id
        self._claims = tuple(config.chosen())
        self._minted = MintedTokens()

    @classmethod
    def from_config(cls, config: JwtTokenConfig, tools: ITools) -> Self:
        """
        Make it, and read its keys.

        Raises:
            ConfigError: Options contradict each other, or a key cannot be used.
        """
        mistakes = [Mistake(option, why) for option, why in config.problems()]
        if mistakes:
            raise ConfigError(*mistakes)
        keys = read_client_keys(
            signing=config.keys, alg=config.alg, kid=config.kid, option="keys"
        )
        return cls(config, keys, tools.clock, lambda: secrets.token_urlsafe(16))

    def check_audience(self, audience: Audience) -> None:
        """
        Check that it is known whom tokens are for.

        Raises:
            ValueError: It is not: such a token would be good everywhere.
        """
        if not (audience.name or self._config.audience):
            raise ValueError(
                "is missing; name the backend here or in the token's table"
            )

    async def token_for(self, caller: Caller, audience: Audience) -> Token | NotIssued:
        """Give a token that tells *audience* who *caller* is.  Never waits."""
        claims = self._describe(caller, audience)
        if isinstance(claims, NotIssued):
            return claims
        try:
            key = _write(claims)
        except (ValueError, TypeError, RecursionError) as e:
            detail = f"a claim cannot be written in JSON: {type(e).__name__}"
            return NotIssued(reason="token-claims", detail=detail)
        now, end = self._clock.time(), end_of(caller)
        kept = self._minted.get(key, now=now, end=end)
        if kept is not None:
            return kept
        iat = int(now)
        exp = int(min(iat + self._config.lifetime, end))
        if exp <= now:
            return _EXPIRED
        times = {"iat": iat, "exp": exp}
        return self._mint(key, {**claims, **times}, end)

    def _mint(self, key: str, claims: dict[str, Any], end: float) -> Token | NotIssued:
        """Sign a token, and keep it."""
        config, exp = self._config, claims["exp"]
        if config.jti:
            claims["jti"] = self._new_id()
        value = sign_compact(claims, self._key, typ=config.typ)
        if len(value) > config.max_bytes:
            detail = f"the token has {len(value)} characters, more than max_bytes"
            return NotIssued(reason="token-large", detail=detail)
        # What a backend gets is good for a while yet.  Only one that ends with its
        # identity is given until it does: another would be no better.
        until = exp if exp + 1 > end else exp - config.lifetime / 4
        token = Token(value=value, kind=self._kind, expires=until)
        now = self._clock.time()
        self._minted.keep(key, token, now=now, again=until, exp=exp)
        return token

    def _describe(
        self, caller: Caller, audience: Audience
    ) -> dict[str, Any] | NotIssued:
        """Give all claims but those that differ from one token to the next."""
        config, identity = self._config, caller.identity
        if identity is None or identity.issuer == ANONYMOUS:
            return _NOBODY
        subject = self._subject(identity, caller.user)
        if isinstance(subject, NotIssued):
            return subject
        before = identity.claims.get("act")
        if config.act != "none" and not isinstance(before, Mapping | None):
            return NotIssued(reason="token-actor", detail="the caller's is no object")
        claims: dict[str, Any] = {}
        for name, path in self._claims:
            value = claim_at(identity.claims, path)
            if value is not None:
                claims[name] = value
        # Ours come last, whatever the caller's are called.
        claims |= _authentication(identity.claims)
        claims |= {
            "iss": config.issuer,
            "aud": audience.name or config.audience,
            "sub": subject,
        }
        if config.idp:
            claims["idp"] = identity.issuer
        scopes = self._scopes(identity)
        if scopes:
            claims["scope"] = " ".join(scopes)
        if config.typ in ACCESS_TOKEN:
            claims["client_id"] = _client_of(identity.claims) or config.issuer
        if config.cnf and audience.thumbprint:
            claims["cnf"] = {"x5t#S256": audience.thumbprint}
        return claims | self._actor(before)

    def _subject(self, identity: Identity, user: str) -> str | NotIssued:
        """Give the ``sub``, which no other caller has."""
        config, subject = self._config, identity.subject
        if config.subject == "user":
            return user or _NOBODY
        if config.subject == "subject" and identity.issuer != config.subject_issuer:
            return _unsuited(f"{identity.issuer!r} is not subject_issuer")
        if not is_safe_user_name(subject):
            return _unsuited("it might be read otherwise")
        if config.subject == "qualified":
            if "|" in identity.issuer:  # no URI has one; two callers could be one
                return _unsuited("the issuer has a |")
            subject = f"{identity.issuer}|{subject}"
        return subject

    def _scopes(self, identity: Identity) -> list[str]:
        """Give those of the caller's scopes that this backend is to know of."""
        wanted = self._config.scope
        return sorted(s for s in identity.scopes if s in wanted or "*" in wanted)

    def _actor(self, before: Mapping[str, Any] | None) -> dict[str, Any]:
        """Say who acts for the subject, the present one outermost (RFC 8693 4.1)."""
        config = self._config
        if config.act == "none" or (config.act == "keep" and before is None):
            return {}
        if config.act == "keep":
            return {"act": before}
        ours = {"sub": config.issuer}
        return {"act": ours if before is None else {**ours, "act": before}}


def _unsuited(detail: str) -> NotIssued:
    """Say that a subject cannot stand in a token."""
    return NotIssued(reason="token-subject", detail=f"the subject: {detail}")


def _authentication(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Give when and how the user authenticated (RFC 9068 section 2.2.1), if known."""
    found: dict[str, Any] = {}
    when, acr, amr = claims.get("auth_time"), claims.get("acr"), claims.get("amr")
    if isinstance(when, int | float) and not isinstance(when, bool):
        found["auth_time"] = when
    if isinstance(acr, str):
        found["acr"] = acr
    if isinstance(amr, list | tuple) and all(isinstance(each, str) for each in amr):
        found["amr"] = [*amr]
    return found


def _client_of(claims: Mapping[str, Any]) -> str:
    """Give the client that the caller's token was issued to, if it says so."""
    for name in ("client_id", "azp"):
        client = claims.get(name)
        if isinstance(client, str):
            return client
    return ""
