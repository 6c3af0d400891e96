"""PROXY protocol headers, from haproxy and from peers that should not send any."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import (
    Backend,
    RealProxy,
    fields_of,
    free_port,
    haproxy,
)

if TYPE_CHECKING:
    from tests.interop.conftest import Files

TLS = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"
"""
PLAIN = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true
"""
ROUTE = """
[[route]]
host = "localhost"
authenticate = ["anonymous"]
headers = {{ client_certificate = true }}
upgrade = ["websocket"]
backend = "http://127.0.0.1:{port}"
"""
SPEAKS = 'proxy_protocol = ["127.0.0.0/8"]\n'

V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(source: str, *, command: int = 0x21) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.9")
    return V2 + bytes((command, 0x11)) + b"\x00\x0c" + addresses + b"\x30\x39\x01\xbb"


V2_SIX = (
    V2
    + b"\x21\x21\x00\x24"
    + socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    + b"\x30\x39\x01\xbb"
)


def v1(source: str) -> bytes:
    return f"PROXY TCP4 {source} 192.0.2.9 12345 443\r\n".encode()


@pytest.fixture(scope="module")
def listening(files: "Files", echo: Backend) -> Iterator[RealProxy]:
    """Give a proxy that wants PROXY headers from loopback peers."""
    text = TLS + SPEAKS + "handshake_timeout = 1.0\n" + ROUTE.format(port=echo.port)
    with RealProxy(files.place(), text).serve() as proxy:
        yield proxy


def talk(
    files: "Files", port: int, preface: list[bytes], *, pause: float = 0.0
) -> bytes:
    """Send *preface* in pieces, then a request over TLS; give the answer."""
    sock = socket.create_connection(("127.0.0.1", port), 10)
    for piece in preface:
        sock.sendall(piece)
        time.sleep(pause)
    with files.client_context().wrap_socket(sock, server_hostname="localhost") as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        data = b""
        with contextlib.suppress(ssl.SSLEOFError):
            while more := tls.recv(65536):
                data += more
    return data


def seen(answer: bytes) -> list[str]:
    return fields_of(answer.decode(), "X-Forwarded-For")


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_haproxy_says_who_the_client_is(
    files: "Files", listening: RealProxy, version: str
) -> None:
    port = free_port()
    sections = f"""
listen through
    bind 127.0.0.1:{port}
    source 127.0.0.1
    server proxy 127.0.0.1:{listening.port} {version}
"""
    with haproxy(files.directory, sections, port):
        answer = files.ask(f"https://localhost:{port}/", "--interface", "127.0.0.7")
    assert answer.status == 200
    assert fields_of(answer.text, "X-Forwarded-For") == ["127.0.0.7"]
    listening.wait_for_record('"peer":"127.0.0.7"')


@pytest.mark.parametrize("header", [v1("198.51.100.7"), v2("198.51.100.7")])
def test_header_is_read_before_tls(
    files: "Files", listening: RealProxy, header: bytes
) -> None:
    assert seen(talk(files, listening.port, [header])) == ["198.51.100.7"]


@pytest.mark.parametrize(
    "header", [b"PROXY TCP6 2001:db8::7 2001:db8::9 12345 443\r\n", V2_SIX]
)
def test_header_of_the_other_family_is_read(
    files: "Files", listening: RealProxy, header: bytes
) -> None:
    assert seen(talk(files, listening.port, [header])) == ["2001:db8::7"]


@pytest.mark.parametrize("header", [v1("198.51.100.7"), v2("198.51.100.7")])
def test_header_may_come_octet_by_octet(
    files: "Files", listening: RealProxy, header: bytes
) -> None:
    pieces = [header[i : i + 1] for i in range(len(header))]
    answer = talk(files, listening.port, pieces, pause=0.002)
    assert seen(answer) == ["198.51.100.7"]


def test_health_check_of_the_balancer_is_itself(
    files: "Files", listening: RealProxy
) -> None:
    """Version 2, LOCAL: the addresses in the header mean nothing."""
    answer = talk(files, listening.port, [v2("198.51.100.7", command=0x20)])
    assert seen(answer) == ["127.0.0.1"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"PROXY TCP4 198.51.100.7 192.0.2.9 12345\r\n",
        b"PROXY TCP4 198.51.100.777 192.0.2.9 12345 443\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.9 12345 443\n",
        b"PROXY " + b"x" * 200,
        V2 + b"\x31\x11\x00\x0c" + bytes(12),
        V2 + b"\x21\x11\x00\x04" + bytes(4),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_header_ends_the_connection(
    listening: RealProxy, garbage: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", listening.port), 10) as sock:
        sock.sendall(garbage)
        assert ended(sock) < 0.9


@pytest.mark.parametrize("half", [b"", b"PROXY TCP4 198.51", V2 + b"\x21"])
def test_header_that_does_not_end_is_cut_off(listening: RealProxy, half: bytes) -> None:
    with socket.create_connection(("127.0.0.1", listening.port), 10) as sock:
        sock.sendall(half)
        assert 0.4 < ended(sock) < 5


@pytest.mark.alone
def test_slow_headers_do_not_keep_others_waiting(
    files: "Files", listening: RealProxy
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            address = ("127.0.0.1", listening.port)
            sock = stack.enter_context(socket.create_connection(address, 10))
            sock.sendall(b"PROXY ")
        began = time.monotonic()
        assert seen(talk(files, listening.port, [v1("198.51.100.7")]))
        assert time.monotonic() - began < 0.9


def ended(sock: socket.socket) -> float:
    """Wait for the end; give how long it took."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(1) == b""
    return time.monotonic() - began


def test_header_of_a_peer_that_is_not_listed_is_not_believed(
    files: "Files", echo: Backend
) -> None:
    text = PLAIN + 'proxy_protocol = ["192.0.2.0/24"]\n' + ROUTE.format(port=echo.port)
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        RealProxy(files.place(), text).serve() as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), 10) as sock,
    ):
        sock.sendall(v1("198.51.100.7") + request)
        sock.shutdown(socket.SHUT_WR)
        answer = sock.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
