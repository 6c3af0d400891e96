"""The PROXY protocol header, read before TLS and not one octet further."""

import math
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from sso_proxy.edge.site import Site
from sso_proxy.errors import BadMessageError
from sso_proxy.net.dispatch import ENDED, GONE, ONCE, READ, Watcher
from sso_proxy.session import Session
from sso_proxy.specs.http.proxy_protocol import read_proxy_header

if TYPE_CHECKING:
    from sso_proxy.edge.listener import ListenerRules

_log = Logger()

_MOST = 4096

_ENDED = ENDED | GONE
_WATCHED = READ | _ENDED | ONCE
"""Told once for what arrives: taking a look does not make an epoll quiet."""


class Preface:
    """Waits for a peer's PROXY header, then hands the socket on with the address."""

    __slots__ = ("_nest", "_serve", "_site", "_sock", "deadline")

    def __init__(
        self,
        nest: Watcher,
        sock: socket.socket,
        site: Site,
        rules: "ListenerRules",
        serve: Callable[[socket.socket, str], None],
    ) -> None:
        self._nest = nest
        self._sock = sock
        self._site = site
        self._serve = serve
        self.deadline = site.clock.monotonic() + rules.handshake_timeout
        nest.watch(sock.fileno(), _WATCHED, self)
        site.connections.add(self)

    def take_in(self) -> bool:
        """Take in nothing ahead."""
        return False

    def deliver(self) -> None:
        """Do nothing: there is nothing."""

    def on_event(self, events: int) -> None:
        """Look at what is there; take it only when it is whole."""
        try:
            data = self._sock.recv(_MOST, socket.MSG_PEEK)
            header = read_proxy_header(data) if data else None
        except BlockingIOError:
            return
        except BadMessageError as e:
            _log.warn(
                "{name}: bad PROXY header: {reason}",
                name=self._site.name,
                reason=e.reason,
            )
            self.abort()
            return
        except OSError:
            self.abort()
            return
        if header is None:
            if not data or events & _ENDED:
                self.abort()
            return
        self._sock.recv(header.length)
        self._leave()
        peer = header.source
        if header.local or peer is None:
            name = self._sock.getpeername()
            peer = name[0] if isinstance(name, tuple) else "unix"
        self._serve(self._sock, peer)

    def timed_out(self) -> None:
        """Give up on a peer that says nothing."""
        self.abort()

    def check_progress(self, now: float) -> None:
        """Do nothing: the deadline is enough."""

    def drain(self) -> None:
        """Do nothing: the connection may still bring a request."""

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        """Do nothing: nobody has asked for anything."""

    def close_if_idle(self) -> None:
        """Do nothing: there is no idleness here."""

    def abort(self) -> None:
        """Close."""
        if self.deadline != math.inf:
            self._leave()
            self._sock.close()

    def _leave(self) -> None:
        self.deadline = math.inf
        self._site.connections.discard(self)
        self._nest.forget(self._sock.fileno())
