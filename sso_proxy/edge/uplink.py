"""A client connection's way in: one request at a time, and bodies in their time."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from sso_proxy.admission import Admission, Connection, Verdict
from sso_proxy.edge.body import BodyReader
from sso_proxy.edge.exchange import Exchange
from sso_proxy.edge.intake import Intake
from sso_proxy.edge.memo import Memo
from sso_proxy.edge.place import Place
from sso_proxy.edge.progress import ProgressWatch
from sso_proxy.edge.site import Rules, Site
from sso_proxy.errors import BadMessageError
from sso_proxy.net.coroutine import Waiting
from sso_proxy.net.stream import Stream
from sso_proxy.session import Session
from sso_proxy.specs.http.incoming import Incoming

_log = Logger()

_CLOSE = b"Connection: close\r\n"
_KEEP = b"Connection: keep-alive\r\n"

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(Enum):
    """What the connection is doing."""

    HANDSHAKE = "handshake"
    IDLE = "idle"
    """Waiting for a request, or for the rest of a head."""
    BUSY = "busy"
    """A request is decided on or relayed."""
    LINGER = "linger"
    """The last answer is out; what still comes is dropped."""
    GONE = "gone"


class Uplink(ABC):
    """
    Holds the request under way and what nobody has taken of it; passes bodies on.

    Attributes:
        stream: The client's bytes; set by the listener.
        site: The listener.
        facts: What holds for all requests here.
        deadline: Monotonic time at which ``timed_out`` is due.
    """

    __slots__ = (
        "_buffer",
        "_closing",
        "_exchange",
        "_held",
        "_incoming",
        "_intake",
        "_kept",
        "_memo",
        "_place",
        "_waiting",
        "_watch",
        "deadline",
        "facts",
        "site",
        "stream",
    )

    stream: Stream

    def __init__(self, site: Site, facts: Connection) -> None:
        self.site = site
        self.facts = facts
        self._place = Place(facts)
        self.deadline = math.inf
        self._buffer = b""
        self._closing = False
        self._held = False
        self._exchange: Exchange | None = None
        self._incoming: Incoming | None = None
        self._intake: Intake | None = None
        self._waiting: Waiting[Verdict] | None = None
        self._watch = ProgressWatch()
        self._memo: Memo | None = None
        self._kept: tuple[bytes, Rules] | None = None

    def learn(self, facts: Connection) -> None:
        """Hold *facts* for what is known of this connection."""
        self.facts = facts
        self._place = self.site.place_of(facts)

    def _remember(self, admission: Admission) -> None:
        """Keep what was decided, for a repetition of the same bytes."""
        memo, incoming = self._memo, self._incoming
        if self._kept is None or incoming is None or admission.own:
            return
        rest, rules = self._kept  # of when it was begun: a reload may have come since
        over = admission.reuse_until <= monotonic()
        if over and memo is not None and memo.is_like(rest, rules):
            return  # for being alike, the one before is as good
        if memo is None or not memo.fits(rest, rules):
            place, routes = self._place, admission.host_routes
            memo = self._memo = Memo(rules, rest, incoming, routes, place)
        memo.add(admission)
        if incoming.trace is not None:
            memo.traced = True
        self._kept = None

    @abstractmethod
    def refuse(self, status: int, reason: str) -> None:
        """Answer *status* ourselves, or cut if an answer is under way."""

    def persistence(self) -> bytes:
        """Give the ``Connection`` line of the answer that begins now."""
        if self._intake is not None or self.site.draining:
            # An answer before the request has ended is the last one here.
            self._closing = True
        if self._closing:
            return _CLOSE
        exchange = self._exchange
        return _KEEP if exchange is not None and exchange.minor == 0 else b""

    def close_after(self) -> None:
        """Let the answer under way be the last."""
        self._closing = True

    def abort(self) -> None:
        """Close at once."""
        self.stream.abort()

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        """Forget what was decided for sessions that have *ended*; stop what runs."""
        if self._memo is not None and self._memo.is_for(ended):
            self._memo = None
        exchange = self._exchange
        admission = exchange.admission if exchange is not None else None
        if exchange is None or admission is None or not admission.is_for(ended):
            return
        if exchange.relaying:
            exchange.reason = "session-ended"
            self.abort()
        else:
            self._drop_request("session-ended")
            self.refuse(403, "session-ended")

    def check_progress(self, now: float) -> None:
        """Cut a client that takes nothing, or sends its body too slowly."""
        limits = self.site.rules.limits
        if self._watch.stuck(self.stream, now, limits.send_timeout):
            self.abort()
            return
        intake, exchange = self._intake, self._exchange
        if exchange is not None and exchange.is_overdue(now):
            self._drop_request("request-timeout")
            self.refuse(504 if intake is None else 408, "request-timeout")
            return
        if (
            intake is not None
            and exchange is not None
            and exchange.sink is not None  # until then, nothing is counted
            and not self._held
            and intake.too_slow(now, limits.body_idle_timeout, limits.body_min_rate)
        ):
            self._drop_request("body-too-slow")
            self.refuse(408, "body-too-slow")

    def _pump(self) -> None:
        """Pass on what has come of the request's body."""
        exchange = self._exchange
        if exchange is None or exchange.sink is None:
            return
        sink = exchange.sink
        framed = self._take_body()
        if framed is None:
            return
        if framed:
            sink.write(framed)
        self._pace(full=sink.full)
        if self._intake is None:
            sink.end()  # what follows may be the end of this request already

    def _take_body(self) -> bytes | None:
        """
        Take what has come of the request's body out of the buffer, framed anew.

        Gives None if it was no body, and the request is refused.
        """
        intake, exchange = self._intake, self._exchange
        if intake is None or exchange is None:
            return b""
        data, self._buffer = self._buffer, b""
        try:
            framed = intake.feed(data)
        except BadMessageError as e:
            self._drop_request(e.reason)
            self.refuse(e.status, e.reason)
            return None
        exchange.received = intake.received
        if intake.done:
            self._intake = None
            self._buffer = intake.leftover
        return framed

    def _expect_body(self, length: int | None, now: float) -> BodyReader:
        """Let a body come, and give what reads it before it is decided on."""
        self._intake = Intake(length, 0, now)
        return BodyReader(self, chunked=length is None)

    @property
    def _is_all_here(self) -> bool:
        """Whether nothing of the body is to come."""
        return self._intake is None

    @property
    def _is_read(self) -> bool:
        """Whether somebody takes what comes of the body."""
        return self._exchange is not None and self._exchange.sink is not None

    def read_whole(self, reader: BodyReader, limit: int) -> None:
        """
        Take in the body of a request that is being decided on, as it comes.

        Raises:
            BadMessageError: 413 for more than *limit* octets, 400 for what is no body.
        """
        exchange, incoming = self._exchange, self._incoming
        if exchange is None or incoming is None or self._intake is None:
            raise BadMessageError(400, "body-incomplete")
        length = incoming.framing.length
        if length is not None and length > limit:
            raise BadMessageError(413, "body-too-large")
        if incoming.framing.expect_continue and not self._buffer:
            self.stream.write(CONTINUE)
        intake = self._intake = Intake(length, limit, monotonic())
        data, self._buffer = self._buffer, b""
        reader.write(intake.feed(data))
        exchange.received = intake.received
        if intake.done:
            self._intake = None
            self._buffer = intake.leftover
            reader.end()
        elif self.stream.ended:
            raise BadMessageError(400, "body-incomplete")
        else:
            exchange.sink = reader
            self._pace(full=False)

    def _pace(self, *, full: bool) -> None:
        """Wait for the rest of the body, but not faster than the backend takes it."""
        if self._intake is None:
            self.deadline = math.inf
        elif full:
            self.deadline = math.inf
            self._hold()
        else:
            self.deadline = monotonic() + self.site.rules.limits.body_idle_timeout
            self._release()

    def body_may_go_on(self) -> None:
        """Read on: the backend takes more of the body."""
        if self._intake is not None:
            self._intake.restart(monotonic())
            self.deadline = monotonic() + self.site.rules.limits.body_idle_timeout
        self._release()

    def _hold(self) -> None:
        if not self._held:
            self._held = True
            self.stream.pause()

    def _release(self) -> None:
        if self._held:
            self._held = False
            self.stream.resume()

    def _skip_body(self) -> None:
        """Drop the body of a request that is not forwarded, if it is all here."""
        intake = self._intake
        if intake is not None and not self._closing and intake.skip(self._buffer):
            self._buffer = intake.leftover
            self._intake = None

    def _drop_request(self, reason: str) -> None:
        """Stop working on the request under way."""
        exchange = self._exchange
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if exchange is None:
            return
        exchange.reason = reason
        sink, exchange.sink = exchange.sink, None
        if sink is not None:
            sink.abandon()

    def _undecided(self, failure: Failure) -> None:
        """Deny: deciding was cancelled or broke in a way the pipeline does not know."""
        _log.failure("A decision broke; denied.", failure=failure)
        self._waiting = None
        if self._exchange is None:  # it was answered before it broke
            self.abort()
            return
        self._drop_request("failed")
        self.refuse(503, "failed")

    def _end_exchange(self) -> None:
        """Write the audit record: phase 10."""
        exchange, self._exchange = self._exchange, None
        self._incoming = self._intake = None
        if exchange is None or exchange.over:
            return
        exchange.over = True
        self.site.rules.record(exchange)
