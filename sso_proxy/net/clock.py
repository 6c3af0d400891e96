"""The system's clock."""

import time

from zope.interface import classImplements

from sso_proxy.interfaces import IClock


class SystemClock:
    """Tells the time of this machine."""

    def time(self) -> float:
        """Give the seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Give the seconds since some moment; never goes back."""
        return time.monotonic()


classImplements(SystemClock, IClock)
