"""One request on its way: what the edge keeps of it, and what its backend tells."""

from time import monotonic
from typing import TYPE_CHECKING

from sso_proxy.admission import Admission, Trail
from sso_proxy.edge.answers import client_block
from sso_proxy.edge.known import Repeated
from sso_proxy.edge.timing import Steps, Told, describe_steps
from sso_proxy.edge.tunnel import Tunnel
from sso_proxy.model import Request
from sso_proxy.net.stream import Stream
from sso_proxy.routing import Route
from sso_proxy.specs.http.chunked import LAST_CHUNK, encode_chunk
from sso_proxy.specs.trace_context import TraceContext
from sso_proxy.upstream import Reply, Sink

if TYPE_CHECKING:
    from sso_proxy.edge.connection import ServerConnection


_SHOWN = 2048
"""Octets of a request that could not be read, in which its path is looked for."""


class Exchange:
    """
    A request and its answer; implements `sso_proxy.upstream.Exchange`.

    Attributes:
        connection: The client's.
        id: The request id.
        method: The method.
        path: The canonical path, for the audit record.
        minor: The client's HTTP/1 minor version.
        admission: What was decided, once it is.
        trail: What was found out, for a request that was refused.
        repeated: What it repeats, if it does.
        sink: Where the request's body goes.
        started: Monotonic time of the head's arrival.
        status: What the client was told, 0 before.
        reason: A short code.
        sent: Octets of the answer's content that were relayed.
        received: Octets of the request's content.
        upstream_status: What the backend said, 0 before.
        steps: What was done for it, and when, if its client is told; else None.
        trace: Where it belongs in a trace, or None.
        over: Nothing more will happen.
    """

    __slots__ = (
        "_chunked",
        "_relaying",
        "admission",
        "connection",
        "id",
        "method",
        "minor",
        "over",
        "path",
        "reason",
        "received",
        "repeated",
        "sent",
        "sink",
        "started",
        "status",
        "steps",
        "trace",
        "trail",
        "upstream_status",
    )

    def __init__(self, connection: "ServerConnection", method: str, path: str) -> None:
        self.connection = connection
        self.id = ""
        self.method = method
        self.path = path
        self.minor = 1
        self.admission: Admission | None = None
        self.trail: Trail | None = None
        self.repeated: Repeated | None = None
        self.sink: Sink | None = None
        self.started = monotonic()
        self.status = 0
        self.reason = ""
        self.sent = 0
        self.received = 0
        self.upstream_status = 0
        self.trace: TraceContext | None = None
        self.steps: Steps | None = None
        self.over = False
        self._chunked = False
        self._relaying = False

    def tell_timing(self, told: Told, request: Request, steps: Steps) -> None:
        """Tell the client what took how long, if it is one that is *told*."""
        if told(request.client.address):
            self.steps = steps

    def timing(self) -> str:
        """Say what took how long, now that there is an answer."""
        steps, now = self.steps or [], monotonic()
        step = "decision" if self.admission is None else "backend"
        return describe_steps(self.started, [*steps, (step, now)], now)

    def trace_lines(self, trace: TraceContext | None, route: Route) -> bytes:
        """Give what the backend learns of the *trace*, which may begin here."""
        self.trace = trace if route.tracing is None else route.tracing(trace)
        return b"" if self.trace is None else self.trace.lines

    @property
    def relaying(self) -> bool:
        """Whether the answer's head has gone out."""
        return self._relaying

    @property
    def full(self) -> bool:
        """Whether the client is slow."""
        return self.connection.stream.full

    def is_overdue(self, now: float) -> bool:
        """Say whether all of it has taken longer than its route lets it."""
        if self.admission is None or self.admission.own:
            return False
        limit = self.admission.route.request_timeout
        return limit is not None and now - self.started > limit

    def head_of(self, reply: Reply) -> tuple[bytes, bytes]:
        """Give the lines of a head for the client: those of the backend, and ours."""
        block, ours = client_block(reply, self.connection.site), b""
        if (admission := self.admission) is not None:
            ours = admission.answer
            if admission.rewrite is not None:
                block = admission.rewrite(block)
        if self.steps is not None:
            ours += b"Server-Timing: %b\r\n" % self.timing().encode("ascii")
        return block, ours

    def whole(self, reply: Reply, body: bytes) -> None:
        """Relay an answer that came in one piece."""
        connection = self.connection
        self.status = self.upstream_status = reply.answer.status
        self.sent = len(body)
        block, ours = self.head_of(reply)
        connection.stream.write(
            b"%bX-Request-Id: %b\r\n%b%b\r\n%b"
            % (
                block,
                self.id.encode("ascii"),
                ours,
                connection.persistence(),
                body,
            )
        )
        connection.exchange_done()

    def begin(self, reply: Reply, body: bytes) -> None:
        """Relay an answer's head and the first of its body."""
        connection = self.connection
        answer = reply.answer
        self.status = self.upstream_status = answer.status
        framing = b""
        if answer.length is None:
            if self.minor == 1:
                self._chunked = True
                framing = b"Transfer-Encoding: chunked\r\n"
            else:
                connection.close_after()
        block, ours = self.head_of(reply)
        connection.stream.write(
            b"%bX-Request-Id: %b\r\n%b%b%b\r\n"
            % (
                block,
                self.id.encode("ascii"),
                ours,
                framing,
                connection.persistence(),
            )
        )
        self._relaying = True
        if body:
            self.relay(body)

    def relay(self, body: bytes) -> None:
        """Relay more of the body."""
        self.sent += len(body)
        if self._chunked:
            body = encode_chunk(body)
        self.connection.stream.write(body)

    def finish(self) -> None:
        """End the answer."""
        if self._chunked:
            self.connection.stream.write(LAST_CHUNK)
        self.connection.exchange_done()

    def fail(self, status: int, reason: str) -> None:
        """Answer ourselves: the backend gave nothing usable."""
        self.connection.refuse(status, reason)

    def cut(self, reason: str) -> None:
        """Break off: a truncated answer must not look complete."""
        self.reason = reason
        self.connection.abort()

    def switch(self, reply: Reply, stream: Stream, first: bytes) -> None:
        """Become a tunnel."""
        self.status = self.upstream_status = reply.answer.status
        if self.admission is None:  # what is not decided on is not forwarded
            stream.abort()
            return
        connection = self.connection
        client = connection.stream
        block = client_block(reply, connection.site)
        if self.admission.rewrite is not None:
            block = self.admission.rewrite(block)
        client.write(
            b"%bX-Request-Id: %b\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
            % (
                block,
                self.id.encode("ascii"),
                (reply.answer.upgrade or "").encode("latin-1"),
            )
        )
        early, finish = connection.hand_over()

        def over(sent: int, received: int, reason: str) -> None:
            self.sent, self.received = sent, received
            finish(self, reason)

        idle = self.admission.route.upgrade_idle_timeout
        tunnel = Tunnel(
            connection.site,
            client,
            stream,
            idle=idle,
            over=over,
            session=self.admission.caller.request.session,
        )
        tunnel.start(early=early, first=first)

    def sendable(self) -> None:
        """Let the request's body go on."""
        self.connection.body_may_go_on()


def unread_exchange(
    connection: "ServerConnection", data: bytes, began: float
) -> Exchange:
    """
    Make the exchange of a request that could not be read, for its record.

    What looks like a method and a path is shown; anything else may be a secret.

    Args:
        connection: The client's.
        data: What came of the request.
        began: Monotonic time of its first octet, or 0.0 if that was just now.
    """
    line = data[:_SHOWN].partition(b"\r\n")[0].decode("latin-1")
    method, _, rest = line.partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    exchange = Exchange(
        connection,
        method if method.isascii() and method.isalpha() and len(method) < 32 else "",
        path if path.startswith("/") else "",
    )
    exchange.started = began or exchange.started
    exchange.received = len(data)
    return exchange
