"""What a server does in one step, and the books that it keeps."""

from twisted.internet.defer import Deferred

from sso_proxy.caches.records import cost
from sso_proxy.caches.redis import RedisCache
from sso_proxy.caches.redis_scripts import PUBLISH, STORE
from tests.support.redis_case import RedisCase

SMALL = 2**22
LONG = b"x" * 500_000


class BooksTests(RedisCase):
    def small(self) -> RedisCache:
        return self.make(server=self.servers.plain.address, budget=SMALL)

    async def octets(self, cache: RedisCache) -> int:
        (key,) = cache.client.names.sums("a")
        return await cache.client.number(key)

    async def test_records_count_what_they_cost_until_they_go(self) -> None:
        cache = self.small()
        await cache.put("a", b"1", b"12", 60)
        assert await self.octets(cache) == cost(b"12")
        await cache.put("a", b"1", b"1234", 60)
        assert await self.octets(cache) == cost(b"1234")
        await cache.add("a", b"2", b"", 60)
        await cache.index_add("a", b"3", b"12345", 60)
        await cache.index_add("a", b"3", b"12345", 60)
        everything = cost(b"1234") + cost(b"") + cost(b"12345")
        assert await self.octets(cache) == everything
        await cache.touch("a", b"1", 60)
        await cache.touch("a", b"2", 60)
        assert await self.octets(cache) == everything
        await cache.delete("a", b"1")
        await cache.take("a", b"2")
        await cache.delete("a", b"2")
        await cache.index_remove("a", b"3", b"12345")
        await cache.index_remove("a", b"3", b"12345")
        assert await self.octets(cache) == 0

    async def test_what_expires_makes_room_at_once(self) -> None:
        """A steady stream of marks needs nobody to sweep."""
        cache = self.small()
        for number in range(3 * SMALL // cost(LONG)):
            assert await cache.add("a", b"%d" % number, LONG, 0.05)
            await self.pause(0.02)

    async def test_what_was_refused_leaves_the_old_record(self) -> None:
        cache = self.small()
        await cache.put("a", b"1", b"old", 60)
        for number in range(SMALL // cost(LONG)):
            await cache.add("a", b"m%d" % number, LONG, 60)
        await self.failure_of(cache.put("a", b"1", LONG, 60))
        assert await cache.get("a", b"1") == b"old"
        marks = SMALL // cost(LONG) * cost(LONG)
        assert await self.octets(cache) == marks + cost(b"old")
        await cache.delete("a", b"1")
        await cache.delete("a", b"m0")
        left = SMALL // cost(LONG) - 1
        assert await self.octets(cache) == left * cost(LONG)

    async def test_mark_that_is_prolonged_is_still_kept(self) -> None:
        cache = self.small()
        await cache.add("a", b"mark", LONG, 30)
        await cache.touch("a", b"mark", 1)
        for number in range(20):
            await cache.put("a", b"%d" % number, LONG, 60)
        assert await cache.get("a", b"mark") == LONG

    async def test_record_is_not_evicted_by_what_its_name_had_before(self) -> None:
        """So much has expired that it is not all cleared away at once."""
        cache = self.small()
        await cache.put("a", b"name", b"x", 60)
        keys = cache.client.names.value("a", b"name")
        left = [b"left-%d:800" % number for number in range(5000)]
        left[1100] = keys.id + b":800"
        scored = [part for at, e in enumerate(left) for part in (b"%d" % at, e)]
        self.servers.plain.ask("ZADD", keys.stem + b"e", *scored)
        self.servers.plain.ask("INCRBY", keys.stem + b"n", str(800 * len(left)))
        await cache.put("a", b"long", b"x" * 700_000, 30)
        assert await cache.get("a", b"name") == b"x"
        remaining = self.servers.plain.ask("ZSCORE", keys.stem + b"e", left[1100])
        assert remaining is None, "it was there until then"

    async def test_lost_books_mend_themselves(self) -> None:
        """Somebody has removed keys by hand."""
        cache = self.small()
        for number in range(SMALL // cost(LONG)):
            await cache.put("a", b"%d" % number, LONG, 60)
        stem = cache.client.names.value("a", b"0").stem
        for key in (b"e", b"k"):
            await cache.client.call(stem + key, b"DEL", stem + key)
        await cache.put("a", b"more", b"", 60)
        assert await self.octets(cache) == cost(b"")

    async def test_server_that_has_lost_the_scripts_is_given_them(self) -> None:
        cache = self.small()
        await cache.put("a", b"1", b"x", 60)
        self.servers.plain.ask("SCRIPT", "FLUSH")
        assert await cache.take("a", b"1") == b"x"

    async def test_of_two_takers_one_gets_it(self) -> None:
        first = self.small()
        prefix = first.client.names.prefix
        second = self.make(server=self.servers.plain.address, prefix=prefix)
        for number in range(50):
            name = b"%d" % number
            await first.put("a", name, b"x", 60)
            both = [
                Deferred.fromCoroutine(cache.take("a", name))
                for cache in (first, second)
            ]
            assert sorted([str(await each) for each in both]) == ["None", "b'x'"]


def test_scripts_are_called_by_their_hash() -> None:
    assert len(STORE.sha) == 40
    assert STORE.sha != PUBLISH.sha
    assert "local" not in repr(STORE)
