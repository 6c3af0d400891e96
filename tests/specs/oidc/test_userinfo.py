"""Only what is about the user who logs in is taken from a UserInfo endpoint."""

import json
from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.decrypt import read_decryption_keys
from sso_proxy.specs.jose.keys import UnknownKeyError, read_jwks, read_secret
from sso_proxy.specs.oidc.envelope import EnvelopeRules
from sso_proxy.specs.oidc.userinfo import (
    MAX_USERINFO,
    UserInfoRules,
    read_userinfo,
)
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.rsa_key import RSA_KEY

NOW = 1_800_000_000.0
ISSUER = "https://op.example"
RULES = UserInfoRules(issuer=ISSUER, client_id="us")
SIGNED = attrs.evolve(RULES, signed=True)
ENCRYPTED = attrs.evolve(RULES, envelope=EnvelopeRules(encrypted=True))
GOOD: dict[str, Any] = {"sub": "alice", "email": "alice@example.com"}
MISSING = object()
JSON = "application/json"
JWT = "application/jwt"
SIGNER = TokenSigner.create("ES256", "k1")
HEADER = b'{"alg":"ES256","kid":"k1"}'
KEYS = read_jwks(jwks(SIGNER))
OURS = json.loads(JWK.from_pyca(RSA_KEY).export_private())
DECRYPTION = (read_decryption_keys(json.dumps(OURS).encode()),)


def read(
    body: object = GOOD,
    content_type: str | None = JSON,
    rules: UserInfoRules = RULES,
    /,
    **options: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    every = {"subject": "alice", "now": NOW, "keys": KEYS, **options}
    status = every.pop("status", 200)
    return read_userinfo(status, content_type, octets, rules, **every)


def reason(*args: Any, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(TokenError) as caught:
        read(*args, **options)
    return caught.value.reason


def signed(signer: TokenSigner = SIGNER, /, **changes: object) -> bytes:
    members = {**GOOD, "iss": ISSUER, "aud": "us", **changes}
    claims = {name: value for name, value in members.items() if value is not MISSING}
    return signer.sign(claims, typ="JWT").encode()


def encrypted(content: bytes, **header: object) -> bytes:
    members = {"alg": "RSA-OAEP-256", "enc": "A256GCM", **header}
    jwe = JWE(content, json.dumps(members), recipient=JWK(**OURS))
    text: str = jwe.serialize(compact=True)
    return text.encode()


class TestPlain:
    """Answers in JSON."""

    def test_claims_are_read(self) -> None:
        assert read() == GOOD
        assert read(GOOD, "application/json; charset=utf-8") == GOOD

    @pytest.mark.parametrize(
        "sub", ["bob", "aliceinvalid", "ALICE", "", None, 1, ["alice"], {"alice": 1}]
    )
    def test_invalid_sub(self, sub: object) -> None:
        """OpenID Connect Core 5.3.2: "MUST NOT be used"."""
        assert reason({**GOOD, "sub": sub}) == "userinfo-subject"

    def test_missing_sub(self) -> None:
        assert reason({"email": "alice@example.com"}) == "userinfo-subject"

    def test_array_body(self) -> None:
        assert reason([GOOD]) == "userinfo-malformed"

    def test_string_body(self) -> None:
        assert reason("alice") == "userinfo-malformed"

    @pytest.mark.parametrize(
        "body", [b"", b"1", b"null", b"true", b"{", b"<html>", b"\xff", b"{}{}"]
    )
    def test_other_bodies_are_refused(self, body: bytes) -> None:
        assert reason(body) == "userinfo-malformed"

    def test_member_that_occurs_twice_is_refused(self) -> None:
        assert reason(b'{"sub":"bob","sub":"alice"}') == "userinfo-malformed"

    @pytest.mark.parametrize(
        "content_type",
        [
            *(None, "", "text/html", "text/plain", "application/jose"),
            *("application/json, application/jwt", "application/json; charset=utf-16"),
        ],
    )
    def test_wrong_content_type(self, content_type: str | None) -> None:
        assert reason(GOOD, content_type) == "userinfo-type"

    @pytest.mark.parametrize("status", [401, 403, 400, 500, 503, 201, 204])
    def test_error_401(self, status: int) -> None:
        assert reason(status=status) == "userinfo-status"

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirect(self, status: int) -> None:
        assert reason(status=status) == "userinfo-status"

    def test_ten_megabytes(self) -> None:
        body = b'{"sub":"alice","x":"' + b"x" * 10_000_000 + b'"}'
        assert reason(body) == "userinfo-large"
        exact = b'{"sub":"alice","x":"' + b"x" * (MAX_USERINFO - 22) + b'"}'
        assert read(exact)["sub"] == "alice"
        assert reason(exact + b" ") == "userinfo-large"

    def test_answer_that_has_to_be_signed_is(self) -> None:
        assert reason(GOOD, JSON, SIGNED) == "userinfo-unsigned"

    def test_answer_that_has_to_be_encrypted_is(self) -> None:
        assert reason(GOOD, JSON, ENCRYPTED) == "userinfo-unencrypted"

    def test_token_is_no_json(self) -> None:
        assert reason(signed()) == "userinfo-malformed"


class TestSigned:
    """Answers that are JWTs."""

    def test_userinfo_signed(self) -> None:
        assert read(signed(), JWT, SIGNED)["email"] == "alice@example.com"

    def test_what_says_for_whom_it_is_may_be_missing(self) -> None:
        """Section 5.3.2: SHOULD."""
        assert read(signed(iss=MISSING, aud=MISSING), JWT)["sub"] == "alice"

    def test_wrong_signature(self) -> None:
        forged = signed(TokenSigner.create("ES256", "k1"))
        assert reason(forged, JWT) == "token-signature"

    def test_other_key_is_told(self) -> None:
        with pytest.raises(UnknownKeyError):
            read(signed(SIGNER.renamed("k2")), JWT)

    @pytest.mark.parametrize("aud", ["them", ["them"], [], None, 1])
    def test_wrong_aud(self, aud: object) -> None:
        assert reason(signed(aud=aud), JWT) == "token-audience"

    def test_audience_of_several_has_us(self) -> None:
        assert read(signed(aud=["them", "us"]), JWT)["sub"] == "alice"

    @pytest.mark.parametrize("iss", [ISSUER + "1", None, "", [ISSUER]])
    def test_wrong_iss(self, iss: object) -> None:
        assert reason(signed(iss=iss), JWT) == "token-issuer"

    def test_old_answer_is_refused(self) -> None:
        assert reason(signed(exp=NOW - 11), JWT) == "token-expired"
        assert reason(signed(nbf=NOW + 11), JWT) == "token-early"

    def test_other_sub_is_refused(self) -> None:
        assert reason(signed(sub="bob"), JWT) == "userinfo-subject"
        assert reason(signed(sub=MISSING), JWT) == "userinfo-subject"

    def test_unsigned_token_is_refused_whatever_the_setting(self) -> None:
        rules = attrs.evolve(RULES, envelope=EnvelopeRules(allow_none=True))
        text = b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."
        assert reason(text, JWT, rules) == "token-malformed"

    def test_other_algorithm_is_refused(self) -> None:
        envelope = EnvelopeRules(algorithms=frozenset({"RS256"}))
        rules = attrs.evolve(RULES, envelope=envelope)
        assert reason(signed(), JWT, rules) == "token-alg"

    def test_secret_of_the_client_signs_if_configured(self) -> None:
        secret = "x" * 32
        body = signed(TokenSigner.of_secret(secret.encode()))
        envelope = EnvelopeRules(algorithms=frozenset({"HS256"}))
        rules = attrs.evolve(RULES, envelope=envelope)
        macs = (read_secret(secret),)
        assert read(body, JWT, rules, mac_keys=macs)["sub"] == "alice"
        assert reason(body, JWT, mac_keys=macs) == "token-alg"

    @pytest.mark.parametrize("body", [b"", b"\xff", b"a.b", b"{}", b'{"sub":"alice"}'])
    def test_what_is_no_token_is_refused(self, body: bytes) -> None:
        assert reason(body, JWT).endswith("-malformed")


class TestEncrypted:
    """Answers that are encrypted to us."""

    def test_userinfo_encrypted(self) -> None:
        body = encrypted(signed(), cty="JWT")
        assert read(body, JWT, SIGNED, decryption_keys=DECRYPTION)["sub"] == "alice"
        assert read(body, JWT, ENCRYPTED, decryption_keys=DECRYPTION)["sub"] == "alice"

    def test_answer_may_be_encrypted_and_not_signed(self) -> None:
        """Section 5.3.2: "signed and/or encrypted"."""
        body = encrypted(json.dumps(GOOD).encode())
        for rules in (RULES, ENCRYPTED):
            assert read(body, JWT, rules, decryption_keys=DECRYPTION) == GOOD

    def test_answer_that_has_to_be_signed_is_inside(self) -> None:
        body = encrypted(json.dumps(GOOD).encode())
        found = reason(body, JWT, SIGNED, decryption_keys=DECRYPTION)
        assert found == "userinfo-unsigned"

    def test_what_is_inside_is_checked(self) -> None:
        for content, expected in (
            (signed(aud="them"), "token-audience"),
            (signed(sub="bob"), "userinfo-subject"),
            (signed(TokenSigner.create("ES256", "k1")), "token-signature"),
            (b'{"sub":"bob"}', "userinfo-subject"),
            (b'{"sub":"alice","aud":"them"}', "token-audience"),
            (b"{", "userinfo-malformed"),
            (b"\xff", "userinfo-malformed"),
            (b"x", "token-malformed"),
        ):
            body = encrypted(content)
            assert reason(body, JWT, decryption_keys=DECRYPTION) == expected

    def test_without_a_key_it_is_refused(self) -> None:
        assert reason(encrypted(signed()), JWT) == "token-encrypted"

    def test_answer_that_must_not_be_encrypted_is_refused(self) -> None:
        rules = attrs.evolve(RULES, envelope=EnvelopeRules(encrypted=False))
        body = encrypted(signed())
        found = reason(body, JWT, rules, decryption_keys=DECRYPTION)
        assert found == "token-encrypted"

    def test_signed_answer_that_has_to_be_encrypted_is_refused(self) -> None:
        found = reason(signed(), JWT, ENCRYPTED, decryption_keys=DECRYPTION)
        assert found == "userinfo-unencrypted"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(body=VALUES, media_type=st.sampled_from([JSON, JWT]))
def test_any_answer_is_refused(body: object, media_type: str) -> None:
    with pytest.raises(TokenError):
        read(body, media_type)


@given(st.dictionaries(st.sampled_from(["sub", "iss", "aud", "exp", "nbf"]), VALUES))
def test_no_claims_crash(changes: dict[str, Any]) -> None:
    plain = json.dumps({**GOOD, **changes}).encode()
    for body, media_type in ((plain, JSON), (SIGNER.sign_octets(HEADER, plain), JWT)):
        octets = body if isinstance(body, bytes) else body.encode()
        with suppress(TokenError):
            assert read(octets, media_type)["sub"] == "alice"


@given(st.binary())
def test_any_octets_are_refused(body: bytes) -> None:
    for media_type in (JSON, JWT):
        with pytest.raises(TokenError):
            read(body, media_type)
