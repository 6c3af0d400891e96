"""Whatever servers and callers do: each request ends once, and nothing is left over."""

from collections.abc import Callable
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from sso_proxy.config.upstream_parts import ServerOptions, UpstreamOptions
from sso_proxy.grouping import Groups
from sso_proxy.net.ticker import PERIOD, Ticker
from sso_proxy.specs.http.answer import read_answer
from sso_proxy.testing.clock import SettableClock
from sso_proxy.upstream import Reply
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.target import Patience, Target
from sso_proxy.upstream.way import Attempt, Way
from tests.support.exchanges import FakeExchange, outgoing
from tests.support.upstream_lab import by

MOST = 1
SERVERS = 2
KINDS = ("ask", "ask", "ask", "begin", "end", "fail", "drop", "time", "refuse")
REASONS = (
    "backend-unreachable: Connection refused",
    "backend-unreachable: Too many open files",
    "backend-timeout",
    "backend-closed",
    "status-line",
)


class Sink:
    """One request at one server."""

    full = False

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.unsent = True
        self.over = self.begun = False

    def write(self, data: bytes) -> None: ...

    def end(self) -> None: ...

    def resume(self) -> None: ...

    def abandon(self) -> None:
        self.over = True


class Pool:
    """All servers' connections."""

    def __init__(self) -> None:
        self.sinks: list[Sink] = []
        self.at_once = False

    def forward(self, exchange: Attempt, outgoing: Outgoing) -> Sink:  # noqa: ARG002
        sink = Sink(exchange)
        if self.at_once:
            sink.over = True
            exchange.fail(502, REASONS[0])
        else:
            self.sinks.append(sink)
        return sink

    def counts(self) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None: ...


def reply(status: int) -> Reply:
    return Reply(read_answer(f"HTTP/1.1 {status} X\r\n\r\n".encode(), method="GET"))


class World:
    def __init__(self, balance: Literal["round_robin", "user"]) -> None:
        self.reactor, self.clock = Clock(), SettableClock()
        self.ticker = Ticker(self.reactor, self.clock)
        self.ticker.start()
        self.pool = Pool()
        make: Callable[..., Any] = lambda *_: self.pool  # noqa: E731
        urls = [f"http://s{number}" for number in range(SERVERS)]
        options = UpstreamOptions(
            server=tuple(ServerOptions(url=url) for url in urls),
            balance=balance,
            connections=MOST,
            queue=3,
            queue_timeout=2.0,
            failures=1,
            failure=("connect", "closed"),
            failure_status=(503,),
            pause=1.0,
        )
        target = Target(
            name="upstream:a",
            kind="upstream",
            servers=tuple(Target(name=url) for url in urls),
            options=options,
        )
        groups = Groups(lambda _, make: make(), make, self.ticker)
        self.group = groups.make(target, Patience())
        self.asked: list[tuple[FakeExchange, Way]] = []
        self.dropped: set[Way] = set()

    def step(self, kind: str, number: int) -> None:
        sinks = [sink for sink in self.pool.sinks if not sink.over]
        if kind == "ask":
            self.ask(number)
        elif kind == "refuse":
            self.pool.at_once = number % 2 == 0
        elif kind == "time":
            self.clock.advance(number / 4)
            self.reactor.advance(PERIOD)
        elif kind == "drop" and self.asked:
            exchange, way = self.asked[number % len(self.asked)]
            if not exchange.over and way not in self.dropped:
                self.dropped.add(way)
                way.abandon()
        elif sinks:
            self.answer(kind, number, sinks[number % len(sinks)])

    def ask(self, number: int) -> None:
        exchange = FakeExchange()
        method = ("GET", "POST")[number % 2]
        request = by(f"user{number}", outgoing(method, body=number % 4 == 3))
        way = self.group.forward(exchange, request)
        self.asked.append((exchange, way))
        if number % 4 == 3:
            way.write(b"body")

    def answer(self, kind: str, number: int, sink: Sink) -> None:
        attempt, sink.unsent = sink.attempt, False
        if kind == "begin" and not sink.begun:
            sink.begun = True
            attempt.begin(reply((200, 503)[number % 2]), b"")
        elif kind == "end":
            sink.over = True
            if sink.begun:
                attempt.finish()
            else:
                attempt.whole(reply((200, 503)[number % 2]), b"")
        elif kind == "fail":
            sink.over = True
            if sink.begun:
                attempt.cut("backend-cut")
            else:
                attempt.fail(502, REASONS[number % len(REASONS)])

    def check(self) -> None:
        busy = sum(each["busy"] for each in self.group.servers.state())
        assert busy == sum(not sink.over for sink in self.pool.sinks)
        assert all(each["busy"] <= MOST for each in self.group.servers.state())
        open_ = [
            way for exchange, way in self.asked
            if not exchange.over and way not in self.dropped
        ]  # fmt: skip
        assert busy + self.group.servers.waiting == len(open_)
        assert self.group.servers.waiting <= 3


_steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 11)), max_size=60)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["round_robin", "user"]), _steps)
def test_each_request_ends_once(
    balance: Literal["round_robin", "user"], steps: list[tuple[str, int]]
) -> None:
    world = World(balance)
    for kind, number in steps:
        world.step(kind, number)
        world.check()
    world.pool.at_once = False
    for _ in range(200):
        world.step("end", 0)
        world.step("time", 2)
    world.check()
    assert world.group.servers.waiting == 0
    assert not [sink for sink in world.pool.sinks if not sink.over]
    assert not any(m.server.standing.tries for m in world.group.servers.members)
