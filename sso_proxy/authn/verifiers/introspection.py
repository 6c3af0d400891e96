"""Tokens that only their issuer knows: it is asked about them (RFC 7662)."""

from collections.abc import Mapping
from typing import Any, Protocol

import attrs

from sso_proxy.authn.verifiers import Verified, Verifier
from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IClock
from sso_proxy.specs.oauth.claims import ClaimRules, check_introspected, expiry
from sso_proxy.specs.oauth.confirmation import check_scheme, read_confirmation


class Asks(Protocol):
    """What a `sso_proxy.net.introspection.Introspector` is to us."""

    async def ask(self, token: str) -> Mapping[str, Any]:
        """Give what the issuer says about *token*, which it calls active."""


@attrs.frozen(kw_only=True)
class IntrospectionVerifier:
    """
    Believes what the issuer says when it is asked.

    Attributes:
        rules: What it has to say.
        max_bytes: Octets of a token.
        keep: Seconds that what it said holds at most: for so long a token that was
            withdrawn meanwhile stays good.
        introspector: Asks it.
        clock: The time.
    """

    rules: ClaimRules
    max_bytes: int
    keep: float
    introspector: Asks
    clock: IClock

    async def verify(self, token: str) -> Verified:
        """
        Give what the issuer says about *token*.

        Raises:
            TokenError: It is not active, or not for us.
            UnavailableError: The issuer does not say.
        """
        if len(token) > self.max_bytes:
            raise TokenError("too long", reason="token-too-long")
        claims = await self.introspector.ask(token)
        now = self.clock.time()
        check_introspected(claims, self.rules, now)
        if str(claims.get("token_type")).lower() == "dpop":
            # Else nothing would ask for a proof (RFC 9449 section 6.2).
            check_scheme("DPoP", read_confirmation(claims))
        expires = expiry(claims) if "exp" in claims else None
        until = now + self.keep
        if expires is not None:
            until = min(until, expires)
        return Verified(claims=claims, expires=expires, until=until)


@attrs.frozen(kw_only=True)
class SignedAndActive:
    """
    Believes what the issuer's keys have signed, while the issuer says it is so.

    Attributes:
        signed: Looks at the signature.
        active: Asks the issuer.
    """

    signed: Verifier
    active: Verifier

    async def verify(self, token: str) -> Verified:
        """
        Give what *token* says, and what it is bound to by either account.

        Nobody is asked about a token that fails without that.

        Raises:
            TokenError: It must not be honoured.
            UnavailableError: Nobody can say whether it is to be.
        """
        await self.signed.verify(token)
        active = await self.active.verify(token)
        signed = await self.signed.verify(token)  # a key may be gone by now
        claims = dict(signed.claims)
        confirmation = read_confirmation(active.claims)
        if confirmation:
            if "cnf" in claims and claims["cnf"] != confirmation:
                raise TokenError("bound to two keys", reason="cnf-contradictory")
            claims["cnf"] = confirmation
        ends = [at for at in (signed.expires, active.expires) if at is not None]
        return Verified(
            claims=claims,
            expires=min(ends, default=None),
            until=min(signed.until, active.until),
        )
