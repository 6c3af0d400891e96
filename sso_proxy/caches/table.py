"""The records of one purpose, within one transaction of LMDB."""

from collections.abc import Iterator
from typing import Final, TypeAlias

import lmdb

from sso_proxy.caches import layout
from sso_proxy.caches.layout import Record, Totals
from sso_proxy.caches.records import cost
from sso_proxy.errors import UnavailableError

Transaction: TypeAlias = "lmdb.Transaction[bytes]"

_IN_PASSING: Final = 4
"""Expired records of each sort that one write clears away: more than it adds."""

_AT_LENGTH: Final = 1024
"""Records that may have to go for a new one before it is refused."""


class Table:
    """
    Reads and writes the records of one purpose.

    Args:
        txn: The transaction; one that may write, if anything is to be written.
        purpose: What the records are for.
        now: Microseconds of the cache's time.
    """

    def __init__(self, txn: Transaction, purpose: str, now: int) -> None:
        self._txn = txn
        self._purpose = purpose
        self._prefix = layout.prefix_of(purpose)
        self._now = now

    def totals(self) -> Totals:
        """Give what is counted."""
        return layout.read_totals(self._txn.get(self._prefix + b"n"))

    def find(self, key: bytes) -> Record | None:
        """Give the record under *key*, unless it has expired."""
        stored = self._txn.get(self._prefix + key)
        if stored is None:
            return None
        record = layout.read_record(stored)
        return record if record.expires > self._now else None

    def below(self, start: bytes) -> Iterator[tuple[bytes, Record]]:
        """Give what has not expired of all whose keys begin with *start*."""
        wanted = self._prefix + start
        with self._txn.cursor() as cursor:
            more = cursor.set_range(wanted)
            while more and cursor.key().startswith(wanted):
                record = layout.read_record(cursor.value())
                if record.expires > self._now:
                    yield cursor.key()[len(self._prefix) :], record
                more = cursor.next()

    def write(self, key: bytes, record: Record, budget: int) -> None:
        """
        Put *record* in the place of what *key* has.

        Raises:
            UnavailableError: There is no room, and nothing that may go.
        """
        totals = self.totals()
        octets = totals.octets - self._clear(_IN_PASSING) - self._drop(key)
        octets += cost(record.value)
        if octets > budget:
            octets -= self._clear(_AT_LENGTH)
            octets -= self._evict(octets - budget)
        if octets > budget:
            raise UnavailableError(f"room in the cache for {self._purpose}")
        self._txn.put(self._prefix + key, record.pack())
        self._txn.put(self._prefix + layout.due_key(record, key), b"")
        self._count(Totals(octets, totals.messages))

    def remove(self, key: bytes) -> None:
        """Forget *key*."""
        totals = self.totals()
        if freed := self._drop(key):
            self._count(Totals(totals.octets - freed, totals.messages))

    def sweep(self, most: int) -> None:
        """Remove what has expired, at most so many records of each sort."""
        totals = self.totals()
        if freed := self._clear(most):
            self._count(Totals(totals.octets - freed, totals.messages))

    def announce(self, message: bytes, expires: int, budget: int) -> None:
        """Write *message* with the next number."""
        totals = self.totals()
        number = totals.messages + 1
        self._count(Totals(totals.octets, number))
        record = Record(expires, True, message)
        self.write(layout.message_key(number), record, budget)

    def has_expired(self) -> bool:
        """Say whether there is something to sweep."""
        return any(self._first_due(kept, self._now) for kept in (True, False))

    def _count(self, totals: Totals) -> None:
        self._txn.put(self._prefix + b"n", totals.pack())

    def _first_due(self, kept: bool, until: int) -> bytes | None:  # noqa: FBT001
        """Give the key of what expires first, if that is no later than *until*."""
        start = self._prefix + layout.due_start(kept)
        with self._txn.cursor() as cursor:
            if not cursor.set_range(start) or not cursor.key().startswith(start):
                return None
            expires, key = layout.read_due(cursor.key()[len(self._prefix) :])
        return key if expires <= until else None

    def _clear(self, most: int) -> int:
        """Remove what has expired; returns the octets that this frees."""
        freed = 0
        for kept in (True, False):
            for _ in range(most):
                key = self._first_due(kept, self._now)
                if key is None:
                    break
                freed += self._drop(key)
        return freed

    def _evict(self, wanted: int) -> int:
        """Remove what may go before its time, soonest to expire first."""
        freed = 0
        for _ in range(_AT_LENGTH):
            if freed >= wanted:
                break
            key = self._first_due(kept=False, until=2**64)
            if key is None:
                break
            freed += self._drop(key)
        return freed

    def _drop(self, key: bytes) -> int:
        """Remove a record; returns the octets that this frees."""
        stored = self._txn.pop(self._prefix + key)
        if stored is None:
            return 0
        record = layout.read_record(stored)
        self._txn.delete(self._prefix + layout.due_key(record, key))
        return cost(record.value)
