"""The same rules, seen by the `openssl` program over a socket."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from OpenSSL import SSL

from sso_proxy.net.tls.facts import read_facts

if TYPE_CHECKING:
    from sso_proxy.model import TlsFacts
    from sso_proxy.net.tls.context import ListenerTls
    from tests.net.tls.conftest import Lab

NAMED: dict[str, Any] = {
    "host": ("mtls.example",),
    "client_certificate": "required",
    "client_ca": "ca.crt",
}
PROGRAM = shutil.which("openssl") or "openssl"
versions = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])


class Server(threading.Thread):
    """Accepts one connection after the other, greets, and notes what it learned."""

    def __init__(self, tls: "ListenerTls") -> None:
        super().__init__(daemon=True)
        self.tls = tls
        self.seen: list[TlsFacts | str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            sock.settimeout(None)
            with sock:
                self.seen.append(self.serve(sock))

    def serve(self, sock: socket.socket) -> "TlsFacts | str":
        connection, state = SSL.Connection(self.tls.context, sock), self.tls.new_state()
        connection.set_app_data(state)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            facts = read_facts(connection, state)
            connection.send(b"hello\n")
            connection.shutdown()
            connection.recv(1)
        except SSL.ZeroReturnError:
            pass
        except SSL.Error as e:
            return str(e)
        return facts


@contextmanager
def serving(tls: "ListenerTls") -> Iterator[Server]:
    """Run a server on a loopback port."""
    server = Server(tls)
    server.start()
    try:
        yield server
    finally:
        server.socket.shutdown(socket.SHUT_RDWR)
        server.socket.close()
        server.join(5)


def s_client(server: Server, *options: str) -> str:
    """Connect with the program; give what it prints."""
    address = f"127.0.0.1:{server.port}"
    done = subprocess.run(  # noqa: S603
        [PROGRAM, "s_client", "-ign_eof", "-connect", address, *options],
        input=b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=20,
        check=False,
    )
    return done.stdout.decode("latin-1")


def _as_alice(lab: "Lab", directory: Path) -> list[str]:
    certificate, key = lab.alice.write(directory, "alice")
    return ["-cert", str(certificate), "-key", str(key)]


@versions
def test_a_name_chooses_certificate_and_rules(
    lab: "Lab", tmp_path: Path, version: str
) -> None:
    files = lab.put("mtls", lab.pki.issue("mtls", server=True))
    tls = lab.listener(
        NAMED | files, {"host": ("open.example",), "client_certificate": "none"}
    )
    with serving(tls) as server:
        out = s_client(server, version, "-servername", "MTLS.example")
        assert "subject=CN = mtls" in out
        assert "Acceptable client certificate CA names\nCN = Client CA" in out
        alice = _as_alice(lab, tmp_path)
        s_client(server, version, "-servername", "MTLS.example", *alice)
        out = s_client(server, version, "-servername", "open.example", *alice)
        assert "subject=CN = own" in out
        assert "No client certificate CA names sent" in out
    refused, accepted, unasked = server.seen
    assert isinstance(refused, str)
    assert "peer did not return a certificate" in refused
    assert not isinstance(accepted, str)
    assert accepted.certificate is not None
    assert accepted.certificate.thumbprint == lab.alice.thumbprint
    assert not isinstance(unasked, str)
    assert unasked.certificate is None


@versions
def test_without_a_name_the_strictest_rules_hold(lab: "Lab", version: str) -> None:
    with serving(lab.listener(NAMED)) as server:
        s_client(server, version, "-noservername")
    assert "peer did not return a certificate" in str(server.seen[0])


def test_where_any_certificate_is_welcome_no_ca_is_named(lab: "Lab") -> None:
    """Browsers offer only certificates of the CAs that a server names."""
    tls = lab.listener(client_certificate="optional_no_ca", client_ca="ca.crt")
    with serving(tls) as server:
        assert "No client certificate CA names sent" in s_client(server)


@versions
@pytest.mark.parametrize("asking", [True, False], ids=["asking", "not-asking"])
def test_sessions_are_resumed_only_where_nobody_is_asked(
    lab: "Lab", tmp_path: Path, version: str, *, asking: bool
) -> None:
    tls = lab.listener(NAMED) if asking else lab.listener()
    session = str(tmp_path / "session")
    common = [version, "-servername", "mtls.example", *_as_alice(lab, tmp_path)]
    with serving(tls) as server:
        first = s_client(server, *common, "-sess_out", session)
        assert "New, TLSv1" in first
        second = s_client(server, *common, "-sess_in", session)
    assert ("Reused, TLSv1" in second) is not asking
    assert not any(isinstance(seen, str) for seen in server.seen)


def test_the_protocol_is_agreed_on(lab: "Lab") -> None:
    with serving(lab.listener()) as server:
        assert "ALPN protocol: http/1.1" in s_client(server, "-alpn", "h2,http/1.1")
        assert "no application protocol" in s_client(server, "-alpn", "h2")
        assert "No ALPN negotiated" in s_client(server)


@pytest.mark.parametrize(
    ("cipher", "accepted"),
    [
        ("ECDHE+AESGCM", True),
        ("ECDHE+CHACHA20", True),
        ("ECDHE+AES+SHA256", False),
        ("kRSA", False),
        ("DHE", False),
    ],
)
def test_ciphers_of_tls_1_2_are_the_modern_ones(
    lab: "Lab", cipher: str, *, accepted: bool
) -> None:
    with serving(lab.listener()) as server:
        out = s_client(server, "-tls1_2", "-cipher", cipher)
    assert ("Cipher is (NONE)" not in out) is accepted


def test_our_preference_decides_on_the_cipher(lab: "Lab") -> None:
    names = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
    with serving(lab.listener()) as server:
        out = s_client(server, "-tls1_2", "-cipher", names)
    assert "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in out


def test_compression_and_renegotiation_are_off(lab: "Lab") -> None:
    with serving(lab.listener()) as server:
        out = s_client(server, "-tls1_2", "-comp")
    assert "Compression: NONE" in out
    assert "Secure Renegotiation IS supported" in out
