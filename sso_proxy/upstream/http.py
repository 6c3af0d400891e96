"""Backends that speak HTTP/1.1 over TCP, TLS or a unix socket."""

import socket

from zope.interface import classImplements

from sso_proxy.interfaces import IUpstream
from sso_proxy.net.connect import Address, Connector
from sso_proxy.net.dispatch import Watcher
from sso_proxy.net.resolve import Resolver
from sso_proxy.net.stream import SocketStream
from sso_proxy.net.ticker import Ticker
from sso_proxy.net.tls.stream import client_stream
from sso_proxy.upstream import Exchange
from sso_proxy.upstream.connection import BackendConnection
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.target import Patience, Target, place_of


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


classImplements(HttpUpstream, IUpstream)
