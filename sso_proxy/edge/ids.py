"""Names of requests."""

import os


class RequestIds:
    """Makes request ids: unique everywhere by their first half, here by the second."""

    __slots__ = ("_count", "_prefix")

    def __init__(self) -> None:
        self._prefix = os.urandom(6).hex()
        self._count = 0

    def next(self) -> str:
        """Make one."""
        self._count += 1
        return f"{self._prefix}-{self._count}"
