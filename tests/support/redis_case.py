"""What tests with real servers of Redis begin with."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.caches.redis import RedisCache
from sso_proxy.caches.redis_config import RedisCacheConfig
from sso_proxy.caches.redis_dial import Dialler
from sso_proxy.caches.redis_link import Gate
from sso_proxy.caches.subscription import Subscription
from sso_proxy.errors import UnavailableError
from sso_proxy.testing.fakes import FakeTools
from tests.support.redis_servers import Servers


class RedisCase(TestCase):
    """A test with real servers."""

    @pytest.fixture(autouse=True)
    def use_servers(self, redis_servers: Servers) -> None:
        self.servers = redis_servers

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor

    def make(self, **options: Any) -> RedisCache:  # noqa: ANN401
        """Make a cache with a prefix of its own, unless told otherwise."""
        config = RedisCacheConfig(**{"prefix": self.servers.new_prefix()} | options)
        tools = FakeTools(reactor=self.reactor, name="r")
        cache = RedisCache.from_config(config, tools)
        cache.open()
        self.addCleanup(self.close, cache)
        return cache

    def dialler(self, *, connect_timeout: float = 2.0, timeout: float = 2.0) -> Dialler:
        return Dialler(
            self.reactor, Gate(100), connect_timeout=connect_timeout, timeout=timeout
        )

    async def close(self, cache: RedisCache) -> None:
        cache.client.close()
        await self.pause(0.01)

    async def pause(self, seconds: float) -> None:
        await deferLater(self.reactor, seconds)

    async def until_works(
        self, ask: Callable[[], Awaitable[object]], seconds: float = 15.0
    ) -> None:
        """Ask again and again until that is no failure."""
        until = self.reactor.seconds() + seconds
        while True:
            try:
                await ask()
            except UnavailableError:
                if self.reactor.seconds() > until:
                    raise
            else:
                return
            await self.pause(0.05)

    async def next_of(self, subscription: Subscription, seconds: float = 5.0) -> bytes:
        """Wait for a message, but not for ever."""
        waiting = Deferred.fromCoroutine(subscription.__anext__())
        waiting.addTimeout(seconds, self.reactor)
        return await waiting

    async def until_heard(self, subscription: Subscription, there: RedisCache) -> None:
        """Publish until it is heard; misses may be told before."""
        for _ in range(100):
            await self.until_works(lambda: there.publish("a", b"again"))
            try:
                assert await self.next_of(subscription, 1.0) == b"again"
            except (UnavailableError, TimeoutError):
                continue
            return
        raise AssertionError("not heard")

    async def failure_of(self, asked: Awaitable[object]) -> str:
        """Give what cannot be had, and why."""
        with pytest.raises(UnavailableError) as caught:
            await asked
        return caught.value.what
