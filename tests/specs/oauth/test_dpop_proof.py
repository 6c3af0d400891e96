"""What we prove is what a server checks (RFC 9449)."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK

from sso_proxy.specs.http.uri import normal_uri
from sso_proxy.specs.jose.compact import read_parameters
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.oauth.dpop import (
    MAX_JTI,
    MAX_PROOF,
    Accepted,
    ProofRules,
    check_proof,
    read_proof,
)
from sso_proxy.specs.oauth.dpop_proof import (
    MAX_NONCE,
    ProofKey,
    make_proof,
    read_nonce,
    read_proof_key,
)
from tests.support.rsa_key import RSA_KEY as RSA

NOW = 1_800_000_000.5
URI = "https://op.example/token"
KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "PS256": RSA,
    "RS256": RSA,
}


def pem(key: Any) -> bytes:  # noqa: ANN401
    octets: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return octets


def jwk(key: Any, **members: object) -> bytes:  # noqa: ANN401
    written = json.loads(JWK.from_pyca(key).export_private())
    return json.dumps({**written, **members}).encode()


KEY = read_proof_key(pem(KEYS["ES256"]))


def prove(key: ProofKey = KEY, **changes: Any) -> str:  # noqa: ANN401
    given: dict[str, Any] = {
        "method": "POST",
        "uri": URI,
        "now": NOW,
        "jti": "said-once",
        **changes,
    }
    return make_proof(key, **given)


def claims_of(proof: str) -> dict[str, Any]:
    return dict(read_proof([proof]).claims)


def accept(proof: str, key: ProofKey, **changes: Any) -> Accepted:  # noqa: ANN401
    given: dict[str, Any] = {
        "method": "POST",
        "uri": URI,
        "token": "a-token",
        "jkt": key.thumbprint,
        "now": NOW,
        "rules": ProofRules(),
        **changes,
    }
    return check_proof(read_proof([proof]), **given)


@pytest.mark.parametrize("alg", KEYS)
@pytest.mark.parametrize("write", [pem, jwk])
def test_every_kind_of_key_proves(alg: str, write: Any) -> None:  # noqa: ANN401
    key = read_proof_key(write(KEYS[alg]), alg)
    assert key.alg == alg
    accept(prove(key, token="a-token"), key)


def test_a_header_has_what_section_4_2_wants_and_nothing_private() -> None:
    for alg, private in KEYS.items():
        key = read_proof_key(jwk(private, kid="ours"), alg)
        header = read_parameters(prove(key).partition(".")[0].encode())
        assert header.keys() == {"typ", "alg", "jwk"}
        assert header["typ"] == "dpop+jwt"
        assert header["alg"] == alg
        assert header["jwk"] == dict(key.jwk)
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & header["jwk"].keys()


def test_a_proof_without_token_or_nonce_has_neither() -> None:
    assert claims_of(prove()) == {
        "jti": "said-once",
        "htm": "POST",
        "htu": URI,
        "iat": 1_800_000_000,
    }


def test_a_proof_says_the_token_and_the_nonce_that_go_with_it() -> None:
    """The ``ath`` of RFC 9449 section 7.1's example."""
    token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
    claims = claims_of(prove(token=token, nonce="eyJ7S_zG.eyJH0-Z.HX4w-7v"))
    assert claims["ath"] == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    assert claims["nonce"] == "eyJ7S_zG.eyJH0-Z.HX4w-7v"


def test_a_thumbprint_is_that_of_the_standard() -> None:
    """RFC 9449 section 6.1: the hash of the key in its examples."""
    private = {
        "kty": "EC",
        "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    }
    expected = JWK(**private).thumbprint()
    assert expected == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    public = json.loads(JWK.from_pyca(KEYS["ES256"]).export_public())
    assert KEY.thumbprint == JWK(**public).thumbprint()


@pytest.mark.parametrize(
    "uri", [f"{URI}?a=b", f"{URI}#c", f"{URI}?a#c", f"{URI}#c?a", f"{URI}?"]
)
def test_query_and_fragment_are_left_out(uri: str) -> None:
    assert claims_of(prove(uri=uri))["htu"] == URI


def test_an_rsa_key_signs_with_ps256_unless_it_says_otherwise() -> None:
    assert read_proof_key(pem(RSA)).alg == "PS256"
    assert read_proof_key(jwk(RSA)).alg == "PS256"
    assert read_proof_key(jwk(RSA, alg="RS256")).alg == "RS256"
    assert read_proof_key(pem(RSA), "RS256").alg == "RS256"


@pytest.mark.parametrize(
    ("data", "alg"),
    [
        (b"", None),
        (b"{}", None),
        (pem(KEYS["ES256"]), "ES384"),
        (pem(RSA), "HS256"),
        (pem(RSA), "none"),
        (b'{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}', None),
        (json.dumps(dict(KEY.jwk)).encode(), None),
        (pem(rsa.generate_private_key(65537, 1024)), None),  # noqa: S505
    ],
)
def test_what_is_no_key_for_proofs_is_refused(data: bytes, alg: str | None) -> None:
    with pytest.raises(KeyRefusedError):
        read_proof_key(data, alg)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": ""},
        {"method": "GET "},
        {"uri": "/token"},
        {"uri": "ftp://op.example/token"},
        {"uri": "https://user@op.example/token"},
        {"uri": ""},
        {"jti": ""},
        {"jti": "a" * (MAX_JTI + 1)},
        {"nonce": ""},
        {"nonce": 'a"b'},
        {"nonce": "a b"},
        {"nonce": "a" * (MAX_NONCE + 1)},
    ],
)
def test_what_makes_no_proof_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        prove(**changes)


def test_a_key_shows_nothing_private() -> None:
    private = json.loads(JWK.from_pyca(KEYS["ES256"]).export_private())["d"]
    assert private not in repr(KEY)
    assert "sign" not in repr(KEY)


@pytest.mark.parametrize(
    ("values", "nonce"),
    [
        (["abc"], "abc"),
        ([], None),
        (["abc", "abc"], None),
        ([""], None),
        (["a b"], None),
        (['a"b'], None),
        (["a\\b"], None),
        (["ä"], None),
        (["a" * MAX_NONCE], "a" * MAX_NONCE),
        (["a" * (MAX_NONCE + 1)], None),
    ],
)
def test_a_nonce_is_one_value_that_can_stand_in_a_proof(
    values: list[str], nonce: str | None
) -> None:
    """Section 8.1: ``nonce = 1*NQCHAR``, at most one field."""
    assert read_nonce(values) == nonce


NQCHARS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'),
    min_size=1,
)
PATHS = st.text(st.sampled_from("abcZ09-._~/%20:@!$&'()*+,;="), max_size=40)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    path=PATHS,
    query=st.text(st.sampled_from("ab?&=/%"), max_size=10),
    token=NQCHARS,
    nonce=st.none() | NQCHARS.filter(lambda text: len(text) <= MAX_NONCE),
    jti=st.text(min_size=1, max_size=MAX_JTI),
    now=st.floats(0, 2**40),
)
def test_our_own_check_accepts_what_we_make(  # noqa: PLR0913
    *,
    method: str,
    path: str,
    query: str,
    token: str,
    nonce: str | None,
    jti: str,
    now: float,
) -> None:
    uri = f"https://Api.example.com:443/{path}"
    try:
        normal = normal_uri(uri)
    except ValueError:
        return
    proof = prove(
        method=method, uri=f"{uri}?{query}", token=token, nonce=nonce, jti=jti, now=now
    )
    seen = (lambda text: now if text == nonce else None) if nonce else None
    accept(
        proof,
        KEY,
        method=method,
        uri=normal,
        token=token,
        now=now,
        nonce_time=seen,
    )


def test_the_longest_proof_is_not_too_long() -> None:
    """RSA keys of 3072 bits, with all that a server may ask for."""
    key = read_proof_key(pem(rsa.generate_private_key(65537, 3072)))
    uri = "https://op.example/" + "a" * 500
    proof = prove(key, nonce="n" * MAX_NONCE, jti="j" * MAX_JTI, uri=uri, token="t")
    assert len(proof) <= MAX_PROOF
