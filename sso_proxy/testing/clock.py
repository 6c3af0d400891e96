"""A clock that stands still until it is told to go on."""

from zope.interface import implementer

from sso_proxy.interfaces import IClock


@implementer(IClock)
class SettableClock:
    """
    Tells the time it was set to.

    Attributes:
        now: Seconds since the epoch; may be set to any value.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self._elapsed = 0.0

    def time(self) -> float:
        """Give the seconds since the epoch."""
        return self.now

    def monotonic(self) -> float:
        """Give the seconds that `advance` has added."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("time does not go back; set `now` to make the epoch jump")
        self.now += seconds
        self._elapsed += seconds
