"""Claims are checked as RFC 7519 and RFC 9068 say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.oauth.claims import (
    check_claims,
    check_type,
    expiry,
    read_scopes,
)

NOW = 1_800_000_000.0
ISSUER = "https://login.example.com"
GOOD = {
    "iss": ISSUER,
    "aud": "https://api.example.com",
    "sub": "alice",
    "exp": NOW + 300,
}


def check(claims: dict[str, Any], **options: Any) -> None:  # noqa: ANN401
    check_claims(
        claims,
        issuer=ISSUER,
        audiences=("https://api.example.com", "orders"),
        now=NOW,
        leeway=10,
        **options,
    )


def refused(**changes: object) -> str:
    claims = {**GOOD, **changes}
    with pytest.raises(TokenError) as caught:
        check({name: value for name, value in claims.items() if value is not ...})
    return caught.value.reason


def test_good_claims_pass() -> None:
    check(GOOD)


@pytest.mark.parametrize(
    "iss",
    [
        ...,
        None,
        "",
        ISSUER + "/",
        ISSUER.upper(),
        "https://login.example.com.evil.example",
        [ISSUER],
        1,
    ],
)
def test_the_issuer_is_compared_exactly(iss: object) -> None:
    assert refused(iss=iss) == "token-issuer"


@pytest.mark.parametrize("aud", ["orders", ["a", "orders"], ["orders"]])
def test_the_audience_has_one_of_ours(aud: object) -> None:
    check({**GOOD, "aud": aud})


@pytest.mark.parametrize(
    "aud", [..., None, "", "order", "orders2", [], ["other"], ["orders", 1], {}, 1]
)
def test_another_audience_is_refused(aud: object) -> None:
    assert refused(aud=aud) == "token-audience"


@pytest.mark.parametrize("sub", [..., None, "", 1, ["alice"], "a\0b", "a\r\nb"])
def test_the_subject_is_a_printable_string(sub: object) -> None:
    assert refused(sub=sub) == "token-subject"


@pytest.mark.parametrize(
    "exp",
    [
        ...,
        None,
        True,
        "1900000000",
        float("nan"),
        float("inf"),
        float("-inf"),
        10**400,
        2**53,
        [NOW + 300],
    ],
)
def test_the_expiry_is_a_date(exp: object) -> None:
    assert refused(exp=exp) == "token-date"


@pytest.mark.parametrize("exp", [NOW - 10, NOW - 11, 0, -1, -(10.0**10)])
def test_a_token_that_is_over_is_refused(exp: float) -> None:
    """RFC 7519 4.1.4: on or after which it MUST NOT be accepted."""
    assert refused(exp=exp) == "token-expired"


@pytest.mark.parametrize("exp", [NOW - 9.9, NOW, NOW + 1, int(NOW) + 1])
def test_the_leeway_counts_for_the_expiry(exp: float) -> None:
    check({**GOOD, "exp": exp})


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_of_the_future_is_refused(name: str) -> None:
    check({**GOOD, name: NOW + 10})
    assert refused(**{name: NOW + 10.1}) == "token-early"


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize("value", [None, "0", True, float("nan"), 10**400])
def test_dates_that_are_there_are_dates(name: str, value: object) -> None:
    assert refused(**{name: value}) == "token-date"


def test_further_claims_may_be_required() -> None:
    check({**GOOD, "client_id": None}, required=("client_id",))
    with pytest.raises(TokenError) as caught:
        check(GOOD, required=("client_id",))
    assert caught.value.reason == "token-claim"


@given(claims=st.dictionaries(st.sampled_from([*GOOD, "nbf", "iat"]), st.floats()))
def test_numbers_alone_are_never_enough(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenError):
        check(claims)


def test_the_expiry_is_given_as_a_number() -> None:
    assert expiry({"exp": 12}) == 12.0


@pytest.mark.parametrize("typ", [None, "jwt", "id_token", "logout+jwt", "dpop+jwt", ""])
def test_other_types_are_refused_unless_all_are_allowed(typ: str | None) -> None:
    """RFC 9068 4: MUST verify that typ is at+jwt and reject any other value."""
    check_type(typ, "any")
    with pytest.raises(TokenError):
        check_type(typ, "at+jwt")


def test_access_tokens_pass() -> None:
    check_type("at+jwt", "at+jwt")


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": ""}, set()),
        ({"scope": "a"}, {"a"}),
        ({"scope": "a b  a "}, {"a", "b"}),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scope": []}, set()),
        ({"scp": ["a"]}, {"a"}),
        ({"scp": "a b"}, {"a", "b"}),
        ({"scope": "a", "scp": "b"}, {"a"}),
    ],
)
def test_scopes_are_read(claims: dict[str, Any], scopes: set[str]) -> None:
    assert read_scopes(claims) == scopes


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, ["a", 1], True])
def test_scopes_of_another_form_are_refused(value: object) -> None:
    with pytest.raises(TokenError):
        read_scopes({"scope": value})
