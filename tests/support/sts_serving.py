"""A `TokenServer` on a loopback port, over https."""

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import attrs

from sso_proxy.testing.pki import Issued, Pki
from tests.support.programs import Backend, read_request
from tests.support.sts import TokenServer, asked_of
from tests.support.sts_faults import Said

Shown = Literal["good", "wrong-name", "revoked", "expired", "stranger"]
SHOWN: Final[tuple[Shown, ...]] = (
    "good",
    "wrong-name",
    "revoked",
    "expired",
    "stranger",
)


@attrs.frozen(kw_only=True)
class Listening:
    """
    A `TokenServer` on a loopback port.

    Attributes:
        server: It; its `origin` is where it listens.
        ca: The CA that its good certificate is from.
        crl: The revocation list of this CA.
        handshakes: How many connections were made.
    """

    server: TokenServer
    ca: Path
    crl: Path
    _backend: Backend
    _contexts: Mapping[Shown, ssl.SSLContext]

    @property
    def connections(self) -> int:
        """Say how many connections were made."""
        return self._backend.accepted

    def show(self, certificate: Shown) -> None:
        """Show another certificate, to those who connect from now on."""
        self._backend.tls = self._contexts[certificate]
        self._backend.drop()


@contextlib.contextmanager
def listen(server: TokenServer, directory: Path, pki: Pki) -> Iterator[Listening]:
    """
    Serve *server* at ``https://localhost``, until the end of the block.

    Args:
        server: What answers; its `origin` is changed.
        directory: Where files may be written.
        pki: Its CA, and that of client certificates, which may be shown.
    """
    ca, crl = pki.write(directory, "sts-ca"), directory / "sts.crl"
    contexts, revoked = {}, None
    for shown in SHOWN:
        issued = _certificate(pki, shown)
        contexts[shown] = _context(issued, ca, directory)
        revoked = issued if shown == "revoked" else revoked
    crl.write_bytes(pki.crl([revoked] if revoked else []))
    with Backend(lambda sock, _: _serve(server, sock), tls=contexts["good"]) as backend:
        server.origin = f"https://localhost:{backend.port}"
        try:
            yield Listening(
                server=server, ca=ca, crl=crl, backend=backend, contexts=contexts
            )
        finally:
            server.release()


def _certificate(pki: Pki, shown: str) -> Issued:
    """Issue what is shown."""
    name = "elsewhere.example.com" if shown == "wrong-name" else "localhost"
    issuer = Pki.create("Somebody else's CA") if shown == "stranger" else pki
    ips = () if shown == "wrong-name" else ("127.0.0.1",)
    return issuer.issue(
        name, dns=[name], ips=ips, server=True, expired=shown == "expired"
    )


def _context(issued: Issued, ca: Path, directory: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(*issued.write(directory, f"sts-{issued.serial}"))
    return context


def _serve(server: TokenServer, sock: socket.socket) -> None:
    """Answer one request after the other."""
    certificate = sock.getpeercert(binary_form=True)  # type: ignore[attr-defined]
    while request := read_request(sock):
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        said = server.answer(
            asked_of(method, server.origin + target, fields, body, certificate)
        )
        if not _send(sock, said):
            return


def _send(sock: socket.socket, said: Said) -> bool:
    """Send an answer; say whether another request may come."""
    if said.how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if said.how == "held":
        said.gate.block()
    if said.octets:
        sock.sendall(said.octets)
        return False
    length = ("Content-Length", str(len(said.body) + said.lacks))
    if said.how == "endless":
        length = ("Transfer-Encoding", "chunked")
    fields = "".join(f"{name}: {value}\r\n" for name, value in (*said.headers, length))
    head = f"HTTP/1.1 {said.status} Said\r\n{fields}\r\n".encode("latin-1")
    if said.how == "endless":
        sock.sendall(head)
        while True:  # until the other side has enough
            sock.sendall(b"%x\r\n%b\r\n" % (len(said.body), said.body))
    if said.how == "stalled":
        sock.sendall(head + said.body[: len(said.body) // 2])
        said.gate.block()
        return False
    sock.sendall(head + said.body)
    return not said.lacks
