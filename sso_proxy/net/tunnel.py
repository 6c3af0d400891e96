"""A connection through an HTTP proxy that is asked with CONNECT (RFC 9110 9.3.6)."""

import re

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from sso_proxy.errors import SsoProxyError

_OPENED = re.compile(rb"HTTP/1\.[01] 200(?: [^\r\n]*)?\r\n")
_MAX_HEAD = 8192


class TunnelError(SsoProxyError):
    """The proxy did not open a tunnel."""


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    Connects to *host* and *port* by way of a proxy.

    The protocol is only made once the tunnel is open, so that nothing of it, TLS
    least of all, ever talks to the proxy.
    """

    def __init__(self, proxy: IStreamClientEndpoint, host: str, port: int) -> None:
        self._proxy = proxy
        name = f"[{host}]" if ":" in host else host
        self._authority = f"{name}:{port}".encode("ascii")

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect, and give the protocol that *protocolFactory* builds."""
        tunnel = _Tunnel(self._authority, protocolFactory)
        factory = Factory.forProtocol(lambda: tunnel)
        factory.noisy = False
        connected: Deferred[IProtocol] = self._proxy.connect(factory)
        return connected.addCallback(lambda _: tunnel.opened)


class _Tunnel(Protocol):
    """Asks the proxy, then stands aside."""

    _tcp: ITCPTransport

    def __init__(self, authority: bytes, factory: IProtocolFactory) -> None:
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self._abort())
        self._authority = authority
        self._factory = factory
        self._head = b""
        self._inner: IProtocol | None = None

    def connectionMade(self) -> None:
        """Ask for the tunnel."""
        self._tcp = ITCPTransport(self.transport)
        self._tcp.write(
            b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n"
            % (self._authority, self._authority)
        )

    def dataReceived(self, data: bytes) -> None:
        """Read the proxy's answer, or pass on what comes through the tunnel."""
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _MAX_HEAD:
                self._fail("the proxy's answer is too long")
        elif not _OPENED.match(self._head):
            self._fail("the proxy refused: " + self._status())
        elif len(self._head) != end + 4:
            # whoever is on the way could put them before those that TLS protects
            self._fail("octets came before TLS began")
        else:
            self._open()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever is concerned."""
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.opened.called:
            self.opened.errback(Failure(TunnelError("the proxy closed the connection")))

    def _open(self) -> None:
        """Hand the connection over."""
        inner = self._factory.buildProtocol(self._tcp.getPeer())
        if inner is None:
            self._fail("nobody wants the connection")
            return
        self._inner = inner
        inner.makeConnection(self._tcp)
        self.opened.callback(inner)

    def _fail(self, problem: str) -> None:
        """Give up."""
        if not self.opened.called:
            self.opened.errback(Failure(TunnelError(problem)))
        self._abort()

    def _abort(self) -> None:
        """Cut the connection."""
        self._tcp.abortConnection()

    def _status(self) -> str:
        """Give the status code that the proxy sent."""
        match = re.match(rb"HTTP/1\.[01] (\d{3})", self._head)
        return match[1].decode("ascii") if match else "no HTTP"
