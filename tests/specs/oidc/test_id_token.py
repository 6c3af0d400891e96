"""An ID token that is not right in every point ends no login."""

import math
from contextlib import suppress
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.keys import read_jwks, read_secret
from sso_proxy.specs.oidc.envelope import EnvelopeRules
from sso_proxy.specs.oidc.hashes import half_hashes
from sso_proxy.specs.oidc.id_token import (
    IdTokenRules,
    check_id_token,
    check_refreshed,
    open_id_token,
)
from sso_proxy.testing.tokens import TokenSigner, jwks

NOW = 1_800_000_000.0
ISSUER = "https://op.example"
RULES = IdTokenRules(issuer=ISSUER, client_id="us")
FAPI = attrs.evolve(RULES, fapi=True, audiences=frozenset({"them"}))
GOOD: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": "us",
    "exp": NOW + 300,
    "iat": NOW - 2,
    "nonce": "n-1",
}
MISSING = object()
ES256 = TokenSigner.create("ES256", "k1")
RS256 = TokenSigner.create("RS256", "k2")
KEYS = read_jwks(jwks(ES256, RS256))
(AT_HASH,) = half_hashes("at", "ES256")
(C_HASH,) = half_hashes("code", "ES256")
(S_HASH,) = half_hashes("state", "ES256")


def changed(changes: dict[str, Any], base: dict[str, Any] = GOOD) -> dict[str, Any]:
    claims = {**base, **changes}
    return {name: value for name, value in claims.items() if value is not MISSING}


def check(
    rules: IdTokenRules = RULES,
    /,
    *,
    asked: Any = None,  # noqa: ANN401
    **changes: object,
) -> None:
    options = {"alg": "ES256", "now": NOW, "nonce": "n-1", **(asked or {})}
    check_id_token(changed(changes), rules, **options)


def reason(
    rules: IdTokenRules = RULES,
    /,
    *,
    asked: Any = None,  # noqa: ANN401
    **changes: object,
) -> str:
    with pytest.raises(TokenError) as caught:
        check(rules, asked=asked, **changes)
    return caught.value.reason


def test_good_token_is_taken() -> None:
    check()


def test_ignored_extra_claims() -> None:
    check(more={"a": [1, None]}, email="a@example.com", sid=None)


class TestIssuer:
    """Point 2."""

    @pytest.mark.parametrize("iss", [ISSUER + "1", ISSUER + "/", "", None, [ISSUER]])
    def test_invalid_iss(self, iss: object) -> None:
        assert reason(iss=iss) == "token-issuer"

    def test_missing_iss(self) -> None:
        assert reason(iss=MISSING) == "token-issuer"

    def test_issuers_of_tenants(self) -> None:
        rules = attrs.evolve(
            RULES, issuer="https://op.example/{tenantid}", tenants=frozenset({"t1"})
        )
        check(rules, iss="https://op.example/t1", tid="t1")
        assert reason(rules, iss="https://op.example/t2", tid="t2") == "token-tenant"
        assert reason(rules, iss="https://op.example/t2", tid="t1") == "token-issuer"


class TestSubject:
    """OpenID Connect Core section 2."""

    def test_missing_sub(self) -> None:
        assert reason(sub=MISSING) == "token-subject"

    @pytest.mark.parametrize(
        "sub", ["", None, 1, True, ["alice"], {}, "x" * 256, "a\nb", "a\x00", "\u202ea"]
    )
    def test_subject_that_is_no_name_is_refused(self, sub: object) -> None:
        assert reason(sub=sub) == "token-subject"

    def test_longest_subject_is_taken(self) -> None:
        check(sub="x" * 255)


class TestAudience:
    """Points 3 to 5."""

    def test_aud_as_array_of_one(self) -> None:
        check(aud=["us"])
        check(FAPI, aud=["us"])

    @pytest.mark.parametrize(
        "aud", ["them", "", "US", "us ", [], ["them"], None, 1, {"us": 1}, [["us"]]]
    )
    def test_invalid_aud(self, aud: object) -> None:
        assert reason(aud=aud) == "token-audience"

    def test_missing_aud(self) -> None:
        assert reason(aud=MISSING) == "token-audience"

    @pytest.mark.parametrize("other", ["them", "", 1, None, ["us"], {}])
    def test_invalid_secondary_aud(self, other: object) -> None:
        """An audience that we do not trust, even if azp names us."""
        assert reason(aud=["us", other]) == "token-audience"
        assert reason(aud=["us", other], azp="us") == "token-audience"

    def test_audience_that_is_configured_is_taken(self) -> None:
        rules = attrs.evolve(RULES, audiences=frozenset({"them"}))
        check(rules, aud=["us", "them"], azp="us")
        check(rules, aud=["them", "us"], azp="us")
        assert reason(rules, aud="them", azp="us") == "token-audience"

    def test_several_audiences_need_azp(self) -> None:
        rules = attrs.evolve(RULES, audiences=frozenset({"them"}))
        assert reason(rules, aud=["us", "them"]) == "token-azp"

    @pytest.mark.parametrize("azp", ["them", "", None, 1, ["us"]])
    def test_azp_mismatch(self, azp: object) -> None:
        assert reason(azp=azp) == "token-azp"

    def test_azp_that_names_us_is_taken(self) -> None:
        check(azp="us")

    def test_fapi_has_us_alone(self) -> None:
        assert reason(FAPI, aud=["us", "them"], azp="us") == "token-audience"


class TestDates:
    """Points 9 and 10."""

    def test_expired(self) -> None:
        check(exp=NOW - 9)
        assert reason(exp=NOW - 10) == "token-expired"

    def test_leeway_is_the_rules(self) -> None:
        rules = attrs.evolve(RULES, leeway=0.0)
        check(rules, exp=NOW + 1)
        assert reason(rules, exp=NOW) == "token-expired"

    def test_missing_exp(self) -> None:
        assert reason(exp=MISSING) == "token-date"

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf", "auth_time"])
    @pytest.mark.parametrize(
        "value",
        [
            *("1800000300", "", None, True, False, [], {}, [NOW]),
            *(math.nan, math.inf, -math.inf, -1, -1e300, 2**70),
        ],
    )
    def test_exp_not_a_number(self, name: str, value: object) -> None:
        assert reason(**{name: value}) == "token-date"

    @pytest.mark.parametrize("name", ["exp", "iat", "nbf", "auth_time"])
    @pytest.mark.parametrize("value", [1e300, 253402300800, NOW * 1000])
    def test_exp_1e300(self, name: str, value: float) -> None:
        assert reason(**{name: value}) == "token-date"

    def test_fractions_of_seconds_are_taken(self) -> None:
        check(exp=NOW + 0.5, iat=NOW - 0.5)

    def test_missing_iat(self) -> None:
        assert reason(iat=MISSING) == "token-date"

    def test_iat_in_future(self) -> None:
        check(iat=NOW + 600)
        assert reason(iat=NOW + 601) == "token-early"

    def test_iat_week_in_past(self) -> None:
        check(iat=NOW - 600)
        assert reason(iat=NOW - 601) == "token-old"
        assert reason(iat=NOW - 604800) == "token-old"

    def test_nbf_to_come_is_refused(self) -> None:
        check(nbf=NOW + 10)
        assert reason(nbf=NOW + 11) == "token-early"


class TestNonce:
    """Point 11."""

    @pytest.mark.parametrize(
        "nonce", ["n-2", "", "N-1", None, 1, ["n-1"], "ä", "\ud800"]
    )
    def test_nonce_invalid(self, nonce: object) -> None:
        assert reason(nonce=nonce) == "token-nonce"

    def test_nonce_missing(self) -> None:
        assert reason(nonce=MISSING) == "token-nonce"

    def test_nonce_that_was_not_sent_is_not_compared(self) -> None:
        check(asked={"nonce": None})


HASHES = [
    ("at_hash", "access_token", "at", AT_HASH),
    ("c_hash", "code", "code", C_HASH),
    ("s_hash", "state", "state", S_HASH),
]


@pytest.mark.parametrize(("claim", "option", "value", "hash_"), HASHES)
class TestHashes:
    """3.1.3.8, 3.3.2.9, 3.3.2.10; FAPI 1.0 Advanced 5.2.2.1."""

    def test_right_hash_is_taken(
        self, claim: str, option: str, value: str, hash_: str
    ) -> None:
        check(asked={option: value, "required_hashes": {claim}}, **{claim: hash_})

    def test_hash_invalid(
        self, claim: str, option: str, value: str, hash_: str
    ) -> None:
        """It is checked wherever it is."""
        expected = f"token-{claim[:-5]}-hash"
        for bad in (hash_[:-1], hash_ + "=", hash_.lower(), "", None, 1, [hash_]):
            assert reason(asked={option: value}, **{claim: bad}) == expected
        assert reason(asked={option: value + "x"}, **{claim: hash_}) == expected

    def test_hash_missing(
        self, claim: str, option: str, value: str, hash_: str
    ) -> None:
        assert hash_
        check(asked={option: value})
        asked = {option: value, "required_hashes": {claim}}
        assert reason(asked=asked) == f"token-{claim[:-5]}-hash"

    def test_hash_of_what_did_not_come_is_not_compared(
        self, claim: str, option: str, value: str, hash_: str
    ) -> None:
        assert option
        assert value
        check(**{claim: hash_})
        required = {"required_hashes": {claim}}
        assert reason(asked=required, **{claim: hash_}).endswith("-hash")


def test_hash_is_the_one_of_the_algorithm() -> None:
    asked = {"access_token": "at", "alg": "RS512"}
    assert reason(asked=asked, at_hash=AT_HASH) == "token-at-hash"
    check(asked=asked, at_hash=half_hashes("at", "RS512")[0])


class TestWhatWasAsked:
    """Points 12 and 13: what was asked for is enforced."""

    def test_age_is_not_looked_at_unless_asked(self) -> None:
        check(auth_time=NOW - 1e6)

    def test_auth_time_has_to_be_there(self) -> None:
        assert reason(asked={"max_age": 60}) == "token-auth-time"

    def test_login_too_long_ago_is_refused(self) -> None:
        check(asked={"max_age": 60}, auth_time=NOW - 70)
        assert reason(asked={"max_age": 60}, auth_time=NOW - 71) == "token-auth-time"

    def test_age_of_zero_counts(self) -> None:
        check(asked={"max_age": 0}, auth_time=NOW)
        assert reason(asked={"max_age": 0}, auth_time=NOW - 11) == "token-auth-time"

    def test_age_counts_to_when_it_was_asked_for(self) -> None:
        """The user may have read the provider's pages for five minutes."""
        asked = {"max_age": 60, "asked_at": NOW - 300}
        check(asked=asked, auth_time=NOW - 370)
        assert reason(asked=asked, auth_time=NOW - 371) == "token-auth-time"

    def test_login_to_come_is_refused(self) -> None:
        check(auth_time=NOW + 600)
        assert reason(auth_time=NOW + 601) == "token-auth-time"

    def test_acr_is_one_of_those_asked_for(self) -> None:
        asked = {"acr_values": ("gold", "silver")}
        check(asked=asked, acr="silver")
        for acr in ("bronze", "", None, MISSING, ["gold"], 1, {}):
            assert reason(asked=asked, acr=acr) == "token-acr"

    def test_acr_is_not_looked_at_unless_asked(self) -> None:
        check(acr="bronze")


def test_logout_token_is_refused() -> None:
    """It has the same issuer, audience and key."""
    event: dict[str, object] = {
        "http://schemas.openid.net/event/backchannel-logout": {}
    }
    assert reason(events=event, asked={"nonce": None}) == "token-type"
    check(events={"other": {}})
    check(events=["x"])


class TestOpening:
    """Signature and encryption; the rest is in test_envelope.py."""

    def test_signed_token_is_opened(self) -> None:
        header, claims = open_id_token(ES256.sign(GOOD, typ="JWT"), KEYS, RULES)
        assert header.alg == "ES256"
        check_id_token(claims, RULES, alg=header.alg, now=NOW, nonce="n-1")

    def test_fapi_has_its_own_algorithms(self) -> None:
        """The test modules' invalid-alternate-alg is RS256."""
        text = RS256.sign(GOOD, typ="JWT")
        open_id_token(text, KEYS, RULES)
        with pytest.raises(TokenError) as caught:
            open_id_token(text, KEYS, FAPI)
        assert caught.value.reason == "token-alg"
        open_id_token(ES256.sign(GOOD, typ="JWT"), KEYS, FAPI)
        open_id_token(RS256.using("PS256").sign(GOOD, typ="JWT"), pss_keys(), FAPI)

    def test_fapi_has_no_macs(self) -> None:
        secret = "x" * 32
        envelope = EnvelopeRules(algorithms=frozenset({"HS256"}))
        text = TokenSigner.of_secret(secret.encode()).sign(GOOD, typ="JWT")
        macs = (read_secret(secret),)
        rules = attrs.evolve(RULES, envelope=envelope)
        assert open_id_token(text, KEYS, rules, mac_keys=macs)[1] == GOOD
        with pytest.raises(TokenError):
            open_id_token(text, KEYS, attrs.evolve(rules, fapi=True), mac_keys=macs)

    def test_unsigned_token_is_taken_by_setting_in_the_code_flow_alone(self) -> None:
        text = "eyJhbGciOiJub25lIn0.e30."
        rules = attrs.evolve(RULES, envelope=EnvelopeRules(allow_none=True))
        header, claims = open_id_token(text, KEYS, rules)
        assert (header.alg, claims) == ("none", {})
        refused: list[tuple[IdTokenRules, bool]] = [
            (rules, True),
            (RULES, False),
            (attrs.evolve(rules, fapi=True), False),
        ]
        for other, front in refused:
            with pytest.raises(TokenError):
                open_id_token(text, KEYS, other, front_channel=front)


def pss_keys() -> Any:  # noqa: ANN401
    return read_jwks(jwks(RS256.public_jwk(alg=None)))


class TestRefreshed:
    """OpenID Connect Core section 12.2."""

    BEFORE: ClassVar = {
        **GOOD,
        "auth_time": NOW - 4000,
        "iat": NOW - 4000,
        "exp": NOW - 3700,
    }
    AFTER: ClassVar = changed({"nonce": MISSING})

    def reason(self, **changes: object) -> str:
        with pytest.raises(TokenError) as caught:
            self.check(**changes)
        return caught.value.reason

    def check(self, **changes: object) -> None:
        check_refreshed(
            changed(changes, self.AFTER),
            RULES,
            alg="ES256",
            now=NOW,
            before=self.BEFORE,
            access_token="at",
        )

    def test_new_token_of_the_same_user_is_taken(self) -> None:
        self.check()
        self.check(nonce="n-1", auth_time=NOW - 4000, at_hash=AT_HASH)

    def test_id_token_invalid_iss(self) -> None:
        assert self.reason(iss=ISSUER + "1") == "token-issuer"

    def test_other_tenant_is_refused(self) -> None:
        rules = attrs.evolve(
            RULES, issuer="https://op.example/{tenantid}", tenants=frozenset({"*"})
        )
        claims = changed({"iss": "https://op.example/b", "tid": "b"}, self.AFTER)
        before = {**self.BEFORE, "iss": "https://op.example/a", "tid": "a"}
        with pytest.raises(TokenError, match="iss is not as it was"):
            check_refreshed(claims, rules, alg="ES256", now=NOW, before=before)

    def test_id_token_invalid_sub(self) -> None:
        assert self.reason(sub="bob") == "token-subject"
        assert self.reason(sub=MISSING) == "token-subject"

    def test_other_nonce_is_refused(self) -> None:
        assert self.reason(nonce="n-2") == "token-nonce"

    def test_other_audience_is_refused(self) -> None:
        assert self.reason(aud="them") == "token-audience"

    def test_old_token_is_refused(self) -> None:
        assert self.reason(exp=NOW - 10) == "token-expired"
        assert self.reason(iat=NOW - 4000) == "token-old"

    def test_earlier_login_is_refused(self) -> None:
        assert self.reason(auth_time=NOW - 4001) == "token-auth-time"
        self.check(auth_time=NOW - 100)

    def test_hash_of_another_access_token_is_refused(self) -> None:
        assert self.reason(at_hash=C_HASH) == "token-at-hash"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = [*GOOD, "nbf", "azp", "at_hash", "auth_time", "acr", "events", "tid"]


@given(claims=st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_any_claims_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenError):
        check_id_token(
            claims,
            RULES,
            alg="ES256",
            now=NOW,
            nonce="n-1",
            access_token="at",
            max_age=60,
            acr_values=("gold",),
        )


@given(name=st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nonce"]), value=VALUES)
def test_good_token_with_another_value_is_refused(name: str, value: object) -> None:
    """Any JSON value in place of a required claim's."""
    if name == "sub" and isinstance(value, str) and value.isprintable() and value:
        return  # who it is, is the provider's to say
    with pytest.raises(TokenError):
        check(**{name: value})


@given(changes=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))
def test_no_claims_crash(changes: dict[str, Any]) -> None:
    asked = {"access_token": "at", "max_age": 60, "acr_values": ("gold",)}
    base = {**GOOD, "auth_time": NOW, "acr": "gold"}
    claims = {**base, **changes}
    with suppress(TokenError):
        check(asked=asked, **claims)
    with suppress(TokenError):
        check_refreshed(claims, RULES, alg="ES256", now=NOW, before=base)
