"""The ``memory`` cache: in one process, gone with it."""

import heapq
from collections.abc import Iterator
from typing import Any, Final, Self, TypeAlias

import attrs
from zope.interface import implementer

from sso_proxy.caches.records import (
    OPERATIONS,
    check_purpose,
    check_ttl,
    check_value,
    cost,
)
from sso_proxy.caches.subscription import Subscription
from sso_proxy.config.checks import between
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, ITools

_AT_ONCE: Final = 32
"""Expired records that one call clears away at most."""

Key: TypeAlias = tuple[bytes, ...]
"""``(name,)`` of a value, ``(index, member)`` of a member."""


@attrs.frozen(kw_only=True)
class MemoryCacheConfig:
    """
    The ``memory`` cache: kept by one process and lost with it.  For trying things out.

    Attributes:
        budget: Octets that each kind of record may take.
    """

    budget: int = attrs.field(default=2**24, validator=between(2**16, 2**36))


@attrs.frozen
class _Entry:
    """
    A record.

    Attributes:
        value: Its value; empty for a member.
        expires: By the monotonic clock.
        kept: Whether it stays until then whatever happens.
    """

    value: bytes = attrs.field(repr=False)
    expires: float
    kept: bool


class _Kind:
    """All records of one purpose."""

    def __init__(self, purpose: str) -> None:
        self.octets = 0
        self.subscriptions: list[Subscription] = []
        self._purpose = purpose
        self._entries: dict[Key, _Entry] = {}
        self._members: dict[bytes, set[bytes]] = {}
        # What expires when, of those that are kept and of the others.  An item whose
        # record has changed since is passed over.
        self._due: dict[bool, list[tuple[float, Key]]] = {True: [], False: []}

    def find(self, key: Key, now: float) -> _Entry | None:
        """Give the record of *key*, unless it has expired."""
        entry = self._entries.get(key)
        return entry if entry is not None and entry.expires > now else None

    def members(self, index: bytes, now: float) -> list[bytes]:
        """List what is in the set *index*."""
        members = self._members.get(index, ())
        return [each for each in members if self.find((index, each), now) is not None]

    def write(self, key: Key, entry: _Entry, now: float, budget: int) -> None:
        """
        Put *entry* in the place of what *key* has.

        Raises:
            UnavailableError: There is no room, and nothing that may go.
        """
        self._clear(now)
        self._make_room(_cost(key, entry), key, budget)
        self.remove(key)
        self._entries[key] = entry
        self.octets += _cost(key, entry)
        if len(key) > 1:
            self._members.setdefault(key[0], set()).add(key[1])
        due = self._due[entry.kept]
        heapq.heappush(due, (entry.expires, key))
        if len(due) > 2 * len(self._entries) + 64:
            self._due[entry.kept] = due = list(self._current(entry.kept))
            heapq.heapify(due)

    def remove(self, key: Key) -> None:
        """Forget *key*."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.octets -= _cost(key, entry)
        if len(key) > 1:
            members = self._members[key[0]]
            members.discard(key[1])
            if not members:
                del self._members[key[0]]

    def _current(self, kept: bool) -> Iterator[tuple[float, Key]]:  # noqa: FBT001
        for key, entry in self._entries.items():
            if entry.kept == kept:
                yield entry.expires, key

    def _first_due(self, kept: bool) -> tuple[float, Key] | None:  # noqa: FBT001
        """Give what expires first, without what has changed since it was noted."""
        due = self._due[kept]
        while due:
            expires, key = due[0]
            entry = self._entries.get(key)
            if entry is not None and (entry.expires, entry.kept) == (expires, kept):
                return expires, key
            heapq.heappop(due)
        return None

    def _clear(self, now: float) -> None:
        """Remove what has expired, a bounded number at a time."""
        for kept in (True, False):
            for _ in range(_AT_ONCE):
                first = self._first_due(kept)
                if first is None or first[0] > now:
                    break
                self.remove(first[1])

    def _make_room(self, octets: int, key: Key, budget: int) -> None:
        """Evict until *octets* more fit, in the place of what *key* has."""
        replaced = self._entries.get(key)
        octets -= _cost(key, replaced) if replaced is not None else 0
        while self.octets + octets > budget:
            first = self._first_due(False)
            if first is None or octets > budget:
                raise UnavailableError(f"room in the cache for {self._purpose}")
            if first[1] == key:
                octets += _cost(key, replaced) if replaced is not None else 0
                replaced = None
            self.remove(first[1])


def _cost(key: Key, entry: _Entry) -> int:
    return cost(key[1] if len(key) > 1 else entry.value)


@implementer(ICache)
class MemoryCache:
    """
    Keeps records in this process.

    Args:
        config: Its options.
        clock: The time; its monotonic clock counts.
        kinds: Records that are there already.
    """

    config_class = MemoryCacheConfig
    operations = OPERATIONS

    def __init__(
        self,
        config: MemoryCacheConfig,
        clock: IClock,
        kinds: dict[str, _Kind] | None = None,
    ) -> None:
        self._budget = config.budget
        self._now = clock.monotonic
        self._kinds = {} if kinds is None else kinds

    @classmethod
    def from_config(cls, config: MemoryCacheConfig, tools: ITools) -> Self:
        """Make the cache; its records survive a reload."""
        kinds: Any = tools.shared(("cache.memory", tools.name), dict)
        return cls(config, tools.clock, kinds)

    def open(self) -> None:
        """Do nothing: memory is open."""

    async def get(self, purpose: str, name: bytes) -> bytes | None:
        """Read, or None."""
        entry = self._kind(purpose).find((name,), self._now())
        return entry.value if entry is not None else None

    async def put(self, purpose: str, name: bytes, value: bytes, ttl: float) -> None:
        """Write, replacing."""
        self._write(purpose, (name,), value, ttl, kept=False)

    async def add(self, purpose: str, name: bytes, value: bytes, ttl: float) -> bool:
        """Write unless there is one; what is written stays until it expires."""
        if self._kind(purpose).find((name,), self._now()) is not None:
            return False
        self._write(purpose, (name,), value, ttl, kept=True)
        return True

    async def mark(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Mark *name*; says whether it was not marked."""
        return await self.add(purpose, name, b"", ttl)

    async def take(self, purpose: str, name: bytes) -> bytes | None:
        """Read and delete."""
        kind = self._kind(purpose)
        entry = kind.find((name,), self._now())
        kind.remove((name,))
        return entry.value if entry is not None else None

    async def delete(self, purpose: str, name: bytes) -> None:
        """Delete."""
        self._kind(purpose).remove((name,))

    async def touch(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Set the time left."""
        check_ttl(ttl)
        entry = self._kind(purpose).find((name,), self._now())
        if entry is None:
            return False
        self._write(purpose, (name,), entry.value, ttl, kept=entry.kept)
        return True

    async def compare_and_set(
        self, purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        """Write *new* if *old* is what is there."""
        entry = self._kind(purpose).find((name,), self._now())
        if (entry.value if entry is not None else None) != old:
            return False
        self._write(purpose, (name,), new, ttl, kept=False)
        return True

    async def index_add(
        self, purpose: str, index: bytes, member: bytes, ttl: float
    ) -> None:
        """Put *member* into the set *index*."""
        check_value(member)
        self._write(purpose, (index, member), b"", ttl, kept=True)

    async def index_remove(self, purpose: str, index: bytes, member: bytes) -> None:
        """Take *member* out of the set *index*."""
        self._kind(purpose).remove((index, member))

    async def index_list(self, purpose: str, index: bytes) -> list[bytes]:
        """List the set *index*."""
        return self._kind(purpose).members(index, self._now())

    async def publish(self, purpose: str, message: bytes) -> None:
        """Tell *message* to the subscribers in this process; there are no others."""
        check_value(message)
        for subscription in list(self._kind(purpose).subscriptions):
            subscription.deliver(message)

    def subscribe(self, purpose: str) -> Subscription:
        """Hear what is published in this process."""
        subscriptions = self._kind(purpose).subscriptions
        subscription = Subscription(subscriptions.remove)
        subscriptions.append(subscription)
        return subscription

    def _kind(self, purpose: str) -> _Kind:
        kind = self._kinds.get(purpose)
        if kind is None:
            check_purpose(purpose)
            kind = self._kinds[purpose] = _Kind(purpose)
        return kind

    def _write(
        self, purpose: str, key: Key, value: bytes, ttl: float, *, kept: bool
    ) -> None:
        check_ttl(ttl)
        check_value(value)
        now = self._now()
        entry = _Entry(value=value, expires=now + ttl, kept=kept)
        self._kind(purpose).write(key, entry, now, self._budget)
