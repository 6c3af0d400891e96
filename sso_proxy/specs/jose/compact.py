"""The JWS compact serialization (RFC 7515 section 7.1), as strict as it can be read."""

from functools import lru_cache
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object

MAX_TOKEN: Final = 16384
"""Octets of a token."""

MAX_HEADER: Final = 4096
"""Octets of an encoded header."""

ALGORITHMS: Final = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
    }
)
"""
The signature algorithms known here (RFC 7518 section 3.1, RFC 8037, RFC 9864).

There is no ``none``, and no MAC: a MAC key that stands in a key set is a secret that
somebody published, and a public key must never be taken for one.
"""


@attrs.frozen(kw_only=True)
class JoseHeader:
    """
    What a JWS header says, as far as anything here depends on it.

    ``jwk``, ``jku``, ``x5u`` and ``x5c`` are not here: a token never brings the key
    that it is checked with.

    Attributes:
        alg: One of `ALGORITHMS`.
        kid: Which key is meant, or None.
        typ: Lower-case, without ``application/`` (RFC 7515 section 4.1.9), or None.
    """

    alg: str
    kid: str | None
    typ: str | None


@attrs.frozen(kw_only=True)
class CompactJws:
    """
    A token taken apart.  Nothing in it is proven.

    Attributes:
        header: Its header.
        payload: The octets that are signed for.
        signing_input: What the signature is over.
        signature: The signature.
    """

    header: JoseHeader
    payload: bytes = attrs.field(repr=False)
    signing_input: bytes = attrs.field(repr=False)
    signature: bytes = attrs.field(repr=False)


def split_compact(token: str | bytes, *, max_bytes: int = MAX_TOKEN) -> CompactJws:
    """
    Take *token* apart without believing any of it.

    An encrypted token (JWE, five parts) and the JSON serializations are refused.

    Raises:
        TokenError: It is longer than *max_bytes* or can be written in another way, or
            `read_header` refuses its header.
    """
    if isinstance(token, str):
        try:
            token = token.encode("ascii")
        except UnicodeEncodeError:
            raise TokenError("no ASCII", reason="token-malformed") from None
    if len(token) > max_bytes:
        raise TokenError(f"more than {max_bytes} octets", reason="token-too-long")
    parts = token.split(b".", 5)
    if len(parts) != 3 or not parts[0] or not parts[2]:
        reason = "token-encrypted" if len(parts) == 5 else "token-malformed"
        raise TokenError("no JWS in compact serialization", reason=reason)
    encoded_header, encoded_payload, encoded_signature = parts
    return CompactJws(
        header=read_header(encoded_header),
        payload=decode_base64url(encoded_payload),
        signing_input=token[: -len(encoded_signature) - 1],
        signature=decode_base64url(encoded_signature),
    )


@lru_cache(maxsize=256)  # a few different ones recur in every token of an issuer
def read_header(encoded: bytes) -> JoseHeader:
    """
    Read an encoded JWS header (RFC 7515 section 4).

    Raises:
        TokenError: It is no strict JSON object in canonical base64url, is longer than
            `MAX_HEADER`, ``alg`` is none of `ALGORITHMS`, ``kid`` or ``typ`` is no
            string, or there is ``crit``, ``b64`` or ``zip``: extensions that change
            what is signed, none of which is understood here (section 4.1.11).
    """
    if len(encoded) > MAX_HEADER:
        raise TokenError("the header is too long", reason="token-too-long")
    members = read_json_object(decode_base64url(encoded))
    alg = members.get("alg")
    if not isinstance(alg, str) or alg not in ALGORITHMS:
        raise TokenError("alg is not supported", reason="token-alg")
    for name in ("crit", "b64", "zip"):
        if name in members:
            raise TokenError(f"{name} is not supported", reason="token-header")
    typ = _string(members, "typ")
    if typ is not None:
        typ = typ.lower().removeprefix("application/")
    return JoseHeader(alg=alg, kid=_string(members, "kid"), typ=typ)


def _string(members: dict[str, Any], name: str) -> str | None:
    """Give the header parameter *name*, which may be missing."""
    if name not in members:
        return None
    value = members[name]
    if not isinstance(value, str):
        raise TokenError(f"{name} is no string", reason="token-header")
    return value
