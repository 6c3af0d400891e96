"""A token that is not right in every point ends nobody's login."""

import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.decrypt import derive_decryption_keys
from sso_proxy.specs.jose.encrypt import derive_encryption_key, encrypt_compact
from sso_proxy.specs.jose.keys import UnknownKeyError, read_jwks, read_secret
from sso_proxy.specs.oidc.envelope import EnvelopeRules
from sso_proxy.specs.oidc.id_token import LOGOUT_EVENT, IdTokenRules, check_id_token
from sso_proxy.specs.oidc.logout_token import (
    LogoutClaims,
    open_logout_token,
    read_logout,
)
from sso_proxy.testing.tokens import TokenSigner, jwks

NOW = 1_800_000_000.0
ISSUER = "https://op.example"
RULES = IdTokenRules(issuer=ISSUER, client_id="us")
ES256 = TokenSigner.create("ES256", "k1")
KEYS = read_jwks(jwks(ES256))
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": "us",
    "iat": NOW - 2,
    "exp": NOW + 120,
    "jti": "t-1",
    "sid": "s-1",
    "events": {LOGOUT_EVENT: {}},
}


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """Give good claims, changed; ``...`` takes one out."""
    return {n: v for n, v in {**GOOD, **changes}.items() if v is not ...}


def read(rules: IdTokenRules = RULES, /, **changes: object) -> LogoutClaims:
    return read_logout(changed(changes), rules, now=NOW)


def reason(rules: IdTokenRules = RULES, /, **changes: object) -> str:
    with pytest.raises(TokenError) as caught:
        read(rules, **changes)
    return caught.value.reason


def test_good_token_says_whose_login_is_over() -> None:
    assert read() == LogoutClaims(issuer=ISSUER, subject="alice", sid="s-1", jti="t-1")


def test_one_of_sub_and_sid_is_enough() -> None:
    """Section 2.4: "A Logout Token MUST contain either a sub or a sid Claim"."""
    assert read(sid=...).sid is None
    assert read(sub=...).subject is None


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": ...},
        {"aud": ["us"]},
        {"azp": "us"},
        {"ignored_claim": {"a": [1]}},
        {"events": {LOGOUT_EVENT: {"more": 1}, "https://other.example/": {}}},
        {"iat": NOW - 599},
        {"iat": NOW + 599},
        {"exp": NOW - 9},
        {"jti": "x" * 255},
    ],
)
def test_what_is_allowed_is_taken(changes: dict[str, object]) -> None:
    assert read(**changes).issuer == ISSUER


class TestRows:
    """The faults of a provider, by their names."""

    def open(self, text: str, **rules: Any) -> dict[str, Any]:  # noqa: ANN401
        return open_logout_token(text, KEYS, attrs.evolve(RULES, **rules))

    def refused(self, text: str, **rules: Any) -> str:  # noqa: ANN401
        with pytest.raises(TokenError) as caught:
            self.open(text, **rules)
        return caught.value.reason

    def test_alg_none(self) -> None:
        """Section 2.6 point 3: "alg [...] MUST NOT be none", whatever is allowed."""
        parts = ({"alg": "none"}, GOOD)
        octets = (urlsafe_b64encode(json.dumps(part).encode()) for part in parts)
        text = ".".join(each.decode().rstrip("=") for each in octets) + "."
        envelope = EnvelopeRules(allow_none=True)
        assert self.refused(text, envelope=envelope) == "token-malformed"

    def test_wrong_alg(self) -> None:
        """The algorithm is pinned as for ID tokens."""
        envelope = EnvelopeRules(algorithms=frozenset({"RS256"}))
        assert self.refused(ES256.sign(GOOD), envelope=envelope) == "token-alg"

    @pytest.mark.parametrize("events", [..., {}, None, [], "x", [LOGOUT_EVENT]])
    def test_no_event(self, events: object) -> None:
        assert reason(events=events) == "token-event"

    @pytest.mark.parametrize("uri", [LOGOUT_EVENT + "/", LOGOUT_EVENT.upper(), ""])
    def test_wrong_event(self, uri: str) -> None:
        assert reason(events={uri: {}}) == "token-event"

    @pytest.mark.parametrize("event", [None, [], "", True, 1])
    def test_event_not_object(self, event: object) -> None:
        assert reason(events={LOGOUT_EVENT: event}) == "token-event"

    @pytest.mark.parametrize("nonce", ["n-1", "", None])
    def test_with_nonce(self, nonce: object) -> None:
        """Section 2.6 point 7: "Verify that it does not contain a nonce Claim"."""
        assert reason(nonce=nonce) == "token-nonce"

    @pytest.mark.parametrize("aud", [..., "them", [], None, {"us": 1}, ["us", "them"]])
    def test_wrong_aud(self, aud: object) -> None:
        assert reason(aud=aud) == "token-audience"

    def test_wrong_azp(self) -> None:
        assert reason(azp="them") == "token-azp"

    @pytest.mark.parametrize("iss", [..., ISSUER + "/", "", None, [ISSUER]])
    def test_wrong_iss(self, iss: object) -> None:
        assert reason(iss=iss) == "token-issuer"

    @pytest.mark.parametrize("iat", [..., None, "1800000000", True, 1e300])
    def test_missing_iat(self, iat: object) -> None:
        assert reason(iat=iat) == "token-date"

    def test_iat_beyond_the_slack(self) -> None:
        assert reason(iat=NOW - 601) == "token-old"
        assert reason(iat=NOW + 601) == "token-early"

    @pytest.mark.parametrize("jti", [..., None, "", 1, [], "x" * 256])
    def test_missing_jti(self, jti: object) -> None:
        assert reason(jti=jti) == "token-jti"

    def test_expired(self) -> None:
        assert reason(exp=NOW - 10) == "token-expired"

    @pytest.mark.parametrize("exp", [None, "never", True, 1e300, float("nan")])
    def test_exp_that_is_no_date(self, exp: object) -> None:
        """It may be missing, and not anything."""
        assert reason(exp=exp) == "token-date"

    def test_no_sub_no_sid(self) -> None:
        assert reason(sub=..., sid=...) == "token-subject"

    @pytest.mark.parametrize("value", [None, "", 1, [], "x" * 256])
    def test_sub_or_sid_that_names_nobody(self, value: object) -> None:
        """The other one does not make up for it: it is unclear what is meant."""
        assert reason(sub=value) == "token-subject"
        assert reason(sid=value) == "token-sid"

    @pytest.mark.parametrize("typ", ["logout+jwt", "application/LOGOUT+JWT", "JWT"])
    def test_logout_typ_plain_jwt(self, typ: str) -> None:
        """Section 2.4 recommends a typ of its own, and demands none."""
        assert self.open(ES256.sign(GOOD, typ=typ)) == GOOD

    @pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", "logout+jwt+jwt"])
    def test_token_of_another_kind(self, typ: str) -> None:
        assert self.refused(ES256.sign(GOOD, typ=typ)) == "token-type"

    def test_signature_of_somebody_else(self) -> None:
        other = TokenSigner.create("ES256", "k1")
        assert self.refused(other.sign(GOOD)) == "token-signature"

    def test_unknown_key_can_be_looked_for(self) -> None:
        other = TokenSigner.create("ES256", "k2")
        with pytest.raises(UnknownKeyError):
            self.open(other.sign(GOOD))

    def test_signed_with_the_client_secret(self) -> None:
        secret = "s" * 40
        keys = read_secret(secret, algorithms=("HS256",))
        text = TokenSigner.of_secret(secret.encode()).sign(GOOD, typ="JWT")
        assert self.refused(text) == "token-alg"
        envelope = EnvelopeRules(algorithms=frozenset({"HS256"}))
        rules = attrs.evolve(RULES, envelope=envelope)
        assert open_logout_token(text, KEYS, rules, mac_keys=(keys,)) == GOOD

    def test_encrypted_as_id_tokens_are(self) -> None:
        """Section 2.6 point 1."""
        keys = derive_decryption_keys("secret")
        to = derive_encryption_key("secret", alg="dir", enc="A256GCM")
        text = encrypt_compact(ES256.sign(GOOD, typ="logout+jwt"), to)
        assert open_logout_token(text, KEYS, RULES, decryption_keys=(keys,)) == GOOD
        envelope = EnvelopeRules(encrypted=True)
        refused = self.refused(ES256.sign(GOOD), envelope=envelope)
        assert refused == "token-not-encrypted"

    def test_fapi_wants_its_algorithms(self) -> None:
        signer = TokenSigner.create("RS256", "k1")
        rules = attrs.evolve(RULES, fapi=True)
        with pytest.raises(TokenError) as caught:
            open_logout_token(signer.sign(GOOD), read_jwks(jwks(signer)), rules)
        assert caught.value.reason == "token-alg"


def test_an_id_token_ends_nothing() -> None:
    """Signed by the same keys, for the same audience; section 2.4 tells them apart."""
    assert reason(events=..., nonce="n-1") == "token-event"


def test_a_logout_token_logs_nobody_in() -> None:
    with pytest.raises(TokenError) as caught:
        check_id_token(GOOD, RULES, alg="ES256", now=NOW, nonce=None)
    assert caught.value.reason == "token-type"


def test_issuers_of_tenants() -> None:
    rules = attrs.evolve(
        RULES, issuer="https://op.example/{tenantid}", tenants=frozenset({"t1"})
    )
    assert read(rules, iss=ISSUER + "/t1", tid="t1").issuer == ISSUER + "/t1"
    assert reason(rules, iss=ISSUER + "/t2", tid="t2") == "token-tenant"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys([*GOOD, "nonce", "azp"], JSON)),
    st.booleans(),
)
def test_no_other_error_is_raised(claims: dict[str, Any], complete: bool) -> None:  # noqa: FBT001
    with suppress(TokenError):
        found = read_logout({**GOOD, **claims} if complete else claims, RULES, now=NOW)
        assert found.issuer == ISSUER
        assert found.subject or found.sid
