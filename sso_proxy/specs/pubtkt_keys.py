"""
Keys that pubtkt tickets are signed and checked with.

mod_auth_pubtkt knows RSA (PKCS#1 v1.5) and DSA, with SHA-1 unless it is told otherwise;
EC and Ed25519 are what its users ask for, and work between readers of this library.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Final

import attrs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPrivateKey, DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sso_proxy.errors import TokenError

_PublicKey = RSAPublicKey | DSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
_PrivateKey = (
    RSAPrivateKey | DSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey
)

DIGESTS: Final[Mapping[str, hashes.HashAlgorithm]] = {
    # What a ticket's signature needs is that nobody finds a second text for a given
    # digest; that collisions of SHA-1 are known lets nobody forge a ticket whose text
    # the login server alone writes.
    "sha1": hashes.SHA1(),  # noqa: S303
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
"""Digests by name; ``dss1`` is another name of ``sha1``."""

SMALLEST: Final = 1024
"""Bits of the smallest RSA or DSA key."""
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")


@attrs.frozen
class TicketError(TokenError):
    """A ticket must not be honoured, or cannot be made."""


@attrs.frozen(kw_only=True, eq=False)
class VerifyingKey:
    """
    A public key with its digest.

    Attributes:
        id: Tells keys apart: SHA-256 of the SubjectPublicKeyInfo, in hex.
        digest: One of `DIGESTS`; empty for Ed25519, which has its own.
    """

    id: str
    digest: str
    _check: Callable[[bytes, bytes], None] = attrs.field(repr=False)

    def verify(self, signed: bytes, signature: bytes) -> None:
        """
        Check *signature* over *signed*.

        Raises:
            TicketError: It is not this key's, with this digest.
        """
        try:
            self._check(signature, signed)
        except (InvalidSignature, ValueError):
            raise TicketError(
                "the signature is not this key's", reason="ticket-signature"
            ) from None


@attrs.frozen(kw_only=True, eq=False)
class SigningKey:
    """
    A private key with its digest.

    Attributes:
        public: Checks what it signs.
    """

    public: VerifyingKey
    _sign: Callable[[bytes], bytes] = attrs.field(repr=False)

    def sign(self, data: bytes) -> bytes:
        """Give the signature over *data*, as it is put in base64 into a ticket."""
        return self._sign(data)


def read_verifying_key(pem: bytes, digest: str | None = None) -> VerifyingKey:
    """
    Read a public key, a PEM block ``PUBLIC KEY``, as ``TKTAuthPublicKey`` names one.

    Args:
        pem: The block.
        digest: One of `DIGESTS` or ``dss1``, in any case; None: ``sha1`` for RSA and
            DSA, as mod_auth_pubtkt has it, ``sha256`` for EC; Ed25519 takes none.

    Raises:
        ValueError: It is no such key, too small, or not for this digest.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise ValueError(f"is no public key in PEM: {type(e).__name__}") from None
    return _verifying(_checked(key), digest)


def read_signing_key(
    pem: bytes, digest: str | None = None, password: bytes | None = None
) -> SigningKey:
    """
    Read a private key.

    Args:
        pem: PEM, PKCS#8 or the traditional form of RSA, DSA and EC keys.
        digest: As for `read_verifying_key`.
        password: What *pem* is encrypted with, or None.

    Raises:
        ValueError: It is no such key, too small, or not for this digest.
    """
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        # Not what the error says: it may quote.
        raise ValueError(f"is no private key in PEM: {type(e).__name__}") from None
    if not isinstance(key, _PrivateKey):
        raise ValueError("is no RSA, DSA, EC or Ed25519 key")  # noqa: TRY004
    public = _verifying(_checked(key.public_key()), digest)
    return SigningKey(public=public, sign=_signer(key, public.digest))


def _checked(key: object) -> _PublicKey:
    """Refuse keys that are of no use here."""
    if isinstance(key, RSAPublicKey | DSAPublicKey):
        if key.key_size < SMALLEST:
            raise ValueError(f"has {key.key_size} bits; {SMALLEST} are the fewest")
        return key
    if isinstance(key, EllipticCurvePublicKey):
        if key.curve.name not in _CURVES:
            raise ValueError(f"is on none of the curves {', '.join(_CURVES)}")
        return key
    if isinstance(key, Ed25519PublicKey):
        return key
    raise ValueError("is no RSA, DSA, EC or Ed25519 key")


def _verifying(key: _PublicKey, digest: str | None) -> VerifyingKey:
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = _digest_name(key, digest)
    return VerifyingKey(
        id=hashlib.sha256(encoded).hexdigest(), digest=name, check=_checker(key, name)
    )


def _digest_name(key: _PublicKey, digest: str | None) -> str:
    """Give the digest's name, the usual one if none is given."""
    if isinstance(key, Ed25519PublicKey):
        if digest is not None:
            raise ValueError("is an Ed25519 key, which takes no digest")
        return ""
    if digest is None:
        return "sha256" if isinstance(key, EllipticCurvePublicKey) else "sha1"
    name = digest.lower()
    name = "sha1" if name == "dss1" else name
    if name not in DIGESTS:
        raise ValueError(f"has no digest {digest!r}; known: dss1, {', '.join(DIGESTS)}")
    return name


def _checker(key: _PublicKey, digest: str) -> Callable[[bytes, bytes], None]:
    """Give what takes a signature and what was signed, and raises if they differ."""
    if isinstance(key, Ed25519PublicKey):
        return key.verify
    algorithm = DIGESTS[digest]
    if isinstance(key, RSAPublicKey):
        pad = padding.PKCS1v15()
        return lambda signature, data: key.verify(signature, data, pad, algorithm)
    if isinstance(key, DSAPublicKey):
        return lambda signature, data: key.verify(signature, data, algorithm)
    ecdsa = ECDSA(algorithm)
    return lambda signature, data: key.verify(signature, data, ecdsa)


def _signer(key: _PrivateKey, digest: str) -> Callable[[bytes], bytes]:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign
    algorithm = DIGESTS[digest]
    if isinstance(key, RSAPrivateKey):
        return lambda data: key.sign(data, padding.PKCS1v15(), algorithm)
    if isinstance(key, DSAPrivateKey):
        return lambda data: key.sign(data, algorithm)
    return lambda data: key.sign(data, ECDSA(algorithm))
