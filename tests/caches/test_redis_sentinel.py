"""Sentinels say where the master is, also while that changes."""

from typing import Any

import pytest

from sso_proxy.caches.redis_config import RedisSentinelConfig, RedisTlsConfig
from sso_proxy.caches.redis_dial import Access, Place
from sso_proxy.caches.redis_resp import Reply
from sso_proxy.caches.redis_sentinel import Sentinels, read_place
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.testing import outcome_of
from tests.support.programs import free_port
from tests.support.redis_case import RedisCase
from tests.support.redis_servers import RedisServer, server_port
from tests.support.running import eventually

NODE_PASSWORD, SENTINEL_PASSWORD = "s3cret-of-nodes", "s3cret-of-sentinels"


class SentinelTests(RedisCase):
    def start(self) -> None:
        """Start a master, a replica and a Sentinel; all want TLS and passwords."""
        self.master = self.node()
        self.replica = self.node("--replicaof", "127.0.0.1", str(self.master.port))
        self.watcher = self.sentinel(self.master)

    def node(self, *options: str) -> RedisServer:
        port = server_port()
        return self.servers.run(
            *self.servers.tls_options(port),
            *("--requirepass", NODE_PASSWORD, "--masterauth", NODE_PASSWORD),
            *("--repl-diskless-sync-delay", "0"),
            *options,
            port=port,
        )

    def sentinel(self, master: RedisServer) -> RedisServer:
        port, files = server_port(), self.servers.directory
        return self.servers.run(
            "port 0",
            f"tls-port {port}",
            f"tls-cert-file {files}/server.crt",
            f"tls-key-file {files}/server.key",
            f"tls-ca-cert-file {files}/ca.crt",
            "tls-replication yes",
            f"dir {files}",
            f"requirepass {SENTINEL_PASSWORD}",
            f"sentinel monitor mine 127.0.0.1 {master.port} 1",
            f"sentinel auth-pass mine {NODE_PASSWORD}",
            "sentinel down-after-milliseconds mine 500",
            "sentinel failover-timeout mine 3000",
            port=port,
            sentinel=True,
        )

    def options(self) -> dict[str, object]:
        """Give the options that lead to the master, by way of a dead Sentinel."""
        files = self.servers.directory
        tls = RedisTlsConfig(
            ca=str(files / "ca.crt"),
            certificate=str(files / "client.crt"),
            key=str(files / "client.key"),
        )
        dead = f"127.0.0.1:{free_port()}"
        return {
            "sentinel": RedisSentinelConfig(
                servers=(dead, self.watcher.address),
                master="mine",
                password=Secret(SENTINEL_PASSWORD),
                tls=tls,
            ),
            "password": Secret(NODE_PASSWORD),
            "tls": tls,
        }

    async def test_failover_is_followed(self) -> None:
        """With TLS to the Sentinels, and to the nodes that they name."""
        self.start()
        cache = self.make(**self.options())
        await cache.put("a", b"1", b"x", 60)
        heard = cache.subscribe("a")
        await cache.publish("a", b"before")
        assert await heard.__anext__() == b"before"
        eventually(lambda: "+slave slave" in self.watcher.output.read_text(), "replica")
        assert await cache.client.call(b"", b"WAIT", b"1", b"1900") == 1
        self.master.kill()
        await self.failure_of(cache.get("a", b"1"))
        await self.until_works(lambda: cache.put("a", b"2", b"y", 60))
        assert await cache.get("a", b"1") == b"x"
        assert "missed" in await self.failure_of(heard.__anext__())
        await self.until_heard(heard, cache)

    async def test_sentinel_that_knows_no_such_master_is_named(self) -> None:
        watcher = self.servers.run(
            f"port {(port := server_port())}",
            f"dir {self.servers.directory}",
            port=port,
            sentinel=True,
        )
        found = RedisSentinelConfig(servers=(watcher.address,), master="mine")
        cache = self.make(sentinel=found)
        problem = await self.failure_of(cache.get("a", b"1"))
        assert "no Sentinel knows mine" in problem
        assert watcher.address in problem


class FakeLink:
    """A Sentinel that knows the master."""

    name = "redis at fake:1"

    async def send(self, *_: bytes) -> Reply:
        return [b"192.0.2.1", b"6379"]

    def close(self) -> None:
        pass


class FakeDialler:
    """Reaches all but the first Sentinel."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    async def dial(self, place: Place, _: Access) -> FakeLink:
        self.dialled.append(place.host)
        if place.host == "first":
            raise UnavailableError("down")
        return FakeLink()


def test_who_knew_it_is_asked_first_the_next_time() -> None:
    """One that is down costs its time limit once, not at every failover."""
    dialler: Any = FakeDialler()
    places = [Place(name, 1) for name in ("first", "second", "third")]
    sentinels = Sentinels(places, "mine", Access(), dialler)
    for _ in range(2):
        assert outcome_of(sentinels.find()) == Place("192.0.2.1", 6379)
    assert dialler.dialled == ["first", "second", "second"]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"127.0.0.1:1",
        [],
        [b"127.0.0.1"],
        [b"127.0.0.1", 6379],
        [b"127.0.0.1", b"0"],
        [b"127.0.0.1", b"65536"],
        [b"127.0.0.1", b"-1"],
        [b"127.0.0.1", b"63791111111"],
        [b"", b"6379"],
        [b"\xff", b"6379"],
        [b"a" * 300, b"6379"],
    ],
)
def test_only_host_and_port_are_a_place(reply: Reply) -> None:
    assert read_place(reply) is None


def test_place_is_read() -> None:
    assert read_place([b"192.0.2.1", b"6379"]) == Place("192.0.2.1", 6379)
