"""Connections that the proxy makes: names with several addresses, and CONNECT."""

import json
import select
import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.programs import Backend, RealProxy, curl, read_request

if TYPE_CHECKING:
    from tests.interop.conftest import Files

ISSUER = "https://login.example.com"

LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true
"""
ROUTE = """
[authenticator.api]
type = "bearer"
issuer = "https://login.example.com"
audience = ["https://api.example.com"]
jwks_uri = "https://localhost:{keys}/jwks"

[[route]]
host = "*"
authenticate = ["api"]
backend = "http://127.0.0.1:{backend}"
"""


class ConnectProxy:
    """
    A small proxy that opens tunnels.

    Attributes:
        asked: The targets that it was asked for.
        refuses: Whether it answers 403.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses = False

    def serve(self, sock: socket.socket, _number: int) -> None:
        method, target, _ = read_request(sock).decode().split(" ", 2)
        self.asked.append(f"{method} {target}")
        if self.refuses:
            sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = target.rpartition(":")
        with socket.create_connection((host, int(port)), 10) as far:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pump(sock, far)


def pump(one: socket.socket, two: socket.socket) -> None:
    """Carry octets both ways until one side ends."""
    other = {one: two, two: one}
    while True:
        ready, _, _ = select.select([one, two], [], [], 10)
        if not ready:
            return
        for sock in ready:
            data = sock.recv(65536)
            if not data:
                return
            other[sock].sendall(data)


@pytest.fixture(scope="module")
def signer() -> TokenSigner:
    return TokenSigner.create("ES256")


@pytest.fixture(scope="module")
def keys(files: "Files", signer: TokenSigner) -> Iterator[Backend]:
    """Give an issuer's server."""
    body = jwks(signer)

    def serve(sock: socket.socket, _number: int) -> None:
        while read_request(sock):
            sock.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        files.directory / "server.crt", files.directory / "server.key"
    )
    with Backend(serve, tls=context) as backend:
        yield backend


def token(signer: TokenSigner) -> str:
    now = time.time()
    return signer.sign(
        {
            "iss": ISSUER,
            "aud": "https://api.example.com",
            "sub": "alice",
            "exp": now + 600,
            "iat": now,
            "jti": "1",
            "client_id": "c",
        }
    )


@pytest.mark.parametrize("refuses", [False, True])
def test_keys_are_fetched_through_the_proxy_that_is_configured(
    files: "Files", echo: Backend, keys: Backend, signer: TokenSigner, *, refuses: bool
) -> None:
    between, before = ConnectProxy(), keys.accepted
    between.refuses = refuses
    with Backend(between.serve) as tunnels:
        outbound = {"proxy": f"http://127.0.0.1:{tunnels.port}", "ca": "ca.crt"}
        text = LISTENER + ROUTE.format(keys=keys.port, backend=echo.port)
        with RealProxy(files.place(), text, outbound=outbound).serve() as proxy:
            answer = curl(
                *("-H", f"Authorization: Bearer {token(signer)}"),
                f"http://127.0.0.1:{proxy.port}/",
            )
    assert answer.status == (503 if refuses else 200)
    assert set(between.asked) == {f"CONNECT localhost:{keys.port}"}
    assert (keys.accepted > before) is not refuses


def test_issuer_that_another_ca_vouches_for_is_not_believed(
    files: "Files", echo: Backend, keys: Backend, signer: TokenSigner
) -> None:
    text = LISTENER + ROUTE.format(keys=keys.port, backend=echo.port)
    with RealProxy(files.place(), text).serve() as proxy:
        answer = curl(
            *("-H", f"Authorization: Bearer {token(signer)}"),
            f"http://127.0.0.1:{proxy.port}/",
        )
    assert answer.status == 503
    assert json.loads(answer.body)["status"] == 503
