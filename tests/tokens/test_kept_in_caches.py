"""One exchange for all processes, with the caches that they really share."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from sso_proxy.net.clock import SystemClock
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.kept import TokenKeeper
from sso_proxy.tokens.shared import KIND
from tests.support import keeping_process
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
    """Two nodes with one Redis."""

    def setUp(self) -> None:
        super().setUp()
        self.asked = 0
        prefix = self.servers.new_prefix()
        self.here, self.there = self.keeper(prefix), self.keeper(prefix)

    def keeper(self, prefix: str) -> TokenKeeper:
        return TokenKeeper(
            "orders",
            cache=self.make(server=self.servers.plain.address, prefix=prefix),
            sealer=FakeTools().sealer(KIND),
            clock=SystemClock(),
            sleep=lambda seconds: deferLater(self.reactor, seconds),
            rules=KeepRules(),
        )

    def ask(self, keeper: TokenKeeper, key: bytes) -> Deferred[Token | NotIssued]:
        return Deferred.fromCoroutine(keeper.get(key, self.fetch, until=None))

    async def fetch(self) -> Token | NotIssued:
        self.asked += 1
        await self.pause(0.05)
        return self.answer

    async def test_two_nodes_make_one_exchange(self) -> None:
        self.answer: Token | NotIssued = Token(value="secret", expires=None)
        both = (self.here, self.there)
        found = await gatherResults([self.ask(each, b"k") for each in both * 50])
        assert set(found) == {self.answer}
        assert self.asked == 1

    async def test_two_nodes_believe_one_refusal(self) -> None:
        self.answer = NotIssued(reason="token-refused")
        both = (self.here, self.there)
        found = await gatherResults([self.ask(each, b"k") for each in both * 50])
        assert set(found) == {self.answer}
        assert self.asked == 1
        assert await self.there.probe() == ()

    async def test_a_node_that_gets_none_lets_the_other_try(self) -> None:
        self.answer = NotIssued(reason="token-unusable", status=502)
        both = (self.here, self.there)
        found = await gatherResults([self.ask(each, b"k") for each in both * 2])
        assert set(found) == {self.answer}
        assert self.asked == 2
