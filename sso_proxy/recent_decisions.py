"""
The last decisions, for the status page: enough to see what goes on, bounded.

Kept is what the configuration names, and why: no paths, queries, claims or tokens, nor
who called; the audit record of the same id has the latter.  Of what was permitted only
one request of a route in a second is kept.  Whoever shows no credential can push out
only what is kept of others who show none.
"""

from collections import deque
from typing import Any, Final

import attrs

MOST: Final = 60
"""Decisions of each kind."""


@attrs.frozen(kw_only=True)
class Decided:
    """
    A request that was decided on.

    Attributes:
        id: Its id.
        time: When its answer ended, seconds since the epoch.
        route: The route; empty for none.
        method: Its method.
        decision: ``permit``, ``deny`` or ``error``.
        status: What the client got.
        reason: Why, in a word.
        seconds: How long it took.
        authenticator: Who knew the caller; empty if nobody did.
    """

    id: str
    time: float
    route: str
    method: str
    decision: str
    status: int
    reason: str
    seconds: float
    authenticator: str


class RecentDecisions:
    """Keeps them."""

    def __init__(self) -> None:
        self._permitted: deque[Decided] = deque(maxlen=MOST)
        self._refused: deque[Decided] = deque(maxlen=MOST)
        self._strangers: deque[Decided] = deque(maxlen=MOST)

    def keep(self, decided: Decided) -> None:
        """Keep *decided*."""
        if decided.decision == "permit" and decided.status < 500:
            self._permitted.append(decided)
        elif decided.authenticator:
            self._refused.append(decided)
        else:
            self._strangers.append(decided)

    def document(self) -> list[dict[str, Any]]:
        """Give all in the types of JSON, the newest first."""
        kept = (*self._permitted, *self._refused, *self._strangers)
        newest = sorted(kept, key=lambda each: each.time, reverse=True)
        return [attrs.asdict(each) for each in newest]
