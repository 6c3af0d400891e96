"""Each way of encryption undoes what another implementation did, and nothing else."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.specs.jose.ciphers import (
    WRAPPING,
    agree,
    decrypt_content,
    decrypt_with_rsa,
    unwrap,
)
from sso_proxy.specs.jose.encrypted import (
    ENCRYPTIONS,
    CompactJwe,
    JweHeader,
    split_jwe,
)
from tests.support.rsa_key import RSA_KEY as RSA


def encrypted(enc: str, plaintext: bytes = b"plaintext") -> tuple[bytes, CompactJwe]:
    """Have jwcrypto encrypt with a shared key."""
    key = bytes(range(ENCRYPTIONS[enc].key))
    jwk = JWK(kty="oct", k=urlsafe_b64encode(key).rstrip(b"=").decode())
    header = json.dumps({"alg": "dir", "enc": enc})
    token = JWE(plaintext, header, recipient=jwk).serialize(compact=True)
    return key, split_jwe(token, max_bytes=65536)


@pytest.mark.parametrize("enc", ENCRYPTIONS)
@given(plaintext=st.binary(min_size=1, max_size=100))
def test_content_is_decrypted(enc: str, plaintext: bytes) -> None:
    key, jwe = encrypted(enc, plaintext)
    assert decrypt_content(key, jwe) == plaintext


@pytest.mark.parametrize("enc", ENCRYPTIONS)
@pytest.mark.parametrize("name", ["iv", "ciphertext", "tag", "aad"])
@pytest.mark.parametrize("place", [0, -1])
def test_changed_content_is_not_decrypted(enc: str, name: str, place: int) -> None:
    key, jwe = encrypted(enc)
    changed = bytearray(getattr(jwe, name))
    changed[place] ^= 1
    changes: dict[str, Any] = {name: bytes(changed)}
    with pytest.raises(ValueError, match="tag is wrong"):
        decrypt_content(key, attrs.evolve(jwe, **changes))


@pytest.mark.parametrize("enc", ENCRYPTIONS)
def test_a_key_of_another_size_decrypts_nothing(enc: str) -> None:
    key, jwe = encrypted(enc)
    for other in (key[:-1], key + b"\0", key[: len(key) // 2], key * 2, b""):
        with pytest.raises(ValueError, match="size"):
            decrypt_content(other, jwe)


@pytest.mark.parametrize("enc", ENCRYPTIONS)
def test_another_key_decrypts_nothing(enc: str) -> None:
    key, jwe = encrypted(enc)
    with pytest.raises(ValueError, match="tag is wrong"):
        decrypt_content(key[::-1], jwe)


HASHES: dict[str, HashAlgorithm] = {"RSA-OAEP": SHA1(), "RSA-OAEP-256": SHA256()}  # noqa: S303


@pytest.mark.parametrize(("alg", "hash_"), HASHES.items(), ids=HASHES)
def test_oaep_has_the_hash_of_its_algorithm(alg: str, hash_: HashAlgorithm) -> None:
    oaep = padding.OAEP(padding.MGF1(hash_), hash_, None)
    encrypted_key = RSA.public_key().encrypt(b"key", oaep)
    assert decrypt_with_rsa(RSA, alg, encrypted_key) == b"key"
    (other,) = HASHES.keys() - {alg}
    for wrong in (encrypted_key[:-1], b"", bytes(256), bytes(257)):
        with pytest.raises(ValueError):  # noqa: PT011
            decrypt_with_rsa(RSA, alg, wrong)
    with pytest.raises(ValueError):  # noqa: PT011
        decrypt_with_rsa(RSA, other, encrypted_key)


@pytest.mark.parametrize("size", WRAPPING.values())
def test_keys_are_unwrapped_and_changed_ones_are_not(size: int) -> None:
    key = bytes(range(size))
    wrapped = aes_key_wrap(key, b"k" * 32)
    assert unwrap(key, wrapped) == b"k" * 32
    for wrong in (wrapped[:-1], wrapped[:-8], wrapped[::-1], b"", b"x" * 8):
        with pytest.raises(ValueError):  # noqa: PT011
            unwrap(key, wrong)


def test_the_key_that_both_derive_is_that_of_rfc_7518() -> None:
    """RFC 7518, appendix C."""

    def key(x: str, y: str, d: str) -> ec.EllipticCurvePrivateKey:
        private = JWK(kty="EC", crv="P-256", x=x, y=y, d=d).get_op_key("unwrapKey")
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        return private

    alice = key(
        "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0",
        "SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps",
        "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo",
    )
    bob = key(
        "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
        "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
    )
    header = JweHeader(
        alg="ECDH-ES", enc="A128GCM", kid=None, cty=None, apu=b"Alice", apv=b"Bob"
    )
    jwe = CompactJwe(
        header=header, encrypted_key=b"", iv=b"", ciphertext=b"", tag=b"", aad=b""
    )
    derived = agree(bob, alice.public_key(), jwe)
    assert urlsafe_b64encode(derived).rstrip(b"=") == b"VqqN6vgjbSBcIijNcacQGg"
    assert agree(alice, bob.public_key(), jwe) == derived
    wrapping = attrs.evolve(jwe, header=attrs.evolve(header, alg="ECDH-ES+A256KW"))
    assert len(agree(bob, alice.public_key(), wrapping)) == 32
