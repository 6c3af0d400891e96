"""Check one signature or MAC with one key (RFC 7518 section 3, RFC 8037, RFC 9864)."""

import hmac
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

PublicKey: TypeAlias = (
    RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey
)

SignatureCheck: TypeAlias = Callable[[bytes, bytes], None]
"""Takes the signing input and the signature; raises InvalidSignature."""

_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}

_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
"""An ECDSA algorithm is a curve and a hash together (RFC 7518 section 3.4)."""


_SHORT: Final = 48
"""Octets of each half of a signature that `short_der` can encode."""

MACS: Final[Mapping[str, str]] = {
    "HS256": "sha256",
    "HS384": "sha384",
    "HS512": "sha512",
}
"""The MAC algorithms and their hashes (RFC 7518 section 3.2)."""

_MAC_OCTETS: Final[Mapping[str, int]] = {"HS256": 32, "HS384": 48, "HS512": 64}


def signature_checks(key: PublicKey) -> dict[str, SignatureCheck]:
    """Give the algorithms that *key* is fit for, and how each checks a signature."""
    if isinstance(key, RSAPublicKey):
        checks = {f"RS{bits}": _pkcs1(key, hash_) for bits, hash_ in _HASHES.items()}
        return checks | {f"PS{bits}": _pss(key, h) for bits, h in _HASHES.items()}
    if isinstance(key, Ed25519PublicKey):
        check = _eddsa(key)
        return {"EdDSA": check, "Ed25519": check}
    if isinstance(key, Ed448PublicKey):
        check = _eddsa(key)
        return {"EdDSA": check, "Ed448": check}
    alg = _CURVES.get(key.curve.name)
    return {} if alg is None else {alg: _ecdsa(key, _HASHES[alg[2:]])}


def mac_check(secret: bytes, alg: str) -> SignatureCheck:
    """
    Make a check of the MAC *alg*, one of `MACS`, in constant time.

    How long *secret* has to be is the caller's to know: `mac_checks` does.
    """
    hash_ = MACS[alg]

    def check(signing_input: bytes, mac: bytes) -> None:
        if not hmac.compare_digest(hmac.digest(secret, signing_input, hash_), mac):
            raise InvalidSignature

    return check


def mac_checks(secret: bytes) -> dict[str, SignatureCheck]:
    """
    Give the MACs that *secret* is long enough for, and how each is checked.

    A key has to be as long as the hash at least (RFC 7518 section 3.2).
    """
    return {
        alg: mac_check(secret, alg)
        for alg, octets in _MAC_OCTETS.items()
        if len(secret) >= octets
    }


def _pkcs1(key: RSAPublicKey, hash_: hashes.HashAlgorithm) -> SignatureCheck:
    """Make a check of RSASSA-PKCS1-v1_5 (RFC 7518 section 3.3)."""
    scheme = padding.PKCS1v15()

    def check(signing_input: bytes, signature: bytes) -> None:
        key.verify(signature, signing_input, scheme, hash_)

    return check


def _pss(key: RSAPublicKey, hash_: hashes.HashAlgorithm) -> SignatureCheck:
    """Make a check of RSASSA-PSS; the salt is as long as the hash (section 3.5)."""
    scheme = padding.PSS(padding.MGF1(hash_), hash_.digest_size)

    def check(signing_input: bytes, signature: bytes) -> None:
        key.verify(signature, signing_input, scheme, hash_)

    return check


def _ecdsa(
    key: ec.EllipticCurvePublicKey, hash_: hashes.HashAlgorithm
) -> SignatureCheck:
    """Make a check of ECDSA; R and S have full length (RFC 7518 section 3.4)."""
    scheme = ec.ECDSA(hash_)
    size = (key.key_size + 7) // 8
    encode = short_der if size <= _SHORT else _any_der

    def check(signing_input: bytes, signature: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        key.verify(encode(signature[:size], signature[size:]), signing_input, scheme)

    return check


def short_der(r: bytes, s: bytes) -> bytes:
    """
    Encode two numbers in DER, as `_any_der` does, in a quarter of the time.

    For up to 48 octets each: the length of them all takes one octet.
    """
    r, s = r.lstrip(b"\0") or b"\0", s.lstrip(b"\0") or b"\0"
    r, s = b"\0" + r if r[0] > 127 else r, b"\0" + s if s[0] > 127 else s
    length = len(r) + len(s) + 4
    return b"0%c\x02%c%b\x02%c%b" % (length, len(r), r, len(s), s)


def _any_der(r: bytes, s: bytes) -> bytes:
    """Encode two numbers, big endian, in DER."""
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))


def _eddsa(key: Ed25519PublicKey | Ed448PublicKey) -> SignatureCheck:
    """Make a check of Ed25519 or Ed448 (RFC 8037 section 3.1)."""

    def check(signing_input: bytes, signature: bytes) -> None:
        key.verify(signature, signing_input)

    return check
