"""
Backends inside this process: WSGI applications, directories, any twisted.web resource.

They are served by twisted.web over a transport in memory.  What it reads is the request
serialised for a backend, and what it writes is read like any backend's answer, so that
everything said of requests and answers holds for them, too.
"""

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IPushProducer,
    ISSLTransport,
    ITransport,
)
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from twisted.web.static import File
from twisted.web.wsgi import WSGIResource
from zope.interface import alsoProvides, implementer

from sso_proxy.interfaces import IUpstream
from sso_proxy.model import Caller, TlsFacts
from sso_proxy.net.ticker import Ticker
from sso_proxy.net.tls.certificates import x509_of
from sso_proxy.upstream import Exchange, Outgoing
from sso_proxy.upstream.connection import BackendConnection
from sso_proxy.upstream.http import Patience, Target

Application = Callable[[MutableMapping[str, Any], Any], Iterable[bytes]]


def caller_of(request: Request) -> Caller:
    """Give what is known of who makes *request*, to a resource hosted here."""
    wire: object = request.channel.transport
    if not isinstance(wire, Wire):
        raise TypeError("this request did not come through sso-proxy")
    return wire.caller


class SilentSite(Site):
    """Leaves time limits and records to the edge, which has its own."""

    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource, timeout=None)

    def log(self, request: Any) -> None:  # noqa: ANN401
        """Write nothing."""


class Mount(Resource):
    """Takes a route's own path segments off before its resource sees the rest."""

    def __init__(self, depth: int, resource: IResource) -> None:
        super().__init__()
        self._depth = depth
        self._resource = resource

    def getChild(self, path: bytes, request: Request) -> IResource:  # noqa: ARG002
        """Go one segment down."""
        if self._depth <= 1:
            return self._resource
        return Mount(self._depth - 1, self._resource)


class Directory(File):
    """Files of a directory, and nothing about what others there are."""

    def directoryListing(self) -> IResource:  # noqa: N802
        """Show no listing."""
        missing: IResource = self.childNotFound
        return missing


class HostedApplication(Resource):
    """
    A WSGI application, told who is calling.

    Its environ has ``REMOTE_USER`` unless the caller is nobody in particular, and under
    ``sso_proxy.caller`` the `sso_proxy.model.Caller` with claims and TLS facts.
    """

    isLeaf = True

    def __init__(self, reactor: Any, application: Application) -> None:  # noqa: ANN401
        super().__init__()
        self._reactor = reactor
        self._application = application

    def render(self, request: Request) -> int:
        """Run the application in a thread."""
        caller = caller_of(request)

        def told(environ: MutableMapping[str, Any], start: Any) -> Iterable[bytes]:  # noqa: ANN401
            environ["sso_proxy.caller"] = caller
            if caller.user:
                environ["REMOTE_USER"] = caller.user
            return self._application(environ, start)

        pool = self._reactor.getThreadPool()
        WSGIResource(self._reactor, pool, told).render(request)
        return NOT_DONE_YET


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


@implementer(ITransport, IPushProducer)
class Wire:
    """Connects a twisted.web channel with the reader of its answer."""

    def __init__(self, caller: Caller, connection: BackendConnection) -> None:
        self.caller = caller
        self.connection = connection
        self.handler: Any = connection
        self.channel: Any = None
        self.disconnecting = False
        self.full = False
        self.buffered = 0
        self.progress = 0
        self._lost = False
        tls = caller.request.tls
        if tls is not None:
            self._tls = Handle(tls)
            alsoProvides(self, ISSLTransport)

    # What `BackendConnection` asks of a stream

    def write_request(self, data: bytes) -> None:
        """Let the channel read *data*."""
        if not self._lost:
            self.channel.dataReceived(data)

    def pause(self) -> None:
        """Ask the resource to wait: the client is slow."""
        self.channel.pauseProducing()

    def resume(self) -> None:
        """Let the resource go on."""
        self.channel.resumeProducing()

    def close(self) -> None:
        """End the channel."""
        if not self._lost:
            self._lost = True
            self.channel.connectionLost(Failure(ConnectionDone()))
            self.connection.connection_lost("closed")

    abort = close

    # What the channel asks of its transport

    def write(self, data: bytes) -> None:
        """Take a part of the answer."""
        if data and not self._lost:
            self.connection.data_received(bytes(data))

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Take parts of the answer."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """End the answer."""
        if not self._lost:
            self.connection.eof_received()

    abortConnection = close

    def getPeer(self) -> IAddress:
        """Give the client's address, after trusted proxies."""
        return _address(self.caller.request.client.address)

    def getHost(self) -> IAddress:
        """Give the address that the client asked."""
        head = self.caller.request.head
        return IPv4Address("TCP", head.host, head.port)

    def getPeerCertificate(self) -> Any:  # noqa: ANN401
        """Give the client's certificate."""
        return self._tls.get_peer_certificate()

    def getHandle(self) -> Handle:
        """Give what answers for OpenSSL's connection."""
        return self._tls

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001, N802
        """Do nothing: there is no network here."""

    def registerProducer(self, producer: object, streaming: bool) -> None:  # noqa: FBT001
        """Do nothing: `pause` and `resume` reach the channel itself."""

    def unregisterProducer(self) -> None:
        """Do nothing."""

    def pauseProducing(self) -> None:
        """Do nothing: there is one request on a channel."""

    def resumeProducing(self) -> None:
        """Do nothing."""

    def stopProducing(self) -> None:
        """Do nothing: `loseConnection` follows."""


class _WireStream:
    """A wire as a stream; `write` means the other direction there."""

    closed = False
    full = False

    def __init__(self, wire: Wire) -> None:
        self.write = wire.write_request
        self.pause = wire.pause
        self.resume = wire.resume
        self.close = wire.close
        self.abort = wire.abort

    def readable_now(self) -> bool:
        """Say that it is not to be used again."""
        return True


@implementer(IUpstream)
class ResourceUpstream:
    """Serves requests by a twisted.web resource."""

    def __init__(
        self,
        name: str,
        resource: IResource,
        *,
        depth: int,
        patience: Patience,
        ticker: Ticker,
    ) -> None:
        self.name = name
        self.now = ticker.now
        self.response_timeout: float = patience.response_timeout
        self._site = SilentSite(Mount(depth, resource) if depth else resource)
        self._all: set[BackendConnection] = set()
        self._ticker = ticker
        ticker.call_each(self._sweep)

    def forward(self, exchange: Exchange, outgoing: Outgoing) -> BackendConnection:
        """Serve *outgoing* on a channel of its own."""
        connection = BackendConnection(self)
        self._all.add(connection)
        wire = Wire(outgoing.caller, connection)
        wire.channel = self._site.buildProtocol(wire.getPeer())
        wire.channel.makeConnection(wire)
        connection.start(exchange, outgoing)
        connection.connected(_WireStream(wire))  # type: ignore[arg-type]
        return connection

    def replay(self, exchange: Exchange, outgoing: Outgoing) -> BackendConnection:
        """Serve *outgoing* again."""
        return self.forward(exchange, outgoing)

    def release(self, connection: BackendConnection) -> None:
        """End a channel that has answered."""
        connection.abort()

    def dropped(self, connection: BackendConnection) -> None:
        """Forget *connection*."""
        self._all.discard(connection)

    def close(self) -> None:
        """Stop looking at deadlines once all is answered."""
        self._ticker.forget(self._sweep)

    def counts(self) -> tuple[int, int]:
        """Give the number of channels in use, and idle ones: there are none."""
        return len(self._all), 0

    def _sweep(self, now: float) -> None:
        for connection in [c for c in self._all if c.deadline < now]:
            connection.expire()


def hosted_resource(target: Target, reactor: Any) -> IResource:  # noqa: ANN401
    """
    Make the resource for a backend inside this process.

    Raises:
        TypeError: The object is no resource, nor makes one.
    """
    application = target.application
    match target.kind:
        case "wsgi":
            return HostedApplication(reactor, application)
        case "static":
            directory: IResource = Directory(application)
            return directory
        case _:
            pass
    made = application() if isinstance(application, type) else application
    if not IResource.providedBy(made):
        raise TypeError(f"{target.name}: {made!r} provides no IResource")
    resource: IResource = made
    return resource


def _address(address: str) -> IAddress:
    if address == "unix":
        return UNIXAddress(None)
    family = IPv6Address if ":" in address else IPv4Address
    return family("TCP", address, 0)
