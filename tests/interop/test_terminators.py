"""The proxy behind another one: PROXY protocol, and TLS that ended before."""

import contextlib
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sso_proxy.specs.http.client_cert import build_client_cert
from sso_proxy.testing.pki import Issued, self_signed
from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import (
    Backend,
    CurlAnswer,
    RealProxy,
    curl,
    fields_of,
    free_port,
    haproxy,
    program,
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
UNIX = """
[[listener]]
address = "unix:{path}"
tls = false
allow_plaintext = true
forwarded_certificate = "verified"
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

SIGNER = TokenSigner.create("ES256")
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


# A terminator in front of a plain listener

CHECKED = """
[authenticator.any]
type = "mtls"
user = "subject:CN"

[authenticator.pinned]
type = "mtls"
user = "subject:CN"
pins = ["{pin}"]

[[route]]
host = "localhost"
path = "/mtls/"
authenticate = ["any"]
backend = "http://127.0.0.1:{port}"

[[route]]
host = "localhost"
path = "/pinned/"
authenticate = ["pinned"]
backend = "http://127.0.0.1:{port}"
"""


BOUND = """
[authenticator.api]
type = "bearer"
issuer = "https://login.example.com"
audience = ["https://api.example.com"]
pem = "issuer.pem"

[[route]]
host = "localhost"
path = "/bound/"
authenticate = ["api"]
binding = {{ certificate = "require" }}
backend = "http://127.0.0.1:{port}"
"""
BELIEFS = ("ignore", "unverified", "verified")


@pytest.fixture(scope="module")
def behind(files: "Files", echo: Backend) -> Iterator[RealProxy]:
    """Give a proxy that trusts 127.0.0.1, more or less on each of its listeners."""
    pinned = files.issue("pinned", self_signed("pinned"))
    text = "".join(PLAIN + f'forwarded_certificate = "{b}"\n' for b in BELIEFS)
    text += ROUTE.format(port=echo.port)
    text += CHECKED.format(port=echo.port, pin=pinned.thumbprint)
    text += BOUND.format(port=echo.port)
    (files.directory / "issuer.pem").write_bytes(SIGNER.public_pem())
    text = UNIX.format(path=files.directory / "proxy.sock") + text
    trusted = ["127.0.0.1", "unix"]
    proxy = RealProxy(files.place(), text, trusted_proxies=trusted)
    with proxy.serve():
        yield proxy


@pytest.fixture(scope="module")
def before(files: "Files", behind: RealProxy) -> Iterator[dict[str, str]]:
    """Give the URL of a terminator for each of that proxy's listeners."""
    _pem(files, "server")
    ports = {belief: free_port() for belief in BELIEFS}
    sections = "".join(
        in_front(files, belief, port, behind.ports[BELIEFS.index(belief)])
        for belief, port in ports.items()
    )
    with haproxy(files.directory, sections, ports["verified"]):
        yield {belief: f"https://localhost:{port}" for belief, port in ports.items()}


def _pem(files: "Files", stem: str) -> Path:
    parts = [(files.directory / f"{stem}.{end}").read_text() for end in ("crt", "key")]
    path = files.directory / f"{stem}.pem"
    path.write_text("".join(parts))
    return path


def in_front(files: "Files", name: str, port: int, behind: int) -> str:
    """A terminator that does what RFC 9440 section 4 says."""
    tls = f"ssl crt {files.directory}/server.pem ca-file {files.ca}"
    return f"""
frontend {name}
    mode http
    bind 127.0.0.1:{port} {tls} verify optional crt-ignore-err all ca-ignore-err all
    http-request del-header Client-Cert
    http-request set-header Client-Cert :%[ssl_c_der,base64]: if {{ ssl_c_used }}
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-For %[src]
    default_backend {name}
backend {name}
    mode http
    server proxy 127.0.0.1:{behind}
"""


def as_client(files: "Files", stem: str) -> list[str]:
    path = files.directory / stem
    return ["--cert", f"{path}.crt", "--key", f"{path}.key"]


def test_haproxy_passes_certificates_on(files: "Files", before: dict[str, str]) -> None:
    url = before["unverified"]
    alice = files.ask(f"{url}/", *as_client(files, "alice"))
    assert fields_of(alice.text, "Client-Cert") == [build_client_cert(files.alice.der)]
    nobody = files.ask(f"{url}/")
    assert fields_of(nobody.text, "Client-Cert") == []


def test_certificate_that_haproxy_passes_on_is_good_for_a_pin(
    files: "Files", before: dict[str, str]
) -> None:
    url = before["unverified"] + "/pinned/"
    pinned = files.ask(url, *as_client(files, "pinned"))
    assert pinned.status == 200
    assert fields_of(pinned.text, "X-Remote-User") == ["pinned"]
    assert files.ask(url, *as_client(files, "alice")).status == 403
    assert files.ask(url).status == 403


def test_whether_haproxy_vouches_for_the_issuer_is_said(
    files: "Files", before: dict[str, str]
) -> None:
    alice = as_client(files, "alice")
    known = files.ask(before["verified"] + "/mtls/", *alice)
    assert known.status == 200
    assert fields_of(known.text, "X-Remote-User") == ["alice"]
    assert files.ask(before["unverified"] + "/mtls/", *alice).status == 403
    assert files.ask(before["ignore"] + "/mtls/", *alice).status == 403


def test_bound_token_is_good_behind_haproxy(
    files: "Files", behind: RealProxy, before: dict[str, str]
) -> None:
    claims = {
        "iss": "https://login.example.com",
        "aud": "https://api.example.com",
        "sub": "alice",
        "exp": time.time() + 600,
        "iat": time.time(),
        "jti": "1",
        "client_id": "c",
        "cnf": {"x5t#S256": files.alice.thumbprint},
    }
    token = ("-H", f"Authorization: Bearer {SIGNER.sign(claims)}")
    url = before["unverified"] + "/bound/"
    right = files.ask(url, *token, *as_client(files, "alice"))
    other = files.ask(url, *token, *as_client(files, "pinned"))
    nobody = files.ask(url, *token)
    assert right.status == 200
    assert (other.status, nobody.status) == (401, 401)
    assert 'error="invalid_token"' in other.values("www-authenticate")[0]
    thumbprint = f'"x5t#S256":"{files.alice.thumbprint}","verified":false'
    behind.wait_for_record(thumbprint)


def test_terminator_may_be_at_the_other_end_of_a_unix_socket(
    files: "Files", behind: RealProxy
) -> None:
    assert behind.ports
    answer = curl(
        *("--unix-socket", files.directory / "proxy.sock"),
        *("-H", shown(files.alice), "-H", "X-Forwarded-Proto: https"),
        "http://localhost/mtls/",
    )
    assert answer.status == 200
    assert fields_of(answer.text, "X-Remote-User") == ["alice"]


def ask_plainly(
    proxy: RealProxy, belief: str, path: str, *fields: str, source: str = "127.0.0.1"
) -> CurlAnswer:
    port = proxy.ports[BELIEFS.index(belief)]
    host = () if any(f.startswith("Host:") for f in fields) else ("Host: localhost",)
    given = [option for field in (*host, *fields) for option in ("-H", field)]
    return curl("--interface", source, *given, f"http://127.0.0.1:{port}{path}")


def shown(certificate: Issued) -> str:
    return f"Client-Cert: {build_client_cert(certificate.der)}"


def test_certificate_from_who_is_not_trusted_is_gone(
    files: "Files", behind: RealProxy
) -> None:
    stranger, alice = "127.0.0.7", shown(files.alice)
    answer = ask_plainly(behind, "verified", "/", alice, source=stranger)
    assert answer.status == 200
    assert fields_of(answer.text, "Client-Cert") == []
    refused = ask_plainly(behind, "verified", "/mtls/", alice, source=stranger)
    assert refused.status == 403
    garbage = "Client-Cert: garbage"
    assert ask_plainly(behind, "verified", "/", garbage, source=stranger).status == 200


def test_certificate_nobody_asked_for_is_gone(
    files: "Files", behind: RealProxy
) -> None:
    answer = ask_plainly(behind, "ignore", "/", shown(files.alice))
    assert answer.status == 200
    assert fields_of(answer.text, "Client-Cert") == []


def test_field_that_cannot_be_read_is_refused(
    files: "Files", behind: RealProxy
) -> None:
    alice = shown(files.alice)
    for fields in (("Client-Cert: garbage",), (alice, alice)):
        assert ask_plainly(behind, "verified", "/", *fields).status == 400


def test_expired_one_is_nobody(files: "Files", behind: RealProxy) -> None:
    old = files.authority.issue("old", client=True, expired=True)
    assert ask_plainly(behind, "verified", "/mtls/", shown(old)).status == 403
    assert ask_plainly(behind, "verified", "/mtls/", shown(files.alice)).status == 200


@pytest.mark.parametrize(
    ("fields", "host", "port"),
    [
        (("X-Forwarded-Proto: https",), "localhost", "443"),
        (("Forwarded: proto=https",), "localhost", "443"),
        (
            ("Host: localhost:8443", "X-Forwarded-Proto: https"),
            "localhost:8443",
            "8443",
        ),
        (("X-Forwarded-Proto: http",), "localhost", "80"),
        ((), "localhost", "80"),
    ],
)
def test_host_without_port_is_at_443_behind_tls(
    behind: RealProxy, fields: tuple[str, ...], host: str, port: str
) -> None:
    text = ask_plainly(behind, "ignore", "/", *fields).text
    assert fields_of(text, "X-Forwarded-Port") == [port]
    assert fields_of(text, "X-Forwarded-Host") == [host]
    assert fields_of(text, "Host") == [host]


@pytest.mark.parametrize(
    ("origin", "status"), [("https://localhost", 200), ("http://localhost", 403)]
)
def test_page_of_a_site_behind_tls_may_open_web_sockets(
    behind: RealProxy, origin: str, status: int
) -> None:
    """Its origin is https://localhost, whatever the terminator speaks to us."""
    handshake = (
        *("X-Forwarded-Proto: https", "Connection: Upgrade", "Upgrade: websocket"),
        *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    )
    answer = ask_plainly(behind, "ignore", "/", f"Origin: {origin}", *handshake)
    assert answer.status == status


# Plain listeners, names, protocols

REDIRECT = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
redirect_port = 8443
"""
NAMED = """
[[listener.name]]
host = ["other.example"]
certificate = "other.crt"
key = "other.key"
"""


@pytest.fixture(scope="module")
def site(files: "Files", echo: Backend) -> Iterator[RealProxy]:
    """Give a proxy with a TLS listener of two names and one that redirects."""
    other = files.authority.issue("other", dns=["other.example"], server=True)
    other.write(files.directory, "other")
    text = TLS + "hsts = 600\n" + NAMED + REDIRECT
    text += ROUTE.format(port=echo.port).replace('"localhost"', '"*"')
    with RealProxy(files.place(), text).serve() as proxy:
        yield proxy


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 308)])
def test_plain_listener_sends_to_https(
    site: RealProxy, method: str, status: int
) -> None:
    _, plain = site.ports
    answer = curl("-X", method, f"http://127.0.0.1:{plain}/a/%2e./b?c=d")
    assert answer.status == status
    assert answer.values("location") == ["https://127.0.0.1:8443/b?c=d"]
    assert answer.values("strict-transport-security") == []


def test_answers_over_tls_say_that_it_stays_so(files: "Files", site: RealProxy) -> None:
    secure, _ = site.ports
    for path in ("/", "/.sso/nothing"):
        answer = files.ask(f"https://localhost:{secure}{path}")
        assert answer.values("strict-transport-security") == ["max-age=600"]


@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_name_gets_its_certificate(files: "Files", site: RealProxy, name: str) -> None:
    secure, _ = site.ports
    resolve = ("--resolve", f"{name}:{secure}:127.0.0.1")
    answer = files.ask(f"https://{name}:{secure}/", *resolve)
    assert answer.status == 200, answer


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [("h2,http/1.1", "ALPN protocol: http/1.1"), ("http/1.1", "ALPN protocol: http")],
)
def test_protocol_is_agreed_on(site: RealProxy, offered: str, agreed: str) -> None:
    assert agreed in s_client(site.ports[0], "-alpn", offered)


def test_protocol_that_is_not_spoken_is_refused(site: RealProxy) -> None:
    """RFC 7301 section 3.2: no_application_protocol."""
    assert "no application protocol" in s_client(site.ports[0], "-alpn", "h2")


@pytest.mark.parametrize("old", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(site: RealProxy, old: str) -> None:
    said = s_client(site.ports[0], old, "-cipher", "ALL:@SECLEVEL=0")
    assert re.search(r"alert|no protocols available", said)


def s_client(port: int, *options: str) -> str:
    done = subprocess.run(  # noqa: S603
        [program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", *options],
        input=b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=15,
        check=False,
    )
    return done.stdout.decode("latin-1")
