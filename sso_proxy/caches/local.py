"""The ``local`` cache: LMDB, shared by the processes of one machine."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self, TypeVar

import attrs
from zope.interface import implementer

from sso_proxy.caches import layout
from sso_proxy.caches.environment import Environment, UnusableError
from sso_proxy.caches.layout import Record
from sso_proxy.caches.records import (
    OPERATIONS,
    check_purpose,
    check_ttl,
    check_value,
)
from sso_proxy.caches.store import LocalStore
from sso_proxy.caches.subscription import Subscription
from sso_proxy.caches.table import Table, Transaction
from sso_proxy.config.checks import between
from sso_proxy.config.model import FilePath
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.interfaces import ICache, IHealth, ITools
from sso_proxy.model import WARNING
from sso_proxy.traffic import Histogram

_KINDS: Final = 32
"""Budgets that fit into the files: more than there are kinds of records."""

_MESSAGE_LIFE: Final = 60.0
"""Seconds that a message may be heard by a process that was held up."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class LocalCacheConfig:
    """
    The ``local`` cache: files on this machine, shared by all workers.

    Attributes:
        directory: Where the files are, on a local disk, for this cache alone; unset,
            ``cache`` in the state directory.
        budget: Octets that each kind of record may take, such as replay marks.
    """

    directory: FilePath | None = None
    budget: int = attrs.field(default=2**28, validator=between(2**20, 2**36))


@implementer(ICache, IHealth)
class LocalCache:
    """
    Keeps records in files.

    Args:
        name: What the configuration calls it.
        config: Its options.
        store: The files, and what looks after them.

    Attributes:
        store: The same; outlives this configuration if the next one names the files.
    """

    config_class = LocalCacheConfig
    operations = OPERATIONS

    def __init__(self, name: str, config: LocalCacheConfig, store: LocalStore) -> None:
        self._name = name
        self._budget = config.budget
        self.store = store
        self._environment = store.environment

    @classmethod
    def from_config(cls, config: LocalCacheConfig, tools: ITools) -> Self:
        """Make the cache; files are opened later, once in a process."""
        chosen = config.directory or str(tools.state_dir / "cache")
        directory = Path(os.path.realpath(chosen))

        def make() -> LocalStore:
            return LocalStore(Environment(directory, tools.clock), tools.reactor)

        store = tools.shared(("cache.local", str(directory)), make)
        return cls(tools.name, config, store)

    @property
    def durations(self) -> Histogram:
        """Give how long reading and writing took."""
        return self._environment.durations

    def open(self) -> None:
        """
        Open the files.

        Raises:
            ConfigError: They cannot be used.
        """
        try:
            self.store.open(_KINDS * self._budget)
        except UnusableError as e:
            path = f"cache.{self._name}.directory"
            raise ConfigError(Mistake(path, str(e))) from e

    async def probe(self) -> tuple[str, ...]:
        """Say whether it can be written, and what is nearly full."""
        try:
            totals = self.store.totals()
        except UnavailableError as e:
            return (e.what,)
        if trouble := self._environment.trouble():
            return (f"the cache {self._name}: {trouble}",)
        return tuple(
            f"{WARNING}the cache {self._name} has little room left for {purpose}"
            for purpose, each in totals.items()
            if each.octets > 0.9 * self._budget
        )

    async def get(self, purpose: str, name: bytes) -> bytes | None:
        """Read, or None."""
        key = layout.value_key(name)
        record = self._read(purpose, lambda table: table.find(key))
        return record.value if record is not None else None

    async def put(self, purpose: str, name: bytes, value: bytes, ttl: float) -> None:
        """Write, replacing."""
        key, expires = layout.value_key(name), self._expires(value, ttl)

        def work(table: Table) -> None:
            table.write(key, Record(expires, False, value), self._budget)

        self._write(purpose, work)

    async def add(self, purpose: str, name: bytes, value: bytes, ttl: float) -> bool:
        """Write unless there is one; what is written stays until it expires."""
        check_purpose(purpose)
        check_value(value)
        check_ttl(ttl)
        key, life = layout.value_key(name), int(ttl * 1e6)

        def work(txn: Transaction, now: int) -> bool:
            return Table(txn, purpose, now).add(key, now + life, value, self._budget)

        return self._environment.write(work)

    async def mark(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Mark *name*; says whether it was not marked."""
        check_purpose(purpose)
        check_ttl(ttl)
        mark = layout.mark_hash(purpose, name)
        return self._environment.mark(mark, int(ttl * 1e6))

    async def take(self, purpose: str, name: bytes) -> bytes | None:
        """Read and delete in one step."""
        key = layout.value_key(name)

        def work(table: Table) -> bytes | None:
            record = table.find(key)
            table.remove(key)
            return record.value if record is not None else None

        return self._write(purpose, work)

    async def delete(self, purpose: str, name: bytes) -> None:
        """Delete."""
        key = layout.value_key(name)
        self._write(purpose, lambda table: table.remove(key))

    async def touch(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Set the time left."""
        key, expires = layout.value_key(name), self._expires(b"", ttl)

        def work(table: Table) -> bool:
            record = table.find(key)
            if record is None:
                return False
            table.write(key, attrs.evolve(record, expires=expires), self._budget)
            return True

        return self._write(purpose, work)

    async def compare_and_set(
        self, purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        """Write *new* if *old* is what is there."""
        key, expires = layout.value_key(name), self._expires(new, ttl)

        def work(table: Table) -> bool:
            record = table.find(key)
            if (record.value if record is not None else None) != old:
                return False
            table.write(key, Record(expires, False, new), self._budget)
            return True

        return self._write(purpose, work)

    async def index_add(
        self, purpose: str, index: bytes, member: bytes, ttl: float
    ) -> None:
        """Put *member* into the set *index*."""
        key, expires = layout.member_key(index, member), self._expires(member, ttl)

        def work(table: Table) -> None:
            table.write(key, Record(expires, True, member), self._budget)

        self._write(purpose, work)

    async def index_remove(self, purpose: str, index: bytes, member: bytes) -> None:
        """Take *member* out of the set *index*."""
        key = layout.member_key(index, member)
        self._write(purpose, lambda table: table.remove(key))

    async def index_list(self, purpose: str, index: bytes) -> list[bytes]:
        """List the set *index*."""
        start = layout.index_key(index)
        return self._read(
            purpose, lambda table: [record.value for _, record in table.below(start)]
        )

    async def publish(self, purpose: str, message: bytes) -> None:
        """Tell *message* to the subscribers in all processes of this machine."""
        expires = self._expires(message, _MESSAGE_LIFE)
        self._write(
            purpose, lambda table: table.announce(message, expires, self._budget)
        )
        self.store.poll()

    def subscribe(self, purpose: str) -> Subscription:
        """Hear what processes of this machine publish, within a quarter of a second."""
        check_purpose(purpose)
        return self.store.subscribe(purpose)

    def _read(self, purpose: str, work: Callable[[Table], T]) -> T:
        check_purpose(purpose)
        return self._environment.read(lambda txn, now: work(Table(txn, purpose, now)))

    def _write(self, purpose: str, work: Callable[[Table], T]) -> T:
        check_purpose(purpose)
        return self._environment.write(lambda txn, now: work(Table(txn, purpose, now)))

    def _expires(self, value: bytes, ttl: float) -> int:
        check_value(value)
        check_ttl(ttl)
        return self._environment.now() + int(ttl * 1e6)
