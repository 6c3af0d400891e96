"""The test issuer signs what other implementations can verify."""

import json

import pytest
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from sso_proxy.testing.tokens import TokenSigner, jwks

ALGORITHMS = ["RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"]


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_jwcrypto_verifies_what_it_signs(alg: str) -> None:
    signer = TokenSigner.create(alg)
    jws = JWS()
    jws.allowed_algs = [alg]
    jws.deserialize(signer.sign({"sub": "alice"}, x=1))
    jws.verify(JWK(**signer.public_jwk()))
    assert json.loads(jws.payload) == {"sub": "alice"}
    assert jws.jose_header == {"alg": alg, "kid": "key-1", "typ": "at+jwt", "x": 1}


def test_jwcrypto_verifies_what_a_secret_authenticates() -> None:
    token = TokenSigner.of_secret(b"k" * 32).sign({"sub": "alice"})
    jws = JWS()
    jws.deserialize(token, JWK.from_password("k" * 32))
    assert json.loads(jws.payload) == {"sub": "alice"}


def test_a_secret_has_nothing_public() -> None:
    with pytest.raises(TypeError):
        TokenSigner.of_secret(b"k" * 32).public_pem()


def test_parameters_and_members_can_be_left_out() -> None:
    signer = TokenSigner.create()
    assert "kid" not in signer.public_jwk(kid=None)
    jws = JWS()
    jws.deserialize(signer.sign({}, typ=None, kid=None))
    assert jws.objects["protected"] == '{"alg": "ES256"}'


def test_a_renamed_key_is_the_same_key() -> None:
    signer = TokenSigner.create()
    assert signer.renamed("b").public_jwk(kid="key-1") == signer.public_jwk()


def test_a_pem_is_the_same_key() -> None:
    signer = TokenSigner.create("RS256")
    pem = JWK.from_pem(signer.public_pem())
    assert pem.thumbprint() == JWK(**signer.public_jwk()).thumbprint()


def test_a_set_has_signers_and_other_keys() -> None:
    signer = TokenSigner.create()
    keys = json.loads(jwks(signer, {"kty": "oct"}))["keys"]
    assert keys == [signer.public_jwk(), {"kty": "oct"}]


def test_the_private_key_is_not_shown() -> None:
    assert "key=" not in repr(TokenSigner.create())
