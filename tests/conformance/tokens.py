"""The keys of a provider, and the ID tokens it makes with them."""

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.testing.tokens import TokenSigner
from tests.conformance.parts import b64
from tests.support.oidc_provider import KnownKey

SIGNED_BY: Final = ("RS256", "PS256", "ES256", "EdDSA")


@attrs.frozen(kw_only=True)
class Encryption:
    """
    How tokens are encrypted for the client.

    Attributes:
        key: The client's public key, or the secret it shares (JWK).
        alg: How the content's key is encrypted.
        enc: How the content is.
        more: Further parameters of the header.
    """

    key: Mapping[str, Any]
    alg: str
    enc: str = "A256GCM"
    more: Mapping[str, Any] = attrs.field(factory=dict)

    def encrypt(self, text: str) -> str:
        """Give *text*, a signed token, encrypted (RFC 7519 section 5.2)."""
        header = {"alg": self.alg, "enc": self.enc, "cty": "JWT", **self.more}
        if "kid" in self.key:
            header["kid"] = self.key["kid"]
        token = JWE(
            text.encode(), json.dumps(header), algs=[self.alg, self.enc, "RSA1_5"]
        )
        token.add_recipient(JWK(**self.key))
        encrypted: str = token.serialize(compact=True)
        return encrypted


def decrypt(text: str, pem: str) -> str:
    """Open what a client encrypted to a key of ours."""
    token = JWE()
    token.deserialize(text, JWK.from_pem(pem.encode()))
    return str(token.payload.decode())


_pool: dict[str, KnownKey] = {}


def _known(alg: str, kid: str) -> KnownKey:
    if kid not in _pool:
        _pool[kid] = KnownKey.create(alg, kid)
    return _pool[kid]


def signer(alg: str, kid: str) -> TokenSigner:
    """Give a key of that name: always the same one, as RSA keys take long to make."""
    return _known(alg, kid).signer


def private_half(alg: str, kid: str) -> str:
    """Give the private key of that name in PEM."""
    return _known(alg, kid).pem


def decoys() -> list[dict[str, Any]]:
    """Give keys that a key set may have, and that nobody should trip over."""
    rsa = signer("RS256", "decoy")
    return [
        rsa.public_jwk(kid="decoy-enc", use="enc", alg="RSA-OAEP"),
        rsa.public_jwk(kid="decoy-old"),
        {"kty": "EC", "crv": "secp256k1", "kid": "decoy-curve", "x": "AQ", "y": "AQ"},
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "decoy-kind", "pub": "AQ"},
    ]


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Write a token that nobody signed (RFC 7515 appendix A.5)."""
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(map(b64, parts)) + "."
