"""
One connection to a memcached server, which may send anything.

Twisted's protocol trusts the server: it keeps values of any length, takes any word for
the answer to any command, loses the command whose answer it cannot read, and waits for
as long as now and then an octet comes.  Here each command has its answers, values have
a limit, and what is not in time or not as it should be ends the connection.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.protocols.memcache import Command, MemCacheProtocol
from twisted.python.failure import Failure

from sso_proxy.errors import SsoProxyError, UnavailableError
from sso_proxy.net.no_reply import describe

LONGEST: Final = 2**20
"""Octets of a value; no server takes more unless it is told to."""

_MOST_LINES: Final = 1000
"""Lines of an answer: only ``stats`` has many, about a hundred."""

_ERRORS: Final = frozenset({b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR"})
_STORED: Final = frozenset({b"STORED", b"NOT_STORED"})
_ANSWERS: Final[Mapping[bytes, frozenset[bytes]]] = {
    b"get": frozenset({b"VALUE", b"END"}),
    b"gets": frozenset({b"VALUE", b"END"}),
    b"set": _STORED,
    b"add": _STORED,
    b"cas": frozenset({b"STORED", b"EXISTS", b"NOT_FOUND"}),
    b"delete": frozenset({b"DELETED", b"NOT_FOUND"}),
    b"touch": frozenset({b"TOUCHED", b"NOT_FOUND"}),
    b"version": frozenset({b"VERSION"}),
    b"stats": frozenset({b"STAT", b"END"}),
}
"""What an answer to each command begins with."""


class _NoAnswerError(SsoProxyError):
    """The server says what is no answer to what it was asked."""


class Connection(MemCacheProtocol):
    """
    A connection; its commands are answered in their order.

    Args:
        name: What it leads to, for messages.
        reactor: Measures time.

    Attributes:
        lost: Why it has ended; empty while it lasts.
        on_lost: Told when it ends.
    """

    MAX_LENGTH = 2048

    def __init__(self, name: str, reactor: Any) -> None:  # noqa: ANN401
        # The time that Twisted would take begins anew with each octet.
        super().__init__(timeOut=None)
        self.lost = ""
        self.on_lost: Callable[[], None] = _nothing
        self._name = name
        self._reactor = reactor
        self._timer: Any = None
        self._lines = 0

    def ask(self, until: float, command: str, *arguments: Any) -> Deferred[Any]:  # noqa: ANN401
        """
        Send a command; fires with what Twisted's method of this name gives.

        Fails with UnavailableError if the server cannot do it, and if the connection
        ends before.

        Args:
            until: When the answer must be there, by the reactor's clock.
            command: The method.
            arguments: What it takes; nothing here looks at keys.

        Raises:
            UnavailableError: The connection has ended.
        """
        if self.lost:
            raise UnavailableError(self.lost)
        answer: Deferred[Any] = getattr(self, command)(*arguments)
        self._current[-1].until = until
        self._wait(until)
        return answer

    def touch(self, key: bytes, expire_time: int) -> Deferred[bool]:
        """Set when *key* expires; fires with whether there is such a key."""
        self.sendLine(b"touch %b %d" % (key, expire_time))
        command = Command(b"touch", key=key)
        self._current.append(command)
        answer: Deferred[bool] = command._deferred  # noqa: SLF001 - as its siblings do
        return answer

    def end(self, reason: str) -> None:
        """End it; those who wait are told *reason*."""
        if not self.lost:
            self._finish(reason)
            if self.transport is not None:
                # Not loseConnection, which waits for a peer that may never read.
                transport: Any = self.transport
                transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Take a part of an answer."""
        if self.lost:
            return
        try:
            super().dataReceived(data)
        except Exception as e:  # noqa: BLE001 - whatever breaks there, the server did it
            text = str(e) if isinstance(e, _NoAnswerError) else "sends no answer"
            self.end(text)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell all who wait."""
        if not self.lost:
            self._finish(describe(reason.value or ConnectionLost(), 0)[0])

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        """Take a line that may be an answer to what was asked."""
        if not self._current:
            raise _NoAnswerError("sends what nobody asked for")
        asked, word = self._current[0], line.partition(b" ")[0]
        if word in _ERRORS:
            self._take_error(word, line)
            return
        if word not in _ANSWERS[asked.command]:
            raise _NoAnswerError(
                f"answers {asked.command.decode()} with something else"
            )
        super().lineReceived(line)
        same = bool(self._current) and self._current[0] is asked
        self._lines = self._lines + 1 if same else 0
        if self._lines > _MOST_LINES:
            raise _NoAnswerError("sends an answer without end")

    def lineLengthExceeded(  # noqa: N802
        self,
        line: bytes,  # noqa: ARG002
    ) -> None:
        """Take no line that never ends."""
        raise _NoAnswerError("sends a line without end")

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take a part of a value, and see that it ends where it is said to."""
        wanted: Any = self._lenExpected
        parts: Any = self._getBuffer
        length: Any = self._bufferLength
        if length + len(data) >= wanted + 2:
            end = b"".join((*parts, data))[wanted : wanted + 2]
            if end != b"\r\n":
                raise _NoAnswerError("sends a value of another length than it says")
        super().rawDataReceived(data)

    def cmd_VALUE(self, line: bytes) -> None:  # noqa: N802
        """Take the head of a value."""
        length = line.split()[2]
        if not length.isdigit() or int(length) > LONGEST:
            raise _NoAnswerError("sends a value that is too long")
        if self._current[0].value is not None:
            raise _NoAnswerError("sends two values")
        super().cmd_VALUE(line)

    def cmd_TOUCHED(self) -> None:  # noqa: N802
        """Take the answer to `touch`."""
        self._current.popleft().success(True)

    def _take_error(self, word: bytes, line: bytes) -> None:
        """Fail what was asked; only the server's own trouble leaves us in step."""
        problem = f"answers {line[:100]!r}"
        if word != b"SERVER_ERROR":
            raise _NoAnswerError(problem)
        self._current.popleft().fail(UnavailableError(f"{self._name}: {problem}"))

    def _wait(self, until: float) -> None:
        """Look at *until*, at the latest, whether all that was due has come."""
        if self._timer is not None:
            if self._timer.getTime() <= until:
                return
            self._timer.cancel()
        left = max(0.0, until - self._reactor.seconds())
        self._timer = self._reactor.callLater(left, self._check)

    def _check(self) -> None:
        self._timer = None
        if not self._current:
            return
        until = min(command.until for command in self._current)
        if until > self._reactor.seconds():
            self._wait(until)
        else:
            self.end("no answer in time")

    def _finish(self, reason: str) -> None:
        self.lost = f"{self._name}: {reason}"
        self._disconnected = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.on_lost()
        self._cancelCommands(UnavailableError(self.lost))


def _nothing() -> None:
    """Hear that a connection ended of which nobody wants to know."""
