"""Tests for `sso_proxy.specs.oauth.dpop` (RFC 9449)."""

import itertools
import json
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.oauth.dpop import (
    MAX_JTI,
    MAX_PROOF,
    PROOF_ALGORITHMS,
    Accepted,
    NonceError,
    Proof,
    ProofError,
    ProofRules,
    check_proof,
    read_proof,
    token_hash,
)
from sso_proxy.testing.proofs import ProofSigner
from sso_proxy.testing.tokens import TokenSigner

VECTORS = json.loads(
    (Path(__file__).parent.parent.parent / "data/dpop/proofs.json").read_text()
)
NOW = 1_800_000_000.0
URI = "https://api.example.com/orders/42"
TOKEN = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
SIGNER = ProofSigner.create()
OTHER = ProofSigner.create()
RULES = ProofRules()
PUBLIC = SIGNER.signer.public_jwk(use=None, alg=None)


def check(proof: str | Proof, **changes: Any) -> Accepted:  # noqa: ANN401
    """Check *proof* for the request that all these tests make."""
    read = read_proof([proof]) if isinstance(proof, str) else proof
    given: dict[str, Any] = {
        "method": "GET",
        "uri": URI,
        "token": TOKEN,
        "jkt": SIGNER.thumbprint,
        "now": NOW,
        "rules": RULES,
        **changes,
    }
    return check_proof(read, **given)


def prove(**changes: object) -> str:
    return SIGNER.prove("GET", URI, TOKEN, NOW, **changes)


def sign(**header: object) -> str:
    return SIGNER.sign(SIGNER.claims("GET", URI, TOKEN, NOW), **header)


def reason_of(proof: str, **changes: Any) -> str:  # noqa: ANN401
    with pytest.raises(ProofError) as caught:
        check(proof, **changes)
    assert caught.value.error == "invalid_dpop_proof"
    assert len(proof) < 9 or proof not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("source", VECTORS)
def test_proofs_made_by_others_are_good(source: str) -> None:
    vector = VECTORS[source]
    accepted = check(
        vector["proof"],
        method=vector["method"],
        uri=vector["uri"],
        token=vector["token"],
        jkt=vector["jkt"],
        now=vector["iat"] + 5.0,
    )
    assert accepted.until == vector["iat"] + 70.0


def test_the_hash_of_a_token_is_that_of_the_standard() -> None:
    """RFC 9449 section 7.1, figure 13."""
    assert token_hash(TOKEN) == "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "PS256", "RS256", "EdDSA"])
def test_every_usual_algorithm_is_supported(alg: str) -> None:
    signer = ProofSigner.create(alg)
    check(signer.prove("GET", URI, TOKEN, NOW), jkt=signer.thumbprint)


def test_exactly_one_field_is_needed() -> None:
    """Section 4.3: not more than one DPoP HTTP request header field."""
    proof = prove()
    for values, reason in (([], "dpop-missing"), ([proof, proof], "dpop-repeated")):
        with pytest.raises(ProofError) as caught:
            read_proof(values)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        "x",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        prove() + "=",
        prove() + ", " + prove(),
        prove() + "\n",
        " " + prove(),
        '"' + prove() + '"',
        prove().partition(".")[2],
        prove().replace(".", "..", 1),
        prove()[:-1] + "é",
        prove() + "A" * MAX_PROOF,
        SIGNER.sign_octets({"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC}, b"[]"),
        SIGNER.sign_octets({"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC}, b"{"),
        SIGNER.sign_octets(
            {"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC}, b'{"jti":"a","jti":"b"}'
        ),
        SIGNER.signer.sign_octets(b"[]", b"{}"),
        SIGNER.signer.sign_octets(b'{"typ":"dpop+jwt","typ":"dpop+jwt"}', b"{}"),
        sign(crit=["exp"], exp=1),
        sign(b64=True),
        sign(zip="DEF"),
        sign(typ=7),
    ],
    ids=itertools.count(),  # signatures differ each time
)
def test_what_is_no_proof_is_refused(malformed: str) -> None:
    """Section 4.3: a single and well-formed JWT."""
    assert reason_of(malformed) == "dpop-malformed"


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt", "dpop", "dpop+jwt ", "dpop+jw"])
def test_another_type_is_refused(typ: str | None) -> None:
    """Section 4.3: the typ JOSE Header Parameter has the value dpop+jwt."""
    assert reason_of(sign(typ=typ)) == "dpop-type"


@pytest.mark.parametrize("typ", ["DPoP+JWT", "application/dpop+jwt", "dpop+JWT"])
def test_the_type_is_a_media_type(typ: str) -> None:
    """RFC 7515 section 4.1.9: compared as media types are."""
    check(sign(typ=typ))


@pytest.mark.parametrize(
    "alg", [None, "none", "None", "HS256", "ES384", "RS256", 7, []]
)
def test_another_algorithm_is_refused(alg: object) -> None:
    """Section 4.3: a registered asymmetric digital signature algorithm."""
    claims = SIGNER.claims("GET", URI, TOKEN, NOW)
    header = {"typ": "dpop+jwt", "alg": alg, "jwk": PUBLIC}
    proof = SIGNER.sign_octets(header, json.dumps(claims).encode())
    assert reason_of(proof) == "dpop-alg"


def test_an_algorithm_that_is_not_allowed_is_refused() -> None:
    """Section 4.3: ... acceptable per local policy."""
    rules = attrs.evolve(RULES, algorithms=frozenset({"PS256", "EdDSA"}))
    assert reason_of(prove(), rules=rules) == "dpop-alg"


def test_no_algorithm_is_a_mac() -> None:
    assert {alg[:2] for alg in PROOF_ALGORITHMS} == {"RS", "PS", "ES", "Ed"}


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        "key",
        [PUBLIC],
        {},
        {**PUBLIC, "d": "AAAA"},
        {**PUBLIC, "d": None},
        {**PUBLIC, "kty": "oops"},
        {**PUBLIC, "kty": "oct", "k": "AAAA"},
        {"kty": "oct", "k": "AAAA"},
        {**PUBLIC, "crv": "P-384"},
        {**PUBLIC, "x": PUBLIC["y"], "y": PUBLIC["y"]},
        {**PUBLIC, "x": PUBLIC["x"] + "="},
        {**PUBLIC, "use": "enc"},
        {name: PUBLIC[name] for name in ("kty", "crv", "x")},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
    ],
)
def test_a_key_that_is_not_public_and_strong_is_refused(jwk: object) -> None:
    """Section 4.3: the jwk does not contain a private key."""
    assert reason_of(sign(jwk=jwk)) == "dpop-jwk"


def test_a_private_key_is_refused_however_good_the_proof() -> None:
    """As the private key of RFC 7515 appendix A.3, with which anybody can sign."""
    private = {**PUBLIC, "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}
    assert reason_of(sign(jwk=private)) == "dpop-jwk"
    check(sign())


def test_unknown_header_parameters_and_claims_are_ignored() -> None:
    claims = SIGNER.claims("GET", URI, TOKEN, NOW, other="x", nonce="unasked", exp=1)
    check(SIGNER.sign(claims, other="x", kid="y", x5c=["z"]))


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
@pytest.mark.parametrize("value", [None, [], {}, True])
def test_every_claim_has_to_be_there_and_of_its_type(name: str, value: object) -> None:
    """Section 4.3: all required claims per section 4.2 are contained."""
    assert reason_of(prove(**{name: value})) == f"dpop-{name}"


@pytest.mark.parametrize("jti", ["", "x" * (MAX_JTI + 1), 7])
def test_an_identifier_has_a_length(jti: object) -> None:
    """Section 11.1: servers can restrict the size of jti."""
    assert reason_of(prove(jti=jti)) == "dpop-jti"
    check(prove(jti="x" * MAX_JTI))


@pytest.mark.parametrize("htm", ["POST", "get", "Get", "GET ", "HEAD", ""])
def test_another_method_is_refused(htm: str) -> None:
    """RFC 9110 section 9.1: the method token is case-sensitive."""
    assert reason_of(prove(htm=htm)) == "dpop-htm"


@pytest.mark.parametrize(
    "htu",
    [
        "https://api.example.com/orders/43",
        "https://api.example.com/orders/42/",
        "https://api.example.com/Orders/42",
        "https://api.example.com/",
        "https://api.example.org/orders/42",
        "https://api.example.com.evil.example/orders/42",
        "https://api.example.com:8443/orders/42",
        "http://api.example.com/orders/42",
        "https://user@api.example.com/orders/42",
        "/orders/42",
        "//api.example.com/orders/42",
        "orders/42",
        "",
        "https://api.example.com/orders%2F42",
    ],
)
def test_another_uri_is_refused(htu: str) -> None:
    assert reason_of(prove(htu=htu)) == "dpop-htu"


@pytest.mark.parametrize(
    "htu",
    [
        URI + "?page=1",
        URI + "#part",
        URI + "?page=1#part",
        "HTTPS://API.EXAMPLE.COM/orders/42",
        "https://api.example.com:443/orders/42",
        "https://api.example.com/%6frders/./42",
        "https://api.example.com//orders/42",
    ],
)
def test_another_spelling_of_the_uri_is_the_same(htu: str) -> None:
    """Section 4.3: ignoring any query and fragment parts; normalised."""
    check(prove(htu=htu))


@pytest.mark.parametrize(
    "ath",
    [
        token_hash("other"),
        token_hash(TOKEN) + "=",
        token_hash(TOKEN).lower(),
        token_hash(TOKEN)[:-1],
        "not base64!",
        "é",
        "",
    ],
)
def test_the_hash_of_another_token_is_refused(ath: str) -> None:
    assert reason_of(prove(ath=ath)) == "dpop-ath"


def test_another_key_than_the_tokens_is_refused() -> None:
    """Section 4.3: the public key to which the access token is bound."""
    assert reason_of(OTHER.prove("GET", URI, TOKEN, NOW)) == "dpop-key"


def test_a_signature_by_another_key_is_refused() -> None:
    forged = OTHER.sign(OTHER.claims("GET", URI, TOKEN, NOW), jwk=PUBLIC)
    assert reason_of(forged) == "dpop-signature"


def test_a_changed_proof_is_refused() -> None:
    header, _, signature = prove().split(".")
    claims = json.dumps(SIGNER.claims("GET", URI, TOKEN, NOW)).encode()
    payload = urlsafe_b64encode(claims).rstrip(b"=").decode()
    assert reason_of(f"{header}.{payload}.{signature}") == "dpop-signature"


def test_a_proof_without_signature_is_refused() -> None:
    header, payload, _ = prove().split(".")
    assert reason_of(f"{header}.{payload}.") == "dpop-malformed"
    assert reason_of(f"{header}.{payload}.{'A' * 86}") == "dpop-signature"


@pytest.mark.parametrize("jkt", [None, "", 7, [SIGNER.thumbprint], "x" * 43, "é" * 43])
def test_a_token_that_names_no_key_is_refused(jkt: object) -> None:
    """The token is at fault then, and no proof could be good."""
    with pytest.raises(TokenError) as caught:
        check(prove(), jkt=jkt)
    assert caught.value.error == "invalid_token"
    assert caught.value.reason == "cnf-malformed"


@pytest.mark.parametrize("away", [-10.0, -60.0, 0.0, 10.0, 9.99])
def test_clocks_may_differ_by_ten_seconds(away: float) -> None:
    check(prove(iat=NOW + away))
    check(prove(iat=int(NOW + away)))


@pytest.mark.parametrize("away", [-3600, 3600, -70.1, 10.1, -1e20, 1e20, 10**30])
def test_proofs_of_another_time_are_refused(away: float) -> None:
    """Section 4.3: the creation time is within an acceptable window."""
    assert reason_of(prove(iat=NOW + away)) == "dpop-iat"


@pytest.mark.parametrize("iat", ["1800000000", False, None])
def test_a_time_is_a_number(iat: object) -> None:
    assert reason_of(prove(iat=iat)) == "dpop-iat"


def test_proofs_are_refused_when_their_time_is_over() -> None:
    """Else the mark could be forgotten while the proof is still good."""
    proof = prove()
    until = check(proof).until
    check(proof, now=until)
    assert reason_of(proof, now=until + 0.001) == "dpop-iat"


def nonces(**made: float) -> Any:  # noqa: ANN401
    return made.get


def test_a_nonce_stands_for_the_time() -> None:
    """Section 8: nonces are for clients with bad clocks, too."""
    for iat in (NOW - 3600, NOW, NOW + 3600, 0):
        proof = prove(iat=iat, nonce="n")
        accepted = check(proof, nonce_time=nonces(n=NOW - 100))
        assert accepted.nonce_age == 100
        assert accepted.until == NOW + 200


@pytest.mark.parametrize(
    ("nonce", "reason"),
    [
        (None, "dpop-nonce-missing"),
        ("other", "dpop-nonce"),
        ("", "dpop-nonce"),
        (7, "dpop-nonce"),
        (["n"], "dpop-nonce"),
        ("old", "dpop-nonce-expired"),
        ("future", "dpop-nonce-expired"),
    ],
)
def test_without_a_fresh_nonce_of_ours_one_is_asked_for(
    nonce: object, reason: str
) -> None:
    """Section 9: use_dpop_nonce."""
    made = nonces(n=NOW, old=NOW - 300.1, future=NOW + 10.1)
    with pytest.raises(NonceError) as caught:
        check(prove(nonce=nonce), nonce_time=made)
    assert caught.value.error == "use_dpop_nonce"
    assert caught.value.reason == reason


def test_the_nonce_is_asked_for_last() -> None:
    """Who gets one has a proof that is good otherwise."""
    made = nonces(n=NOW)
    assert reason_of(prove(htm="PUT"), nonce_time=made) == "dpop-htm"
    forged = OTHER.sign(OTHER.claims("GET", URI, TOKEN, NOW), jwk=PUBLIC)
    assert reason_of(forged, nonce_time=made) == "dpop-signature"


@pytest.mark.parametrize("iat", [None, True, "1800000000"])
def test_even_with_a_nonce_there_has_to_be_a_time(iat: object) -> None:
    proof = prove(iat=iat, nonce="n")
    assert reason_of(proof, nonce_time=nonces(n=NOW)) == "dpop-iat"


def test_a_proof_has_the_same_mark_each_time() -> None:
    proof = prove()
    assert check(proof).mark == check(proof, now=NOW + 9).mark
    resigned = SIGNER.sign(read_proof([proof]).claims)
    assert check(resigned).mark == check(proof).mark


@pytest.mark.parametrize(
    "htu", [URI + "?page=1", "HTTPS://api.example.com:443/orders/42"]
)
def test_another_spelling_of_the_uri_makes_no_other_mark(htu: str) -> None:
    assert check(prove(jti="1", htu=htu)).mark == check(prove(jti="1")).mark


@given(one=st.text(min_size=1, max_size=5), other=st.text(min_size=1, max_size=5))
def test_other_proofs_have_other_marks(one: str, other: str) -> None:
    marks = [check(prove(jti=jti)).mark for jti in (one, other)]
    assert (marks[0] == marks[1]) == (one == other)


def test_marks_are_of_one_key_and_one_uri() -> None:
    """Section 11.1: in the context of the target URI."""
    elsewhere = "https://api.example.com/other"
    marks = {
        check(prove(jti="1")).mark,
        check(SIGNER.prove("GET", elsewhere, TOKEN, NOW, jti="1"), uri=elsewhere).mark,
        check(OTHER.prove("GET", URI, TOKEN, NOW, jti="1"), jkt=OTHER.thumbprint).mark,
    }
    assert len(marks) == 3


@given(text=st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(ProofError):
        read_proof([text])


@given(
    claims=st.dictionaries(
        st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce"]),
        st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.none()),
    )
)
def test_no_claims_do_harm(claims: dict[str, object]) -> None:
    good = read_proof([prove()])
    proof = Proof(
        alg=good.alg,
        key=good.key,
        claims=claims,
        signing_input=good.signing_input,
        signature=good.signature,
    )
    with pytest.raises(ProofError):
        check(proof, nonce_time=nonces())


def test_a_proof_does_not_show_itself() -> None:
    text = prove(jti="c4n4ry")
    proof = read_proof([text])
    assert "c4n4ry" not in repr(proof)
    assert text.rpartition(".")[2] not in repr(proof)


def test_a_weak_key_is_refused() -> None:
    weak = TokenSigner.create("RS256").public_jwk(use=None, alg=None)
    weak["n"] = weak["n"][:171]
    assert reason_of(sign(jwk=weak, alg="RS256")) == "dpop-jwk"
