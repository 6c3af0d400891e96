"""
What is said about revocations to other machines, and what holds of all that was said.

Each record is the last word about one selection: that it is revoked, or no longer.  Of
two, the later one counts; machines that have seen the same records, in any order, hold
the same to be revoked.
"""

import json
from typing import Any, Final

import attrs

from sso_proxy.specs.revocation_document import (
    RevocationError,
    restore_revocation,
    write_revocation,
)
from sso_proxy.specs.revocations import Revocation

KEPT_AFTER: Final = 86400
"""Seconds that a record is kept after its time, as revocations are."""

_MOST_ID: Final = 64


@attrs.frozen(kw_only=True)
class RevocationRecord:
    """
    The last word about one selection.

    Attributes:
        id: `Revocation.id`.
        at: When it was said; milliseconds since the epoch.
        until: Seconds since the epoch when what it is about is over anyway.
        revocation: What is revoked; None if it is no longer.
    """

    id: str
    at: int
    until: int
    revocation: Revocation | None

    @classmethod
    def of(cls, revocation: Revocation, at: int) -> "RevocationRecord":
        """Say *at* that time that *revocation* is in force."""
        name, until = revocation.id, revocation.until
        return cls(id=name, at=at, until=until, revocation=revocation)

    def lifted(self, at: int) -> "RevocationRecord":
        """Say *at* that time that it is no longer."""
        return attrs.evolve(self, at=at, revocation=None)

    def is_over(self, now: float) -> bool:
        """Say whether nobody has to know this any more."""
        return now >= self.until + KEPT_AFTER


def join(one: RevocationRecord, other: RevocationRecord) -> RevocationRecord:
    """
    Give what holds when both were said, in any order.

    Of two that revoke, the time of the longer one: repeating a revocation never weakens
    it.  Of two at the same moment, the one that revokes.
    """
    if one.revocation is not None and other.revocation is not None:
        longer = max(one.revocation, other.revocation, key=lambda each: each.until)
        return RevocationRecord.of(longer, max(one.at, other.at))
    if one.at == other.at:
        return one if one.revocation is not None else other
    return max(one, other, key=lambda each: each.at)


def write_record(record: RevocationRecord) -> bytes:
    """Give *record* as `read_record` reads it."""
    document: dict[str, Any] = {"at": record.at}
    if record.revocation is None:
        document |= {"lifted": record.id, "until": record.until}
    else:
        document["revoked"] = write_revocation(record.revocation)
    return json.dumps(document, ensure_ascii=False).encode()


def read_record(octets: bytes) -> RevocationRecord:
    """
    Read what `write_record` gave.

    Raises:
        RevocationError: It is of another release.
    """
    try:
        document = json.loads(octets)
    except ValueError:  # not chained: it holds the document
        raise RevocationError("is not JSON") from None
    match document:
        case {"at": int(at), "revoked": revoked, **rest} if not rest:
            return RevocationRecord.of(restore_revocation(revoked), at)
        case {"at": int(at), "lifted": str(name), "until": int(until), **rest}:
            if not rest and len(name) <= _MOST_ID:
                return RevocationRecord(id=name, at=at, until=until, revocation=None)
        case _:
            pass
    raise RevocationError("is not a record")
