"""What we sign is what others check."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.sign import (
    read_mac_key,
    read_signing_key,
    sign_compact,
)
from sso_proxy.specs.jose.strict import decode_base64url
from tests.support.rsa_key import RSA_KEY as RSA

P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSA),
    "ES256": P256,
    "ES384": P384,
    "ES512": P521,
    "EdDSA": ED,
}

# RFC 7515 appendix A.1.1
HS_KEY = (
    b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z"
    b"9CAow"
)
HS_INPUT = (
    b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz"
    b"ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
HS_SIGNATURE = b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def pem(key: Any, **options: Any) -> bytes:  # noqa: ANN401
    form = options.get("form", PrivateFormat.PKCS8)
    octets: bytes = key.private_bytes(
        Encoding.PEM, form, options.get("encryption", NoEncryption())
    )
    return octets


def jwk(key: Any, **members: object) -> bytes:  # noqa: ANN401
    exported = json.loads(JWK.from_pyca(key).export_private())
    return json.dumps({**exported, **members}).encode()


def verified(token: str, key: JWK, alg: str) -> dict[str, Any]:
    jws = JWS()
    jws.allowed_algs = [alg]
    jws.deserialize(token, key)
    header: dict[str, Any] = jws.jose_header
    return {"header": header, "claims": json.loads(jws.payload)}


@pytest.mark.parametrize("alg", KEYS)
@pytest.mark.parametrize("write", [pem, jwk])
def test_another_implementation_accepts_what_is_signed(alg: str, write: Any) -> None:  # noqa: ANN401
    key = read_signing_key(write(KEYS[alg]), alg=alg, kid="k1")
    token = sign_compact({"iss": "us", "n": 1}, key, typ="x+jwt")
    result = verified(token, JWK.from_pyca(KEYS[alg].public_key()), alg)
    assert result["header"] == {"alg": alg, "kid": "k1", "typ": "x+jwt"}
    assert result["claims"] == {"iss": "us", "n": 1}
    assert split_compact(token).header.alg == alg


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_another_implementation_accepts_a_mac(alg: str) -> None:
    secret = b"s" * 64
    token = sign_compact({"a": "ü"}, read_mac_key(secret, alg=alg))
    key = JWK.from_password(secret.decode())
    assert verified(token, key, alg)["claims"] == {"a": "ü"}


def test_rfc_7515_a_1() -> None:
    key = read_mac_key(decode_base64url(HS_KEY))
    assert key.sign(HS_INPUT) == decode_base64url(HS_SIGNATURE)


@pytest.mark.parametrize(
    ("key", "alg"),
    [(RSA, "RS256"), (P256, "ES256"), (P384, "ES384"), (P521, "ES512"), (ED, "EdDSA")],
)
def test_the_usual_algorithm_is_taken(key: Any, alg: str) -> None:  # noqa: ANN401
    assert read_signing_key(pem(key)).alg == alg


def test_older_forms_of_pem_are_read() -> None:
    traditional = PrivateFormat.TraditionalOpenSSL
    assert read_signing_key(pem(RSA, form=traditional)).alg == "RS256"
    assert read_signing_key(pem(P256, form=traditional)).alg == "ES256"


def test_a_jwk_says_its_algorithm_and_name() -> None:
    key = read_signing_key(jwk(RSA, alg="PS384", kid="jwk-1"))
    assert (key.alg, key.kid) == ("PS384", "jwk-1")
    assert read_signing_key(jwk(RSA, kid="jwk-1"), kid="other").kid == "other"


def test_header_parameters_without_a_value_are_left_out() -> None:
    token = sign_compact({}, read_signing_key(pem(P256)), typ=None)
    header = split_compact(token).header
    assert header.kid is None
    assert header.typ is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "neither"),
        (b"{", "the JWK is no strict JSON"),
        (b'{"kty":"oct","k":"AAAA"}', "no private JWK"),
        (
            json.dumps(JWK.from_pyca(P256.public_key()).export(as_dict=True)).encode(),
            "no",
        ),
        (jwk(RSA, use="enc"), "use is not sig"),
        (jwk(RSA, kid=1), "kid is no string"),
        (jwk(RSA, alg="ES256"), "signs with RS256"),
        (jwk(P256, x="AAAA"), "malformed"),
        (pem(ed448.Ed448PrivateKey.generate()), "no key for signatures"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "no key for signatures"),
        (pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),  # noqa: S505
        (pem(P256, encryption=BestAvailableEncryption(b"x")), "passphrase"),
    ],
)
def test_what_is_no_good_key_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(KeyRefusedError) as caught:
        read_signing_key(data)
    assert problem in caught.value.detail


def test_an_algorithm_that_does_not_fit_is_refused() -> None:
    with pytest.raises(KeyRefusedError, match="signs with ES256"):
        read_signing_key(pem(P256), alg="RS256")
    with pytest.raises(KeyRefusedError, match="another alg"):
        read_signing_key(jwk(RSA, alg="RS256"), alg="PS256")


@given(st.binary(max_size=31))
def test_a_short_secret_is_refused(secret: bytes) -> None:
    """RFC 7518 3.2: "A key of the same size as the hash output ... MUST be used"."""
    with pytest.raises(KeyRefusedError):
        read_mac_key(secret)


def test_a_mac_key_signs_with_macs_only() -> None:
    with pytest.raises(KeyRefusedError, match="HS256, HS384, HS512"):
        read_mac_key(b"s" * 64, alg="RS256")


def test_keys_are_not_shown() -> None:
    secret = b"very secret indeed, no kidding. 1"
    assert "secret" not in repr(read_mac_key(secret))
    assert repr(read_signing_key(pem(P256), kid="k")) == (
        "SigningKey(alg='ES256', kid='k')"
    )


def test_further_header_parameters_are_signed_and_replace_none_of_ours() -> None:
    key = read_signing_key(pem(P256), kid="ours")
    token = sign_compact({}, key, header={"cty": "JWT", "alg": "none", "kid": "x"})
    header = json.loads(decode_base64url(token.partition(".")[0].encode()))
    assert header == {"alg": "ES256", "kid": "ours", "typ": "JWT", "cty": "JWT"}
