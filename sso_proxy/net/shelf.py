"""What one process keeps of tokens, bounded."""

from typing import Final, Generic, Protocol, TypeVar

OCTETS: Final = 2**24
"""Of secrets that a generation may have, besides its number of entries."""


class Sized(Protocol):
    """What may be put on a shelf."""

    @property
    def octets(self) -> int:
        """How large it is."""


T = TypeVar("T", bound=Sized)


class Shelf(Generic[T]):
    """
    The entries that were used lately.

    There are two generations.  When the young one is full it becomes the old one, and
    what is used out of that comes back: so a look at what is used often costs one
    look-up, and what nobody uses goes, without a note at each use.

    Args:
        size: Entries of both together.
    """

    def __init__(self, size: int) -> None:
        self._size = max(1, size // 2)
        self._young: dict[bytes, T] = {}
        self._old: dict[bytes, T] = {}
        self._octets = 0

    def __len__(self) -> int:
        """Count the entries."""
        return len(self._young.keys() | self._old.keys())

    def find(self, key: bytes) -> T | None:
        """Give the entry of *key*, whether its time is over or not."""
        entry = self._young.get(key)
        if entry is None and self._old:
            entry = self._old.pop(key, None)
            if entry is not None:
                self.put(key, entry)
        return entry

    def put(self, key: bytes, entry: T) -> None:
        """Put *entry* in the place of what *key* has."""
        if entry.octets > OCTETS:
            self.drop(key)
            return
        full = len(self._young) >= self._size and key not in self._young
        if full or self._octets + entry.octets > OCTETS:
            self._old, self._young, self._octets = self._young, {}, 0
        self.drop(key)
        self._young[key] = entry
        self._octets += entry.octets

    def drop(self, key: bytes) -> None:
        """Forget *key*."""
        self._old.pop(key, None)
        entry = self._young.pop(key, None)
        if entry is not None:
            self._octets -= entry.octets

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old, self._octets = {}, {}, 0
