"""Section E of the reference, end to end: names, certificates and what they open."""

import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from OpenSSL import SSL

from sso_proxy.testing.pki import self_signed
from tests.attacks.conftest import Scene
from tests.attacks.test_payloads import OURS
from tests.support.raw_client import Got, RawClient
from tests.support.recorder import answer
from tests.support.running import REAL, Proxy

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
both = pytest.mark.parametrize("version", [TLS12, TLS13])
GET = b"GET /x HTTP/1.1\r\nHost: %b\r\n\r\n"


def ask(client: RawClient, *hosts: bytes) -> list[int]:
    """Ask for each host in turn over one connection, and give the statuses."""
    for count, host in enumerate(hosts, 1):
        answers: list[Got] = client.send(GET % host).read(count)
    return [got.status for got in answers]


@both
def test_each_name_takes_certificates_of_its_own_authority(
    scene: Scene, version: ssl.TLSVersion
) -> None:
    for name, certificate in (
        ("one.example", "alice"),
        ("two.example", "bob"),
        ("a.two.example", "bob"),
    ):
        with scene.tls_client(name, certificate, version) as client:
            assert ask(client, name.encode()) == [200]
    assert [seen.values("x-remote-user") for seen in scene.seen()] == [
        ["alice"],
        ["bob"],
        ["bob"],
    ]


@both
@pytest.mark.parametrize(
    ("name", "certificate"),
    [
        ("one.example", ""),
        ("one.example", "bob"),
        ("two.example", "alice"),
        ("ONE.Example", ""),
        ("A.two.EXAMPLE", "alice"),
        (None, ""),
        (None, "alice"),
        ("other.example", ""),
        ("other.example", "bob"),
        ("one.example.", ""),
    ],
)
def test_no_spelling_of_a_name_gets_around_its_authority(
    scene: Scene, name: str | None, certificate: str, version: ssl.TLSVersion
) -> None:
    """Unknown names and none get the strictest rules of all (E2, E3)."""
    try:
        with scene.tls_client(name, certificate, version) as client:
            client.send(GET % b"one.example").read_to_end()
            assert client.octets == b""
    except (ssl.SSLError, ConnectionResetError):
        pass
    assert scene.seen() == []


@pytest.mark.parametrize(
    "host", [b"two.example", b"TWO.example.", b"a.two.example:443", b"other.example"]
)
def test_another_host_than_the_name_is_misdirected(scene: Scene, host: bytes) -> None:
    """Each request is compared with what the handshake was for (E2)."""
    with scene.tls_client("one.example", "alice") as client:
        hosts = (b"one.example", host, b"one.example", b"ONE.example.:443")
        assert ask(client, *hosts) == [200, 421, 200, 200]
    assert {seen.values("host")[0] for seen in scene.seen()} == {"one.example"}


def test_an_absolute_target_does_not_get_around_the_name(scene: Scene) -> None:
    target = b"GET https://two.example/x HTTP/1.1\r\nHost: two.example\r\n\r\n"
    with scene.tls_client("one.example", "alice") as client:
        assert [got.status for got in client.send(target).read(1)] == [421]
    assert scene.seen() == []


def _ask_as_alice(
    scene: Scene, context: SSL.Context, name: bytes, session: SSL.Session | None = None
) -> SSL.Session:
    """Ask under *name*; gives the session, whose ticket has come before the answer."""
    with socket.create_connection(("127.0.0.1", scene.secure), 5) as sock:
        sock.settimeout(None)
        connection = SSL.Connection(context, sock)
        connection.set_tlsext_host_name(name)
        if session is not None:
            connection.set_session(session)
        connection.set_connect_state()
        connection.do_handshake()
        connection.sendall(GET % name)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        got = connection.get_session()
        assert got is not None
        return got


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_session_of_one_name_opens_no_other(scene: Scene, version: int) -> None:
    """CVE-2025-23419: with name A's ticket nobody is asked for a certificate at B."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.use_certificate_chain_file(scene.directory / "alice.crt")
    context.use_privatekey_file(scene.directory / "alice.key")
    session = _ask_as_alice(scene, context, b"one.example")
    with pytest.raises(SSL.Error):
        _ask_as_alice(scene, context, b"two.example", session)
    assert [seen.values("host") for seen in scene.seen()] == [["one.example"]]


def s_client(scene: Scene, *options: str) -> bytes:
    """Ask as alice with the openssl program, and give what it says."""
    stem = scene.directory / "alice"
    request = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{scene.secure}"]
    command += ["-cert", f"{stem}.crt", "-key", f"{stem}.key", "-ign_eof", *options]
    done = subprocess.run(  # noqa: S603
        [*command, "-servername", "one.example"],
        input=request % b"one.example",
        capture_output=True,
        check=False,
        timeout=20,
    )
    assert b"HTTP/1.1 200" in done.stdout
    return done.stdout


def test_tls_1_2_gives_no_session(scene: Scene, tmp_path: Path) -> None:
    saved = tmp_path / "session"
    assert b"\nNew, TLSv1.2" in s_client(scene, "-tls1_2", "-sess_out", str(saved))
    assert not saved.exists()


def test_no_session_of_tls_1_3_is_resumed(scene: Scene, tmp_path: Path) -> None:
    """Not even under the same name, so that no revocation is missed; hence no 0-RTT."""
    saved, early = str(tmp_path / "session"), tmp_path / "early"
    assert b"\nNew, TLSv1.3" in s_client(scene, "-tls1_3", "-sess_out", saved)
    assert b"\nNew, TLSv1.3" in s_client(scene, "-tls1_3", "-sess_in", saved)
    early.write_bytes(GET % b"one.example")
    with_early_data = ("-sess_in", saved, "-early_data", str(early))
    said = s_client(scene, "-tls1_3", *with_early_data)
    assert b"\nNew, TLSv1.3" in said
    assert b"Early data was accepted" not in said


def test_a_stale_certificate_field_is_not_passed_on(scene: Scene) -> None:
    """Ours says who is there; the client's is dropped in every spelling (E8)."""
    fields = b"".join(
        name + b": forged\r\n"
        for name in (
            *(b"Client-Cert", b"client_cert", b"Client.Cert-Chain"),
            *(b"Ssl-Client-Cert", b"X-SSL-Client-S-DN", b"X-Forwarded-Tls-Client-Cert"),
        )
    )
    request = b"GET /x HTTP/1.1\r\nHost: one.example\r\n" + fields + b"\r\n"
    with scene.tls_client("one.example", "alice") as client:
        assert client.send(request).read(1)[0].status == 200
    [seen] = scene.seen()
    assert seen.names == OURS | {"x-remote-user", "client-cert"}
    [value] = seen.values("client-cert")
    assert value.startswith(":")
    assert "forged" not in str(seen.headers)


def test_http_2_is_not_spoken(scene: Scene) -> None:
    """So that no translation from it can go wrong (F8 to F10)."""
    context = scene.tls("alice")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with RawClient(scene.secure, tls=context, name="one.example") as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError):
        RawClient(scene.secure, tls=context, name="one.example")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    with scene.tls_client("one.example", "alice") as client:
        [got] = client.send(preface).read_to_end()
    assert got.status == 505


def test_what_comes_before_the_handshake_is_not_http(scene: Scene) -> None:
    """Plaintext in front of TLS never becomes part of a request (E11)."""
    with RawClient(scene.secure) as client:
        client.send(GET % b"one.example").read_to_end()
        assert b"HTTP/1.1 2" not in client.octets
    assert scene.seen() == []


def test_what_a_backend_says_before_the_handshake_is_no_answer(scene: Scene) -> None:
    """CVE-2026-1642: whoever sits before the backend's TLS answers in its name."""
    scene.recorder.greeting = answer(b"injected") * 2
    try:
        got = scene.get("/tls-backend/")
    finally:
        scene.recorder.greeting = b""
    assert got.status == 502
    assert b"injected" not in got.body
    assert scene.seen() == []


def test_a_hello_in_pieces_chooses_the_same_rules(scene: Scene) -> None:
    """Nothing is peeked at: OpenSSL reads the name, however it is cut (E3)."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = scene.tls("bob").wrap_bio(incoming, outgoing, server_hostname="one.example")
    with pytest.raises(ssl.SSLWantReadError):
        hello.do_handshake()
    record = outgoing.read()
    body = record[5:]
    records = [
        record[:3] + len(part).to_bytes(2, "big") + part
        for part in (body[:60], body[60:90], body[90:])
    ]
    with RawClient(scene.secure) as client:
        client.send(*records, pause=0.02)
        while True:
            incoming.write(client.receive(2))
            try:
                hello.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.send(outgoing.read())
        hello.write(GET % b"one.example")
        client.send(outgoing.read())
        while not client.ended:
            incoming.write(client.receive(2))
        with pytest.raises(ssl.SSLError):
            hello.read()
    assert scene.seen() == []


@pytest.mark.parametrize("missing", ["one.crt", "proxy.crt", "proxy.key", "issuer.pem"])
def test_a_file_that_is_missing_stops_the_start(
    scene: Scene, missing: str, tmp_path: Path
) -> None:
    """Client certificates without their authority would be anybody's (E5, E6)."""
    with Proxy(tmp_path) as proxy:
        for path in scene.directory.glob("*.*"):
            if path.suffix in (".crt", ".key", ".pem") and path.name != missing:
                (tmp_path / path.name).write_bytes(path.read_bytes())
        proxy.config.write_text(scene.proxy.config.read_text())
        proxy.start(program=REAL)
        assert proxy.wait() != 0
        assert missing in proxy.log() or "token.pem" in proxy.log()
        assert "serving on" not in proxy.log()


def test_a_certificate_of_nobody_is_no_identity(scene: Scene, tmp_path: Path) -> None:
    certificate, key = self_signed("alice").write(tmp_path, "alice")
    context = scene.tls()
    context.load_cert_chain(certificate, key)
    with RawClient(scene.secure, tls=context, name="one.example") as client:
        client.send(GET % b"one.example").read_to_end()
        assert client.octets == b""
    assert scene.seen() == []


@pytest.mark.alone
def test_stalled_handshakes_do_not_slow_the_others(scene: Scene) -> None:
    clients = [RawClient(scene.secure).send(b"\x16\x03\x01") for _ in range(200)]
    began = time.monotonic()
    with scene.tls_client("one.example", "alice") as client:
        assert ask(client, b"one.example") == [200]
    assert time.monotonic() - began < 1.0
    for stalled in clients:
        stalled.socket.close()
