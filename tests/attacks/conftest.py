"""The real proxy between a client that sends anything and a backend that keeps all."""

import json
import re
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sso_proxy.testing.pki import Issued, Pki
from sso_proxy.testing.tokens import TokenSigner
from tests.support.raw_client import Got, RawClient
from tests.support.recorder import Recorder, Seen
from tests.support.running import REAL, Proxy

ISSUER = "https://login.example"
CLAIMS = {"iss": ISSUER, "aud": "https://api.example", "sub": "alice"}

CONFIG = """
[server]
drain_timeout = 0.5
audit = {{ to = "file", file = "audit.log" }}
limits = {{ {limits} }}
{server}

[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[[listener]]
address = "127.0.0.1"
port = 0
certificate = "proxy.crt"
key = "proxy.key"
handshake_timeout = 1.5
hsts = 0

[[listener.name]]
host = ["one.example"]
client_certificate = "required"
client_ca = "one.crt"

[[listener.name]]
host = ["two.example", "*.two.example"]
client_certificate = "required"
client_ca = "two.crt"

[authenticator.certificate]
type = "mtls"
user = "subject:CN"

[authenticator.token]
type = "bearer"
issuer = "https://login.example"
audience = ["https://api.example"]
pem = "issuer.pem"
leeway = 0

[[route]]
host = "*"
authenticate = ["anonymous"]
backend = "{backend}"
limits = {{ body_bytes = 100000, response_timeout = 2.0 }}

[[route]]
host = "*"
path = "/admin@site/"
authenticate = ["token"]
backend = "{backend}"

[[route]]
host = "*"
path = "/slashes/"
authenticate = ["anonymous"]
encoded_slashes = true
backend = "{backend}"

[[route]]
host = "*"
path = "/reject/"
authenticate = ["anonymous"]
backend = "{backend}"

[[route]]
host = "*"
path = "/strip/"
authenticate = ["anonymous"]
path_parameters = "strip"
encoded_slashes = true
backend = "{backend}"

[[route]]
host = "*"
path = "/strip/plain/"
authenticate = ["anonymous"]
path_parameters = "strip"
backend = "{backend}"

[[route]]
host = "*"
path = "/strip/closed/"
authenticate = ["token"]
path_parameters = "strip"
backend = "{backend}"

[[route]]
host = "*"
path = "/socket/"
authenticate = ["anonymous"]
upgrade = ["websocket"]
backend = "{backend}"

[[route]]
host = "*"
path = "/token/"
authenticate = ["token"]
headers = {{ claims = ["email", "groups"] }}
backend = "{backend}"

[[route]]
host = "*"
path = "/token/read/"
authenticate = ["token"]
require = ["scope:read"]
backend = "{backend}"

[policy.guard]
type = "rules"

[[policy.guard.rule]]
name = "everybody"
effect = "permit"
obligations = [
    {{ do = "set-header", name = "X-Purpose", value = "ruled" }},
    {{ do = "remove-header", name = "X-Debug" }},
]

[[policy.guard.rule]]
name = "secret"
effect = "deny"
match = {{ path = "/ruled/secret/" }}

[[policy.guard.rule]]
name = "named"
effect = "deny"
match = {{ path = "/ruled/by/{{id}}/" }}
when = "path.id == 'admin'"

[[policy.guard.rule]]
name = "delete"
effect = "deny"
match = {{ method = ["DELETE"] }}

[[policy.guard.rule]]
name = "closed"
effect = "deny"
match = {{ host = ["closed.example"] }}

[[route]]
host = "*"
path = "/ruled/"
authenticate = ["anonymous"]
policy = ["guard"]
backend = "{backend}"

[[route]]
host = "*"
path = "/mapped/"
authenticate = ["anonymous"]
headers = {{ user = "X-Auth-User", claims = ["email"], claim_prefix = "X-Id-" }}
backend = "{backend}"

[[route]]
host = "*"
path = "/tls-backend/"
authenticate = ["anonymous"]
backend = "{backend_tls}"
upstream = {{ ca = "servers.crt" }}

[[route]]
host = "*.wild.example"
authenticate = ["token"]
backend = "{backend}"

[[route]]
host = "one.example"
authenticate = ["certificate"]
headers = {{ client_certificate = true }}
backend = "{backend}"

[[route]]
host = "two.example"
authenticate = ["certificate"]
backend = "{backend}"

[[route]]
host = "*.two.example"
authenticate = ["certificate"]
backend = "{backend}"
"""


@attrs.frozen(kw_only=True)
class Authorities:
    """Who issues what the proxy and its clients show."""

    server: Pki
    one: Pki
    two: Pki
    alice: Issued
    bob: Issued
    signer: TokenSigner

    @classmethod
    def create(cls) -> "Authorities":
        one, two = Pki.create("One"), Pki.create("Two")
        return cls(
            server=Pki.create("Servers"),
            one=one,
            two=two,
            alice=one.issue("alice", client=True),
            bob=two.issue("bob", client=True),
            signer=TokenSigner.create(),
        )


@attrs.frozen(kw_only=True)
class Scene:
    """
    A proxy, its backend, and keys.

    Attributes:
        plain: The port without TLS.
        secure: The port with TLS.
    """

    directory: Path
    proxy: Proxy
    recorder: Recorder
    plain: int
    secure: int
    keys: Authorities

    def client(self) -> RawClient:
        """Connect without TLS."""
        return RawClient(self.plain)

    def tls(
        self,
        certificate: str = "",
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    ) -> ssl.SSLContext:
        """Make a client's context; *certificate* is ``alice`` or ``bob``."""
        context = ssl.create_default_context(cafile=str(self.directory / "servers.crt"))
        context.check_hostname = False
        context.minimum_version = context.maximum_version = version
        if certificate:
            stem = self.directory / certificate
            context.load_cert_chain(f"{stem}.crt", f"{stem}.key")
        return context

    def tls_client(
        self,
        name: str | None,
        certificate: str = "",
        version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
        session: ssl.SSLSession | None = None,
    ) -> RawClient:
        """Connect with TLS, asking for *name*."""
        context = self.tls(certificate, version)
        return RawClient(self.secure, tls=context, name=name, session=session)

    def ask(self, *pieces: bytes, heads: tuple[int, ...] = ()) -> list[Got]:
        """Send *pieces*, then a plain last request, and give all answers."""
        with self.client() as client:
            return client.send(*pieces, LAST).read_to_end(heads=heads)

    def get(self, path: str, *fields: bytes, host: bytes = b"a") -> Got:
        """Ask for *path* over a connection of its own."""
        lines = [b"GET %b HTTP/1.1" % path.encode("latin-1"), b"Host: " + host, *fields]
        request = b"\r\n".join([*lines, b"Connection: close", b"", b""])
        with self.client() as client:
            return client.send(request).read_to_end()[0]

    def seen(self) -> list[Seen]:
        """Give what the backend saw, after all that was sent before has arrived."""
        assert self.get("/sentinel").status == 200
        *found, sentinel = self.recorder.seen
        assert sentinel.path == "/sentinel"
        assert self.recorder.garbage == []
        return [seen for seen in found if seen.path != "/last"]

    def audited(self, request_id: str) -> dict[str, str]:
        """Give the audit record of a request."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            for line in (self.directory / "audit.log").read_text().splitlines():
                record: dict[str, str] = json.loads(line)
                if record["id"] == request_id:
                    return record
            time.sleep(0.05)
        raise AssertionError(f"no audit record for {request_id}")

    def token(self, **claims: object) -> bytes:
        """Make an ``Authorization`` line."""
        now = int(time.time())
        given = {**CLAIMS, "iat": now, "exp": now + 600, **claims}
        token = self.keys.signer.sign(given, typ="at+jwt")
        return b"Authorization: Bearer " + token.encode()


LAST = b"GET /last HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"


def start(
    directory: Path, keys: Authorities, *, limits: str = "", server: str = ""
) -> Iterator[Scene]:
    """Run the proxy in *directory* in front of a recorder."""
    keys.server.write(directory, "servers")
    keys.server.issue("proxy", dns=["one.example"], server=True).write(
        directory, "proxy"
    )
    for name in ("one", "two"):
        getattr(keys, name).write(directory, name)
    for name in ("alice", "bob"):
        getattr(keys, name).write(directory, name)
    (directory / "issuer.pem").write_bytes(keys.signer.public_pem())
    with Recorder() as recorder, Proxy(directory) as proxy:
        proxy.config.write_text(
            CONFIG.format(
                backend=f"http://127.0.0.1:{recorder.port}",
                backend_tls=f"https://127.0.0.1:{recorder.port}",
                limits=limits,
                server=server,
            )
        )
        proxy.start(program=REAL)
        proxy.wait_for_log("serving on")
        plain, secure = ports(proxy)
        yield Scene(
            directory=directory,
            proxy=proxy,
            recorder=recorder,
            plain=plain,
            secure=secure,
            keys=keys,
        )


def ports(proxy: Proxy) -> tuple[int, int]:
    """Find the ports of both listeners."""
    found = re.findall(r"127\.0\.0\.1 port (\d+)", proxy.log())
    assert len(found) == 2, proxy.log()
    return int(found[0]), int(found[1])


@pytest.fixture(scope="session")
def keys() -> Authorities:
    return Authorities.create()


@pytest.fixture(scope="session")
def _running(
    tmp_path_factory: pytest.TempPathFactory, keys: Authorities
) -> Iterator[Scene]:
    yield from start(tmp_path_factory.mktemp("attacks"), keys)


@pytest.fixture
def scene(_running: Scene) -> Iterator[Scene]:
    """A running proxy, whose backend has seen nothing yet."""
    said = len(_running.proxy.log())
    _running.recorder.clear()
    yield _running
    assert _running.recorder.garbage == []
    assert "Traceback" not in _running.proxy.log()[said:]
