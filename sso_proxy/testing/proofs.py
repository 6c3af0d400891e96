"""
A client's key that proves who makes a request (DPoP, RFC 9449), for tests.

It signs whatever it is told to, malformed and contradictory things included.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Self

import attrs

from sso_proxy.specs.jose.keys import read_jwk
from sso_proxy.specs.oauth.dpop import token_hash
from sso_proxy.testing.tokens import TokenSigner


@attrs.frozen(kw_only=True)
class ProofSigner:
    """
    A client's key.

    Attributes:
        signer: Signs.
        thumbprint: What a token's ``cnf.jkt`` calls the key.
    """

    signer: TokenSigner
    thumbprint: str

    @classmethod
    def create(cls, alg: str = "ES256") -> Self:
        """Make a new key."""
        signer = TokenSigner.create(alg, kid=None)
        return cls(signer=signer, thumbprint=read_jwk(_public(signer)).thumbprint)

    @property
    def confirmation(self) -> dict[str, str]:
        """Give the ``cnf`` claim of a token that is bound to the key."""
        return {"jkt": self.thumbprint}

    def claims(
        self, method: str, uri: str, token: str, now: float, **changes: object
    ) -> dict[str, Any]:
        """Give what a good proof says, changed; None takes a claim out."""
        claims = {
            "jti": secrets.token_urlsafe(12),
            "htm": method,
            "htu": uri,
            "iat": int(now),
            "ath": token_hash(token),
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def prove(
        self, method: str, uri: str, token: str, now: float, **changes: object
    ) -> str:
        """
        Make a proof for a request.

        Args:
            method: The request's method.
            uri: The request's URI, without query.
            token: The access token that goes with it.
            now: Seconds since the epoch.
            changes: Changes to the claims.
        """
        return self.sign(self.claims(method, uri, token, now, **changes))

    def sign(self, claims: Mapping[str, Any], **header: object) -> str:
        """Sign *claims* as a proof; *header* changes its header."""
        given = {"typ": "dpop+jwt", "jwk": _public(self.signer), **header}
        return self.signer.sign(claims, **given)

    def sign_octets(self, header: Mapping[str, Any], payload: bytes) -> str:
        """Sign *payload*, whatever it is, under the whole *header*."""
        return self.signer.sign_octets(json.dumps(header).encode(), payload)


def _public(signer: TokenSigner) -> dict[str, Any]:
    """Give the members that a proof's ``jwk`` has."""
    return signer.public_jwk(use=None, alg=None)
