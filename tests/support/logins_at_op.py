"""Clients of npm oidc-provider that log people in, each in another way."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwcrypto.jwk import JWK

from sso_proxy.testing.pki import Issued, Pki, self_signed
from tests.support.login_proxy import HOST, Site, write_secret
from tests.support.oidc_provider import KnownKey, private_pem

SECRET: Final = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
BOUND: Final = {"tls_client_certificate_bound_access_tokens": True}
DPOP: Final = {"dpop_bound_access_tokens": True}
PROVING: Final = 'dpop = "required"\ndpop_key = "dpop.pem"'
DECRYPTING: Final = 'id_token_encrypted = true\ndecryption_keys = ["enc.pem", "ec.pem"]'


@attrs.frozen(kw_only=True)
class LoginClient:
    """
    A client, as the provider and the proxy know it.

    Attributes:
        auth: How it says who it is.
        more: Further metadata.
        options: Further options of the authenticator, as TOML.
        certificate: The stem of the file with what it shows in TLS, if anything.
        key_alg: The algorithm of its assertions and request objects, if it has a key.
        encrypted: Whether it has keys to encrypt to.
    """

    auth: str = "client_secret_basic"
    more: Mapping[str, object] = attrs.field(factory=dict)
    options: str = ""
    certificate: str | None = None
    key_alg: str | None = None
    encrypted: bool = False

    def site(self, name: str, issuer: str) -> Site:
        """Give what the proxy is told."""
        lines = [f'auth = "{self.auth}"', self.options]
        if self.auth.startswith("client_secret"):
            lines.append('client_secret_file = "client.secret"')
        if self.certificate is not None:
            stem = self.certificate
            lines += [f'certificate = "{stem}.crt"', f'key = "{stem}.key"']
        if self.key_alg is not None:
            lines.append(f'signing_keys = ["sign-{self.key_alg}.pem"]')
            alg = self.key_alg
            lines += [f'signing_kid = "ours-{alg}"', f'signing_alg = "{alg}"']
        return Site(issuer=issuer, client_id=name, options="\n".join(lines))


def _key(alg: str) -> LoginClient:
    return LoginClient(auth="private_key_jwt", key_alg=alg)


def _encrypted(alg: str, enc: str = "A256GCM") -> LoginClient:
    more = {"id_token_encrypted_response_alg": alg}
    more["id_token_encrypted_response_enc"] = enc
    return LoginClient(more=more, options=DECRYPTING, encrypted=True)


def _signed(alg: str) -> LoginClient:
    return LoginClient(
        more={"id_token_signed_response_alg": alg},
        options=f'id_token_algorithms = ["{alg}"]',
    )


def _typed(text: str, mode: str = "fragment") -> LoginClient:
    """Make a client whose browser brings more than a code."""
    kinds = ["authorization_code", "refresh_token", "implicit"]
    return LoginClient(
        more={
            "response_types": [text],
            "grant_types": kinds if "code" in text.split() else kinds[-1:],
        },
        options=f'response_type = "{text}"\nresponse_mode = "{mode}"',
    )


_ANSWERS: Final = {"authorization_signed_response_alg": "ES256"}

LOGIN_CLIENTS: Final[Mapping[str, LoginClient]] = {
    "basic": LoginClient(),
    "post": LoginClient(auth="client_secret_post"),
    "secret-jwt": LoginClient(auth="client_secret_jwt"),
    "public": LoginClient(auth="none"),
    "key-rs256": _key("RS256"),
    "key-ps256": _key("PS256"),
    "key-es256": _key("ES256"),
    "key-eddsa": _key("EdDSA"),
    "tls": LoginClient(auth="tls_client_auth", certificate="tls", more=BOUND),
    "self-signed": LoginClient(
        auth="self_signed_tls_client_auth", certificate="self-signed", more=BOUND
    ),
    "pushed": LoginClient(
        more={"require_pushed_authorization_requests": True}, options='par = "on"'
    ),
    "object": LoginClient(
        key_alg="ES256",
        more={
            "request_object_signing_alg": "ES256",
            "require_signed_request_object": True,
        },
        options='request_object = "value"',
    ),
    "pushed-object": LoginClient(
        key_alg="PS256",
        more={
            "request_object_signing_alg": "PS256",
            "require_signed_request_object": True,
        },
        options='par = "on"\nrequest_object = "value"',
    ),
    "unproven": LoginClient(options='pkce = "off"'),
    "form-post": LoginClient(options='response_mode = "form_post"'),
    "hybrid": _typed("code id_token"),
    "hybrid-form": _typed("code id_token", "form_post"),
    "hybrid-token": _typed("code id_token token"),
    "implicit": _typed("id_token token"),
    "jarm": LoginClient(more=_ANSWERS, options='response_mode = "jwt"'),
    "jarm-form": LoginClient(more=_ANSWERS, options='response_mode = "form_post.jwt"'),
    "jarm-encrypted": LoginClient(
        more={
            **_ANSWERS,
            "authorization_encrypted_response_alg": "RSA-OAEP-256",
            "authorization_encrypted_response_enc": "A256GCM",
        },
        options='response_mode = "jwt"\ndecryption_keys = ["enc.pem"]',
        encrypted=True,
    ),
    "dpop": LoginClient(more=DPOP, options=PROVING),
    "nonce-dpop": LoginClient(more=DPOP, options=f'{PROVING}\npar = "on"'),
    "fapi": LoginClient(
        auth="private_key_jwt",
        key_alg="PS256",
        more={
            **DPOP,
            "require_pushed_authorization_requests": True,
            "id_token_signed_response_alg": "PS256",
        },
        options=f'{PROVING}\nprofile = "fapi2"\n'
        'request_object = "off"\nresponse_mode = "query"',
    ),
    "fapi-signed": LoginClient(
        auth="tls_client_auth",
        certificate="tls",
        key_alg="ES256",
        more={
            **BOUND,
            "authorization_signed_response_alg": "PS256",
            "id_token_signed_response_alg": "ES256",
            "request_object_signing_alg": "ES256",
            "require_pushed_authorization_requests": True,
            "require_signed_request_object": True,
        },
        options='profile = "fapi2"',
    ),
    "id-ps256": _signed("PS256"),
    "id-es256": _signed("ES256"),
    "id-eddsa": _signed("EdDSA"),
    "id-hs256": _signed("HS256"),
    "enc-rsa": _encrypted("RSA-OAEP"),
    "enc-rsa-256": _encrypted("RSA-OAEP-256", "A128CBC-HS256"),
    "enc-ecdh": _encrypted("ECDH-ES", "A128GCM"),
    "enc-ecdh-kw": _encrypted("ECDH-ES+A256KW", "A256CBC-HS512"),
    "enc-kw": LoginClient(
        more={
            "id_token_encrypted_response_alg": "A256KW",
            "id_token_encrypted_response_enc": "A256GCM",
        },
        options="id_token_encrypted = true",
    ),
    "enc-dir": LoginClient(
        more={
            "id_token_encrypted_response_alg": "dir",
            "id_token_encrypted_response_enc": "A256GCM",
        },
        options="id_token_encrypted = true",
    ),
    "userinfo-signed": LoginClient(
        more={"userinfo_signed_response_alg": "ES256"},
        options='userinfo_signed = true\nuserinfo_algorithms = ["ES256"]',
    ),
    "userinfo-encrypted": LoginClient(
        more={
            "userinfo_signed_response_alg": "ES256",
            "userinfo_encrypted_response_alg": "RSA-OAEP-256",
            "userinfo_encrypted_response_enc": "A256GCM",
        },
        options='userinfo_signed = true\ndecryption_keys = ["enc.pem"]',
        encrypted=True,
    ),
    "userinfo-body": LoginClient(options='userinfo_method = "body"'),
    "gold": LoginClient(options='acr_values = ["gold"]\nmax_age = 300'),
}


class LoginKeys:
    """
    The keys and certificates of all login clients.

    Args:
        pki: Issues those that are not self-signed.
    """

    def __init__(self, pki: Pki) -> None:
        self.signing = {
            alg: KnownKey.create(alg, f"ours-{alg}")
            for alg in ("RS256", "PS256", "ES256", "EdDSA")
        }
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.certificates: dict[str, Issued] = {
            "tls": pki.issue("tls", dns=["tls.example.com"], client=True),
            "self-signed": self_signed("self-signed"),
        }

    def write(self, directory: Path) -> None:
        """Write what the proxy needs."""
        for alg, key in self.signing.items():
            write_secret(directory, f"sign-{alg}.pem", key.pem)
        dpop = KnownKey.create("ES256", "dpop")
        write_secret(directory, "dpop.pem", dpop.pem)
        write_secret(directory, "enc.pem", private_pem(self.rsa))
        write_secret(directory, "ec.pem", private_pem(self.ec))
        write_secret(directory, "client.secret", SECRET)
        for stem, certificate in self.certificates.items():
            certificate.write(directory, stem)

    def registration(self, name: str, client: LoginClient, port: int) -> dict[str, Any]:
        """Give what the provider knows of a client of a proxy at *port*."""
        keys: list[dict[str, Any]] = []
        found: dict[str, Any] = {
            "client_id": name,
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [f"https://{HOST}:{port}/.sso/callback/{name}"],
            "response_types": ["code"],
            "token_endpoint_auth_method": client.auth,
        }
        if client.auth.startswith("client_secret"):
            found["client_secret"] = SECRET
        if client.key_alg is not None:
            keys.append(self.signing[client.key_alg].signer.public_jwk())
        if client.auth == "tls_client_auth":
            found["tls_client_auth_san_dns"] = f"{client.certificate}.example.com"
        if client.auth == "self_signed_tls_client_auth":
            keys.append(_with_chain(self.certificates["self-signed"]))
        if client.encrypted:
            for key in (self.rsa, self.ec):
                jwk = JWK.from_pyca(key.public_key())
                keys.append({**jwk.export_public(as_dict=True), "use": "enc"})
        if keys:
            found["jwks"] = {"keys": keys}
        return {**found, **client.more}


def _with_chain(issued: Issued) -> dict[str, Any]:
    """Write the key of a certificate as a JWK that has the certificate."""
    public = x509.load_der_x509_certificate(issued.der).public_key()
    members: dict[str, Any] = JWK.from_pyca(public).export_public(as_dict=True)
    return {**members, "x5c": [base64.b64encode(issued.der).decode()]}
