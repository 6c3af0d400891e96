"""One exchange for all processes, with the caches that they really share."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from sso_proxy.interfaces import ICache
from sso_proxy.net.clock import SystemClock
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.kept import TokenKeeper
from sso_proxy.tokens.shared import KIND
from tests.support import keeping_process
from tests.support.keeping import Answer
from tests.support.memcached import Memcached, make_cache
from tests.support.redis_case import RedisCase
from tests.support.redis_servers import Servers, temporary_servers
from tests.support.running import PATIENCE, environment


@pytest.fixture(scope="module")
def redis_servers() -> Iterator[Servers]:
    """A real server."""
    directory, servers = temporary_servers()
    with directory, servers:
        yield servers


def ask_in_another_process(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, keeping_process.__file__, str(directory), "50"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )


def test_two_processes_make_one_exchange(tmp_path: Path) -> None:
    """A hundred requests at once, fifty each, by the cache in files."""
    both = [ask_in_another_process(tmp_path) for _ in range(2)]
    ends = [threading.Timer(PATIENCE, each.kill) for each in both]
    try:
        for end in ends:
            end.start()
        for each in both:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in both:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        said = [each.communicate()[0] for each in both]
    finally:
        for end, each in zip(ends, both, strict=True):
            end.cancel()
            each.kill()
            each.communicate()
    assert said[0] == said[1]
    assert len(said[0].split()) == 1
    assert (tmp_path / "asked").read_text() == "asked\n"


class RedisKeeperTests(RedisCase):
    """Two nodes with one Redis, or one memcached."""

    def setUp(self) -> None:
        super().setUp()
        self.asked = 0
        prefix, server = self.servers.new_prefix(), self.servers.plain.address
        caches = [self.make(server=server, prefix=prefix) for _ in range(2)]
        self.keepers = [self.keeper(cache) for cache in caches]

    def keeper(self, cache: ICache) -> TokenKeeper:
        return TokenKeeper(
            "orders",
            cache=cache,
            sealer=FakeTools().sealer(KIND),
            clock=SystemClock(),
            sleep=lambda seconds: deferLater(self.reactor, seconds),
            rules=KeepRules(),
        )

    async def ask(self, times: int, answer: Answer) -> list[Answer]:
        """Have both ask so many times, all at once."""

        async def fetch() -> Answer:
            self.asked += 1
            await self.pause(0.05)
            return answer

        asking = [each.get(b"k", fetch, until=None) for each in self.keepers * times]
        return await gatherResults([Deferred.fromCoroutine(each) for each in asking])

    async def test_two_nodes_make_one_exchange(self) -> None:
        token = Token(value="secret")
        assert set(await self.ask(50, token)) == {token}
        assert self.asked == 1

    async def test_two_nodes_believe_one_refusal(self) -> None:
        refusal = NotIssued(reason="token-refused")
        assert set(await self.ask(50, refusal)) == {refusal}
        assert self.asked == 1
        assert await self.keepers[1].probe() == ()

    async def test_a_node_that_gets_none_lets_the_other_try(self) -> None:
        unusable = NotIssued(reason="token-unusable", status=502)
        assert set(await self.ask(2, unusable)) == {unusable}
        assert self.asked == 2

    async def test_memcached_is_enough(self) -> None:
        """It may lose marks; then two ask, and nothing else."""
        with tempfile.TemporaryDirectory() as name, Memcached(Path(name)) as server:
            caches = [make_cache(self.reactor, server.name) for _ in range(2)]
            for cache in caches:
                self.addCleanup(cache.servers.close)
                cache.open()
            self.keepers = [self.keeper(cache) for cache in caches]
            token = Token(value="secret")
            assert set(await self.ask(50, token)) == {token}
            assert self.asked == 1
