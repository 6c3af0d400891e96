"""
An issuer of signed tokens, for tests.

It signs whatever it is told to, malformed and contradictory things included.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final, Self

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed448,
    ed25519,
    padding,
    rsa,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

EdwardsKey = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | EdwardsKey

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}


@attrs.frozen(kw_only=True)
class TokenSigner:
    """
    A key that signs tokens.

    Attributes:
        alg: The algorithm it signs with.
        kid: What it is called, or None.
    """

    alg: str
    kid: str | None
    _key: PrivateKey | bytes = attrs.field(repr=False, alias="key")

    @classmethod
    def create(cls, alg: str = "ES256", kid: str | None = "key-1") -> Self:
        """Make a new key; RSA has 2048 bits."""
        key: PrivateKey
        if alg in _CURVES:
            key = ec.generate_private_key(_CURVES[alg])
        elif alg in {"EdDSA", "Ed25519"}:
            key = ed25519.Ed25519PrivateKey.generate()
        elif alg == "Ed448":
            key = ed448.Ed448PrivateKey.generate()
        else:
            key = rsa.generate_private_key(65537, 2048)
        return cls(alg=alg, kid=kid, key=key)

    @classmethod
    def of_secret(cls, secret: bytes, alg: str = "HS256") -> Self:
        """Take a secret that the issuer shares with us; nothing of it is public."""
        return cls(alg=alg, kid=None, key=secret)

    def renamed(self, kid: str | None) -> "TokenSigner":
        """Give the same key under another name."""
        return attrs.evolve(self, kid=kid)

    def using(self, alg: str) -> "TokenSigner":
        """Give the same key for another algorithm."""
        return attrs.evolve(self, alg=alg)

    def public_jwk(self, **changes: object) -> dict[str, Any]:
        """Give the public key (RFC 7517), changed; None takes a member out."""
        named: dict[str, object] = {"use": "sig", "alg": self.alg, "kid": self.kid}
        members = {**self._public_members(), **named, **changes}
        return {name: value for name, value in members.items() if value is not None}

    def public_pem(self) -> bytes:
        """Give the public key in PEM."""
        public = self._private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, claims: Mapping[str, Any], **header: object) -> str:
        """
        Sign *claims* as an access token (RFC 9068).

        Args:
            claims: All of them.
            header: Changes to the header; None takes a parameter out.
        """
        parameters = {"alg": self.alg, "kid": self.kid, "typ": "at+jwt", **header}
        kept = {name: value for name, value in parameters.items() if value is not None}
        return self.sign_octets(json.dumps(kept).encode(), json.dumps(claims).encode())

    def sign_octets(self, header: bytes, payload: bytes) -> str:
        """Sign *payload* under *header*, whatever they are."""
        signing_input = b".".join((_b64(header), _b64(payload)))
        return b".".join((signing_input, _b64(self.signature(signing_input)))).decode()

    def signature(self, signing_input: bytes) -> bytes:
        """Give the signature over *signing_input*, as JWS has it."""
        key = self._key
        if isinstance(key, bytes):
            return hmac.digest(key, signing_input, f"sha{self.alg[2:]}")
        if isinstance(key, EdwardsKey):
            return key.sign(signing_input)
        hash_ = _HASHES[self.alg[2:]]
        if isinstance(key, ec.EllipticCurvePrivateKey):
            size = (key.curve.key_size + 7) // 8
            pair = decode_dss_signature(key.sign(signing_input, ec.ECDSA(hash_)))
            return b"".join(number.to_bytes(size, "big") for number in pair)
        if self.alg.startswith("PS"):
            pss = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
            return key.sign(signing_input, pss, hash_)
        return key.sign(signing_input, padding.PKCS1v15(), hash_)

    @property
    def _private(self) -> PrivateKey:
        """Give the private key of a pair."""
        if isinstance(self._key, bytes):
            raise TypeError("a secret has no public key")
        return self._key

    def _public_members(self) -> dict[str, str]:
        """Give the members that are the key."""
        public = self._private.public_key()
        if isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
            curve = "Ed25519" if len(octets) == 32 else "Ed448"
            return {"kty": "OKP", "crv": curve, "x": _b64(octets).decode()}
        if isinstance(public, rsa.RSAPublicKey):
            rsa_numbers = public.public_numbers()
            return {"kty": "RSA", "n": _number(rsa_numbers.n), "e": _number(65537)}
        ec_numbers = public.public_numbers()
        size = (public.curve.key_size + 7) // 8
        return {
            "kty": "EC",
            "crv": f"P-{public.curve.key_size}",
            "x": _number(ec_numbers.x, size),
            "y": _number(ec_numbers.y, size),
        }


def jwks(*keys: TokenSigner | Mapping[str, Any]) -> bytes:
    """Write a JWK Set (RFC 7517 section 5)."""
    items = [key.public_jwk() if isinstance(key, TokenSigner) else key for key in keys]
    return json.dumps({"keys": items}).encode()


def _b64(octets: bytes) -> bytes:
    """Encode base64url without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=")


def _number(number: int, size: int | None = None) -> str:
    """Encode a Base64urlUInt (RFC 7518 section 2)."""
    return _b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big")).decode()
