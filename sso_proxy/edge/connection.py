"""
One client connection: requests in, one after the other, answers out.

The state says what a byte from the client means.  A request begins in ``_step`` or
``_repeat``, and ends in ``_end_exchange``.
"""

import math
from collections.abc import Callable
from time import monotonic
from typing import Any

import attrs
from twisted.logger import Logger

from sso_proxy.admission import Admission, Connection, Trail, Verdict
from sso_proxy.edge.answers import failure_fields, own_answer, with_timing
from sso_proxy.edge.exchange import Exchange, unread_exchange
from sso_proxy.edge.intake import Intake
from sso_proxy.edge.memo import Memo, kept_of, recall_first
from sso_proxy.edge.site import Rules, Site
from sso_proxy.edge.timing import REMEMBERED
from sso_proxy.edge.uplink import CONTINUE, State, Uplink
from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead, Response
from sso_proxy.net.coroutine import run
from sso_proxy.outgoing import build_outgoing
from sso_proxy.specs.http.head import end_of_head
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.request import read_request
from sso_proxy.specs.trace_context import TraceContext, take_out
from sso_proxy.upstream.request import Outgoing

_log = Logger()

_MOST_PIPELINED = 65536
"""Octets that may wait for the answer before them; then the client is not read."""

_FIRST_REQUEST = 1.0
"""Seconds for the first request on a connection, while no more are accepted."""


# An enumeration's member is looked up ten times as slowly as a name of ours.
_IDLE, _BUSY, _LINGER, _GONE = State.IDLE, State.BUSY, State.LINGER, State.GONE


class ServerConnection(Uplink):
    """
    Reads requests, has them decided on, and relays; a stream's handler.

    Attributes:
        stream: The client's bytes.
        site: The listener.
        facts: What holds for all requests here.
        deadline: Monotonic time at which `timed_out` is due.
    """

    __slots__ = (
        "_advancing",
        "_head_began",
        "_lingered",
        "_on_gone",
        "_requests",
        "_state",
        "_unreadable",
    )

    def __init__(self, site: Site, facts: Connection, on_gone: Any) -> None:  # noqa: ANN401
        super().__init__(site, facts)
        self._on_gone = on_gone
        self._state = State.HANDSHAKE
        self._head_began = 0.0
        self._advancing = False
        self._requests = 0
        self._lingered = 0
        self._unreadable = False
        site.connections.add(self)

    def ready(self, facts: Connection) -> None:
        """Begin to serve: the handshake is done."""
        self.learn(facts)
        self._state = _IDLE
        self.deadline = monotonic() + self.site.rules.limits.keep_alive_timeout
        if self.site.draining:
            self.drain()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, for whatever it is."""
        if self._state is _IDLE:
            if not self._buffer:
                memo = self._memo
                if memo is None:
                    rules = self.site.rules
                    memo = self._memo = recall_first(data, rules, self._place)
                if memo is not None and (
                    self._vary(memo, data)
                    if memo.traced or not data.endswith(memo.rest)
                    else self._repeat(memo, data)
                ):
                    return
                self._buffer = data
            else:
                self._buffer += data
            self._advance()
        elif self._state is _BUSY:
            self._buffer += data
            exchange = self._exchange
            if self._intake is not None and exchange is not None and exchange.sink:
                self._pump()
            elif len(self._buffer) > _MOST_PIPELINED:
                self._hold()
        elif self._state is _LINGER:
            self._lingered += len(data)
            if self._lingered > self.site.rules.limits.linger_bytes:
                self.abort()

    def eof_received(self) -> None:
        """Learn that the client sends no more; it may still read."""
        self._closing = True
        if self._state is _BUSY:
            # While a request is decided on, its body may be here already, and whole.
            if self._intake is not None and (self._waiting is None or self._is_read):
                self._drop_request("client-gone")
                self.refuse(400, "body-incomplete")
        elif self._state is _IDLE and self._buffer:
            self.refuse(400, "head-incomplete")
        else:
            self.stream.close()

    def drained(self) -> None:
        """Let the backend go on: the client takes more."""
        exchange = self._exchange
        if exchange is not None and exchange.sink is not None:
            exchange.sink.resume()

    def connection_lost(self, reason: str) -> None:
        """Clean up."""
        self.site.connections.discard(self)
        state, self._state = self._state, _GONE
        self.deadline = math.inf
        self._memo = None
        if self._exchange is not None:
            self._drop_request(self._exchange.reason or "client-gone")
            self._end_exchange()
        self._on_gone(self, state, reason)

    def timed_out(self) -> None:
        """React to the deadline."""
        if self._state is _IDLE and not self._buffer:
            self.stream.close()
        elif self._state is _IDLE:
            self.refuse(408, "head-timeout")
        elif self._state is _BUSY and self._intake is not None:
            self._drop_request("body-timeout")
            self.refuse(408, "body-timeout")
        elif self._state is _BUSY:
            self.deadline = math.inf
        else:
            self.abort()

    def drain(self) -> None:
        """Let the next answer be the last."""
        self._closing = True
        if self._state is _IDLE and not self._requests:
            self.deadline = min(self.deadline, monotonic() + _FIRST_REQUEST)

    def close_if_idle(self) -> None:
        """
        Close unless a request is under way, or the first is awaited.

        Clients try again on a new connection if a used one closes; a fresh one that
        closes without an answer is an error to them.
        """
        if self._state is _IDLE and not self._buffer and self._requests:
            self.stream.close()

    def _advance(self) -> None:
        """Begin requests for as long as whole heads are there and none is under way."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._state is _IDLE and self._buffer and self._step():
                pass
        finally:
            self._advancing = False

    def _step(self) -> bool:
        rules = self.site.rules
        raw = b""
        try:
            end = end_of_head(self._buffer, rules.head_limits)
            if end < 0:
                if not self._head_began:
                    self._head_began = monotonic()
                    self.deadline = self._head_began + rules.limits.header_timeout
                if self._closing:
                    self.refuse(400, "head-incomplete")
                return False
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            incoming = read_request(
                raw,
                scheme=self.facts.scheme,
                port=self.facts.port,
                limits=rules.head_limits,
                managed=rules.managed,
            )
        except BadMessageError as e:
            self._buffer = raw + self._buffer
            self.refuse(e.status, e.reason)
            return False
        self._begin(incoming, raw, rules)
        return True

    def _begin(
        self,
        incoming: Incoming,
        raw: bytes,
        rules: Rules,
        like: Admission | None = None,
    ) -> None:
        """Have *incoming* decided on."""
        head, framing = incoming.head, incoming.framing
        exchange = Exchange(self, head.method, head.path)
        exchange.minor, exchange.trace = framing.minor, incoming.trace
        trail = exchange.trail = Trail()
        trail.steps = [] if rules.timing is not None else None
        self._start_exchange(exchange, keep_alive=framing.keep_alive)
        self._incoming = incoming
        plain = framing.minor == 1 and not framing.upgrade
        self._kept = None
        if framing.length == 0 and plain:
            self._kept = kept_of(raw, incoming, rules)
        if framing.length != 0:
            trail.body = self._expect_body(framing.length, exchange.started)
        self._waiting = run(
            rules.pipeline.decide(incoming, self.facts, trail, like),
            self._decided,
            self._undecided,
        )

    def _start_exchange(self, exchange: Exchange, *, keep_alive: bool) -> None:
        self._exchange = exchange
        self._state = _BUSY
        self._head_began = 0.0
        self.deadline = math.inf
        self._requests += 1
        if (
            not keep_alive
            or self.site.draining
            or self._requests >= self.site.rules.limits.requests_per_connection
        ):
            self._closing = True

    def _decided(self, verdict: Verdict) -> None:
        self._waiting = None
        exchange, incoming = self._exchange, self._incoming
        if exchange is None or incoming is None:
            return
        trail = exchange.trail
        if trail is not None and trail.request is not None:
            exchange.id, head = trail.request.id, trail.request.head
            exchange.method, exchange.path = head.method, head.path
            told = self.site.rules.timing
            if told is not None and trail.steps is not None:
                exchange.tell_timing(told, trail.request, trail.steps)
        if isinstance(verdict, Response):
            self._answer(verdict, incoming.head)
            return
        framing = incoming.framing
        try:
            lines = exchange.trace_lines(incoming.trace, verdict.route)
            outgoing = build_outgoing(verdict, framing, exchange.id, lines)
        except BadMessageError as e:
            self._answer(Response(status=e.status, reason=e.reason), incoming.head)
            return
        exchange.admission = verdict
        self._remember(verdict)
        if self._intake is not None:
            limit = verdict.route.body_bytes
            self._intake = Intake(framing.length, limit, monotonic())
        if framing.expect_continue and not self._buffer and verdict.body is None:
            self.stream.write(CONTINUE)
        self._forward(exchange, verdict, outgoing)

    def _repeat(
        self, memo: Memo, data: bytes, trace: TraceContext | None = None
    ) -> bool:
        """Forward a repetition of the last request; False if it needs the whole way."""
        rules = self.site.rules
        repeated = memo.read(data, rules)
        if repeated is None:
            return False
        exchange = Exchange(self, repeated.method, repeated.path)
        admission = repeated.admission
        if admission.reuse_until <= exchange.started:
            self._memo = None
            return False
        exchange.id = rules.new_id()
        exchange.admission, exchange.repeated = admission, repeated
        self._start_exchange(exchange, keep_alive=memo.keep_alive)
        lines, route = b"", admission.route
        if trace is not None or route.tracing is not None:
            lines = exchange.trace_lines(trace, route)
        if rules.timing is not None:
            steps = [(REMEMBERED, exchange.started)]
            exchange.tell_timing(rules.timing, admission.caller.request, steps)
        self._forward(exchange, admission, repeated.outgoing(exchange.id, lines))
        return True

    def _vary(self, memo: Memo, data: bytes) -> bool:
        """Forward what came before, or elsewhere; or decide on what is like it."""
        rules, trace = self.site.rules, None
        if memo.traced:
            found_trace = take_out(data, rules.head_limits)
            if found_trace is not None:
                data, trace = found_trace
            if data.endswith(memo.rest):
                return self._repeat(memo, data, trace)
        if memo.recall(data, rules) and self._repeat(memo, data, trace):
            return True
        found = memo.read_like(data) if memo.rules is rules else None
        if found is None:
            return False
        incoming, like = found
        if trace is not None:
            incoming = attrs.evolve(incoming, trace=trace)
        self._begin(incoming, data, rules, like)
        return True

    def _forward(
        self, exchange: Exchange, admission: Admission, outgoing: Outgoing
    ) -> None:
        if self._intake is not None and self._buffer:
            # What has come of the body goes out with the head, in one packet.
            first = self._take_body()
            if first is None:
                return
            outgoing = outgoing.begun(first, whole=self._is_all_here)
        if self._intake is not None and self.stream.ended:
            self.refuse(400, "body-incomplete")
            return
        route = admission.route
        upstream = route.own if admission.own else route.upstream
        sink = upstream.forward(exchange, outgoing)
        if not exchange.over:
            exchange.sink = sink
            if self._intake is not None:
                self._pace(full=sink.full)
            else:
                self.deadline = math.inf

    def refuse(self, status: int, reason: str) -> None:
        """Answer *status* ourselves, or cut if an answer is under way."""
        exchange = self._exchange
        if exchange is None:
            # Nobody knows where this request ends: what follows is not read.
            exchange = unread_exchange(self, self._buffer, self._head_began)
            self._start_exchange(exchange, keep_alive=False)
            self._unreadable = True
        elif exchange.relaying:
            exchange.reason = reason
            self.abort()
            return
        head = self._incoming.head if self._incoming is not None else None
        if head is None and exchange.admission is not None:  # a repeated request
            head = exchange.admission.caller.request.head
            head = attrs.evolve(head, method=exchange.method)
        headers = failure_fields(status, exchange.admission, head)
        self._answer(Response(status=status, reason=reason, headers=headers), head)

    def _answer(self, response: Response, head: RequestHead | None) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        exchange.id = exchange.id or self.site.rules.new_id()
        exchange.status, exchange.reason = response.status, response.reason
        if exchange.steps is not None:
            response = with_timing(response, exchange.timing())
        self._skip_body()
        if self.facts.stale:  # only a new connection helps
            self._closing = True
        try:
            data, exchange.sent = own_answer(
                response,
                site=self.site,
                request_id=exchange.id,
                head=head,
                persistence=self.persistence(),
            )
        except ValueError:
            _log.failure("The answer to {id} cannot be sent.", id=exchange.id)
            self._answer(Response(status=503, reason="header-value"), head)
            return
        self.stream.write(data)
        self.exchange_done()

    def exchange_done(self) -> None:
        """Go on after an answer: with the next request, or to the end."""
        unfinished = self._intake is not None or self._unreadable
        self._end_exchange()
        if self._state is _GONE:
            return
        if self._closing:
            self._close(linger=unfinished or bool(self._buffer))
            return
        self._state = _IDLE
        self.deadline = self.site.now + self.site.rules.limits.keep_alive_timeout
        if self._held:
            self._release()
        if self._buffer:
            self._advance()

    def _close(self, *, linger: bool) -> None:
        self._buffer = b""
        if not linger or self.stream.ended:
            self.stream.close()
            return
        # A reset, which unread bytes would cause, takes the answer from the client.
        self._state = _LINGER
        self.deadline = monotonic() + self.site.rules.limits.linger_timeout
        self._release()
        self.stream.half_close()

    def hand_over(self) -> tuple[bytes, Callable[[Exchange, str], None]]:
        """
        Let go of the stream, which becomes a tunnel.

        Returns:
            What the client has sent already, and what to call when it is over.
        """
        early, self._buffer = self._buffer, b""
        self._exchange = None
        self._state = _GONE
        self.deadline = math.inf
        self.site.connections.discard(self)
        self._release()

        def over(exchange: Exchange, reason: str) -> None:
            exchange.reason = reason
            self._exchange = exchange
            self._end_exchange()
            self._on_gone(self, _BUSY, reason)

        return early, over
