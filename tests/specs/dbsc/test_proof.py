"""Proofs: what shows that a browser holds a key, and everything that does not."""

import base64
import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.dbsc.fields import read_response
from sso_proxy.specs.dbsc.proof import (
    MAX_PROOF,
    MAX_TEXT,
    Proof,
    check_audience,
    thumbprint,
    verify_refresh,
    verify_registration,
)
from sso_proxy.specs.jose.sign import SigningKey, read_signing_key, sign_compact
from tests.support.rsa_key import RSA_KEY

BOTH = ("ES256", "RS256")
URL = "https://app.example.com/.sso/dbsc/register"
KEYS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": RSA_KEY,
}
EC = JWK.from_pyca(KEYS["ES256"])
OTHER = JWK.from_pyca(ec.generate_private_key(ec.SECP256R1()))


def public(key: JWK) -> dict[str, str]:
    """Give the members of a public key, as browsers do."""
    exported: dict[str, str] = key.export_public(as_dict=True)
    return {k: exported[k] for k in ("kty", "crv", "x", "y", "n", "e") if k in exported}


def signing(key: JWK, alg: str = "ES256") -> SigningKey:
    return read_signing_key(key.export_private().encode(), alg=alg)


def encode(value: object) -> str:
    octets = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def prove(
    claims: Mapping[str, Any] | bytes | None = None,
    *,
    key: JWK = EC,
    alg: str = "ES256",
    header: Mapping[str, Any] | None = None,
) -> str:
    """Sign *claims* with *key*; *header* replaces what Chromium writes."""
    if header is None:
        header = {"alg": alg, "jwk": public(key), "typ": "dbsc+jwt"}
    payload = encode({"jti": "challenge"} if claims is None else claims)
    text = f"{encode(dict(header))}.{payload}"
    signature = sign_octets(text.encode(), key, alg)
    return f"{text}.{encode(signature)}"


def sign_octets(octets: bytes, key: JWK, alg: str) -> bytes:
    """Sign what may be no JWS at all."""
    if alg == "HS256":
        return hmac.digest(json.dumps(public(key)).encode(), octets, "sha256")
    return signing(key, alg).sign(octets)


def refused(compact: str, reason: str, **changes: Any) -> None:  # noqa: ANN401
    given = {"algorithms": BOTH, **changes}
    with pytest.raises(TokenError) as caught:
        verify_registration(compact, **given)
    assert caught.value.reason == f"device-proof-{reason}"


@pytest.mark.parametrize("alg", BOTH)
def test_what_chromium_sends_is_accepted(alg: str) -> None:
    """Neither ``iat`` nor ``sub``, and the key in the header of a registration only."""
    key = JWK.from_pyca(KEYS[alg])
    first = verify_registration(prove(key=key, alg=alg), BOTH)
    assert first == Proof(
        challenge="challenge",
        authorization="",
        audience=(),
        algorithm=alg,
        jwk=public(key),
        thumbprint=key.thumbprint(),
    )
    header = {"alg": alg, "typ": "dbsc+jwt"}
    again = prove({"jti": "next"}, key=key, alg=alg, header=header)
    later = verify_refresh(again, first.jwk, BOTH)
    assert later.challenge == "next"
    assert later.thumbprint == first.thumbprint


def test_what_the_draft_says_is_accepted() -> None:
    """A quoted field, ``aud`` and ``authorization``, and claims nobody asked for."""
    claims = {
        "jti": "c",
        "authorization": "code",
        "aud": URL,
        "iat": 1_700_000_000,
        "sub": "s1",
    }
    field = read_response(f'"{prove(claims)}"')
    assert field is not None
    proof = verify_registration(field, BOTH)
    assert (proof.challenge, proof.authorization) == ("c", "code")
    assert proof.audience == (URL,)


def test_a_proof_is_read_whoever_makes_it() -> None:
    """Another implementation of JWS signs what Chromium says."""
    compact = sign_compact(
        {"jti": "c"}, signing(EC), typ="dbsc+jwt", header={"jwk": public(EC)}
    )
    assert verify_registration(compact, BOTH).challenge == "c"


def test_the_name_of_a_key_is_that_of_rfc_7638() -> None:
    for private in KEYS.values():
        key = JWK.from_pyca(private)
        assert thumbprint(public(key)) == key.thumbprint()


def test_a_proof_shows_nothing_of_what_it_says() -> None:
    proof = verify_registration(prove({"jti": "one", "authorization": "two"}), BOTH)
    assert "one" not in repr(proof)
    assert "two" not in repr(proof)


def flip(compact: str, place: int, bit: int) -> str:
    octets = bytearray(compact.encode())
    octets[place % len(octets)] ^= 1 << bit
    return octets.decode("latin-1")


@settings(max_examples=150)
@given(st.integers(0, 10_000), st.integers(0, 7))
def test_no_bit_of_a_proof_can_be_changed(place: int, bit: int) -> None:
    """Nothing in it is there twice, or unsigned."""
    with pytest.raises(TokenError):
        verify_registration(flip(PROOF, place, bit), BOTH)
    with pytest.raises(TokenError):
        verify_refresh(flip(REFRESH, place, bit), public(EC), BOTH)


PROOF = prove()
REFRESH = prove(header={"alg": "ES256", "typ": "dbsc+jwt"})


@given(st.text() | st.from_regex(r"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"))
def test_no_text_breaks_the_reader(text: str) -> None:
    with pytest.raises(TokenError):
        verify_registration(text, BOTH)
    with pytest.raises(TokenError):
        verify_refresh(text, public(EC), BOTH)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["jti", "aud", "authorization"]), json_values),
    st.dictionaries(
        st.sampled_from(["alg", "typ", "jwk", "crit", "kid", "b64"]), json_values
    ),
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "use", "alg"]),
        json_values,
    ),
)
@example({}, {}, {})
def test_nothing_signed_breaks_the_reader(
    claims: dict[str, Any], header: dict[str, Any], jwk: dict[str, Any]
) -> None:
    """Whoever has a key may sign anything with it."""
    usual = {"alg": "ES256", "typ": "dbsc+jwt", "jwk": {**public(EC), **jwk}}
    compact = prove({"jti": "c", **claims}, header={**usual, **header})
    with suppress(TokenError):
        assert verify_registration(compact, BOTH).thumbprint == EC.thumbprint()
    without = {k: v for k, v in {**usual, **header}.items() if k != "jwk"}
    compact = prove({"jti": "c", **claims}, header=without)
    with suppress(TokenError):
        assert verify_refresh(compact, public(EC), BOTH).jwk == public(EC)


@pytest.mark.parametrize(
    "alg", ["none", "None", "NONE", "HS256", "ES384", "PS256", "EdDSA", "", None, 1]
)
def test_other_algorithms_are_refused(alg: object) -> None:
    header = {"alg": alg, "jwk": public(EC), "typ": "dbsc+jwt"}
    refused(prove(header=header), "alg")


def test_no_signature_is_no_proof() -> None:
    header = {"alg": "none", "jwk": public(EC), "typ": "dbsc+jwt"}
    unsigned = f"{encode(header)}.{encode({'jti': 'c'})}."
    refused(unsigned, "malformed")
    refused(PROOF.rpartition(".")[0] + ".", "malformed")


def test_a_public_key_is_no_secret() -> None:
    """HS256 with the text of the public key, the oldest trick there is."""
    header = {"alg": "HS256", "typ": "dbsc+jwt"}
    forged = prove(header=header, alg="HS256")
    with pytest.raises(TokenError) as caught:
        verify_refresh(forged, public(EC), (*BOTH, "HS256"))
    assert caught.value.reason == "device-proof-alg"
    secret = {"kty": "oct", "k": encode(json.dumps(public(EC)).encode())}
    refused(prove(header={**header, "jwk": secret}, alg="HS256"), "alg")
    with pytest.raises(TokenError):
        verify_refresh(forged, secret, (*BOTH, "HS256"))


def test_what_was_not_offered_is_refused() -> None:
    refused(PROOF, "alg", algorithms=("RS256",))
    with pytest.raises(TokenError) as caught:
        verify_refresh(REFRESH, public(EC), ("RS256",))
    assert caught.value.reason == "device-proof-alg"


def test_an_algorithm_of_another_key_is_refused() -> None:
    rsa_key = JWK.from_pyca(KEYS["RS256"])
    refused(prove(header={"alg": "RS256", "jwk": public(EC), "typ": "dbsc+jwt"}), "alg")
    header = {"alg": "ES256", "jwk": public(rsa_key), "typ": "dbsc+jwt"}
    refused(prove(header=header), "alg")


def altered(**members: object) -> dict[str, Any]:
    return {"alg": "ES256", "jwk": {**public(EC), **members}, "typ": "dbsc+jwt"}


def zero(member: str) -> str:
    """Write the number *member* of our key with a zero before it."""
    octets = base64.urlsafe_b64decode(public(EC)[member] + "==")
    return encode(b"\0" + octets)


@pytest.mark.parametrize(
    "header",
    [
        altered(d="AA"),
        altered(k="AA"),
        altered(use="enc"),
        altered(key_ops=["sign"]),
        altered(x=encode(b"\1" * 32)),  # on no curve
        altered(y=public(EC)["x"]),
        altered(x=zero("x")),
        altered(crv="P-384"),
        altered(crv="P-256K"),
        altered(kty="OKP"),
        altered(kty=None),
        altered(x=None),
        altered(x=public(EC)["x"] + "="),
        {"alg": "ES256", "typ": "dbsc+jwt"},
        {"alg": "ES256", "typ": "dbsc+jwt", "jwk": json.dumps(public(EC))},
        {"alg": "ES256", "typ": "dbsc+jwt", "jwk": [public(EC)]},
        {**altered(), "jku": "https://evil.example/keys"},
        {**altered(), "x5u": "https://evil.example/cert"},
        {**altered(), "x5c": ["MIIB"]},
        {**altered(), "x5t#S256": "A" * 43},
    ],
)
def test_keys_that_are_no_good_are_refused(header: dict[str, Any]) -> None:
    """Private, off the curve, of two names, or somewhere else."""
    refused(prove(header=header), "jwk")


def test_a_private_key_is_refused_though_it_has_signed() -> None:
    """It is everybody's by now."""
    header = {"alg": "ES256", "typ": "dbsc+jwt", "jwk": EC.export(as_dict=True)}
    refused(prove(header=header), "jwk")


def test_members_that_a_key_may_have_are_no_part_of_it() -> None:
    """What is kept is what the thumbprint is made of."""
    proof = verify_registration(
        prove(header=altered(use="sig", alg="ES256", kid="k", ext=True)), BOTH
    )
    assert proof.jwk == public(EC)


@pytest.mark.parametrize("bits", [1024, 2040])
def test_weak_keys_are_refused(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits)
    header = {
        "alg": "RS256",
        "typ": "dbsc+jwt",
        "jwk": public(JWK.from_pyca(key)),
    }
    refused(prove(header=header), "jwk")


def test_other_kinds_of_keys_are_refused() -> None:
    key = JWK.from_pyca(ed25519.Ed25519PrivateKey.generate())
    header = {"alg": "ES256", "typ": "dbsc+jwt", "jwk": public(key)}
    refused(prove(header=header), "alg")


@pytest.mark.parametrize("typ", ["JWT", "dpop+jwt", "jwt", "", None, 1, ["dbsc+jwt"]])
def test_what_is_signed_for_something_else_is_refused(typ: object) -> None:
    header = {"alg": "ES256", "jwk": public(EC), "typ": typ}
    reason = "type" if isinstance(typ, str) else "malformed"
    refused(prove(header=header), reason)
    refused(prove(header={"alg": "ES256", "jwk": public(EC)}), "type")


@pytest.mark.parametrize(
    "extra", [{"crit": ["exp"], "exp": 1}, {"b64": False}, {"zip": "DEF"}, {"crit": []}]
)
def test_extensions_are_refused(extra: dict[str, Any]) -> None:
    refused(prove(header={**altered(), **extra}), "malformed")


def test_members_that_stand_twice_are_refused() -> None:
    """Two readers would see two keys, or two challenges."""
    twice = b'{"jti":"a","jti":"b"}'
    refused(prove(twice), "malformed")
    header = json.dumps(altered()).encode()[:-1] + b',"alg":"ES256"}'
    text = f"{encode(header)}.{encode({'jti': 'c'})}"
    signature = encode(sign_octets(text.encode(), EC, "ES256"))
    refused(f"{text}.{signature}", "malformed")


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"jti": None},
        {"jti": 1},
        {"jti": ""},
        {"jti": "x" * (MAX_TEXT + 1)},
        {"jti": "c", "authorization": 1},
        {"jti": "c", "authorization": None},
        {"jti": "c", "authorization": ""},
        {"jti": "c", "aud": 1},
        {"jti": "c", "aud": None},
        {"jti": "c", "aud": [1]},
        {"jti": "c", "aud": ["x"] * 9},
        {"jti": "c", "aud": "x" * (MAX_TEXT + 1)},
    ],
)
def test_claims_are_what_they_have_to_be(claims: dict[str, Any]) -> None:
    refused(prove(claims), "claims")


@pytest.mark.parametrize("payload", [b"", b"[]", b'"jti"', b"{", b"\xff", b"{}x"])
def test_a_payload_is_an_object(payload: bytes) -> None:
    refused(prove(payload), "malformed")


def test_long_proofs_are_not_read() -> None:
    refused(prove({"jti": "c", "x": "x" * MAX_PROOF}), "malformed")


def test_a_refresh_is_by_the_key_that_was_registered() -> None:
    with pytest.raises(TokenError) as caught:
        verify_refresh(REFRESH, public(OTHER), BOTH)
    assert caught.value.reason == "device-proof-signature"


def test_a_refresh_brings_no_key() -> None:
    """Not even the right one: a registration is no refresh."""
    for key in (EC, OTHER):
        with pytest.raises(TokenError) as caught:
            verify_refresh(prove(key=key), public(EC), BOTH)
        assert caught.value.reason == "device-proof-jwk"


def test_a_refresh_is_no_registration() -> None:
    refused(REFRESH, "jwk")


@pytest.mark.parametrize(
    "audience",
    [[], URL, [URL], "https://APP.example.com:443/.sso/dbsc/register", f"{URL}?a=b"],
)
def test_a_proof_for_this_url_is_good(audience: object) -> None:
    claims = {"jti": "c", "aud": audience} if audience else {"jti": "c"}
    check_audience(verify_registration(prove(claims), BOTH), URL)


@pytest.mark.parametrize(
    "audience",
    [
        "https://evil.example/.sso/dbsc/register",
        "http://app.example.com/.sso/dbsc/register",
        "https://app.example.com:8443/.sso/dbsc/register",
        "https://app.example.com/.sso/dbsc/refresh",
        "/.sso/dbsc/register",
        "",
        "https://app.example.com@evil.example/.sso/dbsc/register",
        [URL, "https://evil.example/"],
    ],
)
def test_a_proof_for_another_url_is_refused(audience: object) -> None:
    """Made for somebody else, or for him as well."""
    proof = verify_registration(prove({"jti": "c", "aud": audience}), BOTH)
    with pytest.raises(TokenError) as caught:
        check_audience(proof, URL)
    assert caught.value.reason == "device-proof-audience"
