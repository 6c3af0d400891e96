"""Caches of one process, and time that passes when told to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from sso_proxy.caches.local import LocalCache, LocalCacheConfig
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools
from tests.support.caching import MakeLocal
from tests.support.redis_servers import Servers, temporary_servers


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture(scope="session")
def redis_servers() -> Iterator[Servers]:
    """Real servers of Redis, each started by the first test that needs it."""
    directory, servers = temporary_servers()
    with directory, servers:
        yield servers


@pytest.fixture
def make_local(tmp_path: Path, clock: SettableClock) -> Iterator[MakeLocal]:
    """Make open ``local`` caches, which are closed at the end."""
    made: list[LocalCache] = []

    def make(
        directory: str = "cache",
        *,
        name: str = "default",
        opened: bool = True,
        budget: int = 2**24,
    ) -> LocalCache:
        config = LocalCacheConfig(directory=str(tmp_path / directory), budget=budget)
        tools = FakeTools(name=name, clock=clock, reactor=Clock())
        cache = LocalCache.from_config(config, tools)
        made.append(cache)
        if opened:
            cache.open()
        return cache

    yield make
    for cache in made:
        cache.store.close()
