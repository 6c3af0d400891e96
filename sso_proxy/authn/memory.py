"""What was found out about credentials, for as long as it holds."""

from collections import OrderedDict
from typing import Final

from sso_proxy.model import Authenticated, Outcome

_MOST_REFUSED: Final = 1024

_Entries = OrderedDict[bytes, tuple[float, Outcome]]


class Memory:
    """
    Outcomes under hashes of credentials; the one not used for longest goes first.

    Refused ones have a space of their own: a flood of them forgets no good one.
    """

    __slots__ = ("_bad", "_good", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._good: _Entries = OrderedDict()
        self._bad: _Entries = OrderedDict()

    def get(self, name: bytes, now: float) -> Outcome | None:
        """Give the outcome under *name*, unless its time is over."""
        entries = self._good
        entry = entries.get(name)
        if entry is None:
            entries = self._bad
            entry = entries.get(name)
            if entry is None:
                return None
        if now >= entry[0]:
            del entries[name]
            return None
        entries.move_to_end(name)
        return entry[1]

    def put(self, name: bytes, outcome: Outcome, until: float) -> None:
        """Keep *outcome* until the clock says *until*."""
        entries, size = self._good, self._size
        if not isinstance(outcome, Authenticated):
            entries, size = self._bad, min(size, _MOST_REFUSED)
        entries[name] = (until, outcome)
        entries.move_to_end(name)
        if len(entries) > size:
            entries.popitem(last=False)

    def forget_good(self) -> None:
        """Forget who was let in."""
        self._good.clear()

    def forget_bad(self) -> None:
        """Forget who was refused."""
        self._bad.clear()
