"""Ask backends inside the process, without an edge."""

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.resource import IResource

from sso_proxy.model import Caller, Identity, Request
from sso_proxy.net.stream import Stream
from sso_proxy.net.ticker import Ticker
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.upstream import Reply
from sso_proxy.upstream.connection import BackendConnection
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.resource import ResourceUpstream
from sso_proxy.upstream.target import Patience


class FakeExchange:
    """
    Takes an answer.

    Attributes:
        full: Whether the client is slow.
        over: Fires when nothing more comes.
        reply: The answer's head.
        body: Its content so far.
        failed: Status and reason of what was answered instead.
        cut_for: Why the answer was broken off.
        asked_for_more: How often the request's body might go on.
    """

    def __init__(self) -> None:
        self.full = False
        self.over: Deferred[FakeExchange] = Deferred()
        self.reply: Reply | None = None
        self.body = b""
        self.failed: tuple[int, str] | None = None
        self.cut_for = ""
        self.asked_for_more = 0

    @property
    def status(self) -> int:
        assert self.reply is not None, self.failed
        return self.reply.answer.status

    def header(self, name: str) -> str | None:
        assert self.reply is not None, self.failed
        return dict(self.reply.answer.headers).get(name)

    def whole(self, reply: Reply, body: bytes) -> None:
        self.begin(reply, body)
        self.finish()

    def begin(self, reply: Reply, body: bytes) -> None:
        assert self.reply is None
        self.reply = reply
        self.body = body

    def relay(self, body: bytes) -> None:
        self.body += body

    def finish(self) -> None:
        self.over.callback(self)

    def fail(self, status: int, reason: str) -> None:
        self.failed = (status, reason)
        self.over.callback(self)

    def cut(self, reason: str) -> None:
        self.cut_for = reason
        self.over.callback(self)

    def switch(self, _reply: Reply, _stream: Stream, _first: bytes) -> None:
        raise AssertionError("nothing is tunnelled here")

    def sendable(self) -> None:
        self.asked_for_more += 1


def make_outgoing(  # noqa: PLR0913
    target: str = "/",
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    request: Request | None = None,
    identity: Identity | None = None,
    user: str = "alice",
    upgrade: str | None = None,
) -> Outgoing:
    """Serialise a request as the edge would, with *body*'s length but without it."""
    lines = [f"{method} {target} HTTP/1.1", "X-Request-Id: id-1"]
    lines.append("Host: app.example.com")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return Outgoing(
        head=("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"),
        method=method,
        caller=Caller(
            request=request or make_request(),
            identity=identity or make_identity(),
            user=user,
        ),
        replayable=False,
        upgrade=upgrade,
        bodyless=not body,
    )


class FakeTicker(Ticker):
    """Ticks when it is told to."""

    def __init__(self) -> None:
        super().__init__(None, SettableClock())
        self.listeners: list[Callable[[float], None]] = []

    def call_each(self, listener: Callable[[float], None]) -> None:
        self.listeners.append(listener)

    def forget(self, listener: Callable[[float], None]) -> None:
        self.listeners.remove(listener)

    def tick(self, now: float) -> None:
        for listener in [*self.listeners]:
            listener(now)


class Asking:
    """Sends requests to a resource in this process."""

    def __init__(self, reactor: Any, resource: IResource, depth: int = 0) -> None:  # noqa: ANN401
        self.ticker = FakeTicker()
        self.upstream = ResourceUpstream(
            "hosted",
            resource,
            depth=depth,
            patience=Patience(response_timeout=60.0),
            ticker=self.ticker,
            reactor=reactor,
        )
        self.connection: BackendConnection

    def begin(self, outgoing: Outgoing, body: bytes = b"") -> FakeExchange:
        """Send a request, and do not wait for its answer."""
        exchange = FakeExchange()
        self.connection = self.upstream.forward(exchange, outgoing)
        if body:
            self.connection.write(body)
            self.connection.end()
        return exchange

    async def ask(
        self,
        target: str = "/",
        method: str = "GET",
        *,
        body: bytes = b"",
        **options: Any,  # noqa: ANN401
    ) -> FakeExchange:
        """Send a request and give its answer, once that is complete."""
        outgoing = make_outgoing(target, method, body=body, **options)
        return await self.begin(outgoing, body).over
