"""Backends that speak HTTP/1.1 over TCP, TLS or a unix socket."""

import socket
from typing import Any, Final

import attrs
from zope.interface import implementer

from sso_proxy.config.upstream_parts import UpstreamOptions
from sso_proxy.interfaces import IUpstream
from sso_proxy.net.connect import Address, Connector
from sso_proxy.net.nest import Watcher
from sso_proxy.net.resolve import Resolver
from sso_proxy.net.stream import SocketStream
from sso_proxy.net.ticker import Ticker
from sso_proxy.net.tls.stream import ClientContext, client_stream
from sso_proxy.upstream import Exchange, Outgoing
from sso_proxy.upstream.connection import BackendConnection

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


@attrs.frozen(kw_only=True)
class Target:
    """
    Where a backend is.

    Attributes:
        name: Its URL, for logs.
        kind: ``http``, ``https``, ``unix``, ``wsgi``, ``static``, ``resource`` or
            ``upstream``.
        host: Host name or address; empty for a unix socket.
        port: TCP port.
        path: A unix socket's path.
        tls: The context for https, or None.
        server_name: The name to expect in its certificate.
        application: For a backend inside this process: the object, or a directory.
        depth: Path segments that lead to it.
        servers: For an upstream, where each of its servers is.
        options: For an upstream, what is said of it.
    """

    name: str
    kind: str = "http"
    host: str = ""
    port: int = 0
    path: str = ""
    tls: ClientContext | None = attrs.field(default=None, repr=False)
    server_name: str = ""
    application: Any = attrs.field(default=None, repr=False)
    depth: int = 0
    servers: "tuple[Target, ...]" = ()
    options: UpstreamOptions | None = attrs.field(default=None, repr=False)


def place_of(target: Target) -> tuple[str, int]:
    """Give what two URLs of one server have in common: a host and port, or a path."""
    if target.kind == "unix":
        return target.path, 0
    host = "localhost" if target.host in _LOOPBACK else target.host
    return host, target.port


@attrs.frozen(kw_only=True)
class Patience:
    """How long a backend may take, in seconds, and how much stays open."""

    connect_timeout: float = 5.0
    response_timeout: float = 60.0
    idle_timeout: float = 30.0
    idle: int = 128


@implementer(IUpstream)
class HttpUpstream:
    """
    Connections to one backend, the most recently used first.

    Attributes:
        backend: Where it is.
        name: Its URL.
        places: Where it is, so that others can be told to be the same.
        response_timeout: Seconds until its answer begins.
        now: Gives the monotonic time.
    """

    inside = False

    def __init__(
        self,
        backend: Target,
        patience: Patience,
        *,
        nest: Watcher,
        resolver: Resolver,
        ticker: Ticker,
    ) -> None:
        self.backend = backend
        self.name = backend.name
        self.places = frozenset({place_of(backend)})
        self.response_timeout = patience.response_timeout
        self._patience = patience
        self._nest = nest
        self._resolver = resolver
        self._ticker = ticker
        self._idle: list[BackendConnection] = []
        self._all: set[BackendConnection] = set()
        self._closed = False
        self.now = ticker.now
        ticker.call_each(self._sweep)

    def forward(self, exchange: Exchange, outgoing: Outgoing) -> BackendConnection:
        """Send *outgoing* over an idle connection or a new one."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            # What cannot be sent again must not meet a closed connection, and nothing
            # a connection with an answer that nobody asked for (F12).
            fresh = outgoing.replayable and not connection.unheard
            if fresh or not connection.is_stale():
                connection.start(exchange, outgoing)
                return connection
            connection.retire()
        return self.replay(exchange, outgoing)

    def replay(self, exchange: Exchange, outgoing: Outgoing) -> BackendConnection:
        """Send *outgoing* over a new connection."""
        connection = BackendConnection(self)
        self._all.add(connection)
        connection.start(exchange, outgoing)
        connection.deadline = self.now() + self._patience.connect_timeout
        if self.backend.kind == "unix":
            self._connect(connection, [(socket.AF_UNIX, self.backend.path)])
        else:
            self._resolver.lookup(
                self.backend.host,
                self.backend.port,
                lambda found: self._connect(connection, found),
            )
        return connection

    def release(self, connection: BackendConnection) -> None:
        """Keep *connection* for the next request."""
        if self._closed or len(self._idle) >= self._patience.idle:
            connection.retire()
        else:
            connection.deadline = self.now() + self._patience.idle_timeout
            self._idle.append(connection)

    def dropped(self, connection: BackendConnection) -> None:
        """Forget *connection*."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Drop idle connections now, and all others as they become idle."""
        self._closed = True
        for connection in [*self._idle]:
            connection.retire()

    def counts(self) -> tuple[int, int]:
        """Give the number of connections in use and idle."""
        return len(self._all) - len(self._idle), len(self._idle)

    def _connect(self, connection: BackendConnection, addresses: list[Address]) -> None:
        if connection not in self._all:  # given up while the name was looked up
            return

        def failed(reason: str) -> None:
            connection.drop_connector = None
            self.dropped(connection)
            connection.unreachable(502, f"backend-unreachable: {reason}")

        connector = Connector(
            self._nest,
            addresses,
            lambda sock: self._connected(connection, sock),
            failed,
        )
        connection.drop_connector = connector.abort
        connector.start()

    def _connected(self, connection: BackendConnection, sock: socket.socket) -> None:
        backend = self.backend
        if backend.tls is None:
            connection.connected(SocketStream(self._nest, sock, connection))
            return
        stream = client_stream(
            self._nest,
            sock,
            connection,
            context=backend.tls,
            server_name=backend.server_name,
            on_ready=lambda: connection.connected(stream),
        )
        connection.drop_connector = stream.abort
        stream.shake_hands()

    def _sweep(self, now: float) -> None:
        for connection in [c for c in self._all if c.deadline < now]:
            if connection in self._idle:
                connection.retire()
            else:
                connection.expire()
        if self._closed and not self._all:
            self._ticker.forget(self._sweep)
