"""Keys of message signatures."""

from base64 import b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.http.signature_keys import (
    SignatureAlgorithm,
    read_check_key,
    read_check_secret,
    read_request_key,
    read_request_secret,
)
from sso_proxy.specs.jose.keys import KeyRefusedError
from tests.support.rsa_key import RSA_KEY as RSA
from tests.support.signatures import EXAMPLES, example_key

P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = Ed25519PrivateKey.generate()


def _private(key: Any) -> bytes:  # noqa: ANN401
    form = PrivateFormat.PKCS8
    pem: bytes = key.private_bytes(Encoding.PEM, form, NoEncryption())
    return pem


def _public(key: Any) -> bytes:  # noqa: ANN401
    form = PublicFormat.SubjectPublicKeyInfo
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, form)
    return pem


def _jwk(key: Any, **members: str) -> bytes:  # noqa: ANN401
    jwk = JWK.from_pyca(key)
    jwk.update(members)
    text: str = jwk.export_private()
    return text.encode()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["section"])
def test_signatures_of_the_standard_hold(example: dict[str, Any]) -> None:
    """Every algorithm that the appendix uses; one changed octet, and they do not."""
    key = example_key(example["key"])
    base, value = example["base"].strip().encode(), b64decode(example["value"])
    key.check(base, value)
    with pytest.raises(TokenError):
        key.check(base + b" ", value)
    with pytest.raises(TokenError):
        key.check(base, value[:-1] + bytes([value[-1] ^ 1]))


@pytest.mark.parametrize(
    ("key", "alg", "size"),
    [
        (RSA, "rsa-pss-sha512", 256),
        (P256, "ecdsa-p256-sha256", 64),
        (P384, "ecdsa-p384-sha384", 96),
        (ED25519, "ed25519", 64),
    ],
)
def test_a_key_says_its_algorithm(key: Any, alg: SignatureAlgorithm, size: int) -> None:  # noqa: ANN401
    """And what it signs, its public half checks, for no other algorithm."""
    ours = read_request_key(_private(key))
    assert ours.alg == alg
    signature = ours.sign(b"base")
    assert len(signature) == size  # r and s as they are, no DER
    read_check_key(_public(key), alg).check(b"base", signature)


def test_pkcs1_signatures_have_to_be_asked_for() -> None:
    """The older scheme is there for those who have nothing else."""
    ours = read_request_key(_private(RSA), alg="rsa-v1_5-sha256")
    signature = ours.sign(b"base")
    read_check_key(_public(RSA), "rsa-v1_5-sha256").check(b"base", signature)
    with pytest.raises(TokenError):
        read_check_key(_public(RSA), "rsa-pss-sha512").check(b"base", signature)


def test_a_secret_makes_macs() -> None:
    """Of 32 octets at least."""
    ours = read_request_secret(b"s" * 32, keyid="shared")
    assert (ours.alg, ours.keyid, ours.public) == ("hmac-sha256", "shared", None)
    read_check_secret(b"s" * 32).check(b"base", ours.sign(b"base"))
    with pytest.raises(TokenError):
        read_check_secret(b"t" * 32).check(b"base", ours.sign(b"base"))
    with pytest.raises(KeyRefusedError, match="32"):
        read_request_secret(b"s" * 31, keyid="shared")
    with pytest.raises(KeyRefusedError, match="short"):
        read_check_secret(b"s" * 31)


def test_a_key_has_a_name() -> None:
    """The one it is given, else the JWK's own, else its thumbprint."""
    thumbprint = JWK.from_pyca(ED25519).thumbprint()
    assert read_request_key(_private(ED25519)).keyid == thumbprint
    assert read_request_key(_private(ED25519), keyid="a").keyid == "a"
    assert read_request_key(_jwk(ED25519, kid="b")).keyid == "b"
    assert read_request_key(_jwk(ED25519, kid="b"), keyid="a").keyid == "a"


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
def test_a_jwk_may_say_what_it_is_for(alg: str) -> None:
    """By either name of the same thing; for RSA, what it says counts."""
    ours = read_request_key(_jwk(ED25519, alg=alg), alg="ed25519")
    assert ours.alg == "ed25519"
    assert read_request_key(_jwk(RSA, alg="PS512")).alg == "rsa-pss-sha512"
    with pytest.raises(KeyRefusedError, match="another alg"):
        read_request_key(_jwk(RSA, alg="RS256"))


def test_the_public_half_has_nothing_private() -> None:
    """It is told to whoever asks."""
    public = read_request_key(_jwk(P256, kid="x")).public
    assert public is not None
    assert set(public) == {"kty", "crv", "x", "y", "kid", "use"}
    assert "sign=" not in repr(read_request_key(_jwk(P256)))


@pytest.mark.parametrize(
    ("data", "alg"),
    [
        (_private(P256), "ecdsa-p384-sha384"),
        (_private(ED25519), "rsa-pss-sha512"),
        (_private(RSA), "ed25519"),
        (_private(ED25519), "hmac-sha256"),
        (_private(ec.generate_private_key(ec.SECP521R1())), None),
        (_private(rsa.generate_private_key(65537, 1024)), None),  # noqa: S505
        (_public(P256), None),
        (b"", None),
    ],
)
def test_what_does_not_fit_is_refused(
    data: bytes, alg: SignatureAlgorithm | None
) -> None:
    """Wrong curves, weak keys, public ones, and algorithms of other keys."""
    with pytest.raises(KeyRefusedError):
        read_request_key(data, alg=alg)


def test_a_check_key_is_for_one_algorithm() -> None:
    """The key decides, and one file has one key."""
    with pytest.raises(KeyRefusedError, match="exactly one"):
        read_check_key(_public(P256), "ed25519")
    with pytest.raises(KeyRefusedError, match="exactly one"):
        read_check_key(_public(P256) + _public(P384), "ecdsa-p256-sha256")
    public = JWK.from_pyca(P256.public_key()).export_public()
    document = f'{{"keys": [{public}]}}'.encode()
    ours = read_request_key(_private(P256))
    key = read_check_key(document, "ecdsa-p256-sha256")
    key.check(b"base", ours.sign(b"base"))
