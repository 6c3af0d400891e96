"""
The ``memcached`` cache: servers that any number of machines share.

Nothing that somebody else has chosen goes to a server: a key is a hash.  A value has a
header in front of it::

    1 octet     the form: 1
    32 octets   SHA-256 of prefix, purpose and name; the key is the same in base64url
    4 octets    length of what follows

What does not begin like this, with the right hash and the right length, is not there.

Memcached evicts what it likes when it is full, so it has no operations for what must
stay until its time is over.
"""

import math
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from struct import Struct
from typing import Any, Final, NoReturn, Self

import attrs
from zope.interface import implementer

from sso_proxy.caches.memcached_config import MemcachedCacheConfig, read_tls
from sso_proxy.caches.memcached_link import Link
from sso_proxy.caches.memcached_servers import Servers, build_servers
from sso_proxy.caches.records import check_purpose, check_ttl, check_value
from sso_proxy.caches.subscription import Subscription
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IHealth, ISurveyed, ITools
from sso_proxy.traffic import Histogram

OPERATIONS: Final = frozenset({"get", "put", "delete", "touch", "compare_and_set"})

MONTH: Final = 30 * 86400
"""Seconds beyond which memcached takes a time to live for seconds since 1970."""
LATEST: Final = 2**31 - 1
"""The last such second that it takes."""

_FORM: Final = 1
_HEADER: Final = Struct(">B32sI")


@implementer(ICache, IHealth, ISurveyed)
class MemcachedCache:
    """
    Keeps records on memcached servers.

    Args:
        name: What the configuration calls it.
        prefix: As `MemcachedCacheConfig` has it.
        servers: The servers.

    Attributes:
        servers: The same; outlives this configuration if the next one names the same.
    """

    config_class = MemcachedCacheConfig
    operations = OPERATIONS

    def __init__(self, name: str, prefix: str, servers: Servers) -> None:
        self._name = name
        self._start = sha256(sha256(prefix.encode()).digest())
        self.servers = servers

    @classmethod
    def from_config(cls, config: MemcachedCacheConfig, tools: ITools) -> Self:
        """
        Make the cache; it connects when it is opened.

        Raises:
            ConfigError: The CAs, the certificate or its key cannot be used.
        """
        tls = read_tls(config) if config.tls else None

        def make() -> Servers:
            return build_servers(
                config.servers, tls, reactor=tools.reactor, timeout=config.timeout
            )

        key = ("cache.memcached", config.servers, tls, config.timeout)
        checking = tools.reactor is None
        servers = Servers(()) if checking else tools.shared(key, make)
        return cls(tools.name, config.prefix, servers)

    @property
    def durations(self) -> Histogram:
        """Give how long the servers took for what was asked of them."""
        return self.servers.durations

    def open(self) -> None:
        """Begin to connect."""
        self.servers.open()

    async def probe(self) -> tuple[str, ...]:
        """Say which servers do not answer."""
        missing = []
        for link in self.servers.links:
            try:
                await link.ask("version")
            except UnavailableError as e:
                missing.append(f"the cache {self._name}: {e.what}")
        return tuple(missing)

    async def survey(self) -> tuple[str, ...]:
        """Say one line about each server that answers."""
        lines = []
        for link in self.servers.links:
            try:
                lines.append(f"{link.name}  {_described(await link.ask('stats'))}")
            except UnavailableError:  # which `probe` says
                continue
        return tuple(lines)

    async def get(self, purpose: str, name: bytes) -> bytes | None:
        """Read, or None."""
        place = self._place(purpose, name)
        _, stored = await place.link.ask("get", place.key)
        return place.read(stored)

    async def put(self, purpose: str, name: bytes, value: bytes, ttl: float) -> None:
        """Write, replacing."""
        place = self._place(purpose, name)
        until, data = place.link.deadline(), place.written(value)
        expires = await _expires(place.link, ttl, until)
        stored = await place.link.ask(
            "set", place.key, data, 0, expires, until=until, octets=len(data)
        )
        if not stored:
            raise UnavailableError(f"{place.link.name}: does not store")

    async def delete(self, purpose: str, name: bytes) -> None:
        """Delete."""
        place = self._place(purpose, name)
        await place.link.ask("delete", place.key)

    async def touch(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Set the time left."""
        place = self._place(purpose, name)
        until = place.link.deadline()
        expires = await _expires(place.link, ttl, until)
        found: bool = await place.link.ask("touch", place.key, expires, until=until)
        return found

    async def compare_and_set(
        self, purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        """Write *new* if *old* is what is there."""
        place = self._place(purpose, name)
        ask, until, data = place.link.ask, place.link.deadline(), place.written(new)
        expires = await _expires(place.link, ttl, until)
        _, unique, stored = await ask("get", place.key, True, until=until)
        if place.read(stored) != old:
            return False
        command: tuple[Any, ...] = ("add", place.key, data)
        if stored is not None:
            command = ("checkAndSet", place.key, data, unique)
        done: bool = await ask(*command, 0, expires, until=until, octets=len(data))
        return done

    async def add(self, purpose: str, name: bytes, value: bytes, ttl: float) -> bool:
        """Refuse: what is added must stay."""
        _cannot("add", purpose, name, value, ttl)

    async def mark(self, purpose: str, name: bytes, ttl: float) -> bool:
        """Refuse: a mark must stay."""
        _cannot("mark", purpose, name, ttl)

    async def take(self, purpose: str, name: bytes) -> bytes | None:
        """Refuse: reading and deleting are two steps."""
        _cannot("take", purpose, name)

    async def index_add(
        self, purpose: str, index: bytes, member: bytes, ttl: float
    ) -> None:
        """Refuse: there are no sets."""
        _cannot("index_add", purpose, index, member, ttl)

    async def index_remove(self, purpose: str, index: bytes, member: bytes) -> None:
        """Refuse: there are no sets."""
        _cannot("index_remove", purpose, index, member)

    async def index_list(self, purpose: str, index: bytes) -> list[bytes]:
        """Refuse: there are no sets."""
        _cannot("index_list", purpose, index)

    async def publish(self, purpose: str, message: bytes) -> None:
        """Refuse: there are no messages."""
        _cannot("publish", purpose, message)

    def subscribe(self, purpose: str) -> Subscription:
        """Refuse: there are no messages."""
        _cannot("subscribe", purpose)

    def _place(self, purpose: str, name: bytes) -> "_Place":
        check_purpose(purpose)
        hashed = self._start.copy()
        hashed.update(purpose.encode("ascii") + b"\0" + name)
        digest = hashed.digest()
        key = urlsafe_b64encode(digest).rstrip(b"=")
        return _Place(digest, key, self.servers.of(key))


@attrs.frozen
class _Place:
    """Where a record is: its hash, its key, the link to its server."""

    digest: bytes
    key: bytes
    link: Link

    def written(self, value: bytes) -> bytes:
        """Give *value* as it is stored."""
        check_value(value)
        return _HEADER.pack(_FORM, self.digest, len(value)) + value

    def read(self, stored: bytes | None) -> bytes | None:
        """Give the value that is stored; None if it is not the whole value of this."""
        if stored is None or len(stored) < _HEADER.size:
            return None
        form, digest, length = _HEADER.unpack_from(stored)
        value = stored[_HEADER.size :]
        if (form, digest, length) != (_FORM, self.digest, len(value)):
            return None
        return value


async def _expires(link: Link, ttl: float, until: float) -> int:
    """
    Give the time to live as memcached wants it: in whole seconds; 0 would be for ever.

    What lives for more than a month expires at a time, by the server's clock.
    """
    check_ttl(ttl)
    seconds = math.ceil(ttl)
    if seconds <= MONTH:
        return seconds
    now = int((await link.ask("stats", until=until)).get(b"time", b"0"))
    return max(MONTH, min(now + seconds, LATEST)) if now else MONTH


def _described(stats: Mapping[bytes, bytes]) -> str:
    """Say what a server is, and whether it has had to forget anything."""

    def number(name: bytes) -> int:
        text = stats.get(name, b"")
        return int(text) if text.isdigit() else 0

    version = ascii(stats.get(b"version", b"?").decode("latin-1"))[1:-1]
    used, room = (number(n) / 2**20 for n in (b"bytes", b"limit_maxbytes"))
    return (
        f"memcached {version[:40]}, {number(b'curr_items')} records,"
        f" {used:.1f} of {room:.1f} MiB, {number(b'evictions')} evicted"
    )


def _cannot(operation: str, *_: object) -> NoReturn:
    raise NotImplementedError(f"memcached cannot {operation}")
