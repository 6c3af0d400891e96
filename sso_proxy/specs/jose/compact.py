"""The JWS compact serialization (RFC 7515 section 7.1), as strict as it can be read."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.algorithms import MACS
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object

MAX_TOKEN: Final = 16384
"""Octets of a token."""

MAX_HEADER: Final = 4096
"""Octets of an encoded header."""

ALGORITHMS: Final = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"),
    }
)
"""
The signature algorithms known here (RFC 7518 section 3.1, RFC 8037, RFC 9864).

There is no ``none``, and no MAC: a MAC key that stands in a key set is a secret that
somebody published, and a public key must never be taken for one.
"""

MAC_ALGORITHMS: Final = frozenset(MACS)
"""Algorithms for secrets of the operator; nobody gets them without asking for them."""

_KNOWN: Final = ALGORITHMS | MAC_ALGORITHMS


@attrs.frozen(kw_only=True)
class JoseHeader:
    """
    What a JWS header says, as far as anything here depends on it.

    ``jwk``, ``jku``, ``x5u`` and ``x5c`` are not here: a token never brings the key
    that it is checked with.

    Attributes:
        alg: One of `ALGORITHMS` or `MAC_ALGORITHMS`; which of them may be used is up
            to the key and to who checks.
        kid: Which key is meant, or None.
        typ: Lower-case, without ``application/`` (RFC 7515 section 4.1.9), or None.
    """

    alg: str
    kid: str | None
    typ: str | None


@final
class CompactJws:
    """
    A token taken apart.  Nothing in it is proven.

    No attrs class: each request with a token that is new makes one, and making it
    would take a fifth of the time that taking the token apart does.

    Attributes:
        header: Its header.
        payload: The octets that are signed for.
        signing_input: What the signature is over.
        signature: The signature.
    """

    __slots__ = ("header", "payload", "signature", "signing_input")

    def __init__(
        self,
        *,
        header: JoseHeader,
        payload: bytes,
        signing_input: bytes,
        signature: bytes,
    ) -> None:
        self.header: Final = header
        self.payload: Final = payload
        self.signing_input: Final = signing_input
        self.signature: Final = signature


@final
class Segments:
    """
    The parts of a JWS, as they are encoded.

    Attributes:
        header: Its header.
        payload: Its payload.
        signature: Its signature.
        signing_input: What the signature is over.
    """

    __slots__ = ("header", "payload", "signature", "signing_input")

    def __init__(
        self, header: bytes, payload: bytes, signature: bytes, signing_input: bytes
    ) -> None:
        self.header: Final = header
        self.payload: Final = payload
        self.signature: Final = signature
        self.signing_input: Final = signing_input


def split_compact(token: str | bytes, *, max_bytes: int = MAX_TOKEN) -> CompactJws:
    """
    Take *token* apart without believing any of it.

    An encrypted token (JWE, five parts) and the JSON serializations are refused.

    Raises:
        TokenError: It is longer than *max_bytes* or can be written in another way, or
            `read_header` refuses its header.
    """
    segments = split_segments(token, max_bytes=max_bytes)
    return CompactJws(
        header=read_header(segments.header),
        payload=decode_base64url(segments.payload),
        signing_input=segments.signing_input,
        signature=decode_base64url(segments.signature),
    )


def split_segments(token: str | bytes, *, max_bytes: int) -> Segments:
    """
    Cut *token* at its dots.

    Raises:
        TokenError: It is longer than *max_bytes*, or not in three parts of which the
            first and the last have content.
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
    header, payload, signature = parts
    return Segments(header, payload, signature, token[: -len(signature) - 1])


@lru_cache(maxsize=256)  # a few different ones recur in every token of an issuer
def read_header(encoded: bytes) -> JoseHeader:
    """
    Read an encoded JWS header (RFC 7515 section 4).

    Raises:
        TokenError: It is no strict JSON object in canonical base64url, is longer than
            `MAX_HEADER`, ``alg`` is known neither as a signature nor as a MAC, ``kid``
            or ``typ`` is no string, or there is ``crit``, ``b64`` or ``zip``:
            extensions that change what is signed, none of which is understood here
            (section 4.1.11).
    """
    members = read_parameters(encoded)
    alg = members.get("alg")
    if not isinstance(alg, str) or alg not in _KNOWN:
        raise TokenError("alg is not supported", reason="token-alg")
    return JoseHeader(alg=alg, kid=_string(members, "kid"), typ=read_type(members))


def read_parameters(encoded: bytes) -> dict[str, Any]:
    """
    Give the parameters of an encoded JWS header.

    Raises:
        TokenError: As for `read_header`, values apart.
    """
    if len(encoded) > MAX_HEADER:
        raise TokenError("the header is too long", reason="token-too-long")
    members = read_json_object(decode_base64url(encoded))
    for name in ("crit", "b64", "zip"):
        if name in members:
            raise TokenError(f"{name} is not supported", reason="token-header")
    return members


def read_type(members: Mapping[str, Any]) -> str | None:
    """
    Give ``typ``, lower-case, without ``application/`` (RFC 7515 4.1.9), or None.

    Raises:
        TokenError: It is no string.
    """
    typ = _string(members, "typ")
    return None if typ is None else typ.lower().removeprefix("application/")


def _string(members: Mapping[str, Any], name: str) -> str | None:
    """Give the header parameter *name*, which may be missing."""
    if name not in members:
        return None
    value = members[name]
    if not isinstance(value, str):
        raise TokenError(f"{name} is no string", reason="token-header")
    return value
