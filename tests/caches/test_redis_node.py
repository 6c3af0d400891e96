"""A server that goes, comes back, wants another password, or is one no more."""

import signal
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock

from sso_proxy.caches.redis import RedisCache
from sso_proxy.caches.redis_node import FIRST_PAUSE, LONGEST_PAUSE, Backoff
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from tests.support.programs import free_port
from tests.support.redis_case import RedisCase


class OutageTests(RedisCase):
    async def test_server_that_comes_back_is_found_again(self) -> None:
        server = self.servers.run()
        cache = self.make(server=server.address)
        await cache.put("a", b"1", b"x", 60)
        server.kill()
        for _ in range(3):
            await self.failure_of(cache.get("a", b"1"))
        assert "redis at 127.0.0.1" in "".join(await cache.probe())
        server.start()
        await self.until_works(lambda: cache.put("a", b"1", b"y", 60))
        assert await cache.get("a", b"1") == b"y"
        assert await cache.probe() == ()

    async def test_failures_are_quick_while_it_is_away(self) -> None:
        cache = self.make(server=f"127.0.0.1:{free_port()}")
        await self.failure_of(cache.get("a", b"1"))
        begin = self.reactor.seconds()
        for _ in range(100):
            await self.failure_of(cache.get("a", b"1"))
        assert self.reactor.seconds() - begin < 1

    async def test_paused_server_costs_the_time_limit_and_no_more(self) -> None:
        server = self.servers.run()
        cache = self.make(server=server.address, timeout=0.2, connect_timeout=0.2)
        await cache.add("a", b"1", b"x", 60)
        server.signal(signal.SIGSTOP)
        self.addCleanup(server.kill)
        begin = self.reactor.seconds()
        waiting = [
            Deferred.fromCoroutine(self.failure_of(cache.add("a", b"%d" % n, b"", 60)))
            for n in range(20)
        ]
        problems = await gatherResults(waiting)
        assert self.reactor.seconds() - begin < 1
        assert "no answer within 0.2 s" in problems[0]
        assert "no " in await self.failure_of(cache.get("a", b"1"))
        server.signal(signal.SIGCONT)
        await self.until_works(lambda: cache.get("a", b"1"))
        assert await cache.get("a", b"1") == b"x"

    async def test_queue_is_bounded(self) -> None:
        server = self.servers.run()
        cache = self.make(server=server.address, commands=10, timeout=0.3)
        await cache.get("a", b"1")
        server.signal(signal.SIGSTOP)
        self.addCleanup(server.kill)
        waiting = [
            Deferred.fromCoroutine(self.failure_of(cache.get("a", b"1")))
            for _ in range(50)
        ]
        assert sum(each.called for each in waiting) == 40
        problems = await gatherResults(waiting)
        assert sum("too many" in problem for problem in problems) == 40

    async def test_queue_is_bounded_while_nobody_is_connected(self) -> None:
        server = self.servers.run()
        server.signal(signal.SIGSTOP)
        self.addCleanup(server.kill)
        cache = self.make(server=server.address, commands=10, connect_timeout=0.3)
        waiting = [
            Deferred.fromCoroutine(self.failure_of(cache.get("a", b"1")))
            for _ in range(50)
        ]
        assert sum(each.called for each in waiting) == 40
        await gatherResults(waiting)

    async def test_corrected_password_is_enough(self) -> None:
        """No restart of ours: the server was told the right one."""
        server = self.servers.run("--requirepass", "another")
        cache = self.make(server=server.address, password=Secret("s3cret"))
        for _ in range(3):
            problem = await self.failure_of(cache.get("a", b"1"))
            assert "refuses our user or password" in problem
            assert "s3cret" not in problem
            await self.pause(0.1)
        login = ("another",)
        server.ask("CONFIG", "SET", "requirepass", "s3cret", login=login)
        await self.until_works(lambda: cache.get("a", b"1"))

    async def test_master_that_became_a_replica_is_left(self) -> None:
        """Its connection stays open; only its answers tell."""
        server = self.servers.run()
        cache = self.make(server=server.address)
        await cache.put("a", b"1", b"x", 60)
        plain = self.servers.plain
        server.ask("REPLICAOF", "127.0.0.1", str(plain.port))
        problem = await self.failure_of(cache.put("a", b"1", b"y", 60))
        assert "is no master" in problem
        server.ask("REPLICAOF", "NO", "ONE")
        await self.until_works(lambda: cache.put("a", b"1", b"y", 60))

    def speak(self, *answers: bytes) -> tuple[str, list[Protocol]]:
        """Listen; each connection gets PONG and one of *answers*, and is then ended."""
        connections: list[Protocol] = []

        class Speaker(Protocol):
            def connectionMade(self) -> None:
                connections.append(self)
                self.asked = 0

            def dataReceived(self, data: bytes) -> None:  # noqa: ARG002
                self.asked += 1
                transport: Any = self.transport
                if self.asked == 1:
                    transport.write(b"+PONG\r\n")
                    return
                answer = answers[min(len(connections), len(answers)) - 1]
                transport.write(answer)
                if not answer:
                    transport.loseConnection()

        factory = Factory.forProtocol(Speaker)
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"127.0.0.1:{port.getHost().port}", connections

    async def test_server_that_lets_us_in_and_hangs_up_is_not_pestered(self) -> None:
        address, connections = self.speak(b"")
        cache = self.make(server=address)
        for _ in range(50):
            await self.failure_of(cache.get("a", b"1"))
        assert len(connections) < 5

    async def test_server_that_is_no_master_is_looked_for_anew(self) -> None:
        address, connections = self.speak(b"-READONLY no\r\n", b"$1\r\nx\r\n")
        cache = self.make(server=address)
        assert "is no master" in await self.failure_of(cache.get("a", b"1"))
        await self.pause(0.15)
        assert await cache.get("a", b"1") == b"x"
        assert len(connections) == 2

    async def test_closed_cache_is_unavailable(self) -> None:
        cache: RedisCache = self.make(server=self.servers.plain.address)
        await cache.get("a", b"1")
        cache.client.close()
        assert "closed" in await self.failure_of(cache.get("a", b"1"))


def test_pauses_grow_to_a_limit_and_differ() -> None:
    clock: Any = Clock()
    backoff = Backoff(clock, lambda: 1.0)
    pauses = [backoff.fail("down") for _ in range(20)]
    assert pauses[0] == FIRST_PAUSE
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert Backoff(clock, lambda: 0.0).fail("down") == FIRST_PAUSE / 2
    with pytest.raises(UnavailableError, match="down"):
        backoff.check()
    clock.advance(LONGEST_PAUSE)
    backoff.check()
    backoff.succeed()
    assert backoff.fail("down") == FIRST_PAUSE
