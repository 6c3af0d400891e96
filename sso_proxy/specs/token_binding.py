"""
Token Binding: a client proves with each request which key is its own (RFC 8471, 8473).

The proof is a signature over keying material of the connection that it comes over.  So
who sees it cannot use it, and a cookie or token that is bound to the key is of no use
without it.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.model import Headers
from sso_proxy.specs.jose.strict import decode_base64url, encode_base64url
from sso_proxy.specs.tls_presentation import Octets, PresentationError
from sso_proxy.specs.token_binding_keys import (
    EKM_LENGTH,
    KEY_PARAMETERS,
    TokenBindingError,
    check_id,
    check_signature,
    read_id,
)
from sso_proxy.tls_facts import TokenBindingId, TokenBindings

PROVIDED: Final = 0
REFERRED: Final = 1

EXPORTER_LABEL: Final = b"EXPORTER-Token-Binding"
"""With no context at all, which is not an empty one (RFC 8471 section 3.3)."""

VERSION: Final = (1, 0)

FIELD: Final = "sec-token-binding"
PROVIDED_FIELD: Final = "sec-provided-token-binding-id"
REFERRED_FIELD: Final = "sec-referred-token-binding-id"
OTHER_FIELD: Final = "sec-other-token-binding-id"
CONTEXT_FIELD: Final = "sec-token-binding-context"

MOST_BINDINGS: Final = 8
"""Bindings of one message; each costs a signature to be checked."""

_LEAST_MESSAGE: Final = 132
_LEAST_SIGNATURE: Final = 64
_TYPES: Final = 256


@attrs.frozen(kw_only=True)
class TokenBinding:
    """
    One structure ``TokenBinding`` (RFC 8471 section 3.1).  Nothing in it is proven.

    Attributes:
        type: `PROVIDED`, `REFERRED`, or one that is not known.
        id: The key.
        signature: Over type, key parameters and keying material.
        extensions: Types and data of extensions, none of which mean anything to us.
    """

    type: int
    id: TokenBindingId
    signature: bytes = attrs.field(repr=False)
    extensions: tuple[tuple[int, bytes], ...] = attrs.field(default=(), repr=False)


def parse_message(message: bytes) -> tuple[TokenBinding, ...]:
    """
    Read a ``TokenBindingMessage`` (RFC 8471 section 3.1), of at least one binding.

    Raises:
        TokenBindingError: It is none, or has more bindings than anybody needs.
    """
    octets = Octets(message)
    found: list[TokenBinding] = []
    try:
        bindings = Octets(octets.vector(2, _LEAST_MESSAGE))
        octets.end()
        while bindings.left:
            if len(found) == MOST_BINDINGS:
                raise TokenBindingError("token-binding-too-many")
            found.append(_read_binding(bindings))
    except PresentationError:
        raise TokenBindingError("token-binding-malformed") from None
    return tuple(found)


def _read_binding(octets: Octets) -> TokenBinding:
    kind = octets.number(1)
    id_ = read_id(octets)
    signature = octets.vector(2, _LEAST_SIGNATURE)
    within, extensions = Octets(octets.vector(2)), []
    while within.left:
        extensions.append((within.number(1), within.vector(2)))
    return TokenBinding(
        type=kind, id=id_, signature=signature, extensions=tuple(extensions)
    )


def read_field(value: str) -> tuple[TokenBinding, ...]:
    """
    Read the value of a ``Sec-Token-Binding`` field (RFC 8473 section 2).

    Raises:
        TokenBindingError: It is no message in base64url.
    """
    return parse_message(_decode(value))


def verify(value: str, ekm: bytes, key_parameters: int) -> TokenBindings:
    """
    Check which keys the sender of a ``Sec-Token-Binding`` field holds.

    Each binding has to be right (RFC 8471 section 4.2), but for those of types that
    nobody knows, with keys that nobody knows: these are as if they were not there.

    Args:
        value: The field's value.
        ekm: Keying material of the connection that it came over, 32 octets.
        key_parameters: What both ends of that have agreed on.

    Raises:
        TokenBindingError: It proves nothing, or not exactly one key of our own.
    """
    if len(ekm) != EKM_LENGTH:
        raise ValueError("keying material has 32 octets")
    provided: list[TokenBindingId] = []
    referred: list[TokenBindingId] = []
    others: list[tuple[int, TokenBindingId]] = []
    for binding in read_field(value):
        id_, kind = binding.id, binding.type
        known = id_.key_parameters in KEY_PARAMETERS
        if kind not in (PROVIDED, REFERRED) and not known:
            continue
        if kind == PROVIDED and id_.key_parameters != key_parameters:
            raise TokenBindingError("token-binding-key-parameters")
        check_signature(id_, kind, binding.signature, ekm)
        if kind == PROVIDED:
            provided.append(id_)
        elif kind == REFERRED:
            referred.append(id_)
        else:
            others.append((kind, id_))
    return _settle(provided, referred, others, _context(key_parameters, ekm))


def _settle(
    provided: Sequence[TokenBindingId],
    referred: Sequence[TokenBindingId],
    others: Sequence[tuple[int, TokenBindingId]],
    context: bytes,
) -> TokenBindings:
    """Put together what was found; it says one thing, or nothing."""
    if len(provided) != 1 or len(referred) > 1:
        if not provided:
            raise TokenBindingError("token-binding-not-provided")
        raise TokenBindingError("token-binding-ambiguous")
    return TokenBindings(
        provided=provided[0],
        referred=referred[0] if referred else None,
        others=tuple(others),
        context=context,
    )


def _context(key_parameters: int, ekm: bytes) -> bytes:
    return bytes((*VERSION, key_parameters)) + ekm


def build_fields(bindings: TokenBindings, told: Sequence[str]) -> Headers:
    """
    Tell a backend whose connection it is (draft-ietf-tokbind-ttrp-09 section 2).

    Args:
        bindings: What the client has proved.
        told: What of it: ``provided``, ``referred``, ``other``, ``context``.
    """
    fields = []
    if "provided" in told:
        fields.append((PROVIDED_FIELD, bindings.provided.encoded))
    if "referred" in told and bindings.referred is not None:
        fields.append((REFERRED_FIELD, bindings.referred.encoded))
    if "other" in told and bindings.others:
        members = (f"{kind:x}.{id_.encoded}" for kind, id_ in bindings.others)
        fields.append((OTHER_FIELD, ",".join(members)))
    if "context" in told and bindings.context:
        fields.append((CONTEXT_FIELD, encode_base64url(bindings.context)))
    return tuple(fields)


def read_fields(fields: Headers) -> TokenBindings | None:
    """
    Read what a terminator before us says of the keys that its client has proved.

    Args:
        fields: What it says about its client, other fields included.

    Returns:
        None if it says nothing of keys.

    Raises:
        TokenBindingError: That cannot be read in exactly one way.
    """
    names = (PROVIDED_FIELD, REFERRED_FIELD, OTHER_FIELD, CONTEXT_FIELD)
    found = [[value for name, value in fields if name == each] for each in names]
    if not any(found):
        return None
    if any(len(values) > 1 for values in found):
        raise TokenBindingError("token-binding-repeated")
    provided, referred, other, context = found
    return _settle(
        list(map(_read_encoded, provided)),
        list(map(_read_encoded, referred)),
        _read_others(other[0]) if other else (),
        _read_context(context[0]) if context else b"",
    )


def _read_encoded(value: str) -> TokenBindingId:
    id_ = TokenBindingId(_decode(value) or b"\0")
    check_id(id_)
    return id_


def _read_others(value: str) -> list[tuple[int, TokenBindingId]]:
    members = value.split(",")
    if len(members) > MOST_BINDINGS:
        raise TokenBindingError("token-binding-too-many")
    found = []
    for member in members:
        digits, _, encoded = member.strip(" \t").partition(".")
        # Upper-case and leading zeros would be other ways to write the same.
        kind = int(digits, 16) if digits and set(digits) <= _HEX else _TYPES
        if kind >= _TYPES or kind in (PROVIDED, REFERRED) or f"{kind:x}" != digits:
            raise TokenBindingError("token-binding-malformed")
        found.append((kind, _read_encoded(encoded)))
    return found


_HEX: Final = frozenset("0123456789abcdef")


def _read_context(value: str) -> bytes:
    context = _decode(value)
    if len(context) != len(VERSION) + 1 + EKM_LENGTH:
        raise TokenBindingError("token-binding-malformed")
    return context


def _decode(value: str) -> bytes:
    try:
        return decode_base64url(value.encode("ascii"))
    except (TokenError, UnicodeEncodeError):
        raise TokenBindingError("token-binding-malformed") from None
