"""All that is looked at, one after the other, while a reactor runs."""

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.logger import Logger

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.building import Builder
from sso_proxy.cache_probe import probe_cache
from sso_proxy.config.key_ring import read_key_ring
from sso_proxy.config.model import Config
from sso_proxy.doctor.asking import ListeningClient, look_at_clock, look_at_part
from sso_proxy.doctor.certificates import look_at_certificates
from sso_proxy.doctor.cookies import look_at_cookies
from sso_proxy.doctor.finding import Finding, State
from sso_proxy.doctor.redirects import look_at_redirects
from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import IClosable
from sso_proxy.model import WARNING
from sso_proxy.net.clock import SystemClock
from sso_proxy.notes import notes_of, notes_of_routes
from sso_proxy.parts import Parts
from sso_proxy.registry import Registry
from sso_proxy.storage import DEFAULT, key_ring_path
from sso_proxy.tools import Tools

SLOW: Final = 50.0
"""Milliseconds of one operation of a cache, of which each request may take some."""

_OLD: Final = 400 * 86400.0
_ASKED: Final = ("authenticator.", "token.", "mapper.", "checker.", "policy.")

_took = re.compile(r"([0-9.]+) ms$").search
_log = Logger()


def examine(config: Config, say: Callable[[Finding], object]) -> bool:
    """
    Look at everything; starts and ends the reactor.

    Args:
        config: The configuration.
        say: Told each finding as it comes.

    Returns:
        Whether nothing is broken.

    Raises:
        ConfigError: The configuration is wrong.
        BrokenPipeError: *say* says so.
    """
    outcomes: list[bool | ConfigError | BrokenPipeError] = []

    async def run(reactor: Any) -> None:  # noqa: ANN401
        outcomes.append(await look(config, reactor, say))

    try:
        react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit:
        if not outcomes:  # interrupted, or a fault of ours, which was logged
            raise
    outcome = outcomes[0]
    if isinstance(outcome, ConfigError | BrokenPipeError):
        raise outcome
    return outcome


async def look(
    config: Config,
    reactor: Any,  # noqa: ANN401
    say: Callable[[Finding], object],
) -> bool | ConfigError | BrokenPipeError:
    """
    Look at everything, as `examine` does, while *reactor* runs.

    Returns:
        The same; or what is wrong, or that nobody listens any more.
    """
    good = True
    try:
        async with aclosing(_findings(config, reactor)) as findings:
            async for finding in findings:
                good &= finding.state != "broken"
                say(finding)
    except (ConfigError, BrokenPipeError) as e:
        return e
    return good


async def _findings(config: Config, reactor: Any) -> AsyncGenerator[Finding, None]:  # noqa: ANN401
    clock = SystemClock()
    client = ListeningClient(reactor, config.server.outbound, clock)
    shared: dict[tuple[Any, ...], Any] = {}
    tools = Tools(
        name="",
        clock=clock,
        http_client=client,
        reactor=None,  # as for `check`: what the start would make is not missed
        spawn=_spawn,
        shared=lambda key, make: _kept(shared, key, make),
    )
    try:
        parts = Builder(config, tools, lambda target, _: target).build()
        for finding in _without_asking(config, parts):
            yield finding
        async for finding in _by_asking(config, parts, client):
            yield finding
        for finding in look_at_clock(client.heard):
            yield finding
        if parts.caches:
            for name in [*config.cache] or [DEFAULT]:
                yield await _cache(config, name, reactor)
    finally:
        await client.close()
        for part in shared.values():
            if IClosable.providedBy(part):
                part.close()


def _kept(
    shared: dict[tuple[Any, ...], Any], key: tuple[Any, ...], make: Callable[[], Any]
) -> Any:  # noqa: ANN401
    if key not in shared:
        shared[key] = make()
    return shared[key]


def _spawn(coroutine: Coroutine[Any, Any, Any]) -> None:
    deferred: Deferred[Any] = Deferred.fromCoroutine(coroutine)
    deferred.addErrback(lambda failure: _log.failure("A task failed.", failure))


def _without_asking(config: Config, parts: Parts) -> Iterator[Finding]:
    """Look at what is here."""
    now = time.time()
    yield Finding("ok", "configuration", "no mistakes")
    lines = (
        *notes_of(config.listener, (), parts.healthy, now),
        *notes_of_routes(config),
    )
    for line in lines:
        yield Finding("warning", "configuration", line)
    yield from look_at_certificates(config, now)
    for number, tls in enumerate(parts.tls):
        for line in () if tls is None else tls.health(now):
            state: State = "warning" if line.startswith(WARNING) else "broken"
            yield Finding(state, f"listener[{number}]", line.removeprefix(WARNING))
    yield from _key_ring(config, parts, now)
    registry = Registry.load(config.server.plugin_path)
    sessions = {
        name: registry.read_options("ISessionStore", each, f"session.{name}")[1]
        for name, each in config.session.items()
    }
    yield from look_at_cookies(sessions)


def _key_ring(config: Config, parts: Parts, now: float) -> Iterator[Finding]:
    """Say how old the key is that seals."""
    path = key_ring_path(config)
    if not path.exists():
        if parts.needs.key_ring is not None:
            yield Finding("ok", "key ring", f"{path} is made at the start")
        return
    key = read_key_ring(path).sealing(now)
    since = datetime.fromtimestamp(key.created, UTC)
    found = f"{path}: the key that seals is of {since:%Y-%m-%d}"
    if now - key.created > _OLD:
        todo = "sso-proxy key rotate makes another, which takes over by itself"
        yield Finding("warning", "key ring", found, todo)
    else:
        yield Finding("ok", "key ring", found)


async def _by_asking(
    config: Config, parts: Parts, client: ListeningClient
) -> AsyncIterator[Finding]:
    """Ask all whom the configuration names."""
    registry = Registry.load(config.server.plugin_path)
    for path, part in parts.named:
        if not path.startswith(_ASKED):
            continue
        finding = await look_at_part(path, part, client)
        if finding is not None:
            yield finding
        family, _, name = path.partition(".")
        if family != "authenticator" or name not in config.authenticator:
            continue
        component = config.authenticator[name]
        _, options = registry.read_options("IAuthenticator", component, path)
        if isinstance(options, OidcConfig):
            for each in await look_at_redirects(config, name, options, client):
                yield each


async def _cache(config: Config, name: str, reactor: Any) -> Finding:  # noqa: ANN401
    """Try a cache, and say how slow it is."""
    what, lines = f"cache.{name}", list[str]()
    try:
        good = await probe_cache(config, name, reactor, lines.append)
    except ConfigError as e:
        found = "; ".join(str(mistake) for mistake in e.mistakes)
        return Finding("warning", what, f"not tried: {found}")
    if not good:
        problem = next((line for line in lines if "FAILED" in line), lines[-1])
        todo = f"sso-proxy cache probe --config FILE {name} says more"
        return Finding("broken", what, " ".join(problem.split()), todo)
    times = [float(match[1]) for match in map(_took, lines) if match]
    slowest = max(times, default=0.0)
    found = f"each operation works, the slowest in {slowest:.1f} ms"
    if slowest > SLOW:
        return Finding("warning", what, found, "requests wait for it: is it far away?")
    return Finding("ok", what, found)
