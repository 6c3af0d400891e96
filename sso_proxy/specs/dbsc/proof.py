"""
Proofs that a browser holds the key of a session (W3C DBSC, "DBSC Proof JWT Syntax").

The proof of a registration brings its own key, which is worth what the challenge in it
is worth: who signed it held the key when we asked.  That of a refresh brings none; it
is checked with the key that was registered, and never with one that it names.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.http.uri import normal_uri
from sso_proxy.specs.jose.compact import (
    Segments,
    read_parameters,
    read_type,
    split_segments,
)
from sso_proxy.specs.jose.keys import KeyRefusedError, VerificationKey, read_jwk
from sso_proxy.specs.jose.strict import (
    decode_base64url,
    encode_base64url,
    read_json_object,
)

MAX_PROOF: Final = 8192
"""Octets of a proof."""

MAX_TEXT: Final = 2048
"""Characters of each of its claims."""

PROOF_ALGORITHMS: Final = frozenset({"ES256", "RS256"})
"""The algorithms that there are."""

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "ES256": ("crv", "kty", "x", "y"),
    "RS256": ("e", "kty", "n"),
}
"""What the thumbprint of a key is made of, by algorithm (RFC 7638 section 3.2)."""

_FOREIGN_KEYS: Final = ("jku", "x5u", "x5c", "x5t", "x5t#S256")
"""Header parameters for keys that stand elsewhere; whoever follows them asks whom the
sender likes."""


@attrs.frozen(kw_only=True)
class Proof:
    """
    What a proof says whose signature is good.

    Attributes:
        challenge: What we asked it to say (``jti``).
        authorization: What a registration was to say as well, or empty.
        audience: The URLs that it was made for; most browsers do not say.
        algorithm: What it is signed with.
        jwk: The public key, with the members that make its thumbprint and no others.
        thumbprint: Names the key (RFC 7638).
    """

    challenge: str = attrs.field(repr=False)
    authorization: str = attrs.field(repr=False)
    audience: tuple[str, ...]
    algorithm: str
    jwk: Mapping[str, str]
    thumbprint: str


def verify_registration(compact: str, algorithms: Collection[str]) -> Proof:
    """
    Check the proof that begins a session.

    Args:
        compact: The JWS, as `read_response` gives it.
        algorithms: Those that were offered.

    Raises:
        TokenError: It is not in the form of the specification, its algorithm was not
            offered, its key is none of the right kind and strength, in the one way
            to write it, or its signature is wrong.
    """
    segments, header = _read_header(compact)
    algorithm = _read_algorithm(header, algorithms)
    jwk = header.get("jwk")
    if not isinstance(jwk, dict):
        raise _refused("jwk", "jwk is missing or no object")
    return _verify(segments, algorithm, jwk)


def verify_refresh(
    compact: str, jwk: Mapping[str, str], algorithms: Collection[str]
) -> Proof:
    """
    Check the proof that renews a session.

    Args:
        compact: The JWS, as `read_response` gives it.
        jwk: The key that was registered, as `Proof.jwk` has it.
        algorithms: Those that may be used.

    Raises:
        TokenError: As for `verify_registration`, with this key, or it brings a key:
            that is a registration, or somebody hopes that we use it.
    """
    segments, header = _read_header(compact)
    algorithm = _read_algorithm(header, algorithms)
    if "jwk" in header:
        raise _refused("jwk", "a refresh brings a key")
    return _verify(segments, algorithm, jwk)


def check_audience(proof: Proof, url: str) -> None:
    """
    Check that *proof* was made for *url*, if it says for what.

    Args:
        proof: The proof.
        url: Where it was sent, with scheme, host and path; a query is ignored.

    Raises:
        TokenError: It was made for something else too, or instead.
        ValueError: *url* is none.
    """
    ours = normal_uri(url)
    for audience in proof.audience:
        try:
            same = normal_uri(audience) == ours
        except ValueError:
            same = False
        if not same:
            raise _refused("audience", "aud is another URL")


def _read_header(compact: str) -> tuple[Segments, dict[str, Any]]:
    """Take a proof apart, and check what its header must and must not say."""
    try:
        segments = split_segments(compact, max_bytes=MAX_PROOF)
        header = read_parameters(segments.header)
        typ = read_type(header)
    except TokenError as e:
        raise _refused("malformed", e.detail) from None
    if typ != "dbsc+jwt":
        raise _refused("type", "typ is not dbsc+jwt")
    for name in _FOREIGN_KEYS:
        if name in header:
            raise _refused("jwk", f"{name} is not supported")
    return segments, header


def _read_algorithm(header: Mapping[str, Any], algorithms: Collection[str]) -> str:
    """Give the algorithm of a proof."""
    algorithm = header.get("alg")
    if (
        not isinstance(algorithm, str)
        or algorithm not in PROOF_ALGORITHMS
        or algorithm not in algorithms
    ):
        raise _refused("alg", "alg is not allowed")
    return algorithm


def _verify(segments: Segments, algorithm: str, members: Mapping[str, Any]) -> Proof:
    """Check a signature with the key *members*, and read what it is for."""
    key, jwk = _read_key(algorithm, members)
    try:
        signature = decode_base64url(segments.signature)
        payload = decode_base64url(segments.payload)
    except TokenError as e:
        raise _refused("malformed", e.detail) from None
    try:
        key.verify(algorithm, segments.signing_input, signature)
    except TokenError:
        raise _refused("signature", "wrong signature") from None
    try:
        claims = read_json_object(payload)
    except TokenError as e:
        raise _refused("malformed", e.detail) from None
    return Proof(
        challenge=_text(claims, "jti"),
        authorization=_text(claims, "authorization", optional=True),
        audience=_read_audience(claims),
        algorithm=algorithm,
        jwk=jwk,
        thumbprint=key.thumbprint,
    )


def _read_key(
    algorithm: str, members: Mapping[str, Any]
) -> tuple[VerificationKey, Mapping[str, str]]:
    """Give a key, and the members that it consists of."""
    try:
        key = read_jwk(members)
    except KeyRefusedError as e:
        raise _refused("jwk", f"jwk: {e.detail}") from None
    if algorithm not in key.checks:
        raise _refused("alg", "alg is not for this key")
    jwk: dict[str, str] = {name: members[name] for name in _MEMBERS[algorithm]}
    # The key's own thumbprint is of numbers written as they have to be; these may have
    # zeros before them, and a key must not have two names (RFC 7518 section 6).
    if thumbprint(jwk) != key.thumbprint:
        raise _refused("jwk", "jwk is not written canonically")
    return key, jwk


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Give the name of a key with just the members that `Proof.jwk` has (RFC 7638)."""
    text = json.dumps(dict(jwk), sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(text.encode()).digest())


def _read_audience(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Give ``aud``, a string or several (RFC 7519 section 4.1.3)."""
    value = claims.get("aud", [])
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list) or len(several) > 8:
        raise _refused("claims", "aud is no string and no short list")
    for one in several:
        if not isinstance(one, str) or len(one) > MAX_TEXT:
            raise _refused("claims", "aud has something else than strings")
    return tuple(several)


def _text(claims: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    """Give a claim that is a string."""
    if optional and name not in claims:
        return ""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT:
        raise _refused("claims", f"{name} is missing, too long or no string")
    return value


def _refused(what: str, detail: str) -> TokenError:
    """Say why a proof proves nothing."""
    return TokenError(detail, reason=f"device-proof-{what}")
