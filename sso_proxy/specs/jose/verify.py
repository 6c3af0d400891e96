"""Check the signature of a token (RFC 7515 section 5.2)."""

from collections.abc import Collection

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import (
    ALGORITHMS,
    CompactJws,
    JoseHeader,
    split_compact,
)
from sso_proxy.specs.jose.keys import KeySet, VerificationKey


def check_signature(
    jws: CompactJws, keys: KeySet, *, algorithms: Collection[str] = ALGORITHMS
) -> VerificationKey:
    """
    Check that one of *keys* signed *jws*, and give that key.

    Args:
        jws: The token.
        keys: Its issuer's keys.
        algorithms: Those that the issuer may use.

    Raises:
        UnknownKeyError: The key that the token means is not there.
        TokenError: The signature is wrong, or its algorithm is not allowed.
    """
    header = jws.header
    if header.alg not in algorithms:
        raise TokenError("alg is not allowed", reason="token-alg")
    key = keys.find(header.kid, header.alg)
    key.verify(header.alg, jws.signing_input, jws.signature)
    return key


def verify(
    token: str | bytes, keys: KeySet, *, algorithms: Collection[str] = ALGORITHMS
) -> tuple[JoseHeader, bytes]:
    """
    Give the header and the payload of *token* after checking its signature.

    Raises:
        TokenError: It is malformed, or as for `check_signature`.
    """
    jws = split_compact(token)
    check_signature(jws, keys, algorithms=algorithms)
    return jws.header, jws.payload
