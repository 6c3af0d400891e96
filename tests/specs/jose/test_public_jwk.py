"""Others are told the public half of a key, and nothing else."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwcrypto.jwk import JWK

from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.public_jwk import (
    jwks_document,
    public_members,
    thumbprint,
)
from tests.support.rsa_key import RSA_KEY

KEYS = {
    "RSA": JWK.from_pyca(RSA_KEY),
    "EC": JWK.from_pyca(ec.generate_private_key(ec.SECP256R1())),
    "OKP": JWK.from_pyca(ed25519.Ed25519PrivateKey.generate()),
}


@pytest.mark.parametrize("kty", KEYS)
def test_pem_and_jwk_have_the_same_public_half(kty: str) -> None:
    key = KEYS[kty]
    pem: bytes = key.export_to_pem(private_key=True, password=None)
    members = {**key.export_private(as_dict=True), "kid": "k", "x5c": [], "alg": "x"}
    public = public_members(pem)
    assert public == public_members(json.dumps(members).encode())
    assert public == {
        name: value
        for name, value in key.export_public(as_dict=True).items()
        if name != "kid"
    }
    assert thumbprint(public) == key.thumbprint()


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """Section 3.1 has this key and its thumbprint."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR"
        "1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0"
        "h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91"
        "CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44"
        "-csFCur-kEgU8awapJzKnqDKgw"
    )
    public = {"kty": "RSA", "n": modulus, "e": "AQAB"}
    assert thumbprint(public) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"none",
        b"{}",
        b'{"kty":"oct","k":"c2VjcmV0"}',
        b'{"kty":"RSA","kty":"RSA"}',
        b'{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"c2VjcmV0"}',
    ],
)
def test_what_is_no_private_key_is_refused_without_a_word_of_it(data: bytes) -> None:
    with pytest.raises(KeyRefusedError) as caught:
        public_members(data)
    assert "c2VjcmV0" not in str(caught.value)


ONE = {"kty": "OKP", "kid": "1", "use": "sig"}
TWO = {**ONE, "kid": "2"}


def test_each_key_stands_in_a_set_once() -> None:
    assert json.loads(jwks_document([ONE, TWO, dict(ONE)])) == {"keys": [ONE, TWO]}
    assert jwks_document(()) == b'{"keys":[]}'


@pytest.mark.parametrize("other", [{"use": "enc"}, {"x": "AA"}])
def test_a_name_means_one_key_for_one_purpose(other: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'1'"):
        jwks_document([ONE, {**ONE, **other}])
