"""
What records are called in Redis.

A purpose's records stand in buckets, one on a single server, 16 in a cluster::

    PREFIX{PURPOSE}            or, in a cluster, PREFIX{PURPOSE.B}
        :v<hash of the name>   a value
        :i<hash of the index>  a sorted set: the members of an index, by their expiry
        :e  :k                 sorted sets: what may be evicted, and what is kept; each
                               entry has the record's name and its cost
        :n                     octets that they count together
        :c                     number of the last message

What is between the braces decides about the slot in a cluster, so all that belongs to
one bucket is on one node and can be changed in one step.  Hashes are BLAKE2b of 32
octets in base64url: a name may be of any length, and be secret.
"""

from base64 import urlsafe_b64encode
from binascii import crc_hqx
from hashlib import blake2b
from typing import Final

import attrs

SLOTS: Final = 16384
BUCKETS: Final = 16
"""Buckets of a purpose in a cluster."""


@attrs.frozen
class Keys:
    """
    The keys of one record and of its bucket's books.

    Attributes:
        stem: What they all begin with.
        id: The record within its bucket.
    """

    stem: bytes
    id: bytes

    @property
    def record(self) -> bytes:
        """Give the record's own key."""
        return self.stem + self.id

    @property
    def all(self) -> tuple[bytes, ...]:
        """Give the record's key and those of the books."""
        return (self.record, self.stem + b"e", self.stem + b"k", self.stem + b"n")


@attrs.frozen
class Names:
    """
    Names records.

    Attributes:
        prefix: What all keys begin with.
        buckets: Buckets of a purpose.
    """

    prefix: str
    buckets: int = 1

    def value(self, purpose: str, name: bytes) -> Keys:
        """Name a value."""
        return self._keys(purpose, b"v", name)

    def index(self, purpose: str, index: bytes) -> Keys:
        """Name an index."""
        return self._keys(purpose, b"i", index)

    def channel(self, purpose: str) -> bytes:
        """Name the channel of a purpose's messages."""
        return f"{self.prefix}{purpose}".encode("ascii")

    def count(self, purpose: str) -> bytes:
        """Name the number of a purpose's last message."""
        return self._stem(purpose, 0) + b"c"

    def sums(self, purpose: str) -> tuple[bytes, ...]:
        """Name what counts the octets of a purpose, one for each bucket."""
        return tuple(self._stem(purpose, b) + b"n" for b in range(self.buckets))

    def _keys(self, purpose: str, kind: bytes, name: bytes) -> Keys:
        digest = blake2b(name, digest_size=32).digest()
        stem = self._stem(purpose, digest[0] % self.buckets)
        return Keys(stem, kind + _text(digest))

    def _stem(self, purpose: str, bucket: int) -> bytes:
        tag = purpose if self.buckets == 1 else f"{purpose}.{bucket:x}"
        return f"{self.prefix}{{{tag}}}:".encode("ascii")


def hashed(member: bytes) -> bytes:
    """Give a member's part in the name of its entry in the books."""
    return _text(blake2b(member, digest_size=32).digest())


def slot_of(key: bytes) -> int:
    """Give the slot of *key*: the CRC of what is in its first braces, if anything."""
    _, brace, rest = key.partition(b"{")
    tag, end, _ = rest.partition(b"}")
    return crc_hqx(tag if brace and end and tag else key, 0) % SLOTS


def _text(digest: bytes) -> bytes:
    return urlsafe_b64encode(digest).rstrip(b"=")
