"""Clients that read nothing of what they asked for."""

from sso_proxy.net.stream import Stream


class ProgressWatch:
    """Sees at each sweep whether a stream's buffered octets move."""

    __slots__ = ("_moved_at", "_progress")

    def __init__(self) -> None:
        self._progress = -1
        self._moved_at = 0.0

    def stuck(self, stream: Stream, now: float, patience: float) -> bool:
        """Say whether octets have waited for *patience* seconds and none was taken."""
        if not stream.buffered:
            self._progress = -1
        elif stream.progress != self._progress:
            self._progress = stream.progress
            self._moved_at = now
        else:
            return now - self._moved_at > patience
        return False
