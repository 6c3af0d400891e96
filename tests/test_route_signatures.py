"""The keys that routes sign with."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.config.signature_parts import SignatureConfig
from sso_proxy.errors import ConfigError
from sso_proxy.route_signatures import build_signer
from sso_proxy.signing import RequestSigner
from sso_proxy.testing.clock import SettableClock


def build(backend: str = "http://127.0.0.1:9", **options: Any) -> RequestSigner | None:  # noqa: ANN401
    """Make what signs the requests of a route."""
    route = RouteConfig(
        host="app.example.com",
        authenticate=("anonymous",),
        backend=backend,
        signature=SignatureConfig(**options) if options else None,
    )
    return build_signer("route[0]", route, SettableClock())


@pytest.fixture(name="key")
def _key(tmp_path: Path) -> str:
    file = tmp_path / "k.pem"
    key = Ed25519PrivateKey.generate()
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return str(file)


def test_a_route_signs_nothing_unless_it_is_said() -> None:
    """Without the table there is no signer."""
    assert build() is None


@pytest.mark.parametrize(
    ("backend", "scheme"),
    [
        ("http://127.0.0.1:9", "http"),
        ("https://orders.internal", "https"),
        ("unix:/run/orders.sock", "http"),
    ],
)
def test_the_scheme_is_the_backends(key: str, backend: str, scheme: str) -> None:
    """Not that of the client's connection, which the backend does not see."""
    signer = build(backend, key=key)
    assert signer is not None
    assert signer.scheme == scheme


def test_options_are_handed_on(key: str) -> None:
    """All of them."""
    signer = build(
        key=key,
        keyid="a",
        label="l",
        tag="t",
        components=("@path",),
        digest=True,
        body_bytes=5,
        expires=7,
        nonce=False,
    )
    assert signer is not None
    assert (signer.key.alg, signer.key.keyid) == ("ed25519", "a")
    assert (signer.label, signer.tag, signer.components) == ("l", "t", ("@path",))
    assert (signer.digest, signer.body_bytes, signer.expires) == (True, 5, 7)
    assert signer.new_nonce is None


def test_nonces_differ(key: str) -> None:
    """128 bits of them."""
    signer = build(key=key)
    assert signer is not None
    assert signer.new_nonce is not None
    made = {signer.new_nonce() for _ in range(100)}
    assert len(made) == 100
    assert all(len(nonce) == 22 for nonce in made)


def test_a_secret_signs() -> None:
    """By the name that it was given."""
    signer = build(secret=Secret("s" * 32), keyid="shared")
    assert signer is not None
    assert (signer.key.alg, signer.key.keyid) == ("hmac-sha256", "shared")


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"key": "/nonexistent"}, "key"),
        ({"key": __file__}, "key"),
        ({"secret": Secret("short"), "keyid": "a"}, "secret"),
    ],
)
def test_what_cannot_sign_is_refused(options: dict[str, Any], place: str) -> None:
    """At the start, with its place, and without the secret."""
    with pytest.raises(ConfigError) as caught:
        build(**options)
    (mistake,) = caught.value.mistakes
    assert mistake.path == f"route[0].signature.{place}"
    assert "short" not in mistake.problem.replace("too short", "")


def test_a_key_of_another_kind_is_refused(key: str) -> None:
    """It says which it would be."""
    with pytest.raises(ConfigError, match="EdDSA"):
        build(key=key, alg="rsa-pss-sha512")
