"""
The list of what is revoked that the machines of a fleet share, in a cache.

One set has a sealed member for each record.  Whoever can write to the cache can neither
revoke nor lift anything; what somebody deletes there, each machine that knows it writes
again.  The messages say only that there is something to be read.
"""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

import attrs
from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger

from sso_proxy.config.model import ComponentConfig, Config
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import (
    ICache,
    IClock,
    IClosable,
    ISealer,
    ISubscription,
)
from sso_proxy.net.clock import SystemClock
from sso_proxy.registry import Registry
from sso_proxy.specs.revocation_document import RevocationError
from sso_proxy.specs.revocation_record import (
    KEPT_AFTER,
    RevocationRecord,
    join,
    read_record,
    write_record,
)
from sso_proxy.storage import Storage, state_dir_of
from sso_proxy.tools import Tools

PURPOSE: Final = "revocations"
NEEDS: Final = frozenset(
    {"index_add", "index_list", "index_remove", "publish", "subscribe"}
)
_INDEX: Final = b"all"
_ALONE: Final = ("local", "memory")
"""Caches that no other machine reaches."""
_PATH: Final = "server.revocations.cache"

_log = Logger()


@attrs.frozen(kw_only=True)
class Found:
    """
    What stands in the list.

    Attributes:
        records: What was said, by the id of the selection.
        surplus: Members that say nothing beyond that.
        strange: How many cannot be read with our keys.
    """

    records: dict[str, RevocationRecord]
    surplus: tuple[bytes, ...] = ()
    strange: int = 0


class SharedList:
    """
    The list in the cache.

    Args:
        cache: Where it is.
        sealer: Seals its members.
        clock: The time.
        close: Lets go of the cache.
    """

    def __init__(
        self,
        cache: ICache,
        sealer: ISealer,
        clock: IClock,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.close = close
        self._cache = cache
        self._sealer = sealer
        self._clock = clock

    async def read(self) -> Found:
        """
        Read all of it.

        Raises:
            UnavailableError: The cache does not answer.
        """
        records: dict[str, RevocationRecord] = {}
        members: dict[str, tuple[RevocationRecord, bytes]] = {}
        surplus, strange = list[bytes](), 0
        # In one order for all: of equal ones everybody keeps the same.
        for octets in sorted(await self._cache.index_list(PURPOSE, _INDEX)):
            record = self._open(octets)
            if record is None:
                strange += 1
                continue
            known = members.get(record.id)
            if known is None:
                members[record.id], records[record.id] = (record, octets), record
                continue
            joined = records[record.id] = join(known[0], record)
            if joined == known[0]:
                surplus.append(octets)
            else:
                surplus.append(known[1])
                members[record.id] = (record, octets)
        return Found(records=records, surplus=tuple(surplus), strange=strange)

    async def write(self, records: Iterable[RevocationRecord]) -> None:
        """
        Have others read *records*.

        Raises:
            UnavailableError: The cache does not take them, or not all.
        """
        now = self._clock.time()
        for record in records:
            sealed = self._sealer.seal(write_record(record))
            ttl = max(record.until + KEPT_AFTER - now, 1.0)
            await self._cache.index_add(PURPOSE, _INDEX, sealed, ttl)
        await self._cache.publish(PURPOSE, b"")

    async def tidy(self, surplus: Iterable[bytes]) -> None:
        """
        Take members out that say nothing beyond what others say.

        Raises:
            UnavailableError: The cache does not answer.
        """
        for octets in surplus:
            await self._cache.index_remove(PURPOSE, _INDEX, octets)

    def subscribe(self) -> ISubscription:
        """Hear when there is something new to be read."""
        return self._cache.subscribe(PURPOSE)

    def _open(self, octets: bytes) -> RevocationRecord | None:
        opened = self._sealer.open(octets)
        if opened is None:
            return None
        try:
            return read_record(opened)
        except RevocationError as e:
            _log.warn("a shared revocation {problem}", problem=e.problem)
            return None


def check_shared(config: Config, storage: Storage) -> None:
    """
    Check that revocations can be shared as *config* says, if it does.

    Raises:
        ConfigError: They cannot.
    """
    options = config.server.revocations
    if options is None:
        return
    found = config.cache.get(options.cache)
    if found is not None and found.type in _ALONE:
        problem = (
            f"{options.cache!r} is of the type {found.type!r}, which other machines"
            " cannot reach; name one of the type 'redis'"
        )
        raise ConfigError(Mistake(_PATH, problem))
    try:
        storage.cache(options.cache, NEEDS)
        storage.sealer(PURPOSE)
    except ConfigError as e:
        raise ConfigError(*(Mistake(_PATH, m.problem) for m in e.mistakes)) from None


def open_shared(reactor: Any, config: Config) -> SharedList | None:  # noqa: ANN401
    """
    Open the list that *config* says is shared; None if it says of none.

    Raises:
        ConfigError: The cache or the keys cannot be used.
    """
    options = config.server.revocations
    if options is None:
        return None
    registry, clock = Registry.load(config.server.plugin_path), SystemClock()
    made: list[Any] = []

    def share(_key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        made.append(make())
        return made[-1]

    def close() -> None:
        for part in made:
            if IClosable.providedBy(part):
                part.close()

    def make_cache(name: str, component: ComponentConfig) -> ICache:
        tools = Tools(
            name=name,
            clock=clock,
            http_client=None,
            reactor=reactor,
            spawn=_spawn,
            shared=share,
            state_dir=state_dir_of(config),
        )
        cache: ICache = registry.build("ICache", component, tools, f"cache.{name}")
        return cache

    storage = Storage(config, make_cache, checking=False)
    check_shared(config, storage)
    cache, sealer = storage.cache(options.cache, NEEDS), storage.sealer(PURPOSE)
    if storage.mistakes:
        raise ConfigError(*storage.mistakes)
    cache.open()
    return SharedList(cache, sealer, clock, close)


def _spawn(coroutine: Coroutine[Any, Any, Any]) -> None:
    ensureDeferred(coroutine).addErrback(
        lambda failure: _log.failure("a task of the cache failed", failure)
    )
