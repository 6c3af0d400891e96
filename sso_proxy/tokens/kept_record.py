"""
Tokens, and refusals of them, as the processes and nodes of a proxy share them.

A record is a JSON object, UTF-8.  Who stores it seals it.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.keep_rules import KeepRules, Span

FORMAT: Final = 1
"""The lowest number of this format that a reader has to know."""

SKEW: Final = 60.0
"""Seconds that the clocks of nodes may differ."""


@attrs.frozen(kw_only=True)
class Kept:
    """
    A token, and how long it is used.

    Attributes:
        token: The token.
        made: When it came, in seconds since the epoch.
        span: How long it is used.
    """

    token: Token
    made: float
    span: Span


def write_token(kept: Kept) -> bytes:
    """Write the record of a token."""
    token = kept.token
    return _write(
        {
            "value": token.value,
            "type": token.token_type,
            "kind": token.kind,
            "expires": token.expires,
            "made": kept.made,
            "renew": kept.span.renew,
            "ends": kept.span.ends,
        }
    )


def read_token(octets: bytes, now: float, rules: KeepRules) -> Kept | None:
    """
    Read the record of a token; None if it is over.

    Nobody believes in more than its whole time from *now* on, whatever clock it was
    written by.

    Raises:
        ValueError: It is none, is of a later release, or comes from the future.
    """
    record = _read(octets)
    match record:
        case {
            "value": str(value),
            "type": str(token_type),
            "kind": str(kind),
            "expires": float() | int() | None as expires,
            "made": float() | int() as made,
            "renew": float() | int() as renew,
            "ends": float() | int() as ends,
        }:
            pass
        case _:
            raise ValueError("not the record of a token")
    if made > now + SKEW:
        raise ValueError("the record of a token that is still to come")
    ends = min(ends, made + rules.max_age, now + ends - made)
    if not ends > now:
        return None
    token = Token(value=value, token_type=token_type, kind=kind, expires=expires)
    return Kept(token=token, made=made, span=Span(renew=min(renew, ends), ends=ends))


def write_refusal(refusal: NotIssued, ends: float) -> bytes:
    """Write the record of a refusal that is believed until *ends*."""
    return _write(
        {
            "reason": refusal.reason,
            "status": refusal.status,
            "detail": refusal.detail,
            "ends": ends,
        }
    )


def read_refusal(octets: bytes) -> tuple[NotIssued, float]:
    """
    Read what `write_refusal` wrote.

    Raises:
        ValueError: It is none, or is of a later release.
    """
    match _read(octets):
        case {
            "reason": str(reason),
            "status": 401 | 403 as status,
            "detail": str(detail),
            "ends": float() | int() as ends,
        }:
            return NotIssued(reason=reason, status=status, detail=detail), ends
        case _:
            raise ValueError("not the record of a refusal")


def _write(record: Mapping[str, Any]) -> bytes:
    return json.dumps({"f": FORMAT, **record}).encode()


def _read(octets: bytes) -> Any:  # noqa: ANN401
    record = json.loads(octets)
    if not isinstance(record, dict) or record.get("f") != FORMAT:
        raise ValueError("a record of another release")
    return record
