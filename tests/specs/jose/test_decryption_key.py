"""A key is for its own algorithms, and tells nothing when it fails."""

import json
from typing import Any

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.decryption_key import key_of_pair, key_of_secret
from sso_proxy.specs.jose.encrypted import ENCRYPTIONS, CompactJwe, split_jwe
from sso_proxy.specs.jose.keys import KeyRefusedError
from tests.support.rsa_key import RSA_KEY as RSA

P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())


def encrypted(key: object, alg: str, enc: str = "A256GCM") -> CompactJwe:
    """Have jwcrypto encrypt to *key*."""
    header = json.dumps({"alg": alg, "enc": enc})
    jwe = JWE(b"plaintext", header, recipient=JWK.from_pyca(key))
    return split_jwe(jwe.serialize(compact=True), max_bytes=16384)


def changed(jwe: CompactJwe, **epk: Any) -> CompactJwe:  # noqa: ANN401
    """Change the ephemeral key of *jwe*."""
    members = {**dict(jwe.header.epk or {}), **epk}
    kept = {name: value for name, value in members.items() if value is not ...}
    return evolve(jwe, header=evolve(jwe.header, epk=kept))


@pytest.mark.parametrize("enc", ENCRYPTIONS)
@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (RSA, "RSA-OAEP"),
        (RSA, "RSA-OAEP-256"),
        (P256, "ECDH-ES"),
        (P256, "ECDH-ES+A128KW"),
        (P384, "ECDH-ES+A256KW"),
        (P384, "ECDH-ES"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_jwcrypto_encrypts_is_decrypted(key: Any, alg: str, enc: str) -> None:  # noqa: ANN401
    jwe = encrypted(key.public_key(), alg, enc)
    ours = key_of_pair(key, alg, "k")
    assert ours.fits(jwe)
    assert ours.decrypt(jwe) == b"plaintext"


def test_a_key_is_for_its_one_algorithm_if_it_says_so() -> None:
    jwe = encrypted(RSA.public_key(), "RSA-OAEP")
    assert key_of_pair(RSA, None, None).fits(jwe)
    assert not key_of_pair(RSA, "RSA-OAEP-256", None).fits(jwe)
    assert not key_of_pair(P256, None, None).fits(jwe)


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (rsa.generate_private_key(65537, 1024), None),  # noqa: S505
        (RSA, "RSA1_5"),
        (RSA, "ECDH-ES"),
        (P256, "RSA-OAEP"),
        (ec.generate_private_key(ec.SECP256K1()), None),
        (ed25519.Ed25519PrivateKey.generate(), None),
        (x25519.X25519PrivateKey.generate(), None),
        (RSA.public_key(), None),
    ],
    ids=[
        "1024 bits",
        "RSA with RSA1_5",
        "RSA with ECDH-ES",
        "EC with RSA-OAEP",
        "secp256k1",
        "Ed25519",
        "X25519",
        "public",
    ],
)
def test_unfit_pairs_are_refused(key: object, alg: str | None) -> None:
    with pytest.raises(KeyRefusedError):
        key_of_pair(key, alg, None)


def test_a_wrong_key_and_a_changed_token_look_the_same() -> None:
    """Whoever can tell them apart asks again and again (RFC 7516 11.5)."""
    jwe = encrypted(RSA.public_key(), "RSA-OAEP")
    other = rsa.generate_private_key(65537, 2048)
    problems = []
    for key, token in (
        (other, jwe),
        (RSA, evolve(jwe, tag=bytes(16))),
        (RSA, evolve(jwe, encrypted_key=bytes(256))),
        (RSA, evolve(jwe, encrypted_key=b"short")),
    ):
        with pytest.raises(TokenError) as caught:
            key_of_pair(key, None, None).decrypt(token)
        assert caught.value.__cause__ is None
        problems.append((caught.value.detail, caught.value.reason))
    assert set(problems) == {("cannot be decrypted", "token-decryption")}


@pytest.mark.parametrize(
    "epk",
    [
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"crv": ["P-256"]},
        {"kty": "OKP"},
        {"x": "AA"},
        {"x": ...},
        {"y": 7},
        {"x": "é"},
        {"d": "AA"},
        {"y": "A" * 43},  # not on the curve
        {"x": "A" * 43, "y": "A" * 43},
    ],
    ids=str,
)
def test_an_ephemeral_key_is_a_point_on_our_curve(epk: dict[str, Any]) -> None:
    """CVE-2015-7940 and its kin: points of other curves make our key known."""
    jwe = encrypted(P256.public_key(), "ECDH-ES")
    with pytest.raises(TokenError, match="cannot be decrypted"):
        key_of_pair(P256, None, None).decrypt(changed(jwe, **epk))


@pytest.mark.parametrize(
    ("octets", "alg", "algs", "encs"),
    [
        (16, "A128KW", {"A128KW"}, set(ENCRYPTIONS)),
        (24, "A192KW", {"A192KW"}, set(ENCRYPTIONS)),
        (32, "A256KW", {"A256KW"}, set(ENCRYPTIONS)),
        (16, "dir", {"dir"}, {"A128GCM"}),
        (24, "dir", {"dir"}, {"A192GCM"}),
        (32, "dir", {"dir"}, {"A256GCM", "A128CBC-HS256"}),
        (48, "dir", {"dir"}, {"A192CBC-HS384"}),
        (32, "A256GCM", {"dir"}, {"A256GCM"}),
        (64, "A256CBC-HS512", {"dir"}, {"A256CBC-HS512"}),
    ],
)
def test_a_secret_is_for_one_algorithm(
    octets: int, alg: str, algs: set[str], encs: set[str]
) -> None:
    key = key_of_secret(bytes(octets), alg, None)
    assert key.algs == algs
    assert key.encs == encs


@pytest.mark.parametrize(
    ("octets", "alg"),
    [
        (15, "A128KW"),
        (32, "A128KW"),
        (0, "dir"),
        (23, "dir"),
        (16, "A256GCM"),
        (32, "RSA-OAEP"),
        (32, "A256GCMKW"),
        (32, "HS256"),
        (32, None),
    ],
)
def test_other_secrets_are_refused(octets: int, alg: str | None) -> None:
    with pytest.raises(KeyRefusedError):
        key_of_secret(bytes(octets), alg, None)


def test_a_key_is_never_shown() -> None:
    assert "sixteen octets!!" not in repr(
        key_of_secret(b"sixteen octets!!", "A128KW", "k")
    )
