"""Keys, certificates, access tokens and files that every proxy is measured with."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from sso_proxy.testing.pki import Pki, self_signed
from tests.bench.proving import Proving
from tests.bench.ruling import write_rules
from tests.bench.ticketing import Ticketing

ISSUER = "https://login.example.com"
AUDIENCE = "https://api.example.com"
SCOPE = "orders.read"
KEY_ID = "bench"
EXCHANGED = "a-token-for-this-backend-alone"
"""What the backend gets instead of any token, where tokens are exchanged."""
PROTECTED = (
    *("api", "opaque", "dpop", "exchanged", "ruled"),
    *("server", "cookie", "device", "tickets"),
)
"""
Where tokens are asked for (signed, opaque, with DPoP proofs, exchanged, by rules),
sessions, and tickets.
"""
KIB = 1024
MIB = 1024 * 1024

_USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/130.0.0.0 Safari/537.36"
)
BROWSER_HEADERS = (
    ("sec-ch-ua", '"Chromium";v="130", "Not?A_Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    ("User-Agent", _USER_AGENT),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Dest", "empty"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.8"),
    ("Referer", "https://localhost/orders/overview"),
)
"""The twelve fields of a browser's request; ``Host`` comes on top."""


@attrs.frozen(kw_only=True)
class Material:
    """
    What lies in the working directory.

    Attributes:
        directory: The working directory; every user may read it.
        ca: The CA of the server's certificate, and of the clients'.
        server_certificate: EC P-256, for ``localhost`` and 127.0.0.1.
        server_key: Its private key.
        client_certificate: EC P-256.
        client_key: Its private key.
        token_certificate: A self-signed certificate of the key that signs tokens.
        token_public_key: That key alone, in PEM.
        token_jwk: That key as a JWK.
        proving: Makes tokens that are bound to a key, and proofs.
        ticketing: Makes tickets.
        tokens: File with one access token a line; the first is "the one token".
        bad_tokens: Tokens that must be refused, by what is wrong with them.
        files: What the backend serves: ``1k``, ``10m``, ``1g``.
    """

    directory: Path
    ca: Path
    server_certificate: Path
    server_key: Path
    client_certificate: Path
    client_key: Path
    token_certificate: Path
    token_public_key: Path
    token_jwk: str
    proving: Proving
    ticketing: Ticketing
    tokens: Path
    bad_tokens: dict[str, str] = attrs.field(repr=False)
    files: Path

    def token(self) -> str:
        """Give the one token that is used where one is."""
        with self.tokens.open() as lines:
            return lines.readline().strip()


def build_material(directory: Path, *, tokens: int) -> Material:
    """
    Make everything anew in *directory*.

    Args:
        directory: An empty directory.
        tokens: How many different access tokens to sign.
    """
    directory.chmod(0o755)
    write_rules(directory, SCOPE)
    pki = Pki.create("bench CA")
    server = pki.issue("localhost", dns=["localhost"], ips=["127.0.0.1"], server=True)
    client = pki.issue("client", client=True)
    server_certificate, server_key = server.write(directory, "server")
    client_certificate, client_key = client.write(directory, "client")
    signer = self_signed("token signer", key="rsa")
    token_certificate, _ = signer.write(directory, "token")
    key = load_pem_private_key(signer.key_pem, password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    public_key = directory / "token.pub"
    public_key.write_bytes(
        x509.load_pem_x509_certificate(signer.cert_pem)
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return Material(
        directory=directory,
        ca=pki.write(directory),
        server_certificate=server_certificate,
        server_key=server_key,
        client_certificate=client_certificate,
        client_key=client_key,
        token_certificate=token_certificate,
        token_public_key=public_key,
        token_jwk=_public_jwk(key),
        proving=Proving.create(directory, _claims),
        ticketing=Ticketing.create(directory),
        tokens=_write_tokens(directory / "tokens", key, tokens),
        bad_tokens=_bad_tokens(key),
        files=_write_files(directory / "files"),
    )


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _public_jwk(key: rsa.RSAPrivateKey) -> str:
    numbers = key.public_key().public_numbers()
    modulus = numbers.n.to_bytes(numbers.n.bit_length() // 8 + 1, "big").lstrip(b"\0")
    exponent = numbers.e.to_bytes(3, "big")
    return json.dumps(
        {
            "kty": "RSA",
            "kid": KEY_ID,
            "use": "sig",
            "alg": "RS256",
            "n": _b64(modulus),
            "e": _b64(exponent),
        },
        separators=(",", ":"),
    )


def _claims(serial: int) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": f"user-{serial:05d}",
        "aud": AUDIENCE,
        "client_id": "bench",
        "scope": f"openid {SCOPE}",
        "jti": f"{serial:032x}",
        "iat": now,
        "exp": now + 86400,
    }


def _sign(key: rsa.RSAPrivateKey, claims: dict[str, Any]) -> str:
    header = {"alg": "RS256", "typ": "at+jwt", "kid": KEY_ID}
    signed = ".".join(
        _b64(json.dumps(part, separators=(",", ":")).encode())
        for part in (header, claims)
    )
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{_b64(signature)}"


def _write_tokens(path: Path, key: rsa.RSAPrivateKey, count: int) -> Path:
    path.write_text("".join(f"{_sign(key, _claims(i))}\n" for i in range(count)))
    return path


def _bad_tokens(key: rsa.RSAPrivateKey) -> dict[str, str]:
    good = _claims(0)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "not a token": "rubbish",
        "signed by another key": _sign(stranger, good),
        "expired": _sign(key, good | {"iat": good["iat"] - 7200, "exp": 1}),
    }


def _write_files(directory: Path) -> Path:
    for parent in (directory, *(directory / name for name in PROTECTED)):
        parent.mkdir(mode=0o755)
        (parent / "1k").write_bytes(b"0123456789abcde\n" * (KIB // 16))
    (directory / "10m").write_bytes(b"0123456789abcde\n" * (10 * MIB // 16))
    with (directory / "1g").open("wb") as sparse:
        sparse.truncate(KIB * MIB)
    return directory
