"""
A connection in memory between a twisted.web channel and the reader of its answers.

Neither end is ever called from within a call that it makes itself: what the channel
writes is handed on in a later turn of the reactor.  So an answer may end, and a channel
be closed, while the resource that gave the answer is still on the stack.
"""

from collections.abc import Callable, Iterable
from threading import Event
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IPushProducer,
    ISSLTransport,
    ITransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sso_proxy.model import Caller, TlsFacts
from sso_proxy.net.stream import HIGH_WATER, StreamHandler
from sso_proxy.net.tls.certificates import x509_of

_log = Logger()

AHEAD = 1 << 20
"""Octets of an answer that a thread may be ahead of its client.  A slow client then
costs this much memory; most answers are shorter and do not hold up their thread."""


class Wire:
    """
    What a channel writes, as a stream that `BackendConnection` reads.

    Attributes:
        lost: Nobody waits for the answer any more.
        room: For threads: set unless the client is slow.
        full: Never: a channel takes everything.
        buffered: So nothing waits, either.
    """

    full = False
    buffered = 0

    def __init__(self, reactor: Any, handler: StreamHandler) -> None:  # noqa: ANN401
        self.lost = False
        self.room = Event()
        self.room.set()
        self._reactor = reactor
        self._handler = handler
        self._channel: Any = None
        self._waiting: list[bytes] = []
        self._buffered = 0
        self._held = False
        self._waits = False
        self._ended = False
        self._failed = ""
        self._turn: Any = None

    def connect(self, channel: Any, transport: "Transport") -> None:  # noqa: ANN401
        """Put *channel* at the other end."""
        self._channel = channel
        channel.makeConnection(transport)

    # What the reader of the answer does

    def write(self, data: bytes) -> None:
        """Let the channel read *data*."""
        if not self.lost and not self._failed:
            self._call(self._channel.dataReceived, data)

    def pause(self) -> None:
        """Ask the resource to wait: the client is slow."""
        self._held = True
        self._congest()

    def resume(self) -> None:
        """Let the resource go on."""
        self._held = False
        self._schedule()

    def close(self) -> None:
        """Close the channel; if its answer is not complete, the resource is told."""
        if self.lost:
            return
        self.lost = True
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._waiting.clear()
        self.room.set()
        self._call(self._channel.stopProducing)
        self._call(self._channel.connectionLost, Failure(ConnectionLost()))
        self._handler.connection_lost(self._failed or "closed")

    abort = close

    @property
    def unheard(self) -> bool:
        """Say that there is no second request here."""
        return True

    def readable_now(self) -> bool:
        """Say that there is no second request here."""
        return True

    # What the channel does

    def take(self, data: bytes) -> None:
        """Take a part of the answer."""
        if not data or self.lost or self._ended:
            return
        self._waiting.append(bytes(data))
        self._buffered += len(data)
        if self._buffered >= HIGH_WATER:
            self._congest()
        if self._buffered >= AHEAD:
            self.room.clear()
        self._schedule()

    def end(self) -> None:
        """Close once everything has been handed on."""
        self._ended = True
        self._schedule()

    def fail(self, reason: str) -> None:
        """Close at the next turn, whatever is still to be handed on."""
        self._failed = reason
        self._schedule()

    # Inside

    def _schedule(self) -> None:
        if self._turn is None and not self.lost:
            self._turn = self._reactor.callLater(0, self._hand_on)

    def _hand_on(self) -> None:
        self._turn = None
        if self._failed:
            self.close()
            return
        if self._waiting and not self._held:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._buffered = 0
            self._handler.data_received(data)
        if self.lost or self._held or self._waiting:
            return
        if self._ended:
            self._handler.eof_received()
        elif self._waits:
            self._waits = False
            self.room.set()
            self._call(self._channel.resumeProducing)

    def _congest(self) -> None:
        if not self._waits and not self.lost:
            self._waits = True
            self._call(self._channel.pauseProducing)

    def _call(self, method: Callable[..., None], *arguments: object) -> None:
        """Call into the channel; what a resource raises there ends its answer."""
        try:
            method(*arguments)
        except Exception:  # noqa: BLE001
            _log.failure("A resource failed; its answer is cut.")
            self.fail("resource-failed")


class Handle:
    """What resources ask OpenSSL's connection for, answered from the TLS facts."""

    def __init__(self, facts: TlsFacts) -> None:
        self._facts = facts

    def export_keying_material(
        self, label: bytes, olen: int, context: bytes | None = None
    ) -> bytes:
        """Derive keying material (RFC 5705)."""
        return self._facts.export_key(label, olen, context)

    def get_peer_certificate(self) -> Any:  # noqa: ANN401
        """Give the client's certificate, or None."""
        certificate = self._facts.certificate
        return None if certificate is None else x509_of(certificate.der)


@implementer(IAddress)
class NoAddress:
    """The address of a client that came over a unix socket and has none."""

    host = ""
    port = 0


@implementer(ITransport, IPushProducer)
class Transport:
    """
    The channel's end of a `Wire`.

    Attributes:
        caller: Who makes the request, for `caller_of`.
        wire: The wire.
    """

    disconnecting = False

    def __init__(self, wire: Wire, caller: Caller) -> None:
        self.wire = wire
        self.caller = caller

    def write(self, data: bytes) -> None:
        """Take a part of the answer."""
        self.wire.take(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Take parts of the answer."""
        self.wire.take(b"".join(data))

    def loseConnection(self) -> None:
        """End the answer; if it is not complete, it will not look so."""
        self.disconnecting = True
        self.wire.end()

    def abortConnection(self) -> None:
        """Break off."""
        self.disconnecting = True
        self.wire.fail("resource-aborted")

    def getPeer(self) -> Any:  # noqa: ANN401
        """Give the client's address, after trusted proxies."""
        address = self.caller.request.client.address
        if address == "unix":
            return NoAddress()
        family = IPv6Address if ":" in address else IPv4Address
        return family("TCP", address, 0)

    def getHost(self) -> Any:  # noqa: ANN401
        """Give the name and port that the client asked for."""
        head = self.caller.request.head
        return IPv4Address("TCP", head.host, head.port)

    def getPeerCertificate(self) -> Any:  # noqa: ANN401
        """Give the client's certificate; there is none without TLS."""
        return None

    def registerProducer(self, producer: object, streaming: bool) -> None:  # noqa: FBT001
        """Do nothing: the wire knows its channel."""

    def unregisterProducer(self) -> None:
        """Do nothing."""

    def pauseProducing(self) -> None:
        """Do nothing: there is one request on a channel."""

    def resumeProducing(self) -> None:
        """Do nothing."""

    def stopProducing(self) -> None:
        """Do nothing: `loseConnection` follows."""


@implementer(ISSLTransport)
class TlsTransport(Transport):
    """The same where the client's connection is TLS that ended here."""

    def __init__(self, wire: Wire, caller: Caller, facts: TlsFacts) -> None:
        super().__init__(wire, caller)
        self._handle = Handle(facts)

    def getPeerCertificate(self) -> Any:  # noqa: ANN401
        """Give the client's certificate, verified or not, or None."""
        return self._handle.get_peer_certificate()

    def getHandle(self) -> Handle:
        """Give what answers for OpenSSL's connection."""
        return self._handle

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001, N802
        """Do nothing: there is no network here."""

    def getTcpNoDelay(self) -> bool:  # noqa: N802
        """Say that nothing waits."""
        return True

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: FBT001, N802
        """Do nothing."""

    def getTcpKeepAlive(self) -> bool:  # noqa: N802
        """Say that nothing is sent."""
        return False

    def loseWriteConnection(self) -> None:  # noqa: N802
        """End the answer."""
        self.loseConnection()
