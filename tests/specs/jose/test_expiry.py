"""What a JWT says about its end is read, and nothing is proven by it."""

import pytest

from sso_proxy.specs.jose.expiry import read_claims, read_expiry
from sso_proxy.testing.tokens import TokenSigner

SIGNER = TokenSigner.create("ES256", "k")


def test_the_end_of_a_jwt_is_read() -> None:
    assert read_expiry(SIGNER.sign({"exp": 17})) == 17.0
    assert read_expiry(SIGNER.sign({"exp": 17.5})) == 17.5


@pytest.mark.parametrize("exp", [True, "17", None, [17], {}])
def test_what_is_no_number_is_no_end(exp: object) -> None:
    assert read_expiry(SIGNER.sign({"exp": exp})) is None


@pytest.mark.parametrize(
    "text",
    ["", "opaque", "a.b.c", "..", "e30.e30.", "e30.eyJleHAiOjE3fQ.", "tö.k.en"],
)
def test_what_is_no_jwt_has_no_claims(text: str) -> None:
    assert read_claims(text) is None
    assert read_expiry(text) is None


def test_an_encrypted_token_is_not_read() -> None:
    assert read_claims("eyJhbGciOiJkaXIifQ.e30.e30.e30.e30") is None


def test_claims_are_read() -> None:
    assert read_claims(SIGNER.sign({"sub": "alice"})) == {"sub": "alice"}
