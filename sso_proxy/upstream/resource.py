"""
Backends inside this process: WSGI applications, directories, any twisted.web resource.

They are served by twisted.web over a transport in memory.  What it reads is the request
serialised for a backend, and what it writes is read like any backend's answer, so that
everything said of requests and answers holds for them, too.
"""

from typing import Any

import attrs
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site
from zope.interface import implementer

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IUpstream
from sso_proxy.model import Caller
from sso_proxy.net.ticker import Ticker
from sso_proxy.upstream import Exchange
from sso_proxy.upstream.connection import BackendConnection
from sso_proxy.upstream.files import Directory
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.target import Patience, Target
from sso_proxy.upstream.wire import TlsTransport, Transport, Wire
from sso_proxy.upstream.wsgi import HostedApplication

_log = Logger()


def caller_of(request: Request) -> Caller:
    """
    Give what is known of who makes *request*, to a resource hosted here.

    Raises:
        TypeError: The request did not come through sso-proxy.
    """
    if not isinstance(request, HostedRequest):
        raise TypeError("this request did not come through sso-proxy")
    return request.caller


class HostedRequest(Request):
    """
    A request to a resource hosted here.

    Attributes:
        caller: Who makes it.
    """

    def __init__(self, channel: HTTPChannel, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(channel, *arguments, **options)
        wire: Any = channel.transport
        self.caller: Caller = wire.caller

    def isSecure(self) -> bool:  # noqa: N802
        """Say whether the client uses TLS, a trusted proxy's before us included."""
        return self.caller.request.head.scheme == "https"

    def render(self, resrc: IResource) -> None:
        """Have it answered without naming the software and its version."""
        self.responseHeaders.removeHeader(b"server")
        super().render(resrc)

    def processingFailed(self, reason: Failure) -> Failure:  # noqa: N802
        """Log the failure under the id that the client is told."""
        _log.error("Request {id}: its resource failed.", id=self.caller.request.id)
        failure: Failure = super().processingFailed(reason)
        return failure


class Channel(HTTPChannel):
    """Carries one request; leaves the limits of its head to the edge."""

    totalHeadersSize = MAX_LENGTH = 1 << 24  # noqa: N815
    maxHeaders = 1 << 16  # noqa: N815

    def requestDone(self, request: Request) -> None:  # noqa: N802
        """Close, so that nobody waits for octets that were announced and not sent."""
        super().requestDone(request)
        self.loseConnection()


class SilentSite(Site):
    """Leaves time limits and records to the edge, which has its own."""

    noisy = False
    protocol = Channel  # type: ignore[assignment]

    def __init__(self, resource: IResource, reactor: Any, *, forms: bool) -> None:  # noqa: ANN401
        super().__init__(
            resource,
            requestFactory=HostedRequest,
            timeout=None,
            reactor=reactor,
            parsePOSTFormSubmission=forms,
        )

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


@implementer(IUpstream)
class ResourceUpstream:
    """Serves requests by a twisted.web resource."""

    inside = True

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        resource: IResource,
        *,
        depth: int,
        patience: Patience,
        ticker: Ticker,
        reactor: Any,  # noqa: ANN401
    ) -> None:
        self.name = name
        self.now = ticker.now
        self.response_timeout: float = patience.response_timeout
        self._reactor = reactor
        self._site = SilentSite(
            Mount(depth, resource) if depth else resource,
            reactor,
            # An application reads its own forms, without all of one in memory.
            forms=not isinstance(resource, HostedApplication),
        )
        self._all: set[BackendConnection] = set()
        self._ticker = ticker
        self._watches = False

    def forward(self, exchange: Exchange, outgoing: Outgoing) -> BackendConnection:
        """Serve *outgoing* on a channel of its own."""
        connection = BackendConnection(self)
        self._all.add(connection)
        if not self._watches:
            self._watches = True
            self._ticker.call_each(self._sweep)
        wire = Wire(self._reactor, connection)
        caller = _caller_now(outgoing)
        tls = caller.request.tls
        transport = Transport(wire, caller)
        if tls is not None:
            transport = TlsTransport(wire, caller, tls)
        wire.connect(self._site.buildProtocol(transport.getPeer()), transport)
        # Whatever a resource says to it, there is no second protocol on a wire.
        connection.start(exchange, outgoing.staying())
        connection.connected(wire)  # type: ignore[arg-type]  # all of it that is used
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
        """Let what is under way end; nothing else is open."""

    def counts(self) -> tuple[int, int]:
        """Give the number of channels in use, and idle ones: there are none."""
        return len(self._all), 0

    def _sweep(self, now: float) -> None:
        for connection in [c for c in self._all if c.deadline < now]:
            connection.expire()
        if not self._all:
            self._watches = False
            self._ticker.forget(self._sweep)


def check_hosted(kind: str, found: Any) -> None:  # noqa: ANN401
    """
    Check that *found* can be what a backend of *kind* names, without making anything.

    Raises:
        TypeError: It cannot.
    """
    if kind == "wsgi" and not callable(found):
        raise TypeError(f"{found!r} is no WSGI application: it cannot be called")
    if kind == "resource" and not callable(found) and not IResource.providedBy(found):
        raise TypeError(f"{found!r} provides no IResource and makes none")


def hosted_resource(target: Target, reactor: Any) -> IResource:  # noqa: ANN401
    """
    Make the resource for a backend inside this process.

    Raises:
        ConfigError: What was to make it raised, or made something else.
    """
    if target.kind == "wsgi":
        return HostedApplication(reactor, target.application)
    if target.kind == "static":
        return Directory(target.application)
    resource = target.application
    if not IResource.providedBy(resource):
        try:
            resource = target.application()
        except Exception as e:
            problem = f"{target.name}: {type(e).__name__}: {e}"
            raise ConfigError(Mistake("route", problem)) from e
    if not IResource.providedBy(resource):
        problem = f"{target.name}: {resource!r} provides no IResource"
        raise ConfigError(Mistake("route", problem))
    made: IResource = resource
    return made


def _caller_now(outgoing: Outgoing) -> Caller:
    """
    Give who makes *outgoing*, with that request's own line and id.

    A repeated request is forwarded with what was decided for the one before it.
    """
    line, request_id, _ = outgoing.head.split(b"\r\n", 2)
    method, target, _ = line.decode("ascii").split(" ")
    path, question, query = target.partition("?")
    caller = outgoing.caller
    request = caller.request
    head = attrs.evolve(
        request.head,
        method=method,
        path=path,
        query=query if question else None,
    )
    id_ = request_id.partition(b": ")[2].decode("ascii")
    return attrs.evolve(caller, request=attrs.evolve(request, id=id_, head=head))
