"""A client, a backend and what is between them, without sockets and reactor."""

import itertools
from collections.abc import Callable
from typing import Any, Self

from twisted.internet.defer import Deferred
from zope.interface import implementer

from sso_proxy.admission import Connection
from sso_proxy.authz.conditions import Requirements
from sso_proxy.config.limits import LimitsConfig
from sso_proxy.edge.connection import ServerConnection
from sso_proxy.edge.exchange import Exchange
from sso_proxy.edge.site import Rules, Site
from sso_proxy.edge.timing import Told
from sso_proxy.edge.uplink import State
from sso_proxy.interfaces import IAuthenticator, IUpstream
from sso_proxy.model import Authenticated, HeaderChallenge, Outcome, Refusal, Request
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.stream import StreamHandler
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import Route, RouteHeaders, RouteTable
from sso_proxy.specs.http.answer import read_answer
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from sso_proxy.upstream import Reply
from sso_proxy.upstream.request import Outgoing

HOST = b"Host: app.example.com\r\n"


class FakeStream:
    """
    A stream without a socket: what is written is kept.

    Attributes:
        sent: All that was written.
        calls: What else was asked of it, in order.
        stuck: The peer takes nothing: what is written waits.
    """

    def __init__(self, handler: StreamHandler) -> None:
        self.handler = handler
        self.sent = b""
        self.calls: list[str] = []
        self.stuck = False
        self.is_full = False
        self.has_news = False
        self.buffered = 0
        self.progress = 0
        self._reading = True
        self._gone = self._end_came = False

    @property
    def closed(self) -> bool:
        return self._gone

    @property
    def ended(self) -> bool:
        return self._end_came

    @property
    def full(self) -> bool:
        return self.is_full

    @property
    def unheard(self) -> bool:
        return self.has_news

    def is_paused(self) -> bool:
        return not self._reading

    def readable_now(self) -> bool:
        return self._gone or self.has_news

    def write(self, data: bytes) -> None:
        if not self._gone:
            self.sent += data
            self.buffered += len(data) if self.stuck else 0

    def pause(self) -> None:
        self._reading = False

    def resume(self) -> None:
        self._reading = not self._end_came

    def close(self) -> None:
        self.calls.append("close")
        if not self.buffered:
            self.lose("closed")

    def half_close(self) -> None:
        self.calls.append("half_close")

    def abort(self) -> None:
        self.calls.append("abort")
        self.lose("aborted")

    # The peer's side

    def receive(self, *pieces: bytes) -> None:
        """Let the peer's *pieces* arrive one after the other, as far as we read."""
        for piece in pieces:
            if self._reading and not self._gone:
                self.handler.data_received(piece)

    def end(self) -> None:
        """Let the peer's end arrive."""
        if not self._gone:
            self._end_came = True
            self._reading = False
            self.handler.eof_received()

    def drain(self) -> None:
        """Let the peer take everything."""
        self.is_full = False
        self.buffered = 0
        if not self._gone:
            self.handler.drained()

    def lose(self, reason: str = "reset") -> None:
        """Let the connection be gone."""
        if not self._gone:
            self._gone = True
            self.handler.connection_lost(reason)

    def take(self) -> bytes:
        """Give what was sent since the last time."""
        sent, self.sent = self.sent, b""
        return sent


class FakeSink:
    """Where a request's body goes: it is kept."""

    def __init__(self) -> None:
        self.full = False
        self.data = b""
        self.ended = 0
        self.resumed = 0
        self.abandoned = 0

    def write(self, data: bytes) -> None:
        assert not self.abandoned
        self.data += data

    def end(self) -> None:
        self.ended += 1

    def resume(self) -> None:
        self.resumed += 1

    def abandon(self) -> None:
        self.abandoned += 1


@implementer(IUpstream)
class FakeUpstream:
    """
    A backend that answers when the test says so, or at once.

    Attributes:
        asked: Each exchange with its request and its sink.
        at_once: What to do from within ``forward``.
    """

    name = "http://backend.example"
    inside = False

    def __init__(self, at_once: Callable[[Exchange], None] | None = None) -> None:
        self.asked: list[tuple[Exchange, Outgoing, FakeSink]] = []
        self.at_once = at_once
        self.full = False

    def forward(self, exchange: Exchange, outgoing: Outgoing) -> FakeSink:
        sink = FakeSink()
        sink.full = self.full
        self.asked.append((exchange, outgoing, sink))
        if self.at_once is not None:
            self.at_once(exchange)
        return sink

    def close(self) -> None:
        pass

    @property
    def exchange(self) -> Exchange:
        return self.asked[-1][0]

    @property
    def head(self) -> bytes:
        return self.asked[-1][1].head

    @property
    def sink(self) -> FakeSink:
        return self.asked[-1][2]

    def lines(self) -> list[bytes]:
        """Give the request line of everything asked."""
        return [outgoing.head.partition(b"\r\n")[0] for _, outgoing, _ in self.asked]


@implementer(IAuthenticator)
class WaitingAuthenticator:
    """Waits for the test before it says who is calling."""

    consumes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.waits: list[Deferred[Outcome]] = []
        self.cancelled = 0

    async def authenticate(self, request: Request) -> Outcome:  # noqa: ARG002
        def count(_: object) -> None:
            self.cancelled += 1

        waiting: Deferred[Outcome] = Deferred(count)
        self.waits.append(waiting)
        return await waiting

    def challenge(self, request: Request) -> None:
        """Say nothing."""

    def refusal(
        self,
        request: Request,  # noqa: ARG002
        refusal: Refusal,
    ) -> HeaderChallenge | None:
        return HeaderChallenge((f"{refusal.error} {refusal.scope}",))

    def answer(self) -> None:
        """Say that it is Alice, to whoever waits last."""
        self.waits[-1].callback(Authenticated(make_identity()))


def make_reply(head: bytes, method: str = "GET") -> Reply:
    """Read *head*, without the empty line, as a backend's answer."""
    answer = read_answer(head + b"\r\n\r\n", method=method)
    return Reply(answer, to_head=method == "HEAD")


OK = b"HTTP/1.1 200 OK\r\nDate: now"


def answer_ok(exchange: Exchange, body: bytes = b"ok") -> None:
    """Answer *exchange* in one piece."""
    head = OK + b"\r\nContent-Length: %d" % len(body)
    exchange.whole(make_reply(head), body)


def make_route(upstream: FakeUpstream, **changes: Any) -> Route:  # noqa: ANN401
    """Make a route for everything, open to Alice."""
    given: dict[str, Any] = {
        "name": "app.example.com/",
        "host": "app.example.com",
        "path": "/",
        "authenticators": (FakeAuthenticator(),),
        "bindings": {},
        "requirements": Requirements(()),
        "headers": RouteHeaders(),
        "upstream": upstream,
        "own": upstream,
        "body_bytes": 1000,
        "upgrade_idle_timeout": 600.0,
        **changes,
    }
    return Route(**given)


class Scene:
    """
    A site with one client and one backend.

    Attributes:
        client: The client's stream.
        backend: The backend.
        records: Exchanges, as they are recorded.
        gone: How connections ended.
    """

    def __init__(
        self,
        *,
        limits: LimitsConfig | None = None,
        hsts: bytes = b"",
        routes: Callable[[FakeUpstream], list[Route]] | None = None,
        handshake: bool = True,
        timing: Told | None = None,
        **route: Any,  # noqa: ANN401
    ) -> None:
        self.backend = FakeUpstream()
        self.records: list[Exchange] = []
        self.gone: list[tuple[State, str]] = []
        self.limits = limits or LimitsConfig()
        self.hsts = hsts
        self.timing = timing
        made = routes(self.backend) if routes else [make_route(self.backend, **route)]
        self.routes = RouteTable(made)
        self._ids = itertools.count(1)
        self.facts = Connection(
            listener="127.0.0.1:443",
            scheme="https",
            port=443,
            peer="192.0.2.1",
            trusted=False,
        )
        self.site = Site("127.0.0.1:443", self.make_rules(), SystemClock())
        self.client, self.connection = self.connect(handshake=handshake)

    def new_id(self) -> str:
        return f"id-{next(self._ids)}"

    def make_rules(self) -> Rules:
        """Make rules as of another configuration that says the same."""
        clock = SystemClock()
        return Rules(
            pipeline=Pipeline(
                self.routes,
                clock=clock,
                trusted=lambda _: False,
                via="proxy",
                new_id=self.new_id,
            ),
            limits=self.limits,
            head_limits=HeadLimits(request_line=self.limits.request_line),
            managed=ManagedNames(["X-Remote-User"]),
            via="proxy",
            hsts=self.hsts,
            record=self.records.append,
            new_id=self.new_id,
            timing=self.timing,
        )

    def connect(self, *, handshake: bool = True) -> tuple[FakeStream, ServerConnection]:
        """Let a client connect."""
        connection = ServerConnection(
            self.site, self.facts, lambda _, state, why: self.gone.append((state, why))
        )
        stream = FakeStream(connection)
        connection.stream = stream
        if handshake:
            connection.ready(self.facts)
        return stream, connection

    def ask(self, line: bytes = b"GET / HTTP/1.1", *fields: bytes) -> Self:
        """Send a request without a body."""
        lines = b"".join(field + b"\r\n" for field in fields)
        self.client.receive(line + b"\r\n" + HOST + lines + b"\r\n")
        return self

    def reads_body(self) -> bool:
        """Say whether a body has not come whole."""
        return self.connection._intake is not None  # noqa: SLF001

    def read_whole(self) -> bool:
        """Say whether the request under way was read, not taken for a repetition."""
        return self.connection._incoming is not None  # noqa: SLF001

    def statuses(self) -> list[int]:
        """Give the statuses that were recorded."""
        return [exchange.status for exchange in self.records]

    def reasons(self) -> list[str]:
        """Give the reasons that were recorded."""
        return [exchange.reason for exchange in self.records]


def status_of(sent: bytes) -> int:
    """Give the status of the first answer in *sent*, 0 if there is none."""
    return int(sent[9:12]) if sent else 0
