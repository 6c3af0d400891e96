"""A client that sends what it is told to, and keeps what it gets."""

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import attrs

PATIENCE = 10.0

_status = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [\x20-\x7e]*").fullmatch


@attrs.frozen(kw_only=True)
class Got:
    """One answer; *whole* says whether its end was seen."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    whole: bool = True

    def values(self, name: str) -> list[str]:
        """Give the values of the field called *name*, in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def read_answers(octets: bytes, *, ended: bool, heads: Sequence[int] = ()) -> list[Got]:
    """
    Read all answers, strictly.

    Args:
        octets: From the connection's first on.
        ended: Whether the connection ended cleanly after them.
        heads: Indexes of the answers to HEAD, not counting 1xx.
    """
    found: list[Got] = []
    at = finals = 0
    while at < len(octets):
        end = octets.find(b"\r\n\r\n", at)
        if end < 0:
            return [*found, Got(status=0, body=octets[at:], whole=False)]
        line, *lines = octets[at:end].split(b"\r\n")
        match = _status(line)
        assert match is not None, f"no status line: {octets[at:end]!r}"
        pairs = [each.decode("latin-1").partition(": ") for each in lines]
        assert all(colon for _, colon, _ in pairs), lines
        got = Got(
            status=int(match[1]),
            headers=tuple((name, value) for name, _, value in pairs),
        )
        at = end + 4
        if got.status >= 200:
            body, at, whole = _body(octets, at, got, head=finals in heads, ended=ended)
            got = attrs.evolve(got, body=body, whole=whole)
            finals += 1
        found.append(got)
    return found


def _body(
    octets: bytes, at: int, got: Got, *, head: bool, ended: bool
) -> tuple[bytes, int, bool]:
    if head and got.status == 400 and got.values("connection") == ["close"]:
        return octets[at:], len(octets), True  # to a head nobody could read
    if head or got.status in (204, 304):
        return b"", at, True
    if got.values("transfer-encoding"):
        assert got.values("transfer-encoding") == ["chunked"]
        assert not got.values("content-length")
        return _chunks(octets, at)
    lengths = got.values("content-length")
    if lengths:
        assert len(lengths) == 1
        size = int(lengths[0])
        return octets[at : at + size], at + size, len(octets) >= at + size
    return octets[at:], len(octets), ended


def _chunks(octets: bytes, at: int) -> tuple[bytes, int, bool]:
    body = b""
    while True:
        end = octets.find(b"\r\n", at)
        if end < 0:
            return body, len(octets), False
        size = int(octets[at:end], 16)
        body += octets[end + 2 : end + 2 + size]
        at = end + 4 + size
        if at > len(octets):
            return body, len(octets), False
        if not size:
            return body, at, True


class RawClient:
    """
    A connection to the proxy.

    Attributes:
        octets: All that came.
        ended: The proxy sends no more.
        reset: It ended by a reset, not in order.
    """

    def __init__(
        self,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        name: str | None = None,
        source: str = "",
        session: ssl.SSLSession | None = None,
    ) -> None:
        sock = socket.create_connection(
            ("127.0.0.1", port), PATIENCE, (source, 0) if source else None
        )
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=name, session=session)
        self.socket = sock
        self.octets = b""
        self.ended = self.reset = False

    def send(self, *pieces: bytes, pause: float = 0.0) -> Self:
        """Send *pieces*, each in a packet of its own, for as long as anybody reads."""
        try:
            for i, piece in enumerate(pieces):
                if pause and i:
                    time.sleep(pause)
                self.socket.sendall(piece)
        except (ConnectionResetError, ssl.SSLError):
            self.reset = True  # said once: reading would look like an orderly end
        except BrokenPipeError:
            pass
        return self

    def half_close(self) -> Self:
        """Say that nothing more comes."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        return self

    def receive(self, seconds: float = PATIENCE) -> bytes:
        """Give what comes next; nothing at the end or in *seconds*."""
        self.socket.settimeout(max(seconds, 0.001))
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return b""
        except (ConnectionResetError, ssl.SSLError):
            self.ended = self.reset = True
            return b""
        self.ended = not data
        self.octets += data
        return data

    def read_to_end(
        self, seconds: float = PATIENCE, heads: Sequence[int] = ()
    ) -> list[Got]:
        """Read until the proxy ends the connection, and give the answers."""
        until = time.monotonic() + seconds
        while not self.ended:
            left = until - time.monotonic()
            assert left > 0, f"still open after {seconds} s: {self.octets[-200:]!r}"
            self.receive(left)
        return self.answers(heads)

    def read(
        self, count: int = 1, seconds: float = PATIENCE, heads: Sequence[int] = ()
    ) -> list[Got]:
        """Read until *count* whole final answers have come, and give all."""
        until = time.monotonic() + seconds
        while not self.ended:
            found = [a for a in self.answers(heads) if a.whole and a.status >= 200]
            if len(found) >= count:
                break
            left = until - time.monotonic()
            assert left > 0, f"no answer in {seconds} s: {self.octets!r}"
            self.receive(left)
        return self.answers(heads)

    def answers(self, heads: Sequence[int] = ()) -> list[Got]:
        """Give what has come so far, as answers."""
        ended = self.ended and not self.reset
        return read_answers(self.octets, ended=ended, heads=heads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
