"""The records of one purpose, within one transaction of LMDB."""

from collections.abc import Iterator
from typing import Final, TypeAlias

import lmdb

from sso_proxy.caches import layout
from sso_proxy.caches.layout import Record, Totals
from sso_proxy.caches.records import cost
from sso_proxy.errors import UnavailableError

Transaction: TypeAlias = "lmdb.Transaction[bytes]"

_EVERY: Final = 16
"""Of so many writes one clears away what has expired: looking for it is not free."""

_IN_PASSING: Final = 2 * _EVERY
"""Expired records of each sort that such a write clears away: more than were added."""

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
        return layout.read_totals(self._txn.get(self._prefix + layout.TOTALS))

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
        octets = totals.octets + cost(record.value)
        # Keys end in a hash or a number, so that this is every sixteenth write; if a
        # client sees to it that none is, room is made when the budget is used up.
        if key[-1] % _EVERY == 0:
            octets -= self._clear(_IN_PASSING)
        if octets > budget:
            octets = self._make_room(key, octets, budget)
        replaced = self._txn.replace(self._prefix + key, record.pack())
        if replaced is not None:
            octets -= self._forget_due(key, replaced)
        self._txn.put(self._prefix + layout.due_key(record, key), b"")
        self._count(Totals(octets, totals.messages))

    def add(self, key: bytes, expires: int, value: bytes, budget: int) -> bool:
        """
        Put a record that stays until it expires under *key*, unless there is one.

        Returns:
            Whether it did.

        Raises:
            UnavailableError: There is no room, and nothing that may go.
        """
        txn, prefix = self._txn, self._prefix
        totals = prefix + layout.TOTALS
        counted = layout.add_octets(txn.get(totals), cost(value), budget)
        if (
            counted is not None
            and key[-1] % _EVERY != 0
            and txn.put(prefix + key, layout.pack_kept(expires, value), overwrite=False)
        ):  # most are new, and nothing has to go for them
            txn.put(prefix + layout.kept_due_key(expires, key), b"")
            txn.put(totals, counted)
            return True
        if self.find(key) is not None:
            return False
        self.write(key, Record(expires, True, value), budget)
        return True

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
        return any(self._due(kept, self._now, 1) for kept in (True, False))

    def _count(self, totals: Totals) -> None:
        self._txn.put(self._prefix + layout.TOTALS, totals.pack())

    def _due(self, kept: bool, until: int, most: int) -> list[bytes]:  # noqa: FBT001
        """Give the keys of what expires no later than *until*, the first to do so."""
        start = self._prefix + layout.due_start(kept)
        found: list[bytes] = []
        with self._txn.cursor() as cursor:
            more = cursor.set_range(start)
            while more and len(found) < most and cursor.key().startswith(start):
                expires, key = layout.read_due(cursor.key()[len(self._prefix) :])
                if expires > until:
                    break
                found.append(key)
                more = cursor.next()
        return found

    def _clear(self, most: int) -> int:
        """Remove what has expired; returns the octets that this frees."""
        return sum(
            self._drop(key)
            for kept in (True, False)
            for key in self._due(kept, self._now, most)
        )

    def _make_room(self, key: bytes, octets: int, budget: int) -> int:
        """
        Remove what may go until *octets* are no more than *budget*.

        Returns:
            What is left of *octets*.

        Raises:
            UnavailableError: They are more.
        """
        octets -= self._drop(key) + self._clear(_AT_LENGTH)
        for _ in range(_AT_LENGTH):
            soonest = self._due(kept=False, until=2**64, most=1)
            if octets <= budget or not soonest:
                break
            octets -= self._drop(soonest[0])
        if octets > budget:
            raise UnavailableError(f"room in the cache for {self._purpose}")
        return octets

    def _drop(self, key: bytes) -> int:
        """Remove a record; returns the octets that this frees."""
        stored = self._txn.pop(self._prefix + key)
        return 0 if stored is None else self._forget_due(key, stored)

    def _forget_due(self, key: bytes, stored: bytes) -> int:
        """Remove when *stored* expires; returns the octets that it took."""
        record = layout.read_record(stored)
        self._txn.delete(self._prefix + layout.due_key(record, key))
        return cost(record.value)
