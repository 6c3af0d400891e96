"""The code in docs/howto/signed-requests.md checks signatures as it says."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sso_proxy.signing import RequestSigner
from sso_proxy.specs.http.signature_keys import read_request_key
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.signatures import read_received
from tests.support.issuing import Issuer, serving
from tests.support.programs import CurlAnswer, Running, curl, free_port
from tests.support.running import REAL, Proxy

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "howto" / "signed-requests.md").read_text("utf-8")
CODE: Final[dict[str, str]] = dict(
    re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
)
NAMES: Final = ("@method", "@authority", "@path", "@query", "identity")
USER: Final = "X-Remote-User: alice\r\n"


def write_keys(directory: Path, private: str, public: str) -> bytes:
    """Make a key pair; give the private half."""
    key = Ed25519PrivateKey.generate()
    form = PrivateFormat.PKCS8
    pem = key.private_bytes(Encoding.PEM, form, NoEncryption())
    (directory / private).write_bytes(pem)
    spki = PublicFormat.SubjectPublicKeyInfo
    (directory / public).write_bytes(key.public_key().public_bytes(Encoding.PEM, spki))
    return pem


class Application:
    """The page's application, in this process, and a proxy's key."""

    def __init__(self, directory: Path) -> None:
        self.pem = write_keys(directory, "sso.pem", "sso.pub")
        code = CODE["python"].replace('"sso.pub"', repr(str(directory / "sso.pub")))
        names: dict[str, Any] = {"__name__": "application"}
        exec(code, names)  # noqa: S102
        self.client = names["app"].test_client()
        self._nonces = 0

    def request(
        self,
        line: str = "GET /orders?id=1",
        fields: str = USER,
        body: bytes = b"",
        *,
        age: float = 0.0,
        pem: bytes = b"",
        **options: Any,  # noqa: ANN401
    ) -> bytes:
        """Give a request as the proxy makes it."""
        self._nonces += 1
        nonce = f"nonce-{self._nonces}"
        signer = RequestSigner(
            key=read_request_key(pem or self.pem, keyid="sso-1"),
            clock=SettableClock(time.time() - age),
            **{
                "components": NAMES,
                "digest": True,
                "new_nonce": lambda: nonce,
                **options,
            },
        )
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{line} HTTP/1.1\r\nHost: api.example.com\r\n{fields}{length}".encode()
        method, target = line.split()
        identity = tuple(f.partition(":")[0].lower() for f in fields.splitlines())
        signed = signer.sign(
            head, method=method, target=target, identity=identity, content=body
        )
        return head + signed + b"\r\n" + body

    def ask(self, octets: bytes) -> tuple[int, str]:
        """Let a request arrive."""
        received = read_received(octets)
        request = received.request
        answer = self.client.open(
            request.target,
            method=request.method,
            base_url=f"http://{request.fields['host'][0]}",
            headers=[(n, v) for n, values in request.fields.items() for v in values],
            data=received.content,
            environ_overrides={"RAW_URI": request.target},
        )
        return answer.status_code, answer.text


@pytest.fixture(scope="module", name="application")
def _application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(tmp_path_factory.mktemp("application"))


def test_what_the_proxy_signed_is_good(application: Application) -> None:
    """Another implementation than ours reads what we write."""
    assert application.ask(application.request()) == (200, "Hello alice")
    more = f"{USER}X-Claim-Email: alice@example.com\r\n"
    octets = application.request("POST /a%20b/%C3%A9?x=%2F&x=1&y", more, b"content")
    assert application.ask(octets) == (200, "Hello alice")
    assert application.ask(application.request("GET /", "")) == (200, "Hello None")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"GET"),
        (b"/orders", b"/admin"),
        (b"id=1", b"id=2"),
        (b"?id=1", b""),
        (b"Host: api", b"Host: other"),
        (b"User: alice", b"User: admin"),
        (USER.encode(), b""),
        (USER.encode(), USER.encode() + b"X-Remote-User: admin\r\n"),
        (USER.encode(), USER.encode() + b"X-Claim-Email: admin@example.com\r\n"),
        (b"content\n", b"CONTENT\n"),
        (b"content\n", b"content\nmore"),
        (b"sso-1", b"sso-2"),
        (b"created=", b"created=1"),
        (b"sso-proxy", b"other"),
        (b'"x-remote-user" ', b""),
    ],
)
def test_what_is_changed_is_refused(
    application: Application, old: bytes, new: bytes
) -> None:
    """One thing at a time."""
    octets = application.request("POST /orders?id=1", body=b"content\n")
    assert octets.count(old) >= 1
    assert application.ask(octets.replace(old, new, 1))[0] == 401


def test_a_user_who_is_added_is_refused(application: Application) -> None:
    """A request of nobody stays one."""
    octets = application.request("GET /", "")
    changed = octets.replace(b"\r\n", b"\r\n" + USER.encode(), 1)
    assert application.ask(changed)[0] == 401


def test_a_request_is_good_once(application: Application) -> None:
    """Whoever has recorded it cannot send it again."""
    octets = application.request()
    assert application.ask(octets)[0] == 200
    assert application.ask(octets)[0] == 401


def test_old_requests_are_refused(application: Application, tmp_path: Path) -> None:
    """As are those of other keys, without a body's digest, and without a nonce."""
    assert application.ask(application.request(age=70))[0] == 401
    assert application.ask(application.request(age=-70))[0] == 401
    other = write_keys(tmp_path, "other.pem", "other.pub")
    assert application.ask(application.request(pem=other))[0] == 401
    assert application.ask(application.request(digest=False))[0] == 401
    assert application.ask(application.request(new_nonce=None))[0] == 401
    assert application.ask(application.request(components=NAMES[:3]))[0] == 401


class RealScene:
    """etc/signed-requests.toml, and the page's application behind it."""

    def __init__(self, directory: Path, issuer: Issuer) -> None:
        self.directory = directory
        self.port, self.application = free_port(), free_port()
        tls = directory / "tls"
        tls.mkdir()
        pki = Pki.create()
        self.ca = pki.write(tls, "ca")
        pki.issue("api", dns=["api.example.com"], server=True).write(tls, "api")
        write_keys(directory, "tls/sso.pem", "sso.pub")
        text = (ROOT / "etc" / "signed-requests.toml").read_text()
        for old, new in {
            '"https://login.example.com"': f'"{issuer.url}"',
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": str(self.port),
            "127.0.0.1:9000": f"127.0.0.1:{self.application}",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.proxy = Proxy(directory)
        self.proxy.config.write_text(f"[server]\nstate_dir = '{directory}'\n{text}")
        self.field = f"Authorization: Bearer {issuer.token(email='a@example.com')}"

    def run(self, stack: ExitStack) -> None:
        stack.enter_context(self.proxy.start(program=REAL)).wait_until_serving()
        file = self.directory / "app.py"
        file.write_text(CODE["python"])
        command = (sys.executable, "-m", "flask", "--app", str(file), "run", "--port")
        place = f"--chdir={self.directory}"
        started = Running(
            self.directory, "/usr/bin/env", place, *command, str(self.application)
        )
        stack.enter_context(started.wait_for_port(self.application))

    def ask(self, path: str, *options: str, body: bytes = b"") -> CurlAnswer:
        resolve = f"api.example.com:{self.port}:127.0.0.1"
        url = f"https://api.example.com:{self.port}{path}"
        given = ("--cacert", self.ca, "--resolve", resolve, "-H", self.field)
        return curl(*given, *options, url, body=body)


@pytest.fixture(name="scene")
def _scene(tmp_path: Path) -> Iterator[RealScene]:
    issuer = Issuer()
    made = RealScene(tmp_path, issuer)
    with ExitStack() as stack:
        stack.enter_context(serving(issuer))
        made.run(stack)
        yield made


def test_the_application_believes_the_proxy_alone(scene: RealScene) -> None:
    """Through the proxy, requests are good; past it, the same ones are not."""
    for path in ("/", "/orders?id=1", "/orders?id=2", "/a%20b/%C3%A9?x=%2F"):
        answer = scene.ask(path)
        assert (answer.status, answer.text) == (200, "Hello alice"), scene.proxy.log()
    for options in ((), ("-H", "Transfer-Encoding: chunked")):
        posted = scene.ask("/", "--data-binary", "@-", *options, body=b"x" * 100_000)
        assert (posted.status, posted.text) == (200, "Hello alice"), scene.proxy.log()
    forged = ("-H", "Signature: sso=:AAAA:", "-H", "Content-Digest: sha-256=:AAAA:")
    assert scene.ask("/", *forged).status == 200
    assert scene.ask("/", "--data-binary", "@-", body=bytes(1048577)).status == 413

    direct = f"http://127.0.0.1:{scene.application}/"
    assert curl("-H", "X-Remote-User: admin", direct).status == 401

    public = scene.ask("/.sso/jwks")
    assert '"kid":"sso-1"' in public.text
    assert '"d"' not in public.text
