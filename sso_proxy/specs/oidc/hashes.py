"""
Hashes of values that an ID token vouches for.

``at_hash`` and ``c_hash`` are from OpenID Connect Core 3.1.3.6 and 3.3.2.11; ``s_hash``
is from FAPI 1.0 Advanced 5.1.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

from sso_proxy.specs.jose.strict import encode_base64url


def _ed448_hash(octets: bytes) -> bytes:
    """Hash as Ed448 does within (RFC 8032 section 5.2)."""
    return hashlib.shake_256(octets).digest(114)


_HASHES: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "256": lambda octets: hashlib.sha256(octets).digest(),
    "384": lambda octets: hashlib.sha384(octets).digest(),
    "512": lambda octets: hashlib.sha512(octets).digest(),
}
_EDWARDS: Final[Mapping[str, tuple[Callable[[bytes], bytes], ...]]] = {
    "Ed25519": (_HASHES["512"],),
    "Ed448": (_ed448_hash,),
    "EdDSA": (_HASHES["512"], _ed448_hash),  # the name does not tell the curve
    "none": (_HASHES["256"],),  # what RS256, the algorithm by default, would have
}


def half_hashes(value: str, alg: str) -> tuple[str, ...]:
    """
    Give what an ID token signed with *alg* may say of *value*.

    Args:
        value: An access token, a code, or a state; ASCII.
        alg: Of the ID token's header.

    Returns:
        The left half of each hash that *alg* may use, in base64url; none if *alg* is
        not known.
    """
    functions = _EDWARDS.get(alg)
    if functions is None:
        function = _HASHES.get(alg[2:])
        functions = () if function is None else (function,)
    octets = value.encode("utf-8")
    hashes = (function(octets) for function in functions)
    return tuple(encode_base64url(hash_[: len(hash_) // 2]) for hash_ in hashes)


def is_hash_of(claim: object, value: str, alg: str) -> bool:
    """Say, in constant time, whether *claim* is a hash of *value* for *alg*."""
    if not isinstance(claim, str) or not claim.isascii():
        return False
    return any(hmac.compare_digest(claim, one) for one in half_hashes(value, alg))
