"""A small blocking HTTPS client, and the requests that every load sends."""

import socket
import ssl
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import attrs

from tests.bench.material import BROWSER_HEADERS, Material

TIMEOUT = 30.0
CHUNK = 1 << 18


@attrs.frozen(kw_only=True)
class Answer:
    """
    A response.

    Attributes:
        status: Its code.
        length: Octets of its body that came.
        complete: The body is as long as announced.
    """

    status: int
    length: int
    complete: bool


class BrokenAnswerError(Exception):
    """The connection ended before the head of a response did."""


def tls_context(ca: Path, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Make a TLS 1.3 context that trusts *ca* and never offers a session again."""
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def context_for(things: Material, *, with_certificate: bool = False) -> ssl.SSLContext:
    """Make the context of a client, with the client certificate or without any."""
    if with_certificate:
        return tls_context(things.ca, things.client_certificate, things.client_key)
    return tls_context(things.ca, None, None)


def request(  # noqa: PLR0913 - one keyword for each thing that may stand in it
    path: str,
    *,
    token: str | None = None,
    method: str = "GET",
    length: int | None = None,
    close: bool = False,
    host: str = "localhost",
    more: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Give the octets of a browser's request without its body."""
    fields = [("Host", host), *BROWSER_HEADERS, *more]
    if token is not None:
        fields.append(("Authorization", f"Bearer {token}"))
    if length is not None:
        fields.append(("Content-Length", str(length)))
    if close:
        fields.append(("Connection", "close"))
    lines = [f"{method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in fields)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@attrs.define
class Client:
    """One TLS connection that is used by one thread."""

    _socket: ssl.SSLSocket

    @classmethod
    def connect(cls, port: int, context: ssl.SSLContext) -> Self:
        """Connect, shake hands."""
        raw = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return cls(context.wrap_socket(raw, server_hostname="localhost"))
        except BaseException:
            raw.close()
            raise

    @property
    def resumed(self) -> bool:
        """Whether the handshake was an abbreviated one."""
        return bool(self._socket.session_reused)

    def send(self, octets: bytes) -> None:
        """Send all of *octets*."""
        self._socket.sendall(octets)

    def send_zeros(self, length: int) -> None:
        """Send a body of *length* octets."""
        chunk = memoryview(bytes(min(CHUNK, length)))
        left = length
        while left > 0:
            self._socket.sendall(chunk[: min(left, len(chunk))])
            left -= len(chunk)

    def read_answer(self) -> Answer:
        """
        Read one response and drop its body.

        Raises:
            BrokenAnswerError: The connection ended within the head.
        """
        head = b""
        while b"\r\n\r\n" not in head:
            data = self._socket.recv(16384)
            if not data:
                raise BrokenAnswerError(f"ended after {len(head)} octets of a head")
            head += data
        head, _, begun = head.partition(b"\r\n\r\n")
        status, length = read_head(head)
        scratch = bytearray(CHUNK)
        got = len(begun)
        while got < length:
            count = self._socket.recv_into(scratch)
            if not count:
                break
            got += count
        return Answer(status=status, length=got, complete=got == length)

    def read_some(self) -> None:
        """Read once, whatever comes."""
        self._socket.recv(65536)

    def get(
        self, path: str, *, token: str | None = None, close: bool = False
    ) -> Answer:
        """Ask for *path*."""
        self.send(request(path, token=token, close=close))
        return self.read_answer()

    def post(self, path: str, length: int) -> Answer:
        """Send a body of *length* octets to *path*."""
        self.send(request(path, method="POST", length=length))
        self.send_zeros(length)
        return self.read_answer()

    def close(self) -> None:
        """Say goodbye (close_notify) and close; the other end may be gone."""
        try:
            self._socket.setblocking(False)
            self._socket.unwrap().close()
        except OSError:
            self._socket.close()

    def reset(self) -> None:
        """Close with RST."""
        reset(self._socket)


def reset(connection: socket.socket) -> None:
    """Close with RST whatever is under way."""
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    connection.close()


def read_head(head: bytes) -> tuple[int, int]:
    """Give status and Content-Length (0 if there is none) of a response's head."""
    status_line, *fields = head.split(b"\r\n")
    length = 0
    for field in fields:
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return int(status_line.split(b" ", 2)[1]), length
