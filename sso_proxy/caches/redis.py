"""The ``redis`` cache: one server, one that Sentinels name, or a cluster."""

import secrets
from collections.abc import Mapping
from typing import Any, Final, Self

from zope.interface import implementer

from sso_proxy.caches.records import OPERATIONS, check_purpose, check_ttl, check_value
from sso_proxy.caches.redis_client import RedisClient
from sso_proxy.caches.redis_config import RedisCacheConfig
from sso_proxy.caches.redis_names import BUCKETS, Keys, Names, hashed
from sso_proxy.caches.redis_resp import Reply
from sso_proxy.caches.redis_scripts import (
    FULL,
    INDEX_ADD,
    INDEX_LIST,
    INDEX_REMOVE,
    PUBLISH,
    STORE,
    TAKE,
    TOUCH,
    Script,
)
from sso_proxy.caches.redis_setup import build_servers, read_settings
from sso_proxy.caches.subscription import Subscription
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IHealth, ISurveyed, ITools
from sso_proxy.model import WARNING
from sso_proxy.traffic import Histogram

_NEARLY: Final = 0.9
"""The part of a budget that is worth a warning when it is used."""


@implementer(ICache, IHealth, ISurveyed)
class RedisCache:
    """
    Keeps records in Redis.

    Args:
        name: What the configuration calls it.
        config: Its options.
        client: Speaks to the servers; outlives this configuration if the next one
            has the same options.
    """

    config_class = RedisCacheConfig
    operations = OPERATIONS

    def __init__(
        self, name: str, config: RedisCacheConfig, client: RedisClient
    ) -> None:
        self.client = client
        self._name = name
        self._names = client.names
        self._budget = b"%d" % (config.budget // client.names.buckets)
        self._share = config.budget // client.names.buckets
        self._used: set[str] = set()

    @classmethod
    def from_config(cls, config: RedisCacheConfig, tools: ITools) -> Self:
        """
        Make the cache; it connects when something is asked of it.

        Raises:
            ConfigError: Options do not go together, or files cannot be used.
        """
        settings = read_settings(config, f"cache.{tools.name}")
        names = Names(config.prefix, BUCKETS if config.cluster else 1)

        def make() -> RedisClient:
            random = secrets.SystemRandom().random
            servers = build_servers(settings, tools.reactor, random)
            return RedisClient(servers, names, tools.reactor, random)

        client: Any = tools.shared(("cache.redis", settings), make)
        return cls(tools.name, config, client)

    @property
    def durations(self) -> Histogram:
        """Give how long the servers took for what was asked of them."""
        return self.client.durations

    def open(self) -> None:
        """Do nothing: the first command connects."""

    async def probe(self) -> tuple[str, ...]:
        """Say whether it answers, and what is wrong with how it is set up."""
        lines = []
        try:
            for purpose in sorted(self._used):
                sums = [await self.client.number(k) for k in self._names.sums(purpose)]
                if max(sums) > _NEARLY * self._share:
                    lines.append(f"has little room left for {purpose}")
            reports = await self.client.reports()
            if any(_evicts(report) for _, report in reports):
                lines.append(
                    "may forget replay marks and revocations: set maxmemory-policy"
                    " to noeviction"
                )
        except UnavailableError as e:
            return (f"the cache {self._name}: {e.what}",)
        return tuple(f"{WARNING}the cache {self._name} {line}" for line in lines)

    async def survey(self) -> tuple[str, ...]:
        """Say a line about each server."""
        return tuple(
            f"{name}, version {_clean(report, 'redis_version')},"
            f" {_clean(report, 'role')},"
            f" {_clean(report, 'used_memory_human')} of"
            f" {_clean(report, 'maxmemory_human')} used"
            for name, report in await self.client.reports()
        )

    async def get(self, purpose: str, name: bytes) -> bytes | None:
        """Read, or None."""
        check_purpose(purpose)
        key = self._names.value(purpose, name).record
        return self._octets(await self.client.call(key, b"GET", key))

    async def put(self, purpose: str, name: bytes, value: bytes, ttl: float) -> None:
        """Write, replacing."""
        if not await self._store(purpose, name, value, ttl, b"put"):
            raise self._nonsense()

    async def add(self, purpose: str, name: bytes, value: bytes, ttl: float) -> bool:
        """Write unless there is one; what is written stays until it expires."""
        return await self._store(purpose, name, value, ttl, b"add")

    async def mark(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Mark *name*; says whether it was not marked."""
        return await self.add(purpose, name, b"", ttl)

    async def take(self, purpose: str, name: bytes) -> bytes | None:
        """Read and delete in one step."""
        keys = self._value(purpose, name)
        return self._octets(await self.client.run(TAKE, keys.all, keys.id))

    async def delete(self, purpose: str, name: bytes) -> None:
        """Delete."""
        await self.take(purpose, name)

    async def touch(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Set the time left."""
        milliseconds = _milliseconds(ttl)
        keys = self._value(purpose, name)
        done = await self.client.run(TOUCH, keys.all, keys.id, milliseconds)
        return self._truth(done)

    async def compare_and_set(
        self, purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        """Write *new* if *old* is what is there."""
        if old is None:
            return await self._store(purpose, name, new, ttl, b"new")
        return await self._store(purpose, name, new, ttl, b"swap", old)

    async def index_add(
        self, purpose: str, index: bytes, member: bytes, ttl: float
    ) -> None:
        """Put *member* into the set *index*."""
        milliseconds = _milliseconds(ttl)
        check_value(member)
        keys = self._index(purpose, index)
        entry = keys.id + b"." + hashed(member)
        done = await self._write(
            purpose, INDEX_ADD, keys, entry, member, milliseconds, self._budget
        )
        if not self._truth(done):
            raise self._nonsense()

    async def index_remove(self, purpose: str, index: bytes, member: bytes) -> None:
        """Take *member* out of the set *index*."""
        keys = self._index(purpose, index)
        entry = keys.id + b"." + hashed(member)
        await self.client.run(INDEX_REMOVE, keys.all, entry, member)

    async def index_list(self, purpose: str, index: bytes) -> list[bytes]:
        """List the set *index*."""
        keys = self._index(purpose, index)
        found = await self.client.run(INDEX_LIST, (keys.record,))
        members = found if isinstance(found, list) else [None]
        octets = [member for member in members if isinstance(member, bytes)]
        if len(octets) < len(members):
            raise self._nonsense()
        return octets

    async def publish(self, purpose: str, message: bytes) -> None:
        """Tell *message* to the subscribers on all machines."""
        check_purpose(purpose)
        check_value(message)
        channel, count = self._names.channel(purpose), self._names.count(purpose)
        await self.client.run(PUBLISH, (count,), channel, message)

    def subscribe(self, purpose: str) -> Subscription:
        """Hear what is published on any machine."""
        check_purpose(purpose)
        return self.client.messages.subscribe(purpose)

    async def _store(
        self,
        purpose: str,
        name: bytes,
        value: bytes,
        ttl: float,
        mode: bytes,
        *expected: bytes,
    ) -> bool:
        milliseconds = _milliseconds(ttl)
        check_value(value)
        keys = self._value(purpose, name)
        arguments = (keys.id, value, milliseconds, self._budget, mode, *expected)
        return self._truth(await self._write(purpose, STORE, keys, *arguments))

    async def _write(
        self, purpose: str, script: Script, keys: Keys, *arguments: bytes
    ) -> Reply:
        self._used.add(purpose)
        done = await self.client.run(script, keys.all, keys.stem, *arguments)
        if done == FULL:
            raise UnavailableError(f"room in the cache for {purpose}")
        return done

    def _octets(self, reply: Reply) -> bytes | None:
        """Give a value; what is none is not taken for one that is not there."""
        if reply is None or isinstance(reply, bytes):
            return reply
        raise self._nonsense()

    def _truth(self, reply: Reply) -> bool:
        if reply in (0, 1):
            return reply == 1
        raise self._nonsense()

    def _nonsense(self) -> UnavailableError:
        return UnavailableError(
            f"the cache {self._name}: an answer that makes no sense"
        )

    def _value(self, purpose: str, name: bytes) -> Keys:
        check_purpose(purpose)
        return self._names.value(purpose, name)

    def _index(self, purpose: str, index: bytes) -> Keys:
        check_purpose(purpose)
        return self._names.index(purpose, index)


def _evicts(report: Mapping[str, str]) -> bool:
    """Say whether a server that is full throws away what has not expired."""
    limited = report.get("maxmemory", "0") != "0"
    return limited and report.get("maxmemory_policy") != "noeviction"


def _clean(report: Mapping[str, str], field: str) -> str:
    """Give what a server says of itself, as far as it can be shown."""
    text = report.get(field, "?")[:20]
    return text if text.isascii() and text.isprintable() else "?"


def _milliseconds(ttl: float) -> bytes:
    check_ttl(ttl)
    return b"%d" % max(1, int(ttl * 1000))
