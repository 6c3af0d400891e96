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

    def allows(self, holder: str) -> bool:
        """Say whether *holder* may have one more."""
        return self._current().get(holder, 0) < MOST

    def note(self, holder: str) -> None:
        """Note that *holder* has had one more, which nobody can repeat."""
        counts = self._current()
        counts[holder] = counts.get(holder, 0) + 1

    def _current(self) -> dict[str, int]:
        since = int(self._clock.monotonic() // WITHIN)
        if since != self._since:
            self._since, self._counts = since, {}
        return self._counts
