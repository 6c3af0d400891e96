"""What keeps a connection to one memcached server."""

from collections.abc import Callable
from typing import Any, Final

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from sso_proxy.caches.memcached_connection import Connection
from sso_proxy.errors import UnavailableError
from sso_proxy.net.no_reply import describe, first_cause
from sso_proxy.traffic import Histogram

MOST: Final = 1000
"""Commands that may wait for their answers."""
OCTETS: Final = 2**24
"""Octets of values that may wait to be stored."""
STEADY: Final = 5.0
"""Seconds after which a connection that ends was a good one, and is renewed at once."""

_log = Logger()

RetryPolicy = Callable[[int], float]
"""Gives the seconds to wait after so many failures in a row."""


class Link:
    """
    Connects to a server, again and again where that is needed.

    Commands wait for the first connection, and for the next one where a good one ended.
    While the server is known to be down they fail at once: nobody waits for it.

    Args:
        name: The server, for messages.
        endpoint: Where it is.
        reactor: Measures time.
        timeout: Seconds for a command, the connection included.
        retry: How long to wait between attempts; unset, up to 5 seconds, and by chance
            up to one more, so that not all come back at the same time.
    """

    def __init__(
        self,
        name: str,
        endpoint: IStreamClientEndpoint,
        *,
        reactor: Any,  # noqa: ANN401
        timeout: float,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.name = name
        self.durations = Histogram()
        self._endpoint = endpoint
        self._reactor = reactor
        self._timeout = timeout
        self._retry = retry or backoffPolicy(0.1, 5.0, 2.0)
        self._connection: Connection | None = None
        self._attempt: Deferred[Any] | None = None
        self._timer: Any = None
        self._waiting: list[Deferred[Connection]] = []
        self._trouble = f"{name}: not open"
        self._failures = 0
        self._since = 0.0
        self._count = 0
        self._octets = 0

    def open(self) -> None:
        """Begin to connect; may be done again."""
        if not any((self._connection, self._attempt, self._timer)):
            self._trouble = ""
            self._connect()

    def close(self) -> None:
        """End the connection, and make no other."""
        self._trouble = f"{self.name}: closed"
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.on_lost = _nothing
            connection.end("closed")
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        self._tell(None)

    def deadline(self) -> float:
        """Give when an answer to what is asked now must be there."""
        until: float = self._reactor.seconds() + self._timeout
        return until

    async def ask(
        self,
        command: str,
        *arguments: Any,  # noqa: ANN401
        until: float | None = None,
        octets: int = 0,
    ) -> Any:  # noqa: ANN401
        """
        Have the server do *command*, as `Connection.ask` says.

        Args:
            command: The method.
            arguments: What it takes.
            until: When the answer must be there; unset, `deadline`.
            octets: Those of the value that is sent.

        Raises:
            UnavailableError: There is no answer in time, or none at all.
        """
        if self._count >= MOST or self._octets + octets > OCTETS:
            raise UnavailableError(f"{self.name}: too many commands wait for an answer")
        until = self.deadline() if until is None else until
        self._count += 1
        self._octets += octets
        began = self._reactor.seconds()
        try:
            connection = self._connection or await self._connected()
            return await connection.ask(until, command, *arguments)
        finally:
            self.durations.note(self._reactor.seconds() - began)
            self._count -= 1
            self._octets -= octets

    async def _connected(self) -> Connection:
        """Wait for the attempt that is made, if there is hope."""
        if self._trouble:
            raise UnavailableError(self._trouble)
        waiter: Deferred[Connection] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        return await waiter

    def _connect(self) -> None:
        self._timer = None
        attempt: Deferred[Any] = Deferred.fromCoroutine(self._greet())
        deadline = self._reactor.callLater(self._timeout, attempt.cancel)

        def ended(result: Connection | Failure) -> None:
            if deadline.active():
                deadline.cancel()
            if self._attempt is not attempt:
                return  # closed meanwhile
            self._attempt = None
            if isinstance(result, Failure):
                self._failed(result)
            else:
                self._have(result)

        self._attempt = attempt
        attempt.addBoth(ended)

    async def _greet(self) -> Connection:
        """Connect; a server that does not answer is none, though it be connected."""
        factory = Factory.forProtocol(lambda: Connection(self.name, self._reactor))
        factory.noisy = False
        connection: Connection
        connection = await self._endpoint.connect(factory)  # type: ignore[assignment]
        try:
            await connection.ask(self.deadline(), "version")
        except BaseException:
            connection.end("gave no answer to a greeting")
            raise
        return connection

    def _have(self, connection: Connection) -> None:
        if connection.lost:
            self._failed(Failure(UnavailableError(connection.lost)))
            return
        if self._trouble:
            _log.info("connected again to {name}", name=self.name)
        self._trouble = ""
        self._since = self._reactor.seconds()
        self._connection = connection
        connection.on_lost = self._lost
        self._tell(connection)

    def _lost(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._reactor.seconds() - self._since >= STEADY:
            self._failures = 0
        self._trouble = connection.lost if self._failures else ""
        _log.warn("lost the connection to {name}", name=connection.lost)
        self._again()

    def _failed(self, failure: Failure) -> None:
        cause = failure.value
        if isinstance(cause, Exception):
            cause = first_cause(cause)
        if isinstance(cause, UnavailableError):
            trouble = cause.what
        else:
            problem, _ = describe(cause or ConnectionLost(), self._timeout)
            trouble = f"{self.name}: {problem}"
        if not self._trouble:
            _log.warn("cannot connect to {name}", name=trouble)
        self._trouble = trouble
        self._again()
        self._tell(None)

    def _again(self) -> None:
        """Try again, later with each failure."""
        delay = self._retry(self._failures) if self._failures else 0.0
        self._failures += 1
        self._timer = self._reactor.callLater(delay, self._connect)

    def _tell(self, connection: Connection | None) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if connection is not None:
                waiter.callback(connection)
            else:
                waiter.errback(Failure(UnavailableError(self._trouble)))


def _nothing() -> None:
    """Hear that a connection ended that was closed."""
