"""A client of the authorization server: gets tokens, asks what they are."""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import quote, urlencode

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from sso_proxy.testing.pki import Issued, Pki, self_signed
from sso_proxy.testing.tokens import TokenSigner
from tests.support.oidc_provider import KnownKey, OidcProvider
from tests.support.running import PATIENCE

AUDIENCE: Final = "https://api.example.com"
SCOPE: Final = "orders.read"
INTROSPECTION_JWT: Final = "application/token-introspection+jwt"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Authentication = Literal[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
]


@attrs.frozen(kw_only=True)
class ProofKey:
    """
    A client's key for DPoP (RFC 9449).

    Attributes:
        signer: It.
    """

    signer: TokenSigner

    @classmethod
    def create(cls, alg: str = "ES256") -> Self:
        """Make a new key."""
        return cls(signer=TokenSigner.create(alg, kid=None))

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, with nothing that names it."""
        return self.signer.public_jwk(use=None, alg=None, kid=None)

    @property
    def thumbprint(self) -> str:
        """The SHA-256 thumbprint (RFC 7638)."""
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return _b64(hashlib.sha256(text.encode()).digest())

    def proof(
        self,
        method: str,
        uri: str,
        *,
        token: str | None = None,
        header: Mapping[str, object] | None = None,
        **changes: object,
    ) -> str:
        """
        Make a proof.

        Args:
            method: The request's method.
            uri: Its target, without query.
            token: The access token that goes with it, if any.
            header: Changes to the header; None takes a parameter out.
            changes: The same for claims, such as ``nonce``.
        """
        claims: dict[str, object] = {
            "jti": secrets.token_urlsafe(12),
            "htm": method,
            "htu": uri,
            "iat": int(time.time()),
            "ath": None if token is None else access_token_hash(token),
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        parameters = {"typ": "dpop+jwt", "jwk": self.jwk, **(header or {})}
        return self.signer.sign(kept, **parameters)


def access_token_hash(token: str) -> str:
    """Give the ``ath`` of a token (RFC 9449 section 4.2)."""
    return _b64(hashlib.sha256(token.encode()).digest())


@attrs.frozen(kw_only=True)
class OpClient:
    """
    A client of the server.

    Attributes:
        name: Its ``client_id``.
        auth: How it says who it is.
        secret: What it shares with the server, if anything.
        key: What it signs assertions with, if anything.
        certificate: What it shows in TLS, if anything.
        more: Further metadata.
    """

    name: str
    auth: Authentication = "client_secret_basic"
    secret: str = attrs.field(repr=False, factory=lambda: secrets.token_urlsafe(32))
    key: KnownKey | None = None
    certificate: Issued | None = None
    more: Mapping[str, object] = attrs.field(factory=dict)

    def registration(self) -> dict[str, Any]:
        """Give what the server knows of it."""
        found: dict[str, Any] = {
            "client_id": self.name,
            "grant_types": ["client_credentials"],
            "redirect_uris": [],
            "response_types": [],
            "token_endpoint_auth_method": self.auth,
        }
        if self.auth.startswith("client_secret"):
            found["client_secret"] = self.secret
        if self.key is not None:
            found["jwks"] = {"keys": [self.key.signer.public_jwk()]}
        if self.auth == "tls_client_auth":
            found["tls_client_auth_san_dns"] = f"{self.name}.example.com"
        if self.auth == "self_signed_tls_client_auth" and self.certificate is not None:
            found["jwks"] = {"keys": [_certificate_jwk(self.certificate)]}
        return {**found, **self.more}

    def assertion(self, audience: str) -> str:
        """Sign who it is, for *audience* (RFC 7523)."""
        now = int(time.time())
        claims = {
            "iss": self.name,
            "sub": self.name,
            "aud": audience,
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": now + 60,
        }
        if self.key is not None:
            return self.key.signer.sign(claims, typ="JWT")
        return sign_with_secret(claims, self.secret.encode())

    def credentials(self, issuer: str) -> tuple[dict[str, str], dict[str, str]]:
        """Give the fields and the parameters that say who it is."""
        match self.auth:
            case "client_secret_basic":
                pair = f"{quote(self.name, safe='')}:{quote(self.secret, safe='')}"
                octets = base64.b64encode(pair.encode()).decode()
                return {"Authorization": f"Basic {octets}"}, {}
            case "client_secret_post":
                return {}, {"client_id": self.name, "client_secret": self.secret}
            case "client_secret_jwt" | "private_key_jwt":
                assertion = self.assertion(issuer)
                return {}, {
                    "client_assertion_type": _ASSERTION,
                    "client_assertion": assertion,
                }
            case "tls_client_auth" | "self_signed_tls_client_auth":
                return {}, {"client_id": self.name}


def clients(pki: Pki) -> dict[str, OpClient]:
    """
    Make the clients that tests use: those that get tokens, and resource servers.

    ``service`` gets tokens that anybody may show, ``mtls`` and ``self-signed`` such as
    are bound to their certificates, ``dpop`` and ``nonce`` to a key, the latter with a
    nonce of the server's; ``nobody``'s have no subject in what introspection says.
    """
    bound = {"tls_client_certificate_bound_access_tokens": True}
    dpop = {"dpop_bound_access_tokens": True}
    mtls, rs_tls = (
        pki.issue(name, dns=[f"{name}.example.com"], client=True)
        for name in ("mtls", "rs-tls")
    )
    signed = {"introspection_signed_response_alg": "ES256"}
    found = [
        OpClient(name="service"),
        OpClient(name="other"),
        OpClient(name="nobody"),
        OpClient(
            name="mtls",
            auth="tls_client_auth",
            certificate=mtls,
            more=bound,
        ),
        OpClient(
            name="self-signed",
            auth="self_signed_tls_client_auth",
            certificate=self_signed("self-signed"),
            more=bound,
        ),
        OpClient(name="dpop", more=dpop),
        OpClient(name="nonce", more=dpop),
        OpClient(name="rs-basic"),
        OpClient(name="rs-post", auth="client_secret_post"),
        OpClient(name="rs-secret-jwt", auth="client_secret_jwt"),
        OpClient(
            name="rs-key-jwt",
            auth="private_key_jwt",
            key=KnownKey.create("ES256", "rs-key"),
        ),
        OpClient(name="rs-tls", auth="tls_client_auth", certificate=rs_tls),
        OpClient(name="rs-signed", more=signed),
    ]
    return {client.name: client for client in found}


@attrs.frozen(kw_only=True)
class OpReply:
    """
    What the server said.

    Attributes:
        status: The status code.
        headers: The header section.
        text: The content.
    """

    status: int
    headers: http.client.HTTPMessage = attrs.field(repr=False)
    text: str

    def json(self) -> dict[str, Any]:
        """Read the content."""
        found: dict[str, Any] = json.loads(self.text)
        return found


@attrs.frozen(kw_only=True)
class TokenDesk:
    """
    Where tests get tokens.

    Attributes:
        server: Who gives them.
        clients: To whom, by name.
    """

    server: OidcProvider
    clients: Mapping[str, OpClient]

    def token(
        self,
        client: str,
        resource: str,
        *,
        key: ProofKey | None = None,
        scope: str = SCOPE,
    ) -> str:
        """Get a token for *client* by the client credentials grant."""
        reply = self.ask_for_token(client, resource, key=key, scope=scope)
        assert reply.status == 200, reply
        token: str = reply.json()["access_token"]
        return token

    def ask_for_token(
        self,
        client: str,
        resource: str,
        *,
        key: ProofKey | None = None,
        scope: str = SCOPE,
    ) -> OpReply:
        """Ask for a token, once more if the server wants its nonce in the proof."""
        asked = {"grant_type": "client_credentials", "resource": resource}
        reply = self._ask_with(client, asked | {"scope": scope}, key, None)
        nonce = reply.headers.get("DPoP-Nonce")
        if key is None or reply.status == 200 or nonce is None:
            return reply
        assert reply.json()["error"] == "use_dpop_nonce", reply
        return self._ask_with(client, asked | {"scope": scope}, key, nonce)

    def introspect(self, client: str, token: str, accept: str = "*/*") -> OpReply:
        """Ask as the resource server *client* what *token* is (RFC 7662)."""
        return self.post(
            client, "/token/introspection", {"token": token}, Accept=accept
        )

    def revoke(self, client: str, token: str) -> None:
        """Take *token* back (RFC 7009)."""
        reply = self.post(client, "/token/revocation", {"token": token})
        assert reply.status == 200, reply

    def post(
        self, client: str, path: str, parameters: Mapping[str, str], **headers: str
    ) -> OpReply:
        """Send a form as *client*."""
        who = self.clients[client]
        fields, more = who.credentials(self.server.issuer)
        connection = http.client.HTTPSConnection(
            "localhost",
            self.server.port,
            timeout=PATIENCE,
            context=client_context(self.server.ca, who.certificate),
        )
        body = urlencode({**parameters, **more})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request("POST", path, body, {**form, **fields, **headers})
            reply = connection.getresponse()
            text = reply.read().decode()
            return OpReply(status=reply.status, headers=reply.headers, text=text)
        finally:
            connection.close()

    def _ask_with(
        self,
        client: str,
        asked: Mapping[str, str],
        key: ProofKey | None,
        nonce: str | None,
    ) -> OpReply:
        headers = {}
        if key is not None:
            uri = f"{self.server.issuer}/token"
            headers["DPoP"] = key.proof("POST", uri, nonce=nonce)
        return self.post(client, "/token", asked, **headers)


def resource(
    audience: str = AUDIENCE,
    *,
    alg: str | None = None,
    ttl: int = 600,
    enc: str | None = None,
) -> str:
    """
    Give the resource indicator of a kind of token (RFC 8707).

    Args:
        audience: What stands in ``aud``.
        alg: The algorithm that signs it; unset, the token is opaque.
        ttl: Seconds that it is good for.
        enc: The algorithm that its key is encrypted with, if it is.
    """
    asked = {"ttl": str(ttl), "aud": audience}
    if alg is not None:
        asked |= {"format": "jwt", "alg": alg}
    if enc is not None:
        asked["enc"] = enc
    return f"{AUDIENCE}/?{urlencode(asked)}"


def client_context(ca: Path, certificate: Issued | None = None) -> ssl.SSLContext:
    """Make a context that trusts *ca*, and shows *certificate* if there is one."""
    context = ssl.create_default_context(cafile=str(ca))
    if certificate is not None:
        stem = f"client-{certificate.thumbprint}"
        context.load_cert_chain(*certificate.write(ca.parent, stem))
    return context


def read_claims(token: str) -> dict[str, Any]:
    """Read what a token says, and believe it."""
    claims: dict[str, Any] = json.loads(_unb64(token.split(".")[1]))
    return claims


def read_header(token: str) -> dict[str, Any]:
    """Read the header of a JOSE object."""
    header: dict[str, Any] = json.loads(_unb64(token.split(".", maxsplit=1)[0]))
    return header


def sign_with_secret(
    claims: Mapping[str, object], secret: bytes, **header: object
) -> str:
    """Sign *claims* with HS256."""
    parts = ({"alg": "HS256", "typ": "JWT", **header}, claims)
    signed = ".".join(_b64(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{_b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def _certificate_jwk(issued: Issued) -> dict[str, Any]:
    """Write a certificate's key as a JWK that has the certificate."""
    public = x509.load_der_x509_certificate(issued.der).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    numbers = public.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "x": _b64(numbers.x.to_bytes(32, "big")),
        "y": _b64(numbers.y.to_bytes(32, "big")),
        "x5c": [base64.b64encode(issued.der).decode()],
    }


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
