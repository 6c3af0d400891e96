"""Ask a server that does not answer less often."""

from typing import Final

from sso_proxy.interfaces import IClock

FAILURES: Final = 3
"""Failures without a success in between after which a server counts as down."""
PAUSE: Final = 1.0
"""Seconds between attempts while it does."""


class Circuit:
    """
    Counts what fails, and lets little through to a server that is down.

    One failure changes nothing.  While the server counts as down, one attempt a second
    goes through, and the first that succeeds ends it: nobody waits long for a server
    that is back, and a server that is dead holds up hardly anybody.

    Only what fails whatever is asked may be counted, or whoever asks for what fails
    would keep the others from being answered.

    Args:
        clock: The time.
    """

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._failures = 0
        self._next = 0.0

    @property
    def is_open(self) -> bool:
        """Say whether the server counts as down."""
        return self._failures >= FAILURES

    def admit(self) -> bool:
        """Say whether an attempt may be made now; it then has to be made."""
        if not self.is_open:
            return True
        now = self._clock.monotonic()
        if now < self._next:
            return False
        self._next = now + PAUSE
        return True

    def failed(self) -> None:
        """Count a failure."""
        self._failures += 1
        if self._failures == FAILURES:
            self._next = self._clock.monotonic() + PAUSE

    def succeeded(self) -> None:
        """Count on the server again."""
        self._failures = 0
