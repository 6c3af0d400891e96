"""
How the ``local`` cache writes records into one ordered table.

All keys of a purpose begin with its name and a zero octet.  What follows::

    v | hash of the name                       expires, kept, value
    i | hash of the index | of the member      expires, kept, member
    m | number of the message                  expires, kept, message
    x | kept | expires | one of the above      nothing: what expires when
    x | 2                                      octets in use, number of the last message

What is counted stands behind what expires last, which is where most writes put
something anyway: LMDB writes whole pages, so that each counts.

Hashes are BLAKE2b of 32 octets: a name may be of any length, and be secret.
"""

import struct
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import attrs

from sso_proxy.caches.marks import HASH

META: Final = b"\0sso-proxy"
"""The key under which the table says what it is; before all purposes."""

TOTALS: Final = b"x\2"
"""The key of what is counted for a purpose."""

_HEADER: Final = struct.Struct(">QB")
_TOTALS: Final = struct.Struct(">QQ")
_NUMBER: Final = struct.Struct(">Q")


@attrs.frozen
class Record:
    """
    One record.

    Attributes:
        expires: Microseconds of the cache's time.
        kept: Whether it stays until then whatever happens.
        value: Its value, member or message.
    """

    expires: int
    kept: bool
    value: bytes = attrs.field(repr=False)

    def pack(self) -> bytes:
        """Give it as it is stored."""
        return _HEADER.pack(self.expires, self.kept) + self.value


@attrs.frozen
class Totals:
    """
    What is counted for a purpose.

    Attributes:
        octets: What its records take.
        messages: Number of the last message; never goes back.
    """

    octets: int = 0
    messages: int = 0

    def pack(self) -> bytes:
        """Give it as it is stored."""
        return _TOTALS.pack(self.octets, self.messages)


def read_record(stored: bytes) -> Record:
    """Read what `Record.pack` wrote."""
    expires, kept = _HEADER.unpack_from(stored)
    return Record(expires, bool(kept), stored[_HEADER.size :])


def read_totals(stored: bytes | None) -> Totals:
    """Read what `Totals.pack` wrote, or none."""
    return Totals(*_TOTALS.unpack(stored)) if stored is not None else Totals()


def add_octets(stored: bytes | None, octets: int, most: int) -> bytes | None:
    """Give packed totals with more *octets*, or None if these are more than *most*."""
    before, messages = _TOTALS.unpack(stored) if stored is not None else (0, 0)
    return _TOTALS.pack(before + octets, messages) if before + octets <= most else None


@lru_cache(maxsize=64)  # there are a few, and every operation begins with one
def prefix_of(purpose: str) -> bytes:
    """Give what all keys of *purpose* begin with."""
    return purpose.encode("ascii") + b"\0"


def after(prefix: bytes) -> bytes:
    """Give what is behind all keys that begin with a purpose's *prefix*."""
    return prefix[:-1] + b"\1"


def value_key(name: bytes) -> bytes:
    """Give the key of the value *name*."""
    return b"v" + blake2b(name, digest_size=32).digest()


def mark_hash(purpose: str, name: bytes) -> bytes:
    """Give the hash that stands for the mark *name*."""
    return blake2b(prefix_of(purpose) + name, digest_size=HASH).digest()


def index_key(index: bytes) -> bytes:
    """Give what the keys of all members of *index* begin with."""
    return b"i" + _hash(index)


def member_key(index: bytes, member: bytes) -> bytes:
    """Give the key of a member."""
    return index_key(index) + _hash(member)


def message_key(number: int) -> bytes:
    """Give the key of a message."""
    return b"m" + _NUMBER.pack(number)


def due_key(record: Record, key: bytes) -> bytes:
    """Give the key that says when *record*, stored under *key*, expires."""
    return due_start(record.kept) + _NUMBER.pack(record.expires) + key


def pack_kept(expires: int, value: bytes) -> bytes:
    """Give a record that is kept as `Record.pack` does."""
    return _HEADER.pack(expires, True) + value


def kept_due_key(expires: int, key: bytes) -> bytes:
    """Give what `due_key` gives for a record that is kept."""
    return b"x\1" + _NUMBER.pack(expires) + key


def due_start(kept: bool) -> bytes:  # noqa: FBT001
    """Give what the keys begin with that say when records expire."""
    return b"x\1" if kept else b"x\0"


def read_due(key: bytes) -> tuple[int, bytes]:
    """Read from what `due_key` made when what expires."""
    (expires,) = _NUMBER.unpack_from(key, 2)
    return expires, key[2 + _NUMBER.size :]


def _hash(name: bytes) -> bytes:
    return blake2b(name, digest_size=32).digest()
