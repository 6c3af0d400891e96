"""Reach a backend: one address after the other, without blocking."""

import errno
import os
import socket
from collections.abc import Callable, Sequence

from sso_proxy.net.dispatch import WRITE, Watcher

Address = tuple[int, tuple[str, int] | str]
"""An address family and what `connect` takes for it."""


class Connector:
    """
    Tries addresses in turn until one answers.

    Calls *on_connected* with the socket, or *on_failed* with a reason, once, and never
    before the constructor has returned.
    """

    __slots__ = ("_addresses", "_nest", "_on_connected", "_on_failed", "_sock")

    def __init__(
        self,
        nest: Watcher,
        addresses: Sequence[Address],
        on_connected: Callable[[socket.socket], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._nest = nest
        self._addresses = list(addresses)
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._sock: socket.socket | None = None

    def start(self) -> None:
        """Try the next address."""
        reason = "no address"
        while self._addresses:
            family, address = self._addresses.pop(0)
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            except OSError as e:  # no descriptors left, or no such family here
                reason = e.strerror or "no socket"
                continue
            sock.setblocking(False)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                code = sock.connect_ex(address)
            except OSError:  # a path that is too long, before the system is asked
                code = errno.ENAMETOOLONG
            if code in {0, errno.EINPROGRESS}:
                self._sock = sock
                self._nest.watch(sock.fileno(), WRITE, self)
                return
            sock.close()
            reason = os.strerror(code)
        self._on_failed(reason)

    def take_in(self) -> bool:
        """Take in nothing ahead."""
        return False

    def deliver(self) -> None:
        """Do nothing: there is nothing."""

    def on_event(self, events: int) -> None:  # noqa: ARG002
        """Learn how the attempt ended."""
        sock = self._forget()
        if sock is None:
            return
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            self._on_connected(sock)
            return
        sock.close()
        if self._addresses:
            self.start()
        else:
            self._on_failed(os.strerror(code))

    def abort(self) -> None:
        """Give up; nobody is told."""
        sock = self._forget()
        if sock is not None:
            sock.close()

    def _forget(self) -> socket.socket | None:
        sock, self._sock = self._sock, None
        if sock is not None:
            self._nest.forget(sock.fileno())
        return sock
