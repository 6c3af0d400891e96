"""Accept connections, find out who is at the other end, and begin to serve."""

import errno
import socket
from collections import Counter
from collections.abc import Callable

import attrs
from twisted.logger import Logger

from sso_proxy.admission import Connection
from sso_proxy.config.model import ForwardedCertificate
from sso_proxy.edge.connection import ServerConnection
from sso_proxy.edge.preface import Preface
from sso_proxy.edge.site import Rules, Site
from sso_proxy.edge.uplink import State
from sso_proxy.model import TlsFacts
from sso_proxy.net.dispatch import EXCLUSIVE, READ, Watcher
from sso_proxy.net.stream import SocketStream
from sso_proxy.net.tls.context import ListenerTls
from sso_proxy.net.tls.stream import server_stream

_log = Logger()

_AT_ONCE = 32
"""Connections taken at one event, so that other workers get some."""

_ACCEPT = READ | EXCLUSIVE


@attrs.frozen(kw_only=True)
class ListenerRules:
    """
    What one configuration says to a listener.

    Attributes:
        rules: To its connections.
        tls: Contexts, or None without TLS.
        trusted: Whether an address is a trusted proxy's.
        forwarded_certificate: What a trusted proxy's ``Client-Cert`` counts.
        speaks_proxy: Whether a peer begins with a PROXY protocol header.
        handshake_timeout: Seconds for the handshake, PROXY header included.
        connections: Connections at once.
        per_address: The same from one address that is no trusted proxy.
    """

    rules: Rules
    tls: ListenerTls | None
    trusted: Callable[[str], bool]
    forwarded_certificate: ForwardedCertificate = "ignore"
    speaks_proxy: Callable[[str], bool] | None
    handshake_timeout: float
    connections: int
    per_address: int


class Listener:
    """One listening socket and its connections."""

    def __init__(
        self,
        nest: Watcher,
        sock: socket.socket,
        site: Site,
        listener_rules: ListenerRules,
    ) -> None:
        self.site = site
        self._nest = nest
        self._sock = sock
        self._rules = listener_rules
        self._by_address: Counter[str] = Counter()
        self._watching = False
        self._resume_at = 0.0
        self._refused = 0
        self._failed = 0
        self._failed_last = ""
        self._port = 0
        if sock.family != socket.AF_UNIX:
            self._port = int(sock.getsockname()[1])
            # Linux: what is accepted has it, too.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        """Begin to accept."""
        self._nest.watch(self._sock.fileno(), _ACCEPT, self)
        self._watching = True

    def stop(self) -> None:
        """
        Take what waits already, and then no more: who comes now is refused at once.

        Whoever holds the same socket, another process or systemd, still takes them.
        """
        if self._watching:
            self._accept(1024)
        if self._watching:  # still: there may be no descriptors left
            self._nest.forget(self._sock.fileno())
            self._watching = False
        self._resume_at = 0.0
        self._sock.close()

    def reload(self, listener_rules: ListenerRules) -> None:
        """Use other rules, for open connections too."""
        old, self._rules = self._rules, listener_rules
        self.site.adopt(listener_rules.rules)
        old_rules = old.tls.client_rules if old.tls is not None else ""
        tls = listener_rules.tls
        new_rules = tls.client_rules if tls is not None else ""
        for connection in self.site.connections:
            if isinstance(connection, ServerConnection):
                facts = connection.facts
                connection.learn(
                    attrs.evolve(
                        facts,
                        trusted=listener_rules.trusted(facts.peer),
                        forwarded_certificate=listener_rules.forwarded_certificate,
                        policy_for=tls.policy_for if tls is not None else None,
                        stale=facts.stale or old_rules != new_rules,
                    )
                )

    def sweep(self, now: float) -> None:
        """Look after deadlines, and say what went wrong meanwhile."""
        self.site.sweep(now)
        if self._resume_at and now >= self._resume_at:
            self._resume_at = 0.0
            self.start()
        if self._failed:
            _log.info(
                "{name}: {count} TLS handshakes failed, the last with {reason}",
                name=self.site.name,
                count=self._failed,
                reason=self._failed_last,
            )
            self._failed = 0
        if self._refused:
            _log.warn(
                "{name}: {count} connections refused: too many are open",
                name=self.site.name,
                count=self._refused,
            )
            self._refused = 0

    def take_in(self) -> bool:
        """Take in nothing ahead."""
        return False

    def deliver(self) -> None:
        """Do nothing: there is nothing."""

    def on_event(self, events: int) -> None:  # noqa: ARG002
        """Accept what waits."""
        self._accept(_AT_ONCE)

    def abort(self) -> None:
        """Go on listening: one bad connection is no reason to stop."""

    def _accept(self, most: int) -> None:
        for _ in range(most):
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError as e:
                self._pause_accepting(e)
                return
            sock.setblocking(False)
            peer = _plain(address[0]) if self._port else "unix"
            speaks = self._rules.speaks_proxy
            if speaks is not None and speaks(peer):
                Preface(self._nest, sock, self.site, self._rules, self._serve)
            else:
                self._serve(sock, peer)

    def _pause_accepting(self, error: OSError) -> None:
        """Wait a second: without descriptors left, epoll would tell us for ever."""
        name = errno.errorcode.get(error.errno or 0, "?")
        _log.error("{name}: cannot accept: {error}", name=self.site.name, error=name)
        if self._watching:
            self._nest.forget(self._sock.fileno())
            self._watching = False
            self._resume_at = self.site.now + 1.0

    def _serve(self, sock: socket.socket, peer: str) -> None:
        rules, site, peer = self._rules, self.site, _plain(peer)
        trusted = rules.trusted(peer)
        if len(site.connections) >= rules.connections or (
            not trusted and self._by_address[peer] >= rules.per_address
        ):
            self._refused += 1
            sock.close()
            return
        self._by_address[peer] += 1
        tls = rules.tls
        facts = Connection(
            listener=site.name,
            scheme="https" if tls is not None else "http",
            port=443 if tls is not None else 80,
            listener_port=self._port,
            peer=peer,
            trusted=trusted,
            forwarded_certificate=rules.forwarded_certificate,
        )
        connection = ServerConnection(site, facts, self._gone)
        try:
            self._begin(connection, sock, tls)
        except Exception:  # noqa: BLE001
            _log.failure("{name}: a connection failed to begin.", name=site.name)
            sock.close()
            connection.connection_lost("failed")

    def _begin(
        self, connection: ServerConnection, sock: socket.socket, tls: ListenerTls | None
    ) -> None:
        if tls is None:
            connection.stream = SocketStream(self._nest, sock, connection)
            connection.ready(connection.facts)
            return

        def shaken(proved: TlsFacts) -> None:
            current = self._rules.tls
            connection.ready(
                connection.facts.proved(  # a reload may have changed them meanwhile
                    proved,
                    current.policy_for if current is not None else None,
                    stale=current is None or current.client_rules != tls.client_rules,
                )
            )

        patience = self._rules.handshake_timeout
        connection.deadline = self.site.clock.monotonic() + patience
        connection.stream = server_stream(self._nest, sock, connection, tls, shaken)

    def _gone(self, connection: ServerConnection, state: State, reason: str) -> None:
        peer = connection.facts.peer
        self._by_address[peer] -= 1
        if self._by_address[peer] <= 0:
            del self._by_address[peer]
        if state is State.HANDSHAKE:
            self._failed += 1
            self._failed_last = reason


def _plain(address: str) -> str:
    """Write an IPv4 address that came in over IPv6 as IPv4."""
    prefix = "::ffff:"
    return address.removeprefix(prefix)
