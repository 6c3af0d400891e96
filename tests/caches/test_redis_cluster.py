"""A cluster: slots, redirections, failover, and answers that lead nowhere."""

import pytest
from twisted.internet.defer import Deferred, gatherResults

from sso_proxy.caches.redis_cluster import Redirection, read_redirection, read_slots
from sso_proxy.caches.redis_dial import Place
from sso_proxy.caches.redis_names import slot_of
from sso_proxy.caches.redis_resp import ErrorReply, Reply
from sso_proxy.testing import check_cache
from tests.support.redis_case import RedisCase
from tests.support.redis_servers import RedisServer

HERE = Place("192.0.2.1", 6379)


class ClusterTests(RedisCase):
    def id_of(self, node: RedisServer) -> str:
        reply = node.ask("CLUSTER", "MYID")
        assert isinstance(reply, bytes)
        return reply.decode("ascii")

    def owner_of(self, slot: int) -> RedisServer:
        slots = read_slots(self.servers.cluster[0].ask("CLUSTER", "SLOTS"), HERE)
        port = slots[slot].port
        return next(node for node in self.servers.cluster if node.port == port)

    async def test_it_keeps_the_contract(self) -> None:
        cache = self.make(cluster=(self.servers.cluster[0].address,))
        await check_cache(cache, self.pause)

    async def test_records_are_on_all_nodes(self) -> None:
        cache = self.make(cluster=tuple(n.address for n in self.servers.cluster))
        for number in range(100):
            await cache.put("a", b"%d" % number, b"x", 60)
        prefix = cache.client.names.prefix
        for node in self.servers.cluster:
            assert node.ask("KEYS", f"{prefix}*")
        assert await cache.probe() == ()

    def begin_move(self, slot: int) -> tuple[RedisServer, RedisServer]:
        """Begin to move a slot; gives the nodes that have it and will have it."""
        source = self.owner_of(slot)
        target = next(n for n in self.servers.cluster if n is not source)
        target.ask("CLUSTER", "SETSLOT", str(slot), "IMPORTING", self.id_of(source))
        source.ask("CLUSTER", "SETSLOT", str(slot), "MIGRATING", self.id_of(target))
        return source, target

    def move(self, target: RedisServer, source: RedisServer, *keys: bytes) -> None:
        """Move keys, as redis-cli does."""
        to = ("127.0.0.1", str(target.port), "", "0", "5000")
        assert source.ask("MIGRATE", *to, "KEYS", *keys) == b"OK"

    def end_move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Move what is left, and tell all nodes."""
        found = source.ask("CLUSTER", "GETKEYSINSLOT", str(slot), "100")
        assert isinstance(found, list)
        if keys := [key for key in found if isinstance(key, bytes)]:
            self.move(target, source, *keys)
        for node in (target, source, *self.servers.cluster):
            node.ask("CLUSTER", "SETSLOT", str(slot), "NODE", self.id_of(target))

    async def test_slot_that_moves_takes_its_records_along(self) -> None:
        """On the way and after: no answer is wrong, none is lost."""
        cache = self.make(cluster=(self.servers.cluster[0].address,), timeout=0.8)
        await cache.put("a", b"1", b"x", 60)
        keys = cache.client.names.value("a", b"1")
        slot = slot_of(keys.record)
        source, target = self.begin_move(slot)
        self.move(target, source, keys.record)
        assert await cache.get("a", b"1") == b"x", "asked where it is going"
        problem = await self.failure_of(cache.take("a", b"1"))
        assert "between nodes" in problem, "its books are still elsewhere"
        late = Deferred.fromCoroutine(cache.put("a", b"1", b"y", 60))
        await self.pause(0.4)
        assert not late.called
        self.end_move(slot, source, target)
        await late
        for _ in range(3):
            assert await cache.get("a", b"1") == b"y"
        assert await cache.take("a", b"1") == b"y"
        assert await cache.get("a", b"1") is None

    async def test_what_waits_for_a_slot_is_bounded(self) -> None:
        cache = self.make(
            cluster=(self.servers.cluster[0].address,), timeout=0.3, commands=10
        )
        await cache.put("a", b"2", b"x", 60)
        keys = cache.client.names.value("a", b"2")
        slot = slot_of(keys.record)
        source, target = self.begin_move(slot)
        self.move(target, source, keys.record)
        waiting = [
            Deferred.fromCoroutine(self.failure_of(cache.take("a", b"2")))
            for _ in range(30)
        ]
        problems = await gatherResults(waiting)
        assert sum("too many" in problem for problem in problems) >= 20
        self.end_move(slot, source, target)
        assert await cache.take("a", b"2") == b"x"

    async def test_replica_takes_over(self) -> None:
        cache = self.make(cluster=(self.servers.cluster[0].address,))
        await cache.put("a", b"3", b"x", 60)
        slot = slot_of(cache.client.names.value("a", b"3").record)
        owner = self.owner_of(slot)
        replica = self.servers.add_replica(owner)
        owner.kill()
        await self.until_works(lambda: cache.put("a", b"3", b"y", 60))
        assert await cache.get("a", b"3") == b"y"
        self.servers.replace_node(owner, replica)

    async def test_messages_reach_those_at_other_nodes(self) -> None:
        prefix = self.servers.new_prefix()
        caches = [
            self.make(cluster=(node.address,), prefix=prefix)
            for node in self.servers.cluster
        ]
        heard = [cache.subscribe("a") for cache in caches]
        for cache in caches:
            await cache.get("a", b"settled")
        for number, cache in enumerate(caches):
            await cache.publish("a", b"%d" % number)
        for subscription in heard:
            for number in range(3):
                assert await subscription.__anext__() == b"%d" % number

    async def test_no_cluster_there_is_a_reason(self) -> None:
        cache = self.make(cluster=(self.servers.plain.address,))
        assert "redis at" in await self.failure_of(cache.get("a", b"1"))
        assert "redis at" in await self.failure_of(cache.get("a", b"1"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (b"MOVED 1 192.0.2.7:6380", Redirection(False, 1, Place("192.0.2.7", 6380))),
        (b"ASK 16383 [::1]:1", Redirection(True, 16383, Place("[::1]", 1))),
        (b"MOVED 1 :6380", Redirection(False, 1, Place("", 6380))),
        (b"MOVED x 192.0.2.7:6380", None),
        (b"MOVED 1 192.0.2.7", None),
        (b"MOVED 1 192.0.2.7:0", None),
        (b"MOVED 1 192.0.2.7:99999", None),
        (b"MOVED 1", None),
        (b"ERR MOVED 1 192.0.2.7:6380", None),
    ],
)
def test_redirections_are_read(text: bytes, wanted: Redirection | None) -> None:
    assert read_redirection(ErrorReply(text)) == wanted


def test_slots_are_those_of_masters() -> None:
    entry: list[Reply] = [b"192.0.2.7", 6380, b"id"]
    replica: list[Reply] = [b"192.0.2.8", 6380, b"id"]
    found = read_slots([[0, 1, entry, replica], [5, 5, [b"", 7, b"id"]]], HERE)
    there = Place("192.0.2.7", 6380)
    assert found == {0: there, 1: there, 5: Place("192.0.2.1", 7)}


@pytest.mark.parametrize(
    "reply",
    [
        None,
        [],
        [[]],
        [[0, 99999, [b"x", 1]]],
        [[5, 1, [b"x", 1]]],
        [[-1, 1, [b"x", 1]]],
        [[0, 1, [b"x", 0]]],
        [[0, 1, [b"x", -1]]],
        [[0, 1, [b"\xff", 1]]],
        [[0, 1, []]],
        [[0, 16383, [b"x", 1]], [5, 5, [b"x", 1]]],
    ],
)
def test_nonsense_about_slots_is_left_out(reply: Reply) -> None:
    assert read_slots(reply, HERE) == {}
