"""
Revocations as operators write them, and as we keep them: JSON objects.

Both have the members ``token_sha256``, ``issuer``, ``jti``, ``subject``, ``client_id``,
``issued_before`` and ``until``, of which only those stand there that say something.
"""

import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.revocations import (
    TEXTS,
    Revocation,
    encode_digest,
    read_seconds,
)

DEFAULT_LIFE: Final = 30 * 86400
"""Seconds that a revocation holds, unless it says otherwise: longer than access tokens
live anywhere."""

LONGEST_LIFE: Final = 366 * 86400
"""Seconds that one may hold at most."""

_LATEST: Final = 300
"""Seconds that ``issued_before`` may be ahead, for issuers whose clock is."""

_MOST_CHARACTERS: Final = 512
_TIMES: Final = ("issued_before", "until")
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]{64}")


@attrs.frozen
class RevocationError(SsoProxyError):
    """
    What should be revoked cannot be understood.

    Attributes:
        problem: What is wrong, and what would be right.
    """

    problem: str

    def __str__(self) -> str:
        """Give the line for the operator."""
        return self.problem


def read_revocation(document: object, *, now: float) -> Revocation:
    """
    Read what an operator wants to be revoked, at the time *now*.

    Times are seconds since the epoch or text as in RFC 3339; ``issued_before`` can also
    be ``now``.

    Raises:
        RevocationError: It is not exactly one selection, or its times make no sense.
    """
    given = _read_members(document)
    before = given.get("issued_before")
    if before == "now":
        # What was issued within this second must not pass: `iat` has no fractions.
        before = math.floor(now) + 1
    elif before is not None:
        before = _read_moment("issued_before", before)
        if before > now + _LATEST:
            raise RevocationError(
                "issued_before is in the future; leave it out to refuse whatever is"
                " issued when"
            )
    until = math.ceil(now) + DEFAULT_LIFE
    if (end := given.get("until")) is not None:
        until = _read_moment("until", end)
        if not now < until <= now + LONGEST_LIFE:
            days = LONGEST_LIFE // 86400
            raise RevocationError(f"until must be within the next {days} days")
    digest = given.get("token_sha256")
    return _build(
        {**given, "token_sha256": _read_digest(digest) if digest is not None else None},
        before,
        until,
    )


def write_revocation(revocation: Revocation) -> dict[str, Any]:
    """Give *revocation* as `restore_revocation` reads it."""
    members = {name: getattr(revocation, name) for name in (*TEXTS, *_TIMES)}
    return {name: value for name, value in members.items() if value is not None}


def describe_revocation(revocation: Revocation) -> dict[str, Any]:
    """Give *revocation* with its id, as operators see it."""
    return {"id": revocation.id, **write_revocation(revocation)}


def restore_revocation(document: object) -> Revocation:
    """
    Read what `write_revocation` gave, however long ago.

    Raises:
        RevocationError: Somebody else wrote it.
    """
    given = _read_members(document)
    digest = given.get("token_sha256")
    if digest is not None and _read_digest(digest) != digest:
        raise RevocationError("token_sha256 must be in base64url")
    before, until = given.get("issued_before"), given.get("until")
    if type(until) is not int or (before is not None and type(before) is not int):
        raise RevocationError("issued_before and until must be integers")
    return _build(given, before, until)


def _build(given: Mapping[str, Any], before: int | None, until: int) -> Revocation:
    """Make a revocation of members that are right each by itself."""
    names = {n for n in (*TEXTS, "issued_before") if given.get(n) is not None}
    if "token_sha256" in names:
        if len(names) > 1:
            raise RevocationError("token_sha256 stands alone, but for until")
    elif "issuer" not in names:
        raise RevocationError("issuer is missing, or token_sha256")
    elif "jti" in names:
        if len(names) > 2:
            raise RevocationError("issuer and jti stand alone, but for until")
    elif names == {"issuer"}:
        raise RevocationError(
            "an issuer alone is too much: add jti, subject, client_id or issued_before"
        )
    texts = {name: given.get(name) for name in TEXTS}
    return Revocation(**texts, issued_before=before, until=until)


def _read_members(document: object) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise RevocationError("must be a JSON object")
    known = (*TEXTS, *_TIMES)
    for name in document:
        if name not in known:
            raise RevocationError(f"has a member other than {', '.join(known)}")
    for name in TEXTS:
        value = document.get(name)
        if name in document and not _is_text(value):
            raise RevocationError(
                f"{name} must be a string of 1 to {_MOST_CHARACTERS} characters,"
                " without control characters"
            )
    for name in _TIMES:
        if name in document and document[name] is None:
            raise RevocationError(f"{name} must be a time")
    return document


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or not 1 <= len(value) <= _MOST_CHARACTERS:
        return False
    return value.isprintable()


def _read_digest(text: str) -> str:
    """Read a digest in base64url, or in hexadecimal as ``sha256sum`` writes it."""
    if _HEXADECIMAL.fullmatch(text):
        return encode_digest(bytes.fromhex(text))
    if _BASE64URL.fullmatch(text):
        octets = urlsafe_b64decode(text + "=")
        if encode_digest(octets) == text:
            return text
    raise RevocationError(
        "token_sha256 must be 43 characters of base64url, or 64 of hexadecimal"
    )


def _read_moment(name: str, value: object) -> int:
    """Read a time that an operator wrote, to the second after it."""
    seconds = read_seconds(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            seconds = moment.timestamp() if moment.tzinfo is not None else None
        except (ValueError, OverflowError):
            seconds = None
    if seconds is None or seconds < 0:
        raise RevocationError(
            f"{name} must be seconds since the epoch, or like 2026-01-31T13:45:00Z"
        )
    return math.ceil(seconds)
