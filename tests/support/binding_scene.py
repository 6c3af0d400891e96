"""The proxy in this process, with clients that agree on Token Binding, or do not."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import attrs
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.web.resource import Resource

from sso_proxy.assembly import Gateway
from sso_proxy.config.key_ring import write_key_ring
from sso_proxy.config.load import load_config
from sso_proxy.net.tls.token_binding_client import (
    OFFER,
    BindingConnection,
    Trust,
    client_context,
)
from sso_proxy.specs.token_binding import PROVIDED_FIELD
from sso_proxy.testing.fakes import KEY_RING
from sso_proxy.testing.pki import Issued, Pki
from sso_proxy.testing.token_binding import BindingKey, prove
from sso_proxy.testing.tokens import TokenSigner
from tests.support.raw_client import Got, read_answers
from tests.support.recorder import Recorder, Seen
from tests.support.sockets import StillReactor

PROXY = "127.0.0.2"
"""The trusted proxy."""

CONFIG = """
[server]
trusted_proxies = ["127.0.0.2"]
audit = {{ to = "none" }}
state_dir = "state"

[[listener]]                     # 0: with Token Binding
address = "127.0.0.1"
certificate = "proxy.crt"
key = "proxy.key"
port = 0
token_binding = true
hsts = 0

[[listener.name]]
host = ["named.example"]

[[listener]]                     # 1: without
address = "127.0.0.1"
port = 0
certificate = "proxy.crt"
key = "proxy.key"
hsts = 0

[[listener]]                     # 2: behind a terminator
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true
forwarded_token_binding = true

[[listener]]                     # 3: both
address = "127.0.0.1"
port = 0
certificate = "proxy.crt"
key = "proxy.key"
token_binding = true
forwarded_token_binding = true
hsts = 0

[[listener]]                     # 4: with client certificates
address = "127.0.0.1"
port = 0
certificate = "proxy.crt"
key = "proxy.key"
token_binding = true
hsts = 0

[[listener.name]]
host = ["mtls.example"]
client_certificate = "required"
client_ca = "ca.pem"

[authenticator.token]
type = "bearer"
issuer = "https://login.example"
audience = ["https://api.example"]
pem = "issuer.pem"

[[route]]
host = "*"
authenticate = ["anonymous"]
headers = {{ token_binding = ["provided", "referred", "other", "context"] }}
backend = "{backend}"

[[route]]
host = "*"
path = "/id/"
authenticate = ["anonymous"]
headers = {{ token_binding = ["provided"] }}
backend = "{backend}"

[[route]]
host = "*"
path = "/untold/"
authenticate = ["anonymous"]
backend = "{backend}"

[[route]]
host = "*"
path = "/hosted/"
authenticate = ["anonymous"]
headers = {{ token_binding = ["provided"] }}
backend = "resource:tests.support.binding_scene:Shown"

[[route]]
host = "*"
path = "/token/"
authenticate = ["token"]
headers = {{ token_binding = ["provided"] }}
backend = "{backend}"

[[route]]
host = "*"
path = "/cookies/"
authenticate = ["anonymous"]
backend = "resource:tests.support.binding_scene:Remembering"

[route.binding.cookies]
names = ["own"]
token_binding = "prefer"
certificate = "prefer"
"""


class Shown(Resource):
    """A hosted application that shows what it is told of its client's key."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:  # noqa: ANN401
        """Show it."""
        told: list[str] = request.requestHeaders.getRawHeaders(PROVIDED_FIELD, [])
        return " ".join(told).encode()


class Remembering(Resource):
    """A hosted application that has its client bring back a cookie of its own."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:  # noqa: ANN401
        """Set it, and show what came."""
        request.addCookie(b"own", b"s3cr", path=b"/")
        cookies: list[str] = request.requestHeaders.getRawHeaders("cookie", [])
        return "|".join(cookies).encode()


class Reactor(Clock, StillReactor):
    """Time and readers, both moved by hand."""

    def __init__(self) -> None:
        Clock.__init__(self)
        StillReactor.__init__(self)


class TurningSocket:
    """A client's socket that blocks while the proxy goes on."""

    def __init__(self, scene: "BindingScene", sock: socket.socket) -> None:
        self._scene = scene
        self._sock = sock
        sock.setblocking(False)

    def sendall(self, data: bytes) -> None:
        """Send all of it, which is little."""
        assert self._sock.send(data) == len(data)

    def recv(self, most: int) -> bytes:
        """Wait for something to come."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                return self._sock.recv(most)
            except BlockingIOError:
                self._scene.turn()
            except ConnectionResetError:
                return b""
        raise TimeoutError

    def close(self) -> None:
        """Close it."""
        self._sock.close()


@attrs.define(eq=False)
class Asking:
    """
    A client that asks one request after the other.

    Attributes:
        stream: Its connection.
        key: Its key.
        bound: What is signed; empty on a connection that nothing was agreed on.
    """

    stream: Any
    key: BindingKey
    bound: bytes = b""

    @property
    def proof(self) -> str:
        """The field's value, anew each time."""
        return prove(self.key, self.bound)

    def ask(self, *fields: tuple[str, str], path: str = "/", host: str = "h") -> Got:
        """Ask with *fields*, and take the answer."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in fields]
        self.stream.send("\r\n".join((*lines, "", "")).encode())
        octets = b""
        found: list[Got] = []
        while not found or not found[-1].whole:
            data = self.stream.receive()
            octets += data
            found = read_answers(octets, ended=not data)
            assert data or (found and found[-1].whole), octets
        (got,) = found
        return got

    def prove(self, *fields: tuple[str, str], path: str = "/", host: str = "h") -> Got:
        """Ask, and prove the key."""
        proof = ("Sec-Token-Binding", self.proof)
        return self.ask(proof, *fields, path=path, host=host)


class _Plain:
    """A stream without TLS."""

    def __init__(self, sock: TurningSocket) -> None:
        self.send = sock.sendall
        self._sock = sock

    def receive(self) -> bytes:
        return self._sock.recv(65536)


class BindingScene:
    """
    The proxy and what is around it.

    Args:
        directory: Where its files are.
        backend: The backend.
        more: More of the configuration, for `str.format` as all of it.

    Attributes:
        backend: The backend.
        pki: The clients' CA.
    """

    def __init__(self, directory: Path, backend: Recorder, more: str = "") -> None:
        self.backend = backend
        self.pki = Pki.create("Client CA")
        self.alice = self.pki.issue("alice", client=True)
        self._signer = TokenSigner.create()
        self._directory = directory
        self.write_certificate("first")
        (directory / "ca.pem").write_bytes(self.pki.ca_pem)
        (directory / "issuer.pem").write_bytes(self._signer.public_pem())
        (directory / "state").mkdir(mode=0o700)
        write_key_ring(directory / "state" / "keys.json", KEY_RING, replace=False)
        self._file = directory / "proxy.toml"
        url = f"http://127.0.0.1:{backend.port}"
        self._file.write_text((CONFIG + more).format(backend=url))
        self.sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
        for sock in self.sockets:
            sock.setblocking(False)
        self._reactor = Reactor()
        self.gateway = Gateway(self._reactor, load_config(self._file), self.sockets)
        self.gateway.start()
        self._clients: list[socket.socket] = []

    def write_certificate(self, name: str) -> None:
        """Give the proxy a new certificate, for the next reload."""
        Pki.create("Server CA").issue(name, server=True).write(self._directory, "proxy")
        self._directory.joinpath("proxy.key").chmod(0o600)

    def reload(self) -> None:
        """Have the proxy read its files again."""
        done: list[object] = []
        reloading = ensureDeferred(self.gateway.reload(load_config(self._file)))
        reloading.addBoth(done.append)
        assert done == [None]

    def turn(self) -> None:
        """Let the proxy do what it has to."""
        self._reactor.advance(0.01)
        nest: Any = self.gateway.nest
        nest.doRead()

    def connect(  # noqa: PLR0913
        self,
        listener: int = 0,
        *,
        key: BindingKey | None = None,
        offer: bytes | None = OFFER,
        sni: str | None = None,
        certificate: Issued | None = None,
        proxy: bool = False,
    ) -> Asking:
        """Connect as a client, over TLS with *offer*."""
        sock = self._dial(listener, proxy=proxy)
        trust = Trust()
        if certificate is not None:
            trust = Trust(certificate=certificate.chain_pem, key=certificate.key_pem)
        stream = BindingConnection(
            client_context(trust), sock, server_name=sni, offer=offer
        )
        bound = stream.ekm if stream.offer.agreed is not None else b""
        return Asking(stream, key or BindingKey.create(), bound)

    def connect_plainly(self, *, proxy: bool) -> Asking:
        """Connect to the listener behind a terminator; as that, or as anybody."""
        stream = _Plain(self._dial(2, proxy=proxy))
        return Asking(stream, BindingKey.create())

    def _dial(self, listener: int, *, proxy: bool) -> Any:  # noqa: ANN401
        address = self.sockets[listener].getsockname()
        source = (PROXY if proxy else "127.0.0.1", 0)
        sock = socket.create_connection(address, source_address=source)
        self._clients.append(sock)
        return TurningSocket(self, sock)

    def token(
        self,
        subject: str = "alice",
        **more: Any,  # noqa: ANN401
    ) -> tuple[str, str]:
        """Make the field with an access token that has *more* claims."""
        claims = {
            "iss": "https://login.example",
            "aud": "https://api.example",
            "sub": subject,
            "exp": int(time.time()) + 600,
            **more,
        }
        token = self._signer.sign(claims, typ="at+jwt")
        return "Authorization", f"Bearer {token}"

    def seen(self) -> list[Seen]:
        """Give what the backend got since last asked."""
        found = list(self.backend.seen)
        self.backend.clear()
        return found

    def close(self) -> None:
        """End it all."""
        for sock in self._clients:
            sock.close()
        done: list[object] = []
        ensureDeferred(self.gateway.drain()).addBoth(done.append)
        until = time.monotonic() + 10
        while not done and time.monotonic() < until:
            nest: Any = self.gateway.nest
            nest.doRead()
            self._reactor.advance(0.1)
        assert done == [None]
        for sock in self.sockets:
            sock.close()

    def __enter__(self) -> Self:
        """Take it for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()


@contextmanager
def binding_scene(directory: Path, more: str = "") -> Iterator[BindingScene]:
    """Serve from files in *directory*, as *more* of the configuration says, too."""
    with Recorder() as backend, BindingScene(directory, backend, more) as scene:
        yield scene


def handshake_is_refused(scene: BindingScene, **options: Any) -> bool:  # noqa: ANN401
    """Say whether nobody gets in with *options*."""
    try:
        scene.connect(**options).ask()
    except (ssl.SSLError, AssertionError, OSError):
        return True
    except Exception as e:  # noqa: BLE001 - OpenSSL's, which tests need not know
        return type(e).__module__.startswith("OpenSSL")
    return False
