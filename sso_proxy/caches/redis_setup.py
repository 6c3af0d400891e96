"""Out of the options: where the servers are, and how they are spoken to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from sso_proxy.caches.redis_cluster import Cluster
from sso_proxy.caches.redis_config import (
    RedisCacheConfig,
    RedisTlsConfig,
    read_address,
)
from sso_proxy.caches.redis_dial import Access, Dialler, Place
from sso_proxy.caches.redis_link import Gate
from sso_proxy.caches.redis_names import BUCKETS
from sso_proxy.caches.redis_node import Node
from sso_proxy.caches.redis_sentinel import Sentinels
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.net.tls.client import ClientTls, MaterialError, client_options

_DEFAULT: Final = "127.0.0.1:6379"
_HOW: Final = "set tls, or allow_plaintext = true if the network between is yours alone"
_SMALLEST_BUCKET: Final = 2**22

Servers: TypeAlias = Node | Cluster
"""What commands are given to."""


@attrs.frozen(kw_only=True)
class Settings:
    """
    Everything that connections depend on; equal ones may share them.

    Attributes:
        config: The options.
        access: How servers are spoken to.
        sentinel_access: How Sentinels are.
    """

    config: RedisCacheConfig
    access: Access
    sentinel_access: Access | None = None


def read_settings(config: RedisCacheConfig, path: str) -> Settings:
    """
    Read the files that *config* names, and check that its options go together.

    Args:
        config: The options.
        path: Where they stand in the configuration.

    Raises:
        ConfigError: With all mistakes.
    """
    mistakes = [Mistake(f"{path}.{at}", problem) for at, problem in _clashes(config)]

    def tls(options: RedisTlsConfig | None, at: str) -> ClientTls | None:
        try:
            return _read_tls(options)
        except (OSError, MaterialError, ValueError) as e:
            mistakes.append(Mistake(f"{path}.{at}", str(e)))
            return None

    access = Access(
        username=config.username,
        password=config.password,
        tls=tls(config.tls, "tls"),
        server_name=config.tls.server_name if config.tls else "",
        plaintext=config.allow_plaintext,
        database=config.database,
    )
    sentinel, sentinel_access = config.sentinel, None
    if sentinel is not None:
        sentinel_access = Access(
            username=sentinel.username,
            password=sentinel.password,
            tls=tls(sentinel.tls, "sentinel.tls"),
            server_name=sentinel.tls.server_name if sentinel.tls else "",
            plaintext=config.allow_plaintext,
        )
    if mistakes:
        raise ConfigError(*mistakes)
    return Settings(config=config, access=access, sentinel_access=sentinel_access)


def build_servers(
    settings: Settings,
    reactor: Any,  # noqa: ANN401
    random: Callable[[], float],
) -> Servers:
    """Make what commands are given to; connects when there is a command."""
    config = settings.config
    dialler = Dialler(
        reactor,
        Gate(config.commands),
        connect_timeout=config.connect_timeout,
        timeout=config.timeout,
    )
    if config.cluster:
        seeds = [read_address(each) for each in config.cluster]
        return Cluster(seeds, settings.access, dialler, random)
    if config.sentinel is not None and settings.sentinel_access is not None:
        sentinels = Sentinels(
            [read_address(each) for each in config.sentinel.servers],
            config.sentinel.master,
            settings.sentinel_access,
            dialler,
        )
        return Node(sentinels.find, settings.access, dialler, random, master=True)
    place = read_address(config.server or _DEFAULT)

    async def find() -> Place:
        return place

    return Node(find, settings.access, dialler, random)


def _clashes(config: RedisCacheConfig) -> Iterator[tuple[str, str]]:
    """Find options that do not go together: where, and why."""
    given = [
        name for name in ("server", "sentinel", "cluster") if getattr(config, name)
    ]
    for name in given[1:]:
        yield name, f"stands beside {given[0]}; only one of them can be meant"
    if config.cluster and config.database:
        yield "database", "a cluster has none but 0"
    if config.cluster and config.budget < BUCKETS * _SMALLEST_BUCKET:
        yield "budget", f"must be {BUCKETS * _SMALLEST_BUCKET} or more in a cluster"
    sentinel = config.sentinel
    for at, user, password in (
        ("username", config.username, config.password),
        *(
            [("sentinel.username", sentinel.username, sentinel.password)]
            if sentinel
            else ()
        ),
    ):
        if user and password is None:
            yield at, "has no password"
    if config.tls is not None and (config.server or "").startswith("unix:"):
        yield "tls", "has no effect on a unix socket"
    if config.allow_plaintext and config.tls and (not sentinel or sentinel.tls):
        yield "allow_plaintext", "has no effect with tls"
    places = [("server", config.server or "")] if config.server else []
    places += [("cluster", each) for each in config.cluster]
    if config.tls is None:
        yield from _exposed(config, places)
    if sentinel is not None and sentinel.tls is None:
        yield from _exposed(config, [("sentinel.servers", s) for s in sentinel.servers])


def _exposed(
    config: RedisCacheConfig, places: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Find servers on other machines to which we would speak without TLS."""
    for at, text in places:
        if not config.allow_plaintext and not read_address(text).is_local:
            yield at, f"{text!r} is another machine; {_HOW}"


def _read_tls(options: RedisTlsConfig | None) -> ClientTls | None:
    """Read files, and see that they can be used."""
    if options is None:
        return None
    tls = ClientTls(
        ca=_read(options.ca),
        certificate=_read(options.certificate),
        key=_read(options.key),
    )
    client_options("localhost", tls=tls)
    return tls


def _read(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
