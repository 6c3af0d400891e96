"""Real sockets in one process, moved by hand instead of by a reactor."""

import socket
import time
from collections.abc import Callable
from typing import Any

from sso_proxy.net.nest import Nest


class StillReactor:
    """Knows its readers and does nothing with them."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: object) -> None:  # noqa: N802
        self.readers.append(reader)

    def removeReader(self, reader: object) -> None:  # noqa: N802
        self.readers.remove(reader)


def new_nest() -> Nest:
    """Make a nest that only `turn` and `until` move."""
    return Nest(StillReactor())


def turn(nest: Nest, times: int = 1) -> None:
    """Pass on what has happened, *times* times."""
    for _ in range(times):
        nest.doRead()


def until(nest: Nest, true: Callable[[], object]) -> None:
    """Pass on what happens until *true* says so."""
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end, "not in time"
        nest.doRead()


class Heard:
    """
    A stream's handler that keeps what it is told.

    Attributes:
        said: All calls: ``data``, ``eof``, ``drained``, ``lost``.
        data: All octets.
        reason: Why the stream was lost; empty before.
        on_data: What to do with octets besides.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.data = b""
        self.reason = ""
        self.on_data: Callable[[bytes], None] = lambda _: None

    def data_received(self, data: bytes) -> None:
        self._say("data")
        self.data += data
        self.on_data(data)

    def eof_received(self) -> None:
        self._say("eof")

    def drained(self) -> None:
        self._say("drained")

    def connection_lost(self, reason: str) -> None:
        self._say("lost")
        self.reason = reason

    def _say(self, what: str) -> None:
        assert "lost" not in self.said, "told after the end"
        self.said.append(what)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Give both ends of a TCP connection, neither of them blocking."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


def unix_pair() -> tuple[socket.socket, socket.socket]:
    """Give both ends of a unix stream, neither of them blocking."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


def read_all(sock: socket.socket) -> bytes:
    """Read what is there, without waiting."""
    data = b""
    try:
        while piece := sock.recv(1 << 20):
            data += piece
    except BlockingIOError:
        pass
    return data
