"""Backends of others behind the proxy, and backends that fail."""

import contextlib
import gzip
import hashlib
import http.client
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.programs import (
    Backend,
    CurlAnswer,
    RealProxy,
    curl,
    echo_head,
    free_port,
    nginx,
    read_request,
)

if TYPE_CHECKING:
    from tests.interop.conftest import Files

MIB = 1024 * 1024
SIZE = 100 * MIB
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true
"""
ROUTE = """
[[route]]
host = "*"
path = "{path}"
authenticate = ["anonymous"]
backend = "{backend}"
upstream = {{ {upstream} }}
limits = {{ {limits} }}
"""


def route(path: str, backend: str, upstream: str = "", limits: str = "") -> str:
    return ROUTE.format(path=path, backend=backend, upstream=upstream, limits=limits)


NGINX = """
server {{
    listen 127.0.0.1:{plain};
    root {root};
    keepalive_requests 100000;
    gzip on;
    gzip_min_length 1;
    gzip_proxied any;
    gzip_types text/plain;
    location /chunked/ {{
        alias {root}/;
        gzip_http_version 1.0;
        ssi on;
        ssi_types text/plain;
    }}
    location /upload {{
        client_max_body_size 200m;
        dav_methods PUT;
        root {root};
    }}
}}
server {{
    listen unix:{socket};
    root {root};
}}
server {{
    listen 127.0.0.1:{secure} ssl;
    ssl_certificate {files}/server.crt;
    ssl_certificate_key {files}/server.key;
    ssl_client_certificate {files}/ca.crt;
    ssl_verify_client optional;
    location / {{
        if ($ssl_client_verify != SUCCESS) {{ return 403; }}
        return 200 "$ssl_client_s_dn $ssl_server_name\\n";
    }}
}}
server {{
    listen 127.0.0.1:{expired} ssl;
    ssl_certificate {files}/expired.crt;
    ssl_certificate_key {files}/expired.key;
    location / {{ return 200 "never\\n"; }}
}}
"""


@attrs.frozen(kw_only=True)
class Behind:
    """nginx, and a proxy before it."""

    proxy: RealProxy
    root: Path

    def ask(self, path: str, *options: str) -> CurlAnswer:
        return curl(*options, f"http://127.0.0.1:{self.proxy.port}{path}")


@pytest.fixture(scope="module")
def behind(files: "Files") -> Iterator[Behind]:
    root = files.directory / "root"
    (root / "upload").mkdir(parents=True)
    (root / "text.txt").write_text("text " * 2000)
    with (root / "big.bin").open("wb") as big:
        big.truncate(SIZE)
        for at in range(0, SIZE, MIB):
            big.seek(at)
            big.write(os.urandom(64))
    files.issue(
        "expired",
        files.authority.issue("old", dns=["localhost"], server=True, expired=True),
    )
    Pki.create("Nobody's").write(files.directory, "nobody")
    plain, secure, expired = free_port(), free_port(), free_port()
    unix = files.directory / "nginx.sock"
    servers = NGINX.format(
        plain=plain,
        secure=secure,
        expired=expired,
        root=root,
        files=files.directory,
        socket=unix,
    )
    ours = 'ca = "ca.crt", certificate = "alice.crt", key = "alice.key"'
    https = f"https://localhost:{secure}"
    text = LISTENER + "".join(
        (
            route("/", f"http://127.0.0.1:{plain}"),
            route("/unix/", f"unix:{unix}"),
            route("/tls/", https, ours),
            route("/tls-unknown/", https, 'ca = "ca.crt"'),
            route("/tls-ca/", https, 'ca = "nobody.crt"'),
            route("/tls-system/", https),
            route("/tls-name/", https, 'ca = "ca.crt", server_name = "other.example"'),
            route("/tls-address/", f"https://127.0.0.1:{secure}", 'ca = "ca.crt"'),
            route("/tls-old/", f"https://localhost:{expired}", 'ca = "ca.crt"'),
            route("/tls-none/", f"https://127.0.0.1:{plain}", 'ca = "ca.crt"'),
            route("/refused/", f"http://127.0.0.1:{free_port()}"),
            route("/nowhere/", "http://nothing.invalid:80"),
            route("/no-socket/", f"unix:{files.directory}/nothing.sock"),
        )
    )
    (root / "unix").mkdir()
    (root / "unix" / "text.txt").write_text("by a unix socket")
    with (
        nginx(files.directory, servers, plain),
        RealProxy(files.place(), text).serve() as proxy,
    ):
        yield Behind(proxy=proxy, root=root)


def test_connection_to_nginx_is_kept(behind: Behind) -> None:
    with connected(behind.proxy) as connection:
        for number in range(50):
            connection.request("GET", f"/text.txt?{number}")
            answer = connection.getresponse()
            assert answer.status == 200
            assert len(answer.read()) == 10000
    status, metrics = behind.proxy.ask_admin("/metrics")
    assert status == 200
    assert "sso_proxy" in metrics


def test_compressed_answer_arrives(behind: Behind) -> None:
    answer = behind.ask("/text.txt", "-H", "Accept-Encoding: gzip")
    assert answer.values("content-encoding") == ["gzip"]
    assert gzip.decompress(answer.body) == b"text " * 2000


def test_chunked_answer_arrives(behind: Behind) -> None:
    answer = behind.ask("/chunked/text.txt")
    assert answer.values("transfer-encoding") == ["chunked"]
    assert answer.body == b"text " * 2000


def test_chunked_answer_is_not_chunked_for_http_1_0(behind: Behind) -> None:
    answer = behind.ask("/chunked/text.txt", "--http1.0")
    assert answer.values("transfer-encoding") == []
    assert answer.values("connection") == ["close"]
    assert answer.body == b"text " * 2000


def test_unchanged_file_is_not_sent_again(behind: Behind) -> None:
    (tag,) = behind.ask("/text.txt").values("etag")
    with connected(behind.proxy) as connection:
        for _ in range(3):
            connection.request("GET", "/text.txt", headers={"If-None-Match": tag})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (304, b"")


def test_range_of_a_file_is_sent(behind: Behind) -> None:
    answer = behind.ask("/text.txt", "-r", "5-8")
    assert answer.status == 206
    assert answer.body == b"text"
    assert answer.values("content-range") == ["bytes 5-8/10000"]


def test_answer_to_head_has_length_and_no_body(behind: Behind) -> None:
    with connected(behind.proxy) as connection:
        for method, length in (("HEAD", 0), ("GET", 10000), ("HEAD", 0)):
            connection.request(method, "/text.txt")
            answer = connection.getresponse()
            assert answer.getheader("Content-Length") == "10000"
            assert len(answer.read()) == length


def test_100_mib_arrive_whole(behind: Behind) -> None:
    answer = behind.ask("/big.bin")
    assert answer.status == 200
    wanted = hashlib.sha256((behind.root / "big.bin").read_bytes()).digest()
    assert hashlib.sha256(answer.body).digest() == wanted


@pytest.mark.parametrize("framing", [(), ("-H", "Transfer-Encoding: chunked")])
def test_upload_arrives_whole(behind: Behind, framing: tuple[str, ...]) -> None:
    data = behind.root / "big.bin"
    answer = behind.ask("/upload/big.bin", "-T", str(data), *framing)
    assert answer.status in {201, 204}
    with data.open("rb") as one, (behind.root / "upload" / "big.bin").open("rb") as two:
        assert hashlib.file_digest(one, "sha256").digest() == (
            hashlib.file_digest(two, "sha256").digest()
        )


def test_refused_upload_is_told(behind: Behind) -> None:
    """What is sent after the answer is taken in up to a limit that curl may exceed."""
    upload = ("-T", str(behind.root / "big.bin"), "--limit-rate", "400k")
    assert behind.ask("/text.txt", *upload).status in {405, 413}


def test_unix_socket_is_reached(behind: Behind) -> None:
    assert behind.ask("/unix/text.txt").text == "by a unix socket"


def test_nginx_sees_our_certificate_and_the_name_asked_for(behind: Behind) -> None:
    assert behind.ask("/tls/").text == "CN=alice localhost\n"


def test_nginx_refuses_us_without(behind: Behind) -> None:
    assert behind.ask("/tls-unknown/").status == 403


@pytest.mark.parametrize(
    "path",
    [
        *("/tls-ca/", "/tls-system/", "/tls-name/", "/tls-address/"),
        *("/tls-old/", "/tls-none/", "/refused/", "/nowhere/", "/no-socket/"),
    ],
)
def test_backend_that_is_not_the_right_one_is_502(behind: Behind, path: str) -> None:
    answer = behind.ask(path)
    assert answer.status == 502
    behind.proxy.wait_for_record(f'"path":"{path}","status":502')


# Backends that are not as they should be


@contextlib.contextmanager
def connected(proxy: RealProxy) -> Iterator[http.client.HTTPConnection]:
    connection = proxy.connect()
    try:
        yield connection
    finally:
        connection.close()


def exchange(
    connection: http.client.HTTPConnection, method: str, body: bytes | None = None
) -> tuple[int, bytes]:
    connection.request(method, "/", body=body)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture
def restarting(files: "Files") -> Iterator[tuple[RealProxy, int]]:
    port = free_port()
    text = LISTENER + route("/", f"http://127.0.0.1:{port}")
    with RealProxy(files.place(), text).serve() as proxy:
        yield proxy, port


def at(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_restart_of_a_backend_is_not_noticed(
    restarting: tuple[RealProxy, int], method: str
) -> None:
    """Idle connections that it closed are not used again, by any method."""
    proxy, port = restarting
    body = None if method == "GET" else b"body"
    with connected(proxy) as connection:
        for _ in range(3):
            with Backend(echo_head, at(port)):
                assert exchange(connection, method, body)[0] == 200
                assert exchange(connection, method, body)[0] == 200
            time.sleep(0.05)


class Dying:
    """Answers a first request, and closes on the second as if it had ended."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def serve(self, sock: socket.socket, number: int) -> None:
        while request := read_request(sock):
            self.seen.append(request.split(b" ")[0].decode())
            if number == 0 and len(self.seen) == 2:
                return
            sock.sendall(OK)


@pytest.mark.parametrize(
    ("method", "status", "seen"),
    [
        ("GET", 200, ["GET", "GET", "GET"]),
        ("DELETE", 200, ["GET", "DELETE", "DELETE"]),
        ("POST", 502, ["GET", "POST"]),
    ],
)
def test_request_is_sent_again_only_if_that_is_harmless(
    files: "Files", method: str, status: int, seen: list[str]
) -> None:
    dying = Dying()
    with Backend(dying.serve) as backend:
        text = LISTENER + route("/", f"http://127.0.0.1:{backend.port}")
        with (
            RealProxy(files.place(), text).serve() as proxy,
            connected(proxy) as connection,
        ):
            assert exchange(connection, "GET")[0] == 200
            assert exchange(connection, method)[0] == status
    assert dying.seen == seen


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", 200, b"old"),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close",
            200,
            b"until close",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n", 200, b""),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK,
            200,
            b"ok",
        ),
        (b"", 502, None),
        (b"HTTP/1.1 200 OK\r\nContent-Len", 502, None),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 502, None),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            502,
            None,
        ),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, None),
    ],
)
def test_answer_is_relayed_or_502(
    odd: "Odd", answer: bytes, status: int, body: bytes | None
) -> None:
    odd.answer = answer
    with connected(odd.proxy) as connection:
        got, content = exchange(connection, "GET")
    assert got == status
    if body is not None:
        assert content == body


@attrs.define(kw_only=True)
class Odd:
    """A proxy before a backend that says *answer* and closes."""

    proxy: RealProxy
    answer: bytes = b""
    linger: float = 0.0


@pytest.fixture(scope="module")
def odd(files: "Files") -> Iterator[Odd]:
    holder: list[Odd] = []

    def serve(sock: socket.socket, _number: int) -> None:
        read_request(sock)
        sock.sendall(holder[0].answer)
        if holder[0].linger:
            time.sleep(holder[0].linger)

    with Backend(serve) as backend:
        limits = "response_timeout = 0.5"
        text = LISTENER + route("/", f"http://127.0.0.1:{backend.port}", limits=limits)
        with RealProxy(files.place(), text).serve() as proxy:
            holder.append(Odd(proxy=proxy))
            yield holder[0]


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_backend_that_is_too_slow_is_504(odd: Odd, beginning: bytes) -> None:
    odd.answer, odd.linger = beginning, 3.0
    try:
        began = time.monotonic()
        with connected(odd.proxy) as connection:
            assert exchange(connection, "GET")[0] == 504
        assert time.monotonic() - began < 2.5
    finally:
        odd.linger = 0.0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ],
)
def test_truncated_answer_is_never_completed(odd: Odd, answer: bytes) -> None:
    odd.answer = answer
    with (
        connected(odd.proxy) as connection,
        pytest.raises((http.client.IncompleteRead, ConnectionResetError)),
    ):
        exchange(connection, "GET")
