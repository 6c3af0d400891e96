"""Servers and proxies on loopback, honest and other, and who asks them."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from OpenSSL import crypto
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import ClientTls, HttpClient, NoReplyError, Trouble
from sso_proxy.testing.pki import Issued, Pki
from sso_proxy.testing.tokens import TokenSigner, jwks

reactor: Any = installed


class Keys(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"Content-Type", b"application/json")
        return jwks(SIGNER)


class Redirect(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        request.setResponseCode(302)
        request.setHeader(b"Location", b"/keys")
        request.setHeader(b"Set-Cookie", b"a=b")
        return b""

    def render_POST(self, request: Request) -> bytes:
        request.setResponseCode(307)
        request.setHeader(b"Location", b"/form")
        return b""


class Echo(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        lines = request.requestHeaders.getAllRawHeaders()
        return b"\n".join(b"%b: %b" % (name, v[0]) for name, v in lines)


class Form(Resource):
    """Says what was sent, and by whose certificate."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return self.render_POST(request)

    def render_POST(self, request: Request) -> bytes:
        headers = request.requestHeaders
        peer = getattr(request.transport, "getPeerCertificate", lambda: None)()
        told = {
            "method": request.method.decode(),
            "uri": request.uri.decode(),
            "type": headers.getRawHeaders("content-type", [None])[0],
            "length": headers.getRawHeaders("content-length", [None])[0],
            "authorization": headers.getRawHeaders("authorization", [None])[0],
            "body": b"" if request.content is None else request.content.read(),
            "client": None if peer is None else common_name(peer),
        }
        return json.dumps(told, default=bytes.decode).encode()


def common_name(certificate: crypto.X509) -> str:
    subject = certificate.to_cryptography().subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


class Silent(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> int:
        request.notifyFinish().addErrback(lambda _: None)
        return NOT_DONE_YET


class Endless(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> int:
        request.notifyFinish().addErrback(lambda _: None)
        self.request = request
        request.registerProducer(self, False)
        return NOT_DONE_YET

    def resumeProducing(self) -> None:
        self.request.write(b"x" * 10_000)

    def stopProducing(self) -> None:
        pass


SIGNER = TokenSigner.create()


def site() -> Site:
    root = Resource()
    root.putChild(b"keys", Keys())
    root.putChild(b"redirect", Redirect())
    root.putChild(b"echo", Echo())
    root.putChild(b"form", Form())
    root.putChild(b"silent", Silent())
    root.putChild(b"endless", Endless())
    return Site(root, reactor=reactor)


def server_options(
    issued: Issued, clients: Pki | None = None
) -> ssl.CertificateOptions:
    # pyOpenSSL warns about the types that Twisted's annotations ask for
    mine: dict[str, Any] = {
        "privateKey": load_pem_private_key(issued.key_pem, None),
        "certificate": load_pem_x509_certificate(issued.cert_pem),
    }
    if clients is not None:
        mine |= {
            "caCerts": [crypto.X509.from_cryptography(clients.certificate)],
            "verify": True,
            "requireCertificate": False,
        }
    return ssl.CertificateOptions(**mine)


def client_tls(issued: Issued, ca: bytes | None = None) -> ClientTls:
    return ClientTls(certificate=issued.chain_pem, key=issued.key_pem, ca=ca)


class Counting(Factory):
    """Counts connections on their way to a factory."""

    def __init__(self, factory: Any) -> None:  # noqa: ANN401
        self.factory = factory
        self.made = 0
        self.open: list[Any] = []

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ANN401
        self.made += 1
        protocol = self.factory.buildProtocol(addr)
        self.open.append(protocol)
        return protocol

    def doStart(self) -> None:  # noqa: N802
        self.factory.doStart()

    def doStop(self) -> None:  # noqa: N802
        self.factory.doStop()


class Scripted(Protocol):
    """Answers a request with given octets, then does as it is told."""

    def __init__(self, answer: bytes, *, close: bool) -> None:
        self.answer = answer
        self.close = close

    def dataReceived(self, data: bytes) -> None:  # noqa: ARG002
        transport = self.transport
        assert transport is not None
        transport.write(self.answer)
        if self.close:
            transport.loseConnection()


class ConnectProxy(Protocol):
    """A proxy that opens tunnels to this machine, and may say something first."""

    def __init__(self, asked: list[bytes], early: bytes) -> None:
        self.asked = asked
        self.early = early
        self.head = b""
        self.far: Any = None

    def dataReceived(self, data: bytes) -> None:
        if self.far is not None:
            self.far.write(data)
            return
        self.head += data
        if self.head.endswith(b"\r\n\r\n"):
            line = self.head.partition(b"\r\n")[0]
            self.asked.append(line)
            port = int(line.split()[1].rpartition(b":")[2])
            far = Protocol()
            far.dataReceived = self.relay  # type: ignore[method-assign]
            far.connectionLost = self.end  # type: ignore[method-assign]
            TCP4ClientEndpoint(reactor, "127.0.0.1", port).connect(
                Factory.forProtocol(lambda: far)
            ).addCallback(self.opened)

    def opened(self, far: Any) -> None:  # noqa: ANN401
        self.far = far.transport
        self.relay(b"HTTP/1.1 200 OK\r\n\r\n" + self.early)

    def relay(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    def end(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        if self.far is not None:
            self.far.loseConnection()


class HttpClientTestCase(TestCase):
    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(dir=self.mktemp_parent()))
        self.pki = Pki.create()
        self.ca = str(self.pki.write(self.directory))

    def mktemp_parent(self) -> str:
        parent = Path(self.mktemp())
        parent.mkdir(parents=True)
        return str(parent)

    def client(self, **options: Any) -> HttpClient:  # noqa: ANN401
        """Make a client that trusts our CA and is closed with the test."""
        client = HttpClient(reactor, OutboundConfig(**{"ca": self.ca, **options}))

        async def close() -> None:
            await client.close()
            await pause(0.02)  # what was cut is reported a moment later

        self.addCleanup(lambda: Deferred.fromCoroutine(close()))
        return client

    def listening(self, port: Any) -> int:  # noqa: ANN401
        """Close *port* with the test; give its number."""
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def serve(self, issued: Issued | None = None, clients: Pki | None = None) -> str:
        """Serve over TLS; give the origin."""
        issued = issued or self.pki.issue("op", ips=["127.0.0.1"], server=True)
        self.counting = Counting(site())
        port = reactor.listenSSL(
            0, self.counting, server_options(issued, clients), interface="127.0.0.1"
        )
        return f"https://127.0.0.1:{self.listening(port)}"

    def serve_script(self, answer: bytes, *, close: bool = True) -> str:
        """Serve the same octets to everybody, without TLS; give the origin."""
        factory = Factory.forProtocol(lambda: Scripted(answer, close=close))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        return f"http://127.0.0.1:{self.listening(port)}"

    def serve_turns(self, turns: list[tuple[bytes, bool]]) -> str:
        """Answer each request with the next of *turns*; give the origin."""

        class Turns(Protocol):
            def dataReceived(self, data: bytes) -> None:  # noqa: ARG002
                answer, close = turns.pop(0)
                assert self.transport is not None
                self.transport.write(answer)
                if close:
                    self.transport.loseConnection()

        factory = Factory.forProtocol(Turns)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        return f"http://127.0.0.1:{self.listening(port)}"

    def serve_proxy(self, early: bytes = b"") -> str:
        """Serve as a proxy; give its URL."""
        self.asked: list[bytes] = []
        factory = Factory.forProtocol(lambda: ConnectProxy(self.asked, early))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        return f"http://127.0.0.1:{self.listening(port)}"

    async def problem(self, client: HttpClient, url: str, **options: Any) -> str:  # noqa: ANN401
        """Give why *url* is unavailable."""
        with pytest.raises(UnavailableError) as caught:
            await client.get(url, **options)
        return caught.value.what

    async def trouble(self, client: HttpClient, url: str, **options: Any) -> Trouble:  # noqa: ANN401
        """Give of what kind it is that *url* is unavailable."""
        with pytest.raises(NoReplyError) as caught:
            await client.get(url, **options)
        return caught.value.trouble


def pause(seconds: float = 0.0) -> Deferred[None]:
    """Let the reactor run."""
    paused: Deferred[None] = Deferred()
    reactor.callLater(seconds, paused.callback, None)
    return paused
