"""Client certificates that curl and openssl show, on listeners of every kind."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from sso_proxy.specs.http.client_cert import build_client_cert, build_client_cert_chain
from sso_proxy.testing.pki import Issued, Pki, self_signed
from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import (
    Backend,
    CurlAnswer,
    RealProxy,
    curl,
    echo_head,
    fields_of,
    program,
)

ISSUER = "https://login.example.com"
AUDIENCE = "https://api.example.com"
MODES = ("none", "optional", "optional_no_ca", "required")
HOLDERS = ("alice", "bob", "self-signed", "expired", "revoked", "nobody")

LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"
client_certificate = "{mode}"
"""
CHECKED = """client_ca = "ca.crt"
client_crl = "ca.crl"
"""
ROUTES = """
[authenticator.any]
type = "mtls"
user = "subject:CN"

[authenticator.pinned]
type = "mtls"
user = "subject:CN"
pins = ["{pin}"]

[authenticator.api]
type = "bearer"
issuer = "{issuer}"
audience = ["{audience}"]
pem = "issuer.pem"
algorithms = ["ES256"]

[[route]]
host = "localhost"
path = "/open/"
authenticate = ["anonymous"]
headers = {{ client_certificate = true }}
backend = "http://127.0.0.1:{port}"

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

[[route]]
host = "localhost"
path = "/bound/"
authenticate = ["api"]
binding = {{ certificate = "require" }}
backend = "http://127.0.0.1:{port}"
"""


@attrs.frozen(kw_only=True)
class Scene:
    """A proxy with a listener for each mode, and people with certificates."""

    proxy: RealProxy
    directory: Path
    people: dict[str, Issued]
    signer: TokenSigner

    def port(self, mode: str) -> int:
        return self.proxy.ports[MODES.index(mode)]

    def options(self, holder: str) -> list[str]:
        if holder == "nobody":
            return []
        stem = self.directory / holder
        return ["--cert", f"{stem}.crt", "--key", f"{stem}.key"]

    def ask(self, mode: str, path: str, holder: str, *options: str) -> CurlAnswer:
        return curl(
            "--cacert",
            self.directory / "server-ca.crt",
            *self.options(holder),
            *options,
            f"https://localhost:{self.port(mode)}{path}",
        )

    def token(self, **confirmation: str) -> str:
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "alice@example.com",
            "exp": time.time() + 600,
            "iat": time.time(),
            "jti": "1",
            "client_id": "c",
        }
        if confirmation:
            return self.signer.sign({**claims, "cnf": confirmation})
        return self.signer.sign(claims)

    def bearer(self, holder: str = "alice") -> tuple[str, str]:
        bound = {"x5t#S256": self.people[holder].thumbprint}
        return "-H", f"Authorization: Bearer {self.token(**bound)}"


def write_people(directory: Path) -> dict[str, Issued]:
    authority = Pki.create("Client CA")
    people = {
        "alice": authority.issue("alice", client=True),
        "bob": authority.issue("bob", client=True),
        "self-signed": self_signed("alice"),
        "expired": authority.issue("expired", client=True, expired=True),
        "revoked": authority.issue("revoked", client=True),
    }
    for name, issued in people.items():
        issued.write(directory, name)
    authority.write(directory)
    (directory / "ca.crl").write_bytes(authority.crl([people["revoked"]]))
    return people


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("certificates")
    people = write_people(directory)
    server = Pki.create("Server CA")
    server.write(directory, "server-ca")
    server.issue("localhost", dns=["localhost"], server=True).write(directory, "server")
    signer = TokenSigner.create("ES256")
    (directory / "issuer.pem").write_bytes(signer.public_pem())
    text = "".join(
        LISTENER.format(mode=mode) + ("" if mode == "none" else CHECKED)
        for mode in MODES
    )
    with Backend(echo_head) as backend:
        text += ROUTES.format(
            pin=people["self-signed"].thumbprint,
            issuer=ISSUER,
            audience=AUDIENCE,
            port=backend.port,
        )
        with RealProxy(directory, text).serve() as proxy:
            yield Scene(proxy=proxy, directory=directory, people=people, signer=signer)


def handshake_succeeds(mode: str, holder: str) -> bool:
    if mode in {"none", "optional_no_ca"}:
        return True
    return holder in {"alice", "bob"} or (holder == "nobody" and mode == "optional")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("mode", MODES)
class TestEveryListener:
    """What each certificate is good for, with TLS 1.2 and 1.3."""

    @staticmethod
    def ask(
        scene: Scene, mode: str, path: str, holder: str, version: str, *options: str
    ) -> CurlAnswer:
        answer = scene.ask(
            mode, path, holder, f"--tlsv{version}", "--tls-max", version, *options
        )
        assert (answer.status > 0) is handshake_succeeds(mode, holder), answer
        return answer

    def test_identity_needs_a_good_one(
        self, scene: Scene, mode: str, holder: str, version: str
    ) -> None:
        answer = self.ask(scene, mode, "/mtls/", holder, version)
        if not answer.status:
            return
        known = mode != "none" and holder in {"alice", "bob"}
        assert answer.status == (200 if known else 403)
        assert answer.values("www-authenticate") == []
        if known:
            assert fields_of(answer.text, "X-Remote-User") == [holder]

    def test_pinned_one_needs_nobody_to_vouch(
        self, scene: Scene, mode: str, holder: str, version: str
    ) -> None:
        answer = self.ask(scene, mode, "/pinned/", holder, version)
        if not answer.status:
            return
        verified = mode != "none" and holder in {"alice", "bob"}
        pinned = mode == "optional_no_ca" and holder == "self-signed"
        assert answer.status == (200 if verified or pinned else 403)

    def test_bound_token_needs_the_right_one(
        self, scene: Scene, mode: str, holder: str, version: str
    ) -> None:
        answer = self.ask(scene, mode, "/bound/", holder, version, *scene.bearer())
        if not answer.status:
            return
        right = mode != "none" and holder == "alice"
        assert answer.status == (200 if right else 401)
        challenges = answer.values("www-authenticate")
        assert len(challenges) == (0 if right else 1)
        for challenge in challenges:
            assert challenge.startswith("Bearer ")
            assert 'error="invalid_token"' in challenge

    def test_backend_is_shown_what_the_client_showed(
        self, scene: Scene, mode: str, holder: str, version: str
    ) -> None:
        answer = self.ask(
            scene, mode, "/open/", holder, version, "-H", "Client-Cert: :AAAA:"
        )
        if not answer.status:
            return
        assert answer.status == 200
        shown = mode != "none" and holder != "nobody"
        wanted = [build_client_cert(scene.people[holder].der)] if shown else []
        assert fields_of(answer.text, "Client-Cert") == wanted


def test_token_that_is_not_bound_is_refused(scene: Scene) -> None:
    header = f"Authorization: Bearer {scene.token()}"
    answer = scene.ask("optional_no_ca", "/bound/", "alice", "-H", header)
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.values("www-authenticate")[0]


def test_token_bound_by_unknown_means_is_refused(scene: Scene) -> None:
    header = f"Authorization: Bearer {scene.token(jkt='x')}"
    answer = scene.ask("optional_no_ca", "/bound/", "alice", "-H", header)
    assert answer.status == 401


def test_self_signed_one_is_good_for_a_token_bound_to_it(scene: Scene) -> None:
    """RFC 8705 section 2.2: who issued it does not matter."""
    answer = scene.ask(
        "optional_no_ca", "/bound/", "self-signed", *scene.bearer("self-signed")
    )
    assert answer.status == 200


def test_who_sends_no_token_is_told_how(scene: Scene) -> None:
    answer = scene.ask("optional_no_ca", "/bound/", "alice")
    assert answer.status == 401
    (challenge,) = answer.values("www-authenticate")
    assert challenge.startswith("Bearer ")
    assert "error=" not in challenge


@pytest.mark.parametrize("name", ["Client-Cert", "Client_Cert", "client-cert-chain"])
def test_field_that_a_client_made_up_is_gone(scene: Scene, name: str) -> None:
    value = build_client_cert(scene.people["alice"].der)
    answer = scene.ask("none", "/open/", "nobody", "-H", f"{name}: {value}")
    assert answer.status == 200
    assert "lient" not in re.sub(r"(?m)^.*curl.*$", "", answer.text)


def test_certificate_a_client_made_up_opens_nothing(scene: Scene) -> None:
    value = build_client_cert(scene.people["alice"].der)
    fake = ("-H", f"Client-Cert: {value}")
    for path in ("/mtls/", "/pinned/"):
        assert scene.ask("none", path, "nobody", *fake).status == 403
    answer = scene.ask("none", "/bound/", "nobody", *fake, *scene.bearer())
    assert answer.status == 401


def test_chain_is_shown_without_the_leaf(scene: Scene) -> None:
    root = Pki.create("Other root")
    middle = root.intermediate("Middle")
    leaf = middle.issue("chained", client=True)
    leaf.write(scene.directory, "chained")
    answer = scene.ask("optional_no_ca", "/open/", "chained")
    (shown,) = fields_of(answer.text, "Client-Cert-Chain")
    der = middle.certificate.public_bytes(Encoding.DER)
    assert shown == build_client_cert_chain([der])
    assert fields_of(answer.text, "Client-Cert") == [build_client_cert(leaf.der)]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("mode", "holder", "says"),
    [
        ("none", "alice", b"HTTP/1.1 403"),
        ("optional", "alice", b"HTTP/1.1 200"),
        ("optional", "nobody", b"HTTP/1.1 403"),
        ("optional", "revoked", b"alert"),
        ("optional_no_ca", "expired", b"HTTP/1.1 403"),
        ("required", "bob", b"HTTP/1.1 200"),
        ("required", "self-signed", b"alert"),
        ("required", "nobody", b"alert"),
    ],
)
def test_openssl_sees_the_same(
    scene: Scene, mode: str, holder: str, says: bytes, version: str
) -> None:
    options = []
    if holder != "nobody":
        stem = scene.directory / holder
        options = ["-cert", f"{stem}.crt", "-key", f"{stem}.key"]
    request = b"GET /mtls/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    done = subprocess.run(  # noqa: S603
        [
            program("openssl"),
            "s_client",
            "-quiet",
            "-ign_eof",
            version,
            "-servername",
            "localhost",
            "-CAfile",
            scene.directory / "server-ca.crt",
            "-verify_return_error",
            "-connect",
            f"127.0.0.1:{scene.port(mode)}",
            *options,
        ],
        input=request,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=15,
        check=False,
    )
    assert says in done.stdout


def test_record_says_whose_certificate_it_was(scene: Scene) -> None:
    scene.ask("optional_no_ca", "/mtls/", "self-signed")
    scene.ask("required", "/mtls/", "bob")
    mine, bobs = (scene.people[name].thumbprint for name in ("self-signed", "bob"))
    scene.proxy.wait_for_record(f'"x5t#S256":"{mine}","verified":false')
    scene.proxy.wait_for_record(f'"x5t#S256":"{bobs}","verified":true')
