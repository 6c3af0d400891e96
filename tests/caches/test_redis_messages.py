"""Messages: heard by all, and none is lost without a word."""

import pytest
from twisted.internet.defer import Deferred

from sso_proxy.caches.redis import RedisCache
from sso_proxy.errors import UnavailableError
from tests.support.redis_case import RedisCase
from tests.support.redis_servers import RedisServer


class MessagesTests(RedisCase):
    def several(
        self, number: int, server: RedisServer | None = None
    ) -> list[RedisCache]:
        prefix = self.servers.new_prefix()
        address = (server or self.servers.plain).address
        return [self.make(server=address, prefix=prefix) for _ in range(number)]

    async def test_all_processes_hear_all_messages_in_order(self) -> None:
        caches = self.several(3)
        heard = [cache.subscribe("a") for cache in caches for _ in range(2)]
        for cache in caches:
            await cache.get("a", b"")
        for number in range(20):
            await caches[number % 3].publish("a", b"%d" % number)
        for subscription in heard:
            for number in range(20):
                assert await self.next_of(subscription) == b"%d" % number

    async def test_what_is_read_after_subscribing_is_older_than_what_is_heard(
        self,
    ) -> None:
        """Whoever subscribes and then reads misses nothing in between."""
        here, there = self.several(2)
        for number in range(20):
            subscription = here.subscribe("a")
            name = b"%d" % number
            reading = Deferred.fromCoroutine(here.get("a", name))
            writing = Deferred.fromCoroutine(self.tell(there, name))
            found = await reading
            await writing
            if found is None:
                assert await self.next_of(subscription) == b"m"
            subscription.close()

    async def tell(self, cache: RedisCache, name: bytes) -> None:
        await cache.put("a", name, b"x", 60)
        await cache.publish("a", b"m")

    async def test_lost_connection_is_told_and_mended(self) -> None:
        server = self.servers.run()
        here, there = self.several(2, server)
        subscription = here.subscribe("a")
        await here.publish("a", b"1")
        assert await self.next_of(subscription) == b"1"
        server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        with pytest.raises(UnavailableError):
            await self.next_of(subscription)
        again = here.subscribe("a")
        await here.get("a", b"")
        await self.until_heard(again, there)

    async def test_outage_is_told_before_and_after(self) -> None:
        """Whoever asks anew in between learns that this was too early."""
        server = self.servers.run()
        here, there = self.several(2, server)
        subscription = here.subscribe("a")
        await here.get("a", b"")
        server.kill()
        with pytest.raises(UnavailableError):
            await self.next_of(subscription)
        early = here.subscribe("a")
        await self.failure_of(here.get("a", b""))
        server.start()
        with pytest.raises(UnavailableError):
            await self.next_of(early)
        await self.until_heard(early, there)

    async def test_message_that_was_counted_and_not_heard_is_missed(self) -> None:
        """As when our connection leads to a server that the others have left."""
        (cache,) = self.several(1)
        subscription = cache.subscribe("a")
        await cache.publish("a", b"1")
        assert await self.next_of(subscription) == b"1"
        count = cache.client.names.count("a")
        self.servers.plain.ask("INCR", count)
        begin = self.reactor.seconds()
        with pytest.raises(UnavailableError):
            await self.next_of(subscription)
        assert self.reactor.seconds() - begin < 1.5

    async def test_gap_in_the_numbers_is_told(self) -> None:
        (cache,) = self.several(1)
        subscription = cache.subscribe("a")
        await cache.get("a", b"")
        names = cache.client.names
        self.servers.plain.ask("PUBLISH", names.channel("a"), "7:message")
        with pytest.raises(UnavailableError):
            await self.next_of(subscription)
        assert await self.next_of(subscription) == b"message"

    async def test_message_without_a_number_is_told_as_a_gap(self) -> None:
        (cache,) = self.several(1)
        subscription = cache.subscribe("a")
        await cache.get("a", b"")
        for text in ("", "x", "-1:x", "9" * 30 + ":x"):
            self.servers.plain.ask("PUBLISH", cache.client.names.channel("a"), text)
        problem = "nothing"
        while "missed" not in problem:
            try:
                await self.next_of(subscription)
            except UnavailableError as e:
                problem = e.what

    async def test_nobody_listens_when_nobody_has_subscribed(self) -> None:
        server = self.servers.run()
        (cache,) = self.several(1, server)
        subscription = cache.subscribe("a")
        await cache.get("a", b"")
        clients = server.ask("CLIENT", "LIST", "TYPE", "pubsub")
        assert isinstance(clients, bytes)
        assert clients.count(b" addr=") == 1
        subscription.close()
        with pytest.raises(StopAsyncIteration):
            await subscription.__anext__()
        await self.pause(0.1)
        assert server.ask("CLIENT", "LIST", "TYPE", "pubsub") == b""

    async def test_purpose_is_left_and_taken_up_again(self) -> None:
        (cache,) = self.several(1)
        stays = cache.subscribe("b")
        for number in range(5):
            subscription = cache.subscribe("a")
            await cache.publish("a", b"%d" % number)
            assert await self.next_of(subscription) == b"%d" % number
            subscription.close()
        await cache.publish("b", b"x")
        assert await self.next_of(stays) == b"x"

    async def test_closing_the_cache_ends_subscriptions(self) -> None:
        (cache,) = self.several(1)
        subscription = cache.subscribe("a")
        cache.client.close()
        with pytest.raises(StopAsyncIteration):
            await subscription.__anext__()
        with pytest.raises(StopAsyncIteration):
            await cache.subscribe("a").__anext__()
