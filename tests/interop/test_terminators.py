"""The proxy behind one that ends the clients' TLS."""

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
)

if TYPE_CHECKING:
    from tests.interop.conftest import Files

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
SIGNER = TokenSigner.create("ES256")


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
