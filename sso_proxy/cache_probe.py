"""Whether the caches of a configuration work: every operation, tried and timed."""

import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import Logger

from sso_proxy.caches.local import LocalCache
from sso_proxy.config.model import ComponentConfig, Config
from sso_proxy.errors import ConfigError, Mistake, SsoProxyError, UnavailableError
from sso_proxy.interfaces import (
    ICache,
    IClock,
    IClosable,
    IHealth,
    ISurveyed,
)
from sso_proxy.model import WARNING
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.registry import Registry
from sso_proxy.storage import DEFAULT, Storage, state_dir_of
from sso_proxy.tools import Tools

PURPOSE: Final = "probe"

_LIFE: Final = 60.0
"""Seconds after which what an unfinished attempt leaves behind is gone."""

_PATIENCE: Final = 5.0
"""Seconds for any one operation; caches have shorter limits of their own."""

_log = Logger()

Say = Callable[[str], object]
Try = Callable[[ICache, bytes], Coroutine[Any, Any, object]]


class _WrongError(SsoProxyError):
    """A cache gives another answer than the right one."""


def probe_caches(config: Config, name: str | None, say: Say) -> bool:
    """
    Try the caches of *config* in this process, whose reactor this starts and ends.

    Args:
        config: The configuration.
        name: The only cache to try; None for all, or the one that there always is.
        say: Told each line of the report.

    Returns:
        Whether all of them work.

    Raises:
        ConfigError: A cache cannot be made as it is configured.
    """
    outcomes: list[bool | ConfigError] = []

    async def run(reactor: Any) -> None:  # noqa: ANN401
        try:
            outcomes.append(await _Probe(config, reactor, say).run(name))
        except ConfigError as e:
            outcomes.append(e)

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit:
        if not outcomes:  # interrupted, or a fault of ours, which was logged
            raise
    outcome = outcomes[0]
    if isinstance(outcome, ConfigError):
        raise outcome
    return outcome


async def probe_cache(config: Config, name: str, reactor: Any, say: Say) -> bool:  # noqa: ANN401
    """
    Try the cache called *name* while a reactor runs, as `probe_caches` does.

    Raises:
        ConfigError: It cannot be made as it is configured.
    """
    return await _Probe(config, reactor, say).run(name)


class _Probe:
    """The caches of one configuration, outside the proxy that it is for."""

    def __init__(self, config: Config, reactor: Any, say: Say) -> None:  # noqa: ANN401
        self._config = config
        self._reactor = reactor
        self._say = say
        self._clock = SystemClock()
        self._shared: dict[tuple[Any, ...], Any] = {}
        self._registry = Registry.load(config.server.plugin_path)
        self._storage = Storage(config, self._make, checking=True)

    async def run(self, name: str | None) -> bool:
        """Try what is asked for."""
        names = [name] if name else [*self._config.cache] or [DEFAULT]
        default = ComponentConfig(type="local")
        good = True
        try:
            for each in names:
                kind = self._config.cache.get(each, default).type
                cache = self._open(each)
                self._say(f"{each}  type {kind}")
                good &= await check(cache, self._clock, self._reactor, self._say)
        finally:
            for part in self._shared.values():
                if IClosable.providedBy(part):
                    part.close()
        return good

    def _open(self, name: str) -> ICache:
        configured = name in self._config.cache or name != DEFAULT
        try:
            cache = self._storage.cache(name if configured else None, frozenset())
        except ConfigError:
            if self._storage.mistakes:
                raise ConfigError(*self._storage.mistakes) from None
            raise
        if isinstance(cache, LocalCache):
            _check_owner(cache, f"cache.{name}")
        cache.open()
        return cache

    def _make(self, name: str, component: ComponentConfig) -> ICache:
        tools = Tools(
            name=name,
            clock=self._clock,
            http_client=HttpClient(None, self._config.server.outbound),
            reactor=self._reactor,
            spawn=_spawn,
            shared=self._share,
            state_dir=state_dir_of(self._config),
        )
        cache: ICache = self._registry.build(
            "ICache", component, tools, f"cache.{name}"
        )
        return cache

    def _share(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]


def _spawn(coroutine: Coroutine[Any, Any, Any]) -> None:
    deferred: Deferred[Any] = Deferred.fromCoroutine(coroutine)
    deferred.addErrback(lambda failure: _log.failure("A task failed.", failure))


def _check_owner(cache: LocalCache, path: str) -> None:
    """
    Refuse to make files that the proxy itself could not open.

    Raises:
        ConfigError: They are not there yet, or another user's.
    """
    directory = cache.store.environment.directory
    try:
        owner = directory.stat().st_uid
    except OSError as e:
        problem = f"{str(directory)!r}: {e.strerror}; the proxy makes it when it starts"
        raise ConfigError(Mistake(path, problem)) from None
    if owner != os.geteuid():
        problem = f"{str(directory)!r} belongs to another user; be that user (sudo -u)"
        raise ConfigError(Mistake(path, problem))


async def check(cache: ICache, clock: IClock, reactor: Any, say: Say) -> bool:  # noqa: ANN401
    """
    Try each operation of an open cache once; stops at the first that fails.

    Args:
        cache: The cache.
        clock: Measures how long each takes.
        reactor: Limits how long each may take.
        say: Told a line for each server and each operation.

    Returns:
        Whether all went well.
    """
    name = os.urandom(16)
    good = await _report(cache, say)
    for operations, attempt in _ATTEMPTS:
        label = ", ".join(operations)
        if not cache.operations.issuperset(operations):
            say(f"  {label:36}  not with this type")
            continue
        begun = clock.monotonic()
        try:
            await _limited(attempt(cache, name), reactor)
        except (UnavailableError, _WrongError) as e:
            problem = e.what if isinstance(e, UnavailableError) else str(e)
            say(f"  {label:36}  FAILED: {problem}")
            return False
        say(f"  {label:36}  {1000 * (clock.monotonic() - begun):7.2f} ms")
    return good


async def _limited(attempt: Coroutine[Any, Any, object], reactor: Any) -> None:  # noqa: ANN401
    done = Deferred.fromCoroutine(attempt)
    await done.addTimeout(_PATIENCE, reactor, onTimeoutCancel=_late)


def _late(_result: object, seconds: float) -> object:
    raise UnavailableError(f"not done in {seconds:g} s")


async def _report(cache: ICache, say: Say) -> bool:
    """Say what the cache says of itself, and whether that is good."""
    if ISurveyed.providedBy(cache):
        with suppress(UnavailableError):  # which `probe` says
            for line in await cache.survey():
                say(f"  {line}")
    lines = await cache.probe() if IHealth.providedBy(cache) else ()
    for line in lines:
        say(f"  {line}")
    return all(line.startswith(WARNING) for line in lines)


async def _put(cache: ICache, name: bytes) -> None:
    await cache.put(PURPOSE, name, b"first", _LIFE)


async def _get(cache: ICache, name: bytes) -> None:
    _require(await cache.get(PURPOSE, name) == b"first")


async def _touch(cache: ICache, name: bytes) -> None:
    _require(await cache.touch(PURPOSE, name, _LIFE))


async def _compare_and_set(cache: ICache, name: bytes) -> None:
    _require(await cache.compare_and_set(PURPOSE, name, b"first", b"second", _LIFE))


async def _delete(cache: ICache, name: bytes) -> None:
    await cache.delete(PURPOSE, name)
    _require(await cache.get(PURPOSE, name) is None)


async def _add(cache: ICache, name: bytes) -> None:
    _require(await cache.add(PURPOSE, name, b"mark", _LIFE))
    _require(not await cache.add(PURPOSE, name, b"mark", _LIFE))


async def _mark(cache: ICache, name: bytes) -> None:
    _require(await cache.mark(PURPOSE, b"mark " + name, _LIFE))
    _require(not await cache.mark(PURPOSE, b"mark " + name, _LIFE))


async def _take(cache: ICache, name: bytes) -> None:
    await cache.put(PURPOSE, name, b"once", _LIFE)
    _require(await cache.take(PURPOSE, name) == b"once")
    _require(await cache.take(PURPOSE, name) is None)


async def _index(cache: ICache, name: bytes) -> None:
    await cache.index_add(PURPOSE, name, b"member", _LIFE)
    _require(await cache.index_list(PURPOSE, name) == [b"member"])
    await cache.index_remove(PURPOSE, name, b"member")


async def _messages(cache: ICache, name: bytes) -> None:
    subscription = cache.subscribe(PURPOSE)
    try:
        await cache.publish(PURPOSE, name)
        while await subscription.__anext__() != name:
            continue  # somebody else probes
    finally:
        subscription.close()


_ATTEMPTS: Final[tuple[tuple[tuple[str, ...], Try], ...]] = (
    (("put",), _put),
    (("get",), _get),
    (("touch",), _touch),
    (("compare_and_set",), _compare_and_set),
    (("delete",), _delete),
    (("add",), _add),
    (("mark",), _mark),
    (("take",), _take),
    (("index_add", "index_list", "index_remove"), _index),
    (("publish", "subscribe"), _messages),
)
"""In this order: each finds what the one before has left."""


def _require(true: object) -> None:
    if not true:
        raise _WrongError("another answer than the right one")
