"""Check one signature with one key (RFC 7518 section 3, RFC 8037)."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

PublicKey: TypeAlias = RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey

SignatureCheck: TypeAlias = Callable[[bytes, bytes], None]
"""Takes the signing input and the signature; raises InvalidSignature."""

_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}

_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
"""An ECDSA algorithm is a curve and a hash together (RFC 7518 section 3.4)."""


def signature_checks(key: PublicKey) -> dict[str, SignatureCheck]:
    """Give the algorithms that *key* is fit for, and how each checks a signature."""
    if isinstance(key, RSAPublicKey):
        checks = {f"RS{bits}": _pkcs1(key, hash_) for bits, hash_ in _HASHES.items()}
        return checks | {f"PS{bits}": _pss(key, h) for bits, h in _HASHES.items()}
    if isinstance(key, Ed25519PublicKey):
        check = _eddsa(key)
        return {"EdDSA": check, "Ed25519": check}
    alg = _CURVES.get(key.curve.name)
    return {} if alg is None else {alg: _ecdsa(key, _HASHES[alg[2:]])}


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

    def check(signing_input: bytes, signature: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r = int.from_bytes(signature[:size], "big")
        s = int.from_bytes(signature[size:], "big")
        key.verify(encode_dss_signature(r, s), signing_input, scheme)

    return check


def _eddsa(key: Ed25519PublicKey) -> SignatureCheck:
    """Make a check of Ed25519 (RFC 8037 section 3.1)."""

    def check(signing_input: bytes, signature: bytes) -> None:
        key.verify(signature, signing_input)

    return check
