"""One connection to a backend: a request out, an answer in, strictly in turn."""

import math
from collections.abc import Callable
from typing import Protocol

from sso_proxy.errors import BadAnswerError, BadMessageError
from sso_proxy.net.stream import Stream
from sso_proxy.specs.http.answer import end_of_answer_head, read_answer
from sso_proxy.specs.http.chunked import ChunkedDecoder
from sso_proxy.specs.http.websocket import check_switch
from sso_proxy.upstream import Exchange, Reply
from sso_proxy.upstream.request import Outgoing

_HEAD, _LENGTH, _CHUNKED, _UNTIL_CLOSE, _DONE = range(5)

_MOST_INTERIM = 32
"""Answers of the 100 kind before the real one; none of them goes further."""


class Pool(Protocol):
    """
    Where connections come from and go back to.

    Attributes:
        name: The backend's.
        response_timeout: Seconds until its answer begins.
    """

    name: str
    response_timeout: float

    def now(self) -> float:
        """Give the monotonic time, about half a second exact."""

    def release(self, connection: "BackendConnection") -> None:
        """Take back a connection that can carry another request."""

    def dropped(self, connection: "BackendConnection") -> None:
        """Hear that a connection is gone."""

    def replay(self, exchange: Exchange, outgoing: Outgoing) -> "BackendConnection":
        """Send a request again over a new connection."""


class BackendConnection:
    """
    Carries one exchange at a time; also the exchange's sink.

    Attributes:
        backend: The backend's name.
        deadline: Monotonic time at which the backend has taken too long.
        reused: It has answered before, so the backend may have closed it meanwhile.
    """

    __slots__ = (
        "_ahead",
        "_answered",
        "_begun",
        "_buffer",
        "_decoder",
        "_exchange",
        "_interim",
        "_keep",
        "_known_head",
        "_known_reply",
        "_left",
        "_outgoing",
        "_paused",
        "_pool",
        "_queued",
        "_request_done",
        "_state",
        "_stream",
        "_successor",
        "backend",
        "deadline",
        "drop_connector",
        "reused",
    )

    def __init__(self, pool: Pool) -> None:
        self.backend = pool.name
        self._pool = pool
        self._stream: Stream | None = None
        self._exchange: Exchange | None = None
        self._outgoing: Outgoing | None = None
        self._ahead: list[bytes] = []
        self._queued = 0
        self._buffer = b""
        self._state = _DONE
        self._decoder: ChunkedDecoder | None = None
        self._left = 0
        self._keep = False
        self._interim = 0
        self._begun = False
        self._answered = False
        self._paused = False
        self._request_done = True
        self._known_head = b""
        self._known_reply: Reply | None = None
        self._successor: BackendConnection | None = None
        self.deadline = math.inf
        self.reused = False
        self.drop_connector: Callable[[], None] | None = None

    # The pool's side

    def start(self, exchange: Exchange, outgoing: Outgoing) -> None:
        """Send *outgoing*, now or as soon as the connection stands."""
        self._exchange = exchange
        self._outgoing = outgoing
        self._state = _HEAD
        self._begun = self._answered = False
        self._interim = 0
        self._request_done = outgoing.bodyless
        stream = self._stream
        if stream is None:
            self._ahead = [outgoing.head]
        else:
            self.deadline = self._pool.now() + self._pool.response_timeout
            stream.write(outgoing.head)

    def connected(self, stream: Stream) -> None:
        """Use *stream*, on which nothing has been sent yet."""
        if self._exchange is None:  # nobody waits: the request must not be made
            stream.abort()
            return
        self._stream = stream
        self.drop_connector = None
        self.deadline = self._pool.now() + self._pool.response_timeout
        ahead, self._ahead, self._queued = b"".join(self._ahead), [], 0
        stream.write(ahead)
        if not self._request_done and not stream.full:
            self._exchange.sendable()

    def unreachable(self, status: int, reason: str) -> None:
        """Tell the exchange that there is no connection."""
        self._fail(status, reason)

    def expire(self) -> None:
        """End an exchange whose backend took too long."""
        if self._stream is None:
            self._fail(504, "backend-connect-timeout")
        elif self._begun:
            self._break("backend-stalled")
        else:
            self._fail(504, "backend-timeout")

    @property
    def unheard(self) -> bool:
        """Whether an idle connection has sent something, which we have in hand."""
        return self._stream is None or self._stream.unheard

    def is_stale(self) -> bool:
        """Say whether an idle connection has anything to read, as only an end is."""
        return self._stream is None or self._stream.readable_now()

    def retire(self) -> None:
        """Close a connection on which nothing is under way."""
        if self._stream is not None:
            self._stream.close()

    def abort(self) -> None:
        """Close at once."""
        drop, self.drop_connector = self.drop_connector, None
        if drop is not None:
            drop()
        if self._stream is not None:
            self._stream.abort()
        else:
            self._pool.dropped(self)

    # The exchange's sink

    @property
    def full(self) -> bool:
        """Whether to wait for `Exchange.sendable`."""
        if self._successor is not None:
            return self._successor.full
        if self._stream is None:
            return self._queued >= 65536
        return self._stream.full

    @property
    def unsent(self) -> bool:
        """Whether nothing of the request under way has been sent."""
        return self._stream is None and self._successor is None

    def write(self, data: bytes) -> None:
        """Send octets of the request's body."""
        if self._successor is not None:
            self._successor.write(data)
        elif self._stream is None:
            self._ahead.append(data)
            self._queued += len(data)
        else:
            self.deadline = self._pool.now() + self._pool.response_timeout
            self._stream.write(data)

    def end(self) -> None:
        """Say that the request is complete."""
        if self._successor is not None:
            self._successor.end()
        else:
            self._request_done = True

    def resume(self) -> None:
        """Go on relaying the answer."""
        if self._successor is not None:
            self._successor.resume()
        elif self._paused and self._stream is not None:
            self._paused = False
            self.deadline = self._pool.now() + self._pool.response_timeout
            self._stream.resume()

    def abandon(self) -> None:
        """Drop the request."""
        if self._successor is not None:
            self._successor.abandon()
        elif self._exchange is not None:
            self._exchange = None
            self.abort()

    # The stream's handler

    def data_received(self, data: bytes) -> None:
        """Read on in the answer."""
        if self._exchange is None:  # an answer that nobody asked for (F12)
            self.retire()
            return
        self._answered = True
        self.deadline = self._pool.now() + self._pool.response_timeout
        try:
            if self._state == _HEAD:
                self._read_head(data)
            else:
                self._read_body(data)
        except (BadAnswerError, BadMessageError) as e:
            if self._begun:
                self._break(e.reason)
            else:
                self._fail(502, e.reason)

    def eof_received(self) -> None:
        """Learn that the backend says no more, which may be how its answer ends."""
        exchange = self._exchange
        if exchange is not None and self._state == _UNTIL_CLOSE:
            self._exchange = None
            exchange.finish()
        if self._exchange is not None:
            self.abort()  # even if the request waits to be sent: nobody answers it
        elif self._stream is not None:
            self._stream.close()

    def drained(self) -> None:
        """Let the request's body go on."""
        if self._exchange is not None and not self._request_done:
            self._exchange.sendable()

    def connection_lost(self, reason: str) -> None:
        """Replay, fail or cut what was under way."""
        self._pool.dropped(self)
        exchange, outgoing = self._exchange, self._outgoing
        if exchange is None or outgoing is None:
            return
        if self._begun:
            self._break("backend-cut")
        elif self.reused and not self._answered and outgoing.replayable:
            self._exchange = None
            self._successor = self._pool.replay(exchange, outgoing.again())
        elif self._stream is None:
            self._fail(502, "backend-tls: " + reason)
        else:
            self._fail(502, "backend-closed")

    # Inside

    def _read_head(self, data: bytes) -> None:
        outgoing, exchange = self._outgoing, self._exchange
        if outgoing is None or exchange is None:
            return
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        known = self._known_reply
        if (
            known is not None
            and outgoing.method != "HEAD"
            and data.startswith(self._known_head)
        ):
            self._begin(exchange, known, data[len(self._known_head) :])
        else:
            self._read_new_head(exchange, outgoing, data)

    def _read_new_head(
        self, exchange: Exchange, outgoing: Outgoing, data: bytes
    ) -> None:
        """Read the final answer's head, and the interim ones before it."""
        to_head = outgoing.method == "HEAD"
        while True:
            end = end_of_answer_head(data)
            if end < 0:
                self._buffer = data
                return
            head, data = data[:end], data[end:]
            answer = read_answer(head, method=outgoing.method)
            reply = Reply(answer, to_head=to_head)
            if answer.status >= 200:
                break
            if answer.status == 101:
                self._switch(exchange, outgoing, reply, data)
                return
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise BadAnswerError("too-many-interim-answers")
            if not data:
                return
        if not to_head and answer.length is not None:
            self._known_head, self._known_reply = head, reply
        self._begin(exchange, reply, data)

    def _begin(self, exchange: Exchange, reply: Reply, body: bytes) -> None:
        answer = reply.answer
        self._keep = answer.keep_alive
        if answer.length is not None:
            left = answer.length - len(body)
            if left <= 0:
                if left < 0:  # more than was announced: the framing is in doubt
                    self._keep = False
                    body = body[: answer.length]
                self._complete()
                exchange.whole(reply, body)
                return
            self._left = left
            self._state = _LENGTH
        elif answer.chunked:
            self._decoder = ChunkedDecoder()
            self._state = _CHUNKED
            self._begun = True
            exchange.begin(reply, b"")
            if body and self._exchange is exchange:
                self._read_body(body)
            return
        else:
            self._state = _UNTIL_CLOSE
        self._begun = True
        exchange.begin(reply, body)
        self._hold_if_full()

    def _read_body(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if self._state == _LENGTH:
            self._left -= len(data)
            if self._left <= 0:
                if self._left < 0:
                    self._keep = False
                    data = data[: self._left]
                self._complete()
                exchange.relay(data)
                exchange.finish()
                return
            exchange.relay(data)
        elif self._state == _CHUNKED and self._decoder is not None:
            pieces = self._decoder.feed(data)
            if pieces:
                exchange.relay(b"".join(pieces) if len(pieces) > 1 else pieces[0])
            if self._decoder.finished and self._exchange is exchange:
                if self._decoder.leftover:
                    self._keep = False
                self._complete()
                exchange.finish()
                return
        else:
            exchange.relay(data)
        self._hold_if_full()

    def _hold_if_full(self) -> None:
        exchange, stream = self._exchange, self._stream
        if exchange is not None and stream is not None and exchange.full:
            self._paused = True
            self.deadline = math.inf  # the client's slowness is not the backend's
            stream.pause()

    def _complete(self) -> None:
        """Let go of the exchange; keep the connection if nothing is in doubt."""
        self._exchange = None
        self._decoder = None
        self._state = _DONE
        self.deadline = math.inf
        stream = self._stream
        unsent = stream is not None and stream.buffered > 0
        if self._keep and self._request_done and not unsent:
            self.reused = True
            self._pool.release(self)
        elif self._request_done and not unsent:
            self.retire()
        else:
            # The rest of this request would look like the next one.
            self.abort()

    def _switch(
        self, exchange: Exchange, outgoing: Outgoing, reply: Reply, rest: bytes
    ) -> None:
        stream = self._stream
        if stream is None:
            return
        if outgoing.upgrade is None or reply.answer.upgrade != outgoing.upgrade:
            raise BadAnswerError("backend-switched-unasked")
        if outgoing.upgrade == "websocket":
            check_switch(reply.answer, outgoing.upgrade_key)
        self._exchange = None
        self._stream = None
        self._pool.dropped(self)
        exchange.switch(reply, stream, rest)

    def _fail(self, status: int, reason: str) -> None:
        exchange, self._exchange = self._exchange, None
        self.abort()
        if exchange is not None:
            exchange.fail(status, reason)

    def _break(self, reason: str) -> None:
        exchange, self._exchange = self._exchange, None
        self.abort()
        if exchange is not None:
            exchange.cut(reason)
