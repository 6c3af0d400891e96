"""Tokens that carry their issuer's signature (RFC 7519, RFC 9068)."""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Any, Final

import attrs

from sso_proxy.authn.verifiers import Verified
from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IClock
from sso_proxy.specs.jose.compact import MAX_HEADER, split_compact
from sso_proxy.specs.jose.decrypt import DecryptionKeys, decrypt_compact
from sso_proxy.specs.jose.keys import KeySet, UnknownKeyError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.jose.verify import check_signature
from sso_proxy.specs.oauth.claims import (
    ClaimRules,
    check_claims,
    check_issuer,
    check_type,
    expiry,
)

_DOTS_IN_JWE: Final = 4


def is_jwt(token: str) -> bool:
    """
    Say whether *token* is, or wants to look like, a JWT: the rest is opaque.

    What stands before the first dot is text that looks like a JSON object, however
    badly encoded: what is not taken as a JWT must not be tried as something else.
    """
    first, dot, _ = token.partition(".")
    if not dot or len(first) > MAX_HEADER:
        return bool(dot)
    return _is_object(first)


@lru_cache(maxsize=256)  # a few different ones recur in every token of an issuer
def _is_object(first: str) -> bool:
    """Say whether *first* is what looks like a JSON object, however it is encoded."""
    encoded = first.rstrip("=")
    try:
        text = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode().strip()
    except ValueError:  # no base64, or no UTF-8
        return False
    return text.startswith("{") and text.endswith("}")


@attrs.frozen(kw_only=True)
class JwtVerifier:
    """
    Believes what the issuer's keys have signed.

    Attributes:
        rules: What the claims have to say.
        types: Types of JWTs that are access tokens.
        algorithms: Signature algorithms that the issuer may use.
        max_bytes: Octets of a token.
        keep: Seconds that what was found out holds at most.
        source: Has the issuer's keys: a `JwksSource`, or what gives the same.
        unnamed: The key has no name, so that a signature that is wrong may be one of
            the key after it.
        decryption: Keys of ours that tokens may be encrypted for, or None.
        clock: The time.
        adopt: Told which keys are about to be used, before they are.
    """

    rules: ClaimRules
    types: Collection[str]
    algorithms: Collection[str]
    max_bytes: int
    keep: float
    source: Any
    unnamed: bool = False
    decryption: DecryptionKeys | None = None
    clock: IClock
    adopt: Callable[[KeySet], None]

    async def verify(self, token: str) -> Verified:
        """
        Give the claims of *token*.

        Another issuer's token is refused before any key is looked for: with several
        issuers, each token meets the keys of the one that it names and no others.

        Raises:
            TokenError: It is malformed, another's, forged or not valid now.
            UnavailableError: The issuer's keys cannot be had.
        """
        signed: str | bytes = token
        if self.decryption is not None and token.count(".") == _DOTS_IN_JWE:
            signed = decrypt_compact(token, self.decryption, max_bytes=self.max_bytes)
        jws = split_compact(signed, max_bytes=self.max_bytes)
        claims = read_json_object(jws.payload)
        check_issuer(claims, self.rules.issuer)
        known = self.source.current() is not None
        keys = await self.source.key_set()
        self.adopt(keys)
        try:
            check_signature(jws, keys, algorithms=self.algorithms)
        except TokenError as e:
            named = not (self.unnamed and e.reason == "token-signature")
            if named and not isinstance(e, UnknownKeyError):
                raise
            if not known:  # they came after the token: there are no newer ones
                raise
            keys = await self.source.key_set_for_unknown()
            self.adopt(keys)
            check_signature(jws, keys, algorithms=self.algorithms)
        check_type(jws.header.typ, self.types)
        now, expires = self.clock.time(), expiry(claims)
        check_claims(claims, self.rules, now)
        until = min(expires, now + self.keep)
        return Verified(claims=claims, expires=expires, until=until)
