"""
How often a device may be proved.

Each proof is marked as used, for all processes of a machine in one table of a fixed
size.  Who logs in and proves a key again and again must not fill it for everybody.
"""

from typing import Final

from sso_proxy.interfaces import IClock

MOST: Final = 30
"""Proofs that one holder may have used up in `WITHIN` seconds, in each process.

Browsers make far fewer by themselves: Chromium six in nine minutes.
"""
WITHIN: Final = 60


class Pace:
    """
    Counts the proofs of each holder.

    Args:
        clock: The time; its monotonic clock counts.
    """

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._since = 0
        self._counts: dict[str, int] = {}

    def take(self, holder: str) -> bool:
        """Count one more of *holder*; says whether they may have it."""
        counts = self._current()
        had = counts.get(holder, 0)
        if had >= MOST:
            return False
        counts[holder] = had + 1
        return True

    def give_back(self, holder: str) -> None:
        """Let *holder* have another one instead of one that took no room."""
        counts = self._current()
        if had := counts.get(holder, 0):
            counts[holder] = had - 1

    def _current(self) -> dict[str, int]:
        since = int(self._clock.monotonic() // WITHIN)
        if since != self._since:
            self._since, self._counts = since, {}
        return self._counts
