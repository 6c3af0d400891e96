"""An endpoint that is asked about tokens, on loopback, and who asks it."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from OpenSSL import crypto
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.introspection import (
    IntrospectionEndpoint,
    Introspector,
    SignedAnswers,
)
from sso_proxy.net.jwks import FixedKeys
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks

reactor: Any = installed

SIGNER = TokenSigner.create()
STRANGER = TokenSigner.create()
ISSUER = "https://as.example.com"
TOKEN = "t"
SECRET = "0123456789abcdef0123456789abcdef"
NONE = ClientAuth(method="none")
ACTIVE = {"active": True, "sub": "alice", "scope": "read"}

WHOLE = json.dumps(ACTIVE).encode()
JSON = {"content-type": "application/json"}
JWT = {"content-type": "application/token-introspection+jwt"}


class Endpoint(Resource):
    """Writes down what it is asked, and answers as it is told."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.headers: Mapping[str, str] = JSON
        self.body: bytes | Callable[[dict[str, Any]], bytes] = json.dumps(
            ACTIVE
        ).encode()
        self.held: list[Request] | None = None

    def render_GET(self, request: Request) -> Any:  # noqa: ANN401
        return self.render_POST(request)

    def render_POST(self, request: Request) -> Any:  # noqa: ANN401
        headers = request.requestHeaders
        body = b"" if request.content is None else request.content.read()
        peer = getattr(request.transport, "getPeerCertificate", lambda: None)()
        question = body or request.uri.partition(b"?")[2]
        told = {
            "method": request.method.decode(),
            "fields": parse_qsl(question.decode(), keep_blank_values=True),
            "accept": headers.getRawHeaders("accept", [None])[0],
            "authorization": headers.getRawHeaders("authorization", [None])[0],
            "client": None if peer is None else common_name(peer),
        }
        self.asked.append(told)
        if self.held is not None:
            self.held.append(request)
            request.notifyFinish().addErrback(lambda _: None)
            return NOT_DONE_YET
        return self.answer(request, told)

    def answer(self, request: Request, told: dict[str, Any]) -> bytes:
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name.encode(), value.encode())
        return self.body if isinstance(self.body, bytes) else self.body(told)

    def release(self) -> None:
        """Answer those that wait."""
        held, self.held = self.held or [], None
        for request in held:
            request.write(self.answer(request, {}))
            request.finish()


def common_name(certificate: crypto.X509) -> str:
    subject = certificate.to_cryptography().subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


class IntrospectionTestCase(TestCase):
    def setUp(self) -> None:
        parent = Path(self.mktemp())
        parent.mkdir(parents=True)
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.pki = Pki.create()
        self.clock = SettableClock()
        self.resource = Endpoint()
        self.askers: list[Introspector] = []
        self.client = HttpClient(
            reactor, OutboundConfig(ca=str(self.pki.write(self.directory)))
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        while any(asker._check.running for asker in self.askers):  # noqa: SLF001
            await pause(0.01)
        await self.client.close()
        await pause(0.02)  # what was cut is reported a moment later

    def listening(self, port: Any) -> int:  # noqa: ANN401
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def serve(self) -> str:
        """Serve over TLS, asking for certificates; give the endpoint's URL."""
        issued = self.pki.issue("as", ips=["127.0.0.1"], server=True)
        mine: dict[str, Any] = {  # pyOpenSSL warns about what Twisted's types ask for
            "privateKey": load_pem_private_key(issued.key_pem, None),
            "certificate": load_pem_x509_certificate(issued.cert_pem),
            "caCerts": [crypto.X509.from_cryptography(self.pki.certificate)],
            "verify": True,
            "requireCertificate": False,
        }
        site = Site(self.resource, reactor=reactor)
        port = reactor.listenSSL(
            0, site, ssl.CertificateOptions(**mine), interface="127.0.0.1"
        )
        return f"https://127.0.0.1:{self.listening(port)}/introspect"

    def serve_octets(self, answer: bytes, *, close: bool = True) -> str:
        """Answer everybody with *answer*; give the endpoint's URL."""

        class Scripted(Protocol):
            def dataReceived(self, data: bytes) -> None:  # noqa: ARG002
                assert self.transport is not None
                self.transport.write(answer)
                if close:
                    self.transport.loseConnection()

        factory = Factory.forProtocol(Scripted)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        return f"http://127.0.0.1:{self.listening(port)}/introspect"

    def introspector(self, url: str = "", **options: Any) -> Introspector:  # noqa: ANN401
        url = url or self.serve()

        async def find() -> str:
            return url

        options = {"client": NONE, "within": 5.0, **options}
        endpoint = IntrospectionEndpoint(name="the AS", find=find, **options)
        asker = Introspector(endpoint, self.client, self.clock, lambda: "unique-1")
        self.askers.append(asker)
        return asker

    def signed(self, **options: Any) -> SignedAnswers:  # noqa: ANN401
        keys = FixedKeys(read_jwks(jwks(SIGNER)))
        options = {"keys": keys, "issuer": ISSUER, "audience": "rs", **options}
        return SignedAnswers(**options)

    async def failure(self, asker: Introspector, token: str = TOKEN) -> Any:  # noqa: ANN401
        with pytest.raises(UnavailableError) as caught:
            await asker.ask(token)
        return caught.value


def pause(seconds: float = 0.0) -> Deferred[None]:
    """Let the reactor run."""
    paused: Deferred[None] = Deferred()
    reactor.callLater(seconds, paused.callback, None)
    return paused
