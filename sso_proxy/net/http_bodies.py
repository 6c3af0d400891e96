"""Bodies of requests of our own, and of their answers, which are bounded."""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

from sso_proxy.net.no_reply import TooLongError


@implementer(IBodyProducer)
class WholeBody:
    """Writes a body that is there as a whole."""

    def __init__(self, body: bytes) -> None:
        self.length = len(body)
        self._body = body

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write it."""
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Do nothing: it is written."""

    def resumeProducing(self) -> None:
        """Do nothing: it is written."""

    def stopProducing(self) -> None:
        """Do nothing: it is written."""


class BoundedBody(Protocol):
    """Collects a body up to a limit."""

    def __init__(self, limit: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._left = limit
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep *data*, or give up."""
        self._left -= len(data)
        if self._left >= 0:
            self._parts.append(data)
        else:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give the body if it is whole, as far as framing tells."""
        if self.whole.called:
            return
        if self._left < 0:
            self.whole.errback(Failure(TooLongError("the answer is too long")))
        elif reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def _abort(self) -> None:
        """Cut the connection, unless the answer is whole and it serves others."""
        # Twisted's proxy for the transport can only close it, and over TLS that waits
        # for a peer that sends without end.
        transport = getattr(self.transport, "_producer", None)
        if transport is not None:
            transport.abortConnection()
