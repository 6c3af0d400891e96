"""
Marks of what was seen, in a file that all processes of a machine have in memory.

A replay mark says nothing but that it is there, until its time is over.  LMDB writes
four pages for one; here it takes a few octets, under the lock of the file, which the
kernel takes back from whoever dies with it.

The file is a table of buckets, which never grows.  A mark is in the bucket that its
hash says, in any slot.  Each bucket has the hashes of its slots, then when they are
over: a slot whose time is over is free.  A slot of a process that died in the middle of
writing is free still, and its request was never answered.
"""

import fcntl
import mmap
import os
from pathlib import Path
from struct import Struct
from typing import Final

from sso_proxy.errors import UnavailableError

HASH: Final = 16
"""Octets of a hash."""

_SLOTS: Final = 32
_DUES: Final = Struct(f"<{_SLOTS}Q")
_DUE: Final = Struct("<Q")
_HASHES: Final = HASH * _SLOTS
_BUCKET: Final = _HASHES + _DUES.size

BUCKETS: Final = 32768
"""
Of the file, which takes 24 MiB.

With 400,000 marks at a time, such as of 3,000 proofs a second that are good for two
minutes, one bucket of a million is full.
"""


class Marks:
    """
    The table in one file.

    Args:
        buckets: How many there are.
    """

    def __init__(self, buckets: int = BUCKETS) -> None:
        self._buckets = buckets
        self._descriptor = -1
        self._table: mmap.mmap | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self._table is not None

    def open(self, path: Path) -> None:
        """
        Open *path*, which is made if it is not there; nothing if it is open.

        Raises:
            OSError: It cannot be read and written, or the disk has no room.
            ValueError: It is another program's, or another release's.
        """
        if self._table is not None:
            return
        size = self._buckets * _BUCKET
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            self._table = _map(descriptor, size)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def close(self) -> None:
        """Close the file; nothing if it is not open."""
        table, self._table = self._table, None
        if table is not None:
            table.close()
            os.close(self._descriptor)

    def sync(self) -> None:
        """Have the disk know all of it."""
        if self._table is not None:
            self._table.flush()

    def add(self, mark: bytes, now: int, expires: int) -> bool:
        """
        Mark what has the hash *mark*, unless it is marked.

        Args:
            mark: `HASH` octets, all of which depend on all that was hashed.
            now: The time.
            expires: When the mark is over.

        Returns:
            Whether it was new.

        Raises:
            UnavailableError: There is no room.
            ValueError: The file is not open.
        """
        table = self._table
        if table is None:
            raise ValueError("the marks are not open")
        start = int.from_bytes(mark[:8], "little") % self._buckets * _BUCKET
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            bucket = table[start : start + _BUCKET]
            dues = _DUES.unpack_from(bucket, _HASHES)
            slot = _find(bucket, mark)
            if slot is None:
                soonest = min(dues)
                if soonest > now:
                    raise UnavailableError("room in the cache for replay marks")
                slot = dues.index(soonest)
                at = start + slot * HASH
                table[at : at + HASH] = mark
            elif dues[slot] > now:
                return False
            # Only now it counts.
            _DUE.pack_into(table, start + _HASHES + slot * _DUE.size, expires)
            return True
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def _map(descriptor: int, size: int) -> mmap.mmap:
    """Have the file in memory, made as long as it has to be."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        found = os.fstat(descriptor).st_size
        if found not in {0, size}:
            raise ValueError(f"the marks have {found} octets; move them away")
        # Where the disk is full, a hole in the file would end the process later.
        os.posix_fallocate(descriptor, 0, size)
        return mmap.mmap(descriptor, size)
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _find(bucket: bytes, mark: bytes) -> int | None:
    """Give the slot of *bucket* that has this hash."""
    at = bucket.find(mark, 0, _HASHES)
    while at % HASH and at > 0:  # in the middle of two others
        at = bucket.find(mark, at + 1, _HASHES)
    return None if at < 0 else at // HASH
