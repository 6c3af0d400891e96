"""Weak RSA keys are recognised."""

import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest

from sso_proxy.specs.jose.weak import is_roca, rsa_weakness
from sso_proxy.testing.tokens import TokenSigner

VECTORS = Path(__file__).parents[2] / "data/wycheproof/json_web_crypto_test.json"


def number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=="), "big")


def modulus_of(comment: str) -> int:
    groups = json.loads(VECTORS.read_text())["testGroups"]
    return number(next(g for g in groups if g["comment"] == comment)["public"]["n"])


def good_modulus() -> int:
    return number(TokenSigner.create("RS256").public_jwk()["n"])


def test_a_good_key_has_no_weakness() -> None:
    modulus = good_modulus()
    assert rsa_weakness(modulus, 65537) is None
    assert not is_roca(modulus)


def test_the_mark_of_the_broken_generator_is_seen() -> None:
    assert is_roca(modulus_of("jws_rsa_roca_key"))


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [
        (2**2046 + 1, 65537),
        (2**8192 + 1, 65537),
        (2**2047, 65537),
        (2**2047 + 9, 1),
        (2**2047 + 9, 2),
        (2**2047 + 9, 65536),
        (2**2047 + 9, 2**33 + 1),
        (2**2047 + 9, 0),
        (0, 65537),
    ],
    ids=[
        "2047 bits",
        "8193 bits",
        "even",
        "exponent 1",
        "exponent 2",
        "even exponent",
        "exponent that costs",
        "exponent 0",
        "zero",
    ],
)
def test_numbers_that_are_no_safe_key_are_weak(modulus: int, exponent: int) -> None:
    assert rsa_weakness(modulus, exponent) is not None


def test_a_roca_key_is_weak_although_it_is_long() -> None:
    modulus = modulus_of("jws_rsa_roca_key")
    assert modulus.bit_length() >= 2048
    assert rsa_weakness(modulus, 65537) is not None
