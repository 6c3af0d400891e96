"""Records on real memcached servers, which end, stop and lie."""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.caches.memcached import LATEST, MONTH, MemcachedCache
from sso_proxy.caches.records import MOST
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IHealth
from sso_proxy.testing.cache_checks import check_cache
from sso_proxy.testing.pki import Pki
from tests.support.memcached import Memcached, lying, make_cache, tls_options

reactor: Any = installed

DISTURBED = 0.3
"""Seconds of time limit for servers that do not answer."""


async def passed(seconds: float) -> None:
    await deferLater(reactor, seconds)


class MemcachedTests(TestCase):
    """One plain server for all."""

    resources: ClassVar[ExitStack]
    server: ClassVar[Memcached]

    @classmethod
    def setUpClass(cls) -> None:
        cls.resources = ExitStack()
        directory = cls.resources.enter_context(tempfile.TemporaryDirectory())
        cls.server = cls.resources.enter_context(Memcached(Path(directory)))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.resources.close()

    def setUp(self) -> None:
        self.server.say(b"flush_all")
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def cache(self, *servers: str, **options: Any) -> MemcachedCache:  # noqa: ANN401
        """Give an open cache, with the server of all if no other is named."""
        cache = make_cache(reactor, *(servers or (self.server.name,)), **options)
        self.addCleanup(cache.servers.close)
        cache.open()
        return cache

    def own_server(self, *options: str) -> Memcached:
        return self.enterContext(Memcached(self.directory, *options))

    async def down(self, cache: MemcachedCache, within: float = 2.0) -> str:
        """Give why *cache* is down, which must be told in time."""
        begun = time.monotonic()
        with pytest.raises(UnavailableError) as caught:
            await cache.get("a", b"1")
        assert time.monotonic() - begun < within
        return caught.value.what

    async def up(self, cache: MemcachedCache) -> None:
        """Wait until *cache* works again."""
        until = time.monotonic() + 15
        while await cache.probe():
            assert time.monotonic() < until
            await passed(0.05)

    async def test_it_keeps_the_contract(self) -> None:
        cache = self.cache()
        assert verifyObject(ICache, cache)
        assert verifyObject(IHealth, cache)
        await check_cache(cache, passed)
        assert await cache.probe() == ()

    async def test_it_keeps_the_contract_over_tls_and_on_several_servers(self) -> None:
        pki = Pki.create()
        pki.issue("proxy", client=True).write(self.directory, "client")
        options = tls_options(self.directory, pki)
        servers = [self.own_server(*options) for _ in range(2)]
        cache = self.cache(*(s.name for s in servers), **self.tls())
        await check_cache(cache, passed)
        assert await cache.probe() == ()

    def tls(self, certificate: str = "client", ca: str = "ca") -> dict[str, Any]:
        return {
            "tls": True,
            "ca": str(self.directory / f"{ca}.crt"),
            "certificate": str(self.directory / f"{certificate}.crt"),
            "key": str(self.directory / f"{certificate}.key"),
        }

    async def test_a_server_is_believed_only_with_the_right_certificate(self) -> None:
        pki, other = Pki.create(), Pki.create()
        pki.issue("proxy", client=True).write(self.directory, "client")
        other.write(self.directory, "other")
        right = self.own_server(*tls_options(self.directory, pki))
        wrong = self.own_server(*tls_options(self.directory, pki, ip="127.0.0.2"))
        assert "VerificationError" in await self.down(
            self.cache(wrong.name, **self.tls())
        )
        assert "certificate verify failed" in await self.down(
            self.cache(right.name, **self.tls(ca="other"))
        )

    async def test_a_server_believes_us_only_with_the_right_certificate(self) -> None:
        pki, other = Pki.create(), Pki.create()
        other.issue("proxy", client=True).write(self.directory, "client")
        server = self.own_server(*tls_options(self.directory, pki))
        problem = await self.down(self.cache(server.name, **self.tls()))
        assert "alert" in problem, problem

    async def test_only_hashes_are_sent(self) -> None:
        cache = self.cache()
        for name in (b"alice@example.com", b"x\r\nflush_all\r\n", b"n" * 300):
            await cache.put("session", name, b"sealed", 60)
        keys = self.server.records()
        assert len(keys) == 3
        assert {len(key) for key in keys} == {43}

    async def test_prefixes_share_nothing(self) -> None:
        one, other = self.cache(prefix="one:"), self.cache(prefix="other:")
        await one.put("a", b"1", b"one", 60)
        assert await other.get("a", b"1") is None
        await other.put("a", b"1", b"other", 60)
        assert await one.get("a", b"1") == b"one"

    async def store(self, change: Callable[[bytes], bytes]) -> None:
        """Change what the server has for the only record there is."""
        (key,) = self.server.records()
        answer = self.server.say(b"get " + key)
        head, _, rest = answer.partition(b"\r\n")
        new = change(rest[: int(head.split()[3])])
        line = b"set %b 0 60 %d\r\n%b" % (key, len(new), new)
        assert self.server.say(line) == b"STORED\r\n"

    async def test_what_is_not_the_whole_value_of_the_key_is_not_there(self) -> None:
        cache = self.cache()
        await cache.put("a", b"1", b"value of a", 60)
        (key,) = self.server.records()
        stored = self.server.say(b"get " + key).partition(b"\r\n")[2]
        self.server.say(b"delete " + key)
        await cache.put("b", b"1", b"value of b", 60)
        whole = stored.removesuffix(b"\r\nEND\r\n")
        for wrong in (whole, b"", b"value of b"):  # the first is another purpose's
            await self.store(lambda _, wrong=wrong: wrong)  # type: ignore[misc]
            assert await cache.get("b", b"1") is None
        await cache.put("b", b"1", b"value of b", 60)
        for change in (
            lambda stored: stored[:-1],
            lambda stored: stored + b"b",
            lambda stored: b"\2" + stored[1:],
        ):
            await self.store(change)
            assert await cache.get("b", b"1") is None
            await cache.put("b", b"1", b"value of b", 60)
            assert await cache.get("b", b"1") == b"value of b"

    async def test_what_cannot_be_read_can_be_replaced(self) -> None:
        cache = self.cache()
        await cache.put("a", b"1", b"value", 60)
        await self.store(lambda _: b"garbage")
        assert not await cache.compare_and_set("a", b"1", b"garbage", b"new", 60)
        assert await cache.compare_and_set("a", b"1", None, b"new", 60)
        assert await cache.get("a", b"1") == b"new"

    async def test_of_two_who_change_a_value_one_does(self) -> None:
        one, other = self.cache(), self.cache()
        for old in (None, b"old"):
            if old is not None:
                await one.put("a", b"1", old, 60)
            attempts = [
                cache.compare_and_set("a", b"1", old, b"new", 60)
                for cache in (one, other)
                for _ in range(5)
            ]
            done = [await each for each in [*map(self.started, attempts)]]
            assert sum(done) == 1
            await one.delete("a", b"1")

    @staticmethod
    def started(attempt: Any) -> Any:  # noqa: ANN401
        from twisted.internet.defer import ensureDeferred  # noqa: PLC0415

        return ensureDeferred(attempt)

    def left(self) -> float:
        """Give the seconds that the only record still has."""
        (left,) = self.server.records().values()
        return left

    async def test_more_than_a_month_is_more_than_a_month(self) -> None:
        cache = self.cache()
        for ttl in (MONTH, MONTH + 1, 400 * 86400):
            await cache.put("a", b"1", b"value", ttl)
            assert abs(self.left() - ttl) < 10
        assert await cache.touch("a", b"1", 2 * MONTH)
        assert abs(self.left() - 2 * MONTH) < 10
        assert await cache.compare_and_set("a", b"1", b"value", b"new", 3 * MONTH)
        assert abs(self.left() - 3 * MONTH) < 10
        await cache.put("a", b"1", b"value", 1e9)
        assert abs(self.left() + time.time() - LATEST) < 10
        assert await cache.get("a", b"1") == b"value"

    async def test_less_than_a_second_is_not_for_ever(self) -> None:
        cache = self.cache()
        await cache.put("a", b"1", b"value", 0.1)
        assert self.left() < 5

    async def test_a_value_that_the_server_does_not_take_harms_nothing_else(
        self,
    ) -> None:
        server = self.own_server("-I", "512k")
        cache = self.cache(server.name)
        await cache.put("a", b"1", b"small", 60)
        with pytest.raises(UnavailableError, match="too large"):
            await cache.put("a", b"2", bytes(MOST), 60)
        assert await cache.get("a", b"1") == b"small"

    async def test_several_servers_share_the_records(self) -> None:
        servers = [self.own_server() for _ in range(3)]
        cache = self.cache(*(server.name for server in servers))
        for number in range(60):
            await cache.put("a", b"%d" % number, b"", 60)
        counts = [len(server.records()) for server in servers]
        assert sum(counts) == 60
        assert min(counts) > 5
        # In another order, and without one of them, the others have what they had.
        fewer = self.cache(servers[2].name, servers[0].name)
        found = [await fewer.get("a", b"%d" % n) is not None for n in range(60)]
        assert sum(found) == counts[0] + counts[2]
        servers[1].kill()
        assert len(await cache.probe()) == 1

    async def test_a_restarted_server_is_found_again(self) -> None:
        server = self.own_server()
        cache = self.cache(server.name)
        await cache.put("a", b"1", b"value", 60)
        server.kill()
        assert await self.down(cache)
        assert "refused" in (await cache.probe())[0]
        await passed(0.5)
        assert "refused" in await self.down(cache, within=0.2)
        server.start()
        await self.up(cache)
        assert await cache.get("a", b"1") is None

    async def test_a_server_that_is_not_there_at_first_is_found(self) -> None:
        server = self.own_server()
        server.kill()
        cache = self.cache(server.name)
        assert server.name in await self.down(cache)
        server.start()
        await self.up(cache)
        await cache.put("a", b"1", b"value", 60)

    async def test_a_server_that_stops_holds_up_nobody_for_long(self) -> None:
        server = self.own_server()
        cache = self.cache(server.name, timeout=DISTURBED)
        await cache.put("a", b"1", b"value", 60)
        server.pause()
        waiting = [self.started(cache.get("a", b"1")) for _ in range(20)]
        for each in waiting:
            with pytest.raises(UnavailableError, match="in time"):
                await each
        assert await self.down(cache, within=3 * DISTURBED)
        await passed(2 * DISTURBED)
        assert await self.down(cache, within=0.1)
        server.resume()
        await self.up(cache)
        assert await cache.get("a", b"1") == b"value"

    async def test_no_lie_is_believed_and_none_lasts(self) -> None:
        def drips(sock: Any) -> None:  # noqa: ANN401
            sock.sendall(b"VALUE %b 0 1000\r\n" % key)
            for _ in range(100):
                sock.sendall(b"x")
                time.sleep(0.02)

        def floods(sock: Any) -> None:  # noqa: ANN401
            while True:
                sock.sendall(b"x" * 65536)

        await self.cache().put("a", b"1", b"value", 60)
        (key,) = self.server.records()
        for lie in (
            b"\xff\xfe\0\r\n",
            b"STORED\r\n",
            b"END\r\nEND\r\n",
            b"VALUE other 0 1\r\nx\r\nEND\r\n",
            b"VALUE %b 0 999999999999\r\n" % key,
            b"VALUE %b 0 -1\r\n\r\nEND\r\n" % key,
            b"VALUE %b 0 1\r\nxyz\r\nEND\r\n" % key,
            b"",
            drips,
            floods,
        ):
            with lying({b"get": lie}) as liar:
                cache = self.cache(f"127.0.0.1:{liar.port}", timeout=DISTURBED)
                if lie == b"END\r\nEND\r\n":  # the first is good; the second kills it
                    assert await cache.get("a", b"1") is None
                else:
                    assert await self.down(cache), lie
                cache.servers.close()

    async def test_a_server_that_does_not_greet_is_down(self) -> None:
        for greeting in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 5000):
            with lying({b"version": greeting}) as liar:
                cache = self.cache(f"127.0.0.1:{liar.port}", timeout=DISTURBED)
                assert await self.down(cache)
                cache.servers.close()

    async def test_a_closed_cache_is_unavailable(self) -> None:
        cache = self.cache()
        cache.servers.close()
        assert "closed" in await self.down(cache)
        closed = make_cache(reactor, self.server.name)
        assert "not open" in await self.down(closed)

    async def test_what_must_stay_cannot_be_stored(self) -> None:
        cache = self.cache()
        for call in (
            cache.add("a", b"1", b"", 60),
            cache.take("a", b"1"),
            cache.index_add("a", b"1", b"", 60),
            cache.index_remove("a", b"1", b""),
            cache.index_list("a", b"1"),
            cache.publish("a", b"1"),
        ):
            with pytest.raises(NotImplementedError, match="memcached cannot"):
                await call
        with pytest.raises(NotImplementedError):
            cache.subscribe("a")
