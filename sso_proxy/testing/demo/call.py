"""Calls over TLS with a chosen client certificate."""

import io
import json
from collections.abc import Mapping
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from sso_proxy.testing.pki import Issued, Pki


@attrs.frozen(kw_only=True)
class Answer:
    """
    What came back.

    Attributes:
        status: The HTTP status code.
        headers: By lower-case name; values of one name joined with commas.
        cookies: The ``Set-Cookie`` fields, which must not be joined.
        body: Octets.
    """

    status: int
    headers: Mapping[str, str]
    cookies: tuple[str, ...] = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Read the body as JSON."""
        return json.loads(self.body)


@implementer(IPolicyForHTTPS)
@attrs.frozen(kw_only=True)
class ClientTls:
    """
    How a caller speaks TLS.

    Attributes:
        trust: The authority that it trusts, and no other.
        certificate: What it shows, or None.
        server_name: The name to ask for and to expect; unset, the URL's host.
    """

    trust: Pki
    certificate: Issued | None = None
    server_name: str | None = None

    def creatorForNetloc(  # noqa: N802
        self,
        hostname: bytes,
        port: int,  # noqa: ARG002
    ) -> IOpenSSLClientConnectionCreator:
        """Give what makes a connection to *hostname*, whatever its *port*."""
        authority = ssl.Certificate.loadPEM(self.trust.ca_pem)
        return ssl.optionsForClientTLS(
            self.server_name or hostname.decode("ascii"),
            trustRoot=ssl.trustRootFromCertificates([authority]),
            extraCertificateOptions=self._own(),
        )

    def _own(self) -> dict[str, object]:
        """Give the certificate in the form that pyOpenSSL does not warn about."""
        if self.certificate is None:
            return {}
        return {
            "privateKey": load_pem_private_key(self.certificate.key_pem, None),
            "certificate": x509.load_pem_x509_certificate(self.certificate.cert_pem),
        }


@attrs.frozen(kw_only=True)
class Question:
    """
    What to send.

    Attributes:
        url: Where to, ``https`` or ``http``.
        method: The HTTP method.
        headers: Header fields besides ``Host`` and framing.
        body: Octets, or None.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)


async def call(
    reactor: Any,  # noqa: ANN401 - several interfaces at once
    tls: ClientTls,
    question: Question,
    *,
    patience: float = 20.0,
) -> Answer:
    """
    Make one request on a connection of its own; no redirects, no retries.

    Args:
        reactor: Connects and measures time.
        tls: How to speak TLS.
        question: What to send.
        patience: Seconds for all of it.
    """
    agent = Agent(reactor, tls, connectTimeout=patience)
    exchange = Deferred.fromCoroutine(_exchange(agent, question))
    return await exchange.addTimeout(patience, reactor)


async def _exchange(agent: Agent, question: Question) -> Answer:
    """Send *question* and read the whole answer."""
    body = question.body
    response = await agent.request(
        question.method.encode("ascii"),
        question.url.encode("ascii"),
        Headers({name: [value] for name, value in question.headers.items()}),
        None if body is None else FileBodyProducer(io.BytesIO(body)),
    )
    fields = {
        name.decode("latin-1").lower(): b", ".join(values).decode("latin-1")
        for name, values in response.headers.getAllRawHeaders()
    }
    reader = _Body()
    response.deliverBody(reader)
    cookies = response.headers.getRawHeaders("set-cookie", [])
    return Answer(
        status=response.code,
        headers=fields,
        cookies=tuple(cookies),
        body=await reader.whole,
    )


class _Body(Protocol):
    """Collects a body to its end; a cut one is an error."""

    def __init__(self) -> None:
        self.whole: Deferred[bytes] = Deferred()
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep *data*."""
        self._parts.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give the body, if it is whole."""
        if reason.check(ResponseDone):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)
