"""
A small OAuth 2.0 authorization server for the demo and for tests.

It knows clients by the certificates that they present (RFC 8705 section 2.1) and gives
them access tokens in the form of RFC 9068 that are bound to that certificate (RFC 8705
section 3).  It keeps nothing and refuses everything but client credentials.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from twisted.internet import ssl
from twisted.internet.interfaces import ISSLTransport
from twisted.web.http import Request as WebRequest
from twisted.web.resource import Resource

from sso_proxy.testing.pki import Issued, Pki
from sso_proxy.testing.tokens import TokenSigner

LIFETIME: Final = 3600
"""Seconds that a token is good for."""


@attrs.frozen(kw_only=True)
class AuthorizationServer:
    """
    What the server knows.

    Attributes:
        issuer: Its own URL.
        audience: The ``aud`` of every token.
        clients: Scopes that each client may have, by the ``CN`` of its certificate.
        key: What it signs with.
        now: Gives the time in seconds since the epoch.
    """

    issuer: str
    audience: str
    clients: Mapping[str, frozenset[str]]
    key: TokenSigner = attrs.field(factory=TokenSigner.create)
    now: Callable[[], float]

    def metadata(self) -> dict[str, Any]:
        """Describe the server (RFC 8414)."""
        return {
            "issuer": self.issuer,
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["tls_client_auth"],
            "tls_client_certificate_bound_access_tokens": True,
        }

    def claims(self, client: str, scope: str, certificate_der: bytes) -> dict[str, Any]:
        """Say what a token for *client* says."""
        now = int(self.now())
        digest = hashlib.sha256(certificate_der).digest()
        thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return {
            "iss": self.issuer,
            "sub": client,
            "client_id": client,
            "aud": self.audience,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": secrets.token_urlsafe(12),
            "scope": scope,
            "cnf": {"x5t#S256": thumbprint},
        }

    def answer(
        self, form: Mapping[str, str], certificate_der: bytes | None
    ) -> tuple[int, dict[str, Any]]:
        """
        Answer a token request (RFC 6749 section 4.4).

        Args:
            form: The parameters.
            certificate_der: The client's certificate, verified, or None.
        """
        client = form.get("client_id", "")
        if certificate_der is None or common_name(certificate_der) != client:
            return 401, {"error": "invalid_client"}
        if client not in self.clients:
            return 401, {"error": "invalid_client"}
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        wanted = frozenset(form.get("scope", "").split()) or self.clients[client]
        if not wanted <= self.clients[client]:
            return 400, {"error": "invalid_scope"}
        scope = " ".join(sorted(wanted))
        return 200, {
            "access_token": self.key.sign(self.claims(client, scope, certificate_der)),
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "scope": scope,
        }


class AuthorizationServerResource(Resource):
    """The server's paths: metadata, keys and the token endpoint."""

    isLeaf = True

    def __init__(self, server: AuthorizationServer) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        keys = {"keys": [server.key.public_jwk()]}
        self._documents = {
            b"/jwks": keys,
            b"/.well-known/oauth-authorization-server": server.metadata(),
            b"/.well-known/openid-configuration": server.metadata(),
        }

    def render_GET(self, request: WebRequest) -> bytes:
        """Give a document."""
        document = self._documents.get(request.path)
        if document is None:
            return _answer(request, 404, {"error": "not_found"})
        return _answer(request, 200, document)

    def render_POST(self, request: WebRequest) -> bytes:
        """Give a token."""
        if request.path != b"/token":
            return _answer(request, 404, {"error": "not_found"})
        form = {
            name.decode("utf-8", "replace"): values[0].decode("utf-8", "replace")
            for name, values in (request.args or {}).items()
            if len(values) == 1
        }
        return _answer(request, *self._server.answer(form, peer_certificate(request)))


def tls_options(own: Issued, clients: Pki) -> ssl.CertificateOptions:
    """Let clients show a certificate of *clients*, which they need not."""
    # pyOpenSSL warns about the types that Twisted's annotations ask for.
    mine: dict[str, Any] = {
        "privateKey": load_pem_private_key(own.key_pem, None),
        "certificate": x509.load_pem_x509_certificate(own.cert_pem),
    }
    return ssl.CertificateOptions(
        **mine,
        verify=True,
        caCerts=[ssl.Certificate.loadPEM(clients.ca_pem).original],
        requireCertificate=False,
    )


def peer_certificate(request: WebRequest) -> bytes | None:
    """Give the DER of the certificate that the client showed, or None."""
    transport = request.transport
    if not ISSLTransport.providedBy(transport):
        return None
    certificate = transport.getPeerCertificate()
    return None if certificate is None else bytes(ssl.Certificate(certificate).dump())


def common_name(certificate_der: bytes) -> str:
    """Give the one ``CN`` of the subject, or an empty string."""
    subject = x509.load_der_x509_certificate(certificate_der).subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def _answer(request: WebRequest, status: int, document: object) -> bytes:
    """Set what every answer has, and give the body."""
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"cache-control", b"no-store")
    return json.dumps(document, indent=2).encode() + b"\n"
