"""What the components of one configuration keep: caches, and what is sealed."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.config.key_ring import KeyRing, make_key, read_key_ring
from sso_proxy.config.model import ComponentConfig, Config
from sso_proxy.config.state import state_directory
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ICache, IHealth
from sso_proxy.sealing import RingSealer

DEFAULT: Final = "default"
"""The cache that those get who name none, where several are configured or none is."""


@attrs.frozen(kw_only=True)
class Needs:
    """
    What has to be on this machine before a configuration can be served.

    Attributes:
        directory: The state directory, to be made if it is not there; None if nothing
            is kept in it.
        key_ring: The key ring, to be made if it is not there; None if nothing is
            sealed, or the operator has said where it is.
    """

    directory: Path | None = None
    key_ring: Path | None = None


MakeCache = Callable[[str, ComponentConfig], ICache]
"""Makes the cache of this name; raises ConfigError."""


def state_dir_of(config: Config) -> Path:
    """Give the directory for what outlives the process; it may not be there."""
    configured = config.server.state_dir
    return state_directory(configured, uid=os.geteuid(), environ=os.environ)


def key_ring_path(config: Config) -> Path:
    """Give the name of the key ring; it may not be there."""
    if config.key_ring is not None and config.key_ring.file is not None:
        return Path(config.key_ring.file)
    return state_dir_of(config) / "keys.json"


class Storage:
    """
    Gives components their caches and sealers; makes what somebody asks for.

    Args:
        config: The configuration.
        make_cache: Makes a cache.
        checking: Whether nothing will be served.  A key ring that the start would make
            is then not missed.

    Attributes:
        caches: Those that somebody has asked for.
        mistakes: Why some of what was asked for could not be given.
    """

    def __init__(
        self, config: Config, make_cache: MakeCache, *, checking: bool
    ) -> None:
        self.caches: list[ICache] = []
        self._seals = False
        self.mistakes: list[Mistake] = []
        self._config = config
        self._make_cache = make_cache
        self._checking = checking
        self._made: dict[str, ICache | None] = {}
        self._ring: KeyRing | None = None

    def make_configured(self) -> None:
        """Make all that the configuration names, whether anybody asks for it or not."""
        for name in self._config.cache:
            self._cache(name)
        if self._ring_is_configured():
            self._read_ring()

    def cache(self, name: str | None, needs: frozenset[str]) -> ICache:
        """Give a cache, as `ITools` says."""
        chosen = self._choose(name)
        cache = self._cache(chosen)
        if cache is None:
            problem = f"needs the cache {chosen!r}, which cannot be used"
            raise ConfigError(Mistake("", problem))
        if missing := needs - cache.operations:
            problem = f"{chosen!r} is a cache that cannot {', '.join(sorted(missing))}"
            raise ConfigError(Mistake("cache", problem))
        if cache not in self.caches:
            self.caches.append(cache)
        return cache

    def sealer(self, kind: str) -> RingSealer:
        """Give a sealer, as `ITools` says."""
        self._seals = True
        ring = self._read_ring()
        if ring is None:
            raise ConfigError(Mistake("", "needs our own keys, which cannot be used"))
        return RingSealer(kind, ring)

    def states(self) -> list[tuple[str, ICache]]:
        """Give the caches asked for that have a state, with their places."""
        return [
            (f"cache.{name}", cache)
            for name, cache in self._made.items()
            if cache in self.caches and IHealth.providedBy(cache)
        ]

    def needs(self) -> Needs:
        """Say what has to be there for all that was asked for."""
        directory = state_dir_of(self._config)
        default = self._seals and not self._ring_is_configured()
        return Needs(
            directory=directory if default or self.caches else None,
            key_ring=key_ring_path(self._config) if default else None,
        )

    def _choose(self, name: str | None) -> str:
        configured = list(self._config.cache)
        if name is None and len(configured) == 1:
            return configured[0]
        if name is None and configured and DEFAULT not in configured:
            problem = (
                f"there are {', '.join(configured)}; say which, or call one default"
            )
            raise ConfigError(Mistake("cache", problem))
        if name is not None and name not in configured:
            problem = f"there is no [cache.{name}]"
            raise ConfigError(Mistake("cache", problem))
        return name or DEFAULT

    def _cache(self, name: str) -> ICache | None:
        if name not in self._made:
            component = self._config.cache.get(name, ComponentConfig(type="local"))
            try:
                self._made[name] = self._make_cache(name, component)
            except ConfigError as e:
                self._made[name] = None
                self.mistakes.extend(e.mistakes)
        return self._made[name]

    def _read_ring(self) -> KeyRing | None:
        if self._ring is None and not self._ring_mistakes():
            path = key_ring_path(self._config)
            configured = self._ring_is_configured()
            if self._checking and not configured and not path.exists():
                self._ring = KeyRing((make_key(time.time(), os.urandom),))
                return self._ring
            try:
                self._ring = read_key_ring(path)
            except ConfigError as e:
                where = "key_ring.file" if configured else "key_ring"
                self.mistakes.extend(
                    Mistake(where, f"{m.path} {m.problem}") for m in e.mistakes
                )
        return self._ring

    def _ring_is_configured(self) -> bool:
        ring = self._config.key_ring
        return ring is not None and ring.file is not None

    def _ring_mistakes(self) -> bool:
        return any(m.path.startswith("key_ring") for m in self.mistakes)
