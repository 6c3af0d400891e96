"""One connection to a Redis server: commands one behind the other, and time limits."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from sso_proxy.caches.redis_resp import Reader, Reply, RespError, encode
from sso_proxy.errors import UnavailableError
from sso_proxy.net.no_reply import describe

_GREETING: Final = 10
"""Commands that may wait on a connection that is not yet used by others."""
_OCTETS: Final = 2**25
"""Octets of commands that may wait for their replies."""

OnPush = Callable[[Reply], None]


class Gate:
    """
    Counts what waits, and lets in no more than that.

    Args:
        most: Commands.
        octets: Their octets together.
    """

    def __init__(self, most: int, octets: int = _OCTETS) -> None:
        self._most = most
        self._octets = octets
        self._count = 0
        self._sum = 0

    def enter(self, size: int) -> None:
        """
        Let a command of *size* octets in.

        Raises:
            UnavailableError: Too many are waiting.
        """
        if self._count >= self._most or self._sum + size > self._octets:
            raise UnavailableError("redis: too many commands wait for an answer")
        self._count += 1
        self._sum += size

    def leave(self, size: int) -> None:
        """Let it out."""
        self._count -= 1
        self._sum -= size


@attrs.frozen
class _Waiting:
    """
    A command without a reply yet.

    Attributes:
        reply: Fires with it.
        until: When it must be there.
        size: Octets of the command.
    """

    reply: Deferred[Reply]
    until: float
    size: int


class Link(Protocol):
    """
    A connection.

    A command that has no reply in time ends it: what came next could be taken for the
    answer to another question.  A waiting Deferred may be cancelled; the reply is then
    dropped when it comes.

    Args:
        name: What it leads to, for messages.
        reactor: Measures time.
        timeout: Seconds for a reply.
        on_push: Told what comes unasked; without, that ends the connection.

    Attributes:
        lost: Why it has ended; empty while it lasts.
        on_lost: Told when it ends.
        gate: Where commands are counted.
    """

    def __init__(
        self,
        name: str,
        *,
        reactor: Any,  # noqa: ANN401
        timeout: float,
        on_push: OnPush | None = None,
    ) -> None:
        self.name = name
        self.lost = ""
        self.gate = Gate(_GREETING)
        self.on_lost: Callable[[], None] = _nothing
        self._reactor = reactor
        self._timeout = timeout
        self._on_push = on_push
        self._reader = Reader()
        self._waiting: deque[_Waiting] = deque()
        self._timer: Any = None

    def send(self, *arguments: bytes) -> Deferred[Reply]:
        """
        Send a command; fires with the reply, which may be an error.

        Fails with UnavailableError if the connection ends before, or has ended.

        Raises:
            UnavailableError: The connection has ended, or too many wait.
        """
        if self.lost:
            raise UnavailableError(self.lost)
        data = encode(arguments)
        self.gate.enter(len(data))
        until = self._reactor.seconds() + self._timeout
        waiting = _Waiting(Deferred(), until, len(data))
        self._waiting.append(waiting)
        if self._timer is None:
            self._timer = self._reactor.callLater(self._timeout, self._check)
        self._write(data)
        return waiting.reply

    def tell(self, *arguments: bytes) -> None:
        """
        Send a command whose reply goes to *on_push*, or is one that nobody expects.

        Raises:
            UnavailableError: The connection has ended.
        """
        if self.lost:
            raise UnavailableError(self.lost)
        self._write(encode(arguments))

    def close(self, reason: str = "closed") -> None:
        """End it; those who wait are told *reason*."""
        if not self.lost:
            self._end(reason)
            # Not loseConnection, which waits for a peer that may never read.
            transport: Any = self.transport
            if transport is not None:
                transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take replies."""
        if self.lost:
            return
        try:
            replies = self._reader.feed(data)
        except RespError as e:
            self.close(f"sends {e}")
            return
        for reply in replies:
            self._dispatch(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell all who wait."""
        if not self.lost:
            problem = "no reason"
            if reason.value is not None:
                problem, _ = describe(reason.value, self._timeout)
            self._end(f"connection lost: {problem}")

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def _dispatch(self, reply: Reply) -> None:
        if self.lost:
            return
        if self._waiting:
            waiting = self._waiting.popleft()
            self.gate.leave(waiting.size)
            waiting.reply.callback(reply)
        elif self._on_push is not None:
            self._on_push(reply)
        else:
            self.close("sends what nobody asked for")

    def _check(self) -> None:
        """End it if the oldest command has waited for too long."""
        self._timer = None
        if not self._waiting:
            return
        left = self._waiting[0].until - self._reactor.seconds()
        if left > 0:
            self._timer = self._reactor.callLater(left, self._check)
        else:
            self.close(f"no answer within {self._timeout:g} s")

    def _end(self, reason: str) -> None:
        self.lost = f"{self.name}: {reason}"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, deque()
        for each in waiting:
            self.gate.leave(each.size)
        self.on_lost()
        for each in waiting:
            each.reply.errback(Failure(UnavailableError(self.lost)))


def _nothing() -> None:
    """Hear that a connection ended of which nobody wants to know."""
