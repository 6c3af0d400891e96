"""Stores that lie log nobody in, and hold nobody up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.caches.redis import RedisCache
from sso_proxy.caches.redis_config import RedisCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.session import Session
from sso_proxy.sessions.names import encode
from sso_proxy.testing.fakes import FakeTools, make_identity
from tests.support.caching import now
from tests.support.memcached import lying, make_cache
from tests.support.sessions import MAKERS, Browser, SessionTools, Store

reactor: Any = installed

ALICE = make_identity("alice")
DISTURBED = 0.3
"""Seconds of time limit for servers that do not answer."""

LIES = (
    b":0\r\n",
    b":1\r\n",
    b":-1\r\n",
    b"+OK\r\n",
    b"+QUEUED\r\n",
    b"$5\r\nhello\r\n",
    b"$0\r\n\r\n",
    b"*0\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$1\r\nx\r\n",
    b"*1\r\n$8\r\n\x7f\xf0\0\0\0\0\0\0\r\n",
    b"*2\r\n*0\r\n$-1\r\n",
    b"*-1\r\n",
    b"-ERR nothing\r\n",
    b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    b"-NOAUTH Authentication required.\r\n",
    b"$999999999999\r\n",
    b"*999999999\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\0\0\0\0",
    b"$5\r\nhel",
    b"",
)


class Liar(Protocol):
    """Greets as Redis does, and gives one answer to everything else."""

    lie = b""
    greeted = False

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        if not self.greeted:
            self.greeted = True
            transport.write(b"+PONG\r\n")
            return
        transport.write(self.lie * max(1, data.count(b"*")))


class LieTests(TestCase):
    """Sessions that are good by what browsers have, and stores that say anything."""

    def setUp(self) -> None:
        self.tools = SessionTools()
        self.browsers: dict[str, Browser] = {}
        for kind, make in MAKERS.items():
            self.browsers[kind] = browser = Browser()
            browser.take(now(make(self.tools).start(browser.request(), ALICE, {})))

    @contextmanager
    def liar(self, lie: bytes) -> Iterator[RedisCache]:
        factory = Factory.forProtocol(type("", (Liar,), {"lie": lie}))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        address = f"127.0.0.1:{port.getHost().port}"
        config = RedisCacheConfig(server=address, timeout=DISTURBED)
        cache = RedisCache.from_config(config, FakeTools(reactor=reactor, name="r"))
        cache.open()
        try:
            yield cache
        finally:
            cache.client.close()
            self.addCleanup(port.stopListening)

    def store(self, kind: str, cache: object, **options: Any) -> Store:  # noqa: ANN401
        tools = SessionTools(clock=self.tools.clock)
        tools.memory = cache  # type: ignore[assignment]
        return MAKERS[kind](tools, **options)

    async def found(self, store: Store, browser: Browser) -> Session | None:
        begun = time.monotonic()
        try:
            return (await store.load(browser.request())).session
        except UnavailableError:
            return None
        finally:
            assert time.monotonic() - begun < 8 * DISTURBED
            store.common.endings.close()

    async def test_no_answer_that_makes_no_sense_lets_anybody_in(self) -> None:
        """Neither by a session that is not there, nor by one that may have ended."""
        for lie in LIES:
            for kind, browser in self.browsers.items():
                with self.liar(lie) as cache:
                    store = self.store(kind, cache)
                    assert await self.found(store, browser) is None, (kind, lie)
            await deferLater(reactor, 0.01)

    async def test_nobody_is_logged_in_by_a_store_that_says_anything(self) -> None:
        for lie in LIES:
            with self.liar(lie) as cache:
                store = self.store("server", cache)
                browser = Browser()
                begun = time.monotonic()
                try:
                    browser.take(await store.start(browser.request(), ALICE, {}))
                except UnavailableError:
                    assert not browser.cookies
                assert time.monotonic() - begun < 8 * DISTURBED
                assert await self.found(store, browser) is None, lie
            await deferLater(reactor, 0.01)

    async def test_memcached_that_lies_lets_nobody_in(self) -> None:
        browser = Browser(**{"__Host-sso": "1." + encode(bytes(32))})
        for lie in (
            b"\xff\xfe\0\r\n",
            b"STORED\r\n",
            b"ERROR\r\n",
            b"SERVER_ERROR out of memory\r\n",
            b"VALUE other 0 1\r\nx\r\nEND\r\n",
            b"VALUE k 0 -1\r\n\r\nEND\r\n",
            b"",
        ):
            with lying({b"get": lie, b"gets": lie}) as server:
                address = f"127.0.0.1:{server.port}"
                cache = make_cache(reactor, address, timeout=DISTURBED)
                cache.open()
                store = self.store("server", cache, listed=False)
                assert await self.found(store, browser) is None, lie
                cache.servers.close()
