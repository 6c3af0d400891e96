"""
The header fields of device-bound sessions (W3C DBSC, section "DBSC Formats").

All are structured fields.  Browsers send some without the quotes that the
specification asks for; both spellings are read, and nothing else.
"""

import re
from collections.abc import Sequence
from typing import Final

import attrs

from sso_proxy.specs.http.structured import (
    InnerList,
    Item,
    Token,
    read_item,
    read_list,
    write_member,
)

REGISTRATION: Final = "Secure-Session-Registration"
"""In our answers: offers to bind a session."""

CHALLENGE: Final = "Secure-Session-Challenge"
"""In our answers: what the next proof has to be about."""

RESPONSE: Final = "Secure-Session-Response"
"""In requests: a proof."""

SESSION_ID: Final = "Sec-Secure-Session-Id"
"""In requests: the session that is to be refreshed."""

SKIPPED: Final = "Secure-Session-Skipped"
"""In requests: why a bound cookie is missing."""

SKIP_REASONS: Final = frozenset({"unreachable", "server_error", "quota_exceeded"})
"""The reasons that the specification has."""

OTHER_REASON: Final = "other"
"""Stands for every reason that it has not: what strangers send is no name of ours."""

_MAX_FIELD: Final = 16384

# Browsers send identifiers bare even where they begin with a digit, which makes them
# no token of structured fields.
_is_bare_id = re.compile(r"[A-Za-z0-9._~-]{1,256}").fullmatch
_is_id = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,256}").fullmatch
_is_compact = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*").fullmatch


@attrs.frozen(kw_only=True)
class Provider:
    """
    The session elsewhere whose key a session is to share ("Federated sessions").

    Attributes:
        session_id: What the browser calls that session.
        url: Where it is: the provider's origin.
        key: The thumbprint of its key (RFC 7638).
    """

    session_id: str
    url: str
    key: str


def build_registration(
    path: str,
    challenge: str,
    *,
    authorization: str = "",
    algorithms: Sequence[str] = ("ES256", "RS256"),
    provider: Provider | None = None,
) -> str:
    """
    Build ``Secure-Session-Registration``: offer to bind a session to a key.

    Args:
        path: Where the browser registers, of the same site.
        challenge: What its proof has to say.
        authorization: What it has to say as well; left out if empty.
        algorithms: What the key may be for, the one wanted most first.
        provider: The session whose key is to be taken; None for a new key.

    Raises:
        ValueError: Something is not printable ASCII, or no token.
    """
    parameters = [("path", path), ("challenge", challenge)]
    if authorization:
        parameters.append(("authorization", authorization))
    if provider is not None:
        parameters += [
            ("provider_session_id", provider.session_id),
            ("provider_url", provider.url),
            ("provider_key", provider.key),
        ]
    items = tuple(Item(Token(algorithm)) for algorithm in algorithms)
    return write_member(InnerList(items, tuple(parameters)))


def build_challenge(challenge: str, session_id: str) -> str:
    """
    Build ``Secure-Session-Challenge`` for the session *session_id*.

    Raises:
        ValueError: Something is not printable ASCII.
    """
    return write_member(Item(challenge, (("id", session_id),)))


def read_session_id(value: str) -> str | None:
    """
    Give the identifier in ``Sec-Secure-Session-Id``, or None if there is none.

    A string, whose parameters are ignored, or the bare identifier.
    """
    if _is_bare_id(value):
        return value
    text = _read_string(value)
    return text if text is not None and _is_id(text) else None


def read_response(value: str) -> str | None:
    """
    Give the proof in ``Secure-Session-Response``, or None if there is none.

    A string, whose parameters are ignored, or the bare JWS.  Only the look of it is
    known then.
    """
    text = value if _is_compact(value) else _read_string(value)
    return text if text is not None and _is_compact(text) else None


def why_skipped(values: Sequence[str]) -> str:
    """
    Say why a browser has refreshed nothing; empty if it says nothing.

    Args:
        values: Of all fields ``Secure-Session-Skipped``; whoever has copied cookies
            may send such fields, too.

    Returns:
        The first that can be read, of `SKIP_REASONS`, or `OTHER_REASON`; which session
        it is about is not asked.
    """
    value = ", ".join(values)
    if not 0 < len(value) <= _MAX_FIELD:
        return ""
    try:
        members = read_list(value)
    except ValueError:
        return ""
    items = (member for member in members if isinstance(member, Item))
    words = (item.value.text for item in items if isinstance(item.value, Token))
    word = next(words, "")
    return word if not word or word in SKIP_REASONS else OTHER_REASON


def _read_string(value: str) -> str | None:
    """Give the string that a field holds, without its parameters."""
    if len(value) > _MAX_FIELD:
        return None
    try:
        item = read_item(value)
    except ValueError:
        return None
    return item.value if isinstance(item.value, str) else None
