"""Claims are checked as RFC 7519 and RFC 9068 say."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.oauth.claims import (
    ClaimRules,
    check_claims,
    check_introspected,
    check_type,
    expiry,
    read_scopes,
    read_subject,
)

NOW = 1_800_000_000.0
ISSUER = "https://login.example.com"
GOOD = {
    "iss": ISSUER,
    "aud": "https://api.example.com",
    "sub": "alice",
    "exp": NOW + 300,
}


RULES = ClaimRules(
    issuer=ISSUER,
    audiences=frozenset({"https://api.example.com", "orders"}),
    leeway=10.0,
)


def check(claims: dict[str, Any], **options: Any) -> None:  # noqa: ANN401
    check_claims(claims, attrs.evolve(RULES, **options), NOW)


def reason(claims: dict[str, Any], **options: Any) -> str:  # noqa: ANN401
    """Give why *claims* of a JWT are refused."""
    with pytest.raises(TokenError) as caught:
        check(claims, **options)
    return caught.value.reason


def asked(claims: dict[str, Any], **options: Any) -> None:  # noqa: ANN401
    check_introspected(claims, attrs.evolve(RULES, **options), NOW)


def asked_reason(claims: dict[str, Any], **options: Any) -> str:  # noqa: ANN401
    """Give why *claims* of an introspection response are refused."""
    with pytest.raises(TokenError) as caught:
        asked(claims, **options)
    return caught.value.reason


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
    assert reason(GOOD, required=("client_id",)) == "token-claim"


@pytest.mark.parametrize("iat", [NOW - 70, NOW, NOW + 10])
def test_a_token_may_have_to_be_young(iat: float) -> None:
    check({**GOOD, "iat": iat}, max_age=60.0)


def test_a_token_that_is_too_old_is_refused() -> None:
    assert reason({**GOOD, "iat": NOW - 70.1}, max_age=60.0) == "token-old"
    assert reason(GOOD, max_age=60.0) == "token-date"


CLIENTS = frozenset({"portal", "batch"})


@pytest.mark.parametrize(
    "named",
    [{"client_id": "portal"}, {"azp": "batch"}, {"client_id": "batch", "azp": "batch"}],
)
def test_tokens_of_listed_clients_pass(named: dict[str, str]) -> None:
    check({**GOOD, **named}, clients=CLIENTS)


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"client_id": "other"},
        {"azp": "other"},
        {"client_id": None},
        {"client_id": ["portal"]},
        {"client_id": "portal", "azp": "batch"},
        {"client_id": "portal", "azp": None},
    ],
)
def test_tokens_of_other_clients_are_refused(named: dict[str, object]) -> None:
    """The issuer may give tokens for us to clients that are none of ours."""
    assert reason({**GOOD, **named}, clients=CLIENTS) == "token-client"
    check({**GOOD, **named})


def test_the_first_claim_that_is_there_names_the_subject() -> None:
    client = {"client_id": "batch"}
    assert read_subject({"sub": "alice", **client}, ("sub", "client_id")) == "alice"
    assert read_subject(client, ("sub", "client_id")) == "batch"
    with pytest.raises(TokenError):
        read_subject({"sub": None, **client}, ("sub", "client_id"))


def test_an_introspection_response_needs_little_but_an_audience_and_a_subject() -> None:
    asked({"active": True, "aud": "orders", "sub": "alice"})
    assert asked_reason({"sub": "alice"}) == "token-audience"
    assert asked_reason({"aud": "orders"}) == "token-subject"


def test_the_audience_of_an_introspection_response_may_be_optional() -> None:
    asked({"sub": "alice"}, audience_optional=True)
    audiences: list[Any] = ["other", [], None]
    for aud in audiences:
        claims: dict[str, Any] = {"sub": "alice", "aud": aud}
        assert asked_reason(claims, audience_optional=True) == "token-audience"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": ISSUER + "/"}, "token-issuer"),
        ({"aud": ["other"]}, "token-audience"),
        ({"exp": NOW - 10}, "token-expired"),
        ({"exp": "0"}, "token-date"),
        ({"exp": None}, "token-date"),
        ({"nbf": NOW + 11}, "token-early"),
        ({"token_type": "refresh_token"}, "token-type"),
        ({"token_type": None}, "token-type"),
        ({"token_use": "refresh_token"}, "token-type"),
        ({"token_use": ["access_token"]}, "token-type"),
        ({"typ": "Refresh"}, "token-type"),
        ({"typ": "ID"}, "token-type"),
    ],
)
def test_what_an_introspection_response_says_has_to_be_right(
    changes: dict[str, Any], expected: str
) -> None:
    """RFC 7662 2.1: a server may introspect refresh tokens, which are active, too."""
    assert asked_reason({**GOOD, **changes}) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"token_type": "bearer"},
        {"token_type": "DPoP"},
        {"token_use": "access_token"},
        {"token_use": "access"},
        {"typ": "Bearer"},
    ],
)
def test_access_tokens_by_every_name_pass(changes: dict[str, Any]) -> None:
    asked({**GOOD, **changes})


@given(claims=st.dictionaries(st.sampled_from([*GOOD, "nbf", "iat"]), st.floats()))
def test_numbers_alone_are_never_enough(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenError):
        check(claims)


def test_the_expiry_is_given_as_a_number() -> None:
    assert expiry({"exp": 12}) == 12.0


@pytest.mark.parametrize("typ", [None, "jwt", "id_token", "logout+jwt", "dpop+jwt", ""])
def test_other_types_are_refused_unless_all_are_allowed(typ: str | None) -> None:
    """RFC 9068 4: MUST verify that typ is at+jwt and reject any other value."""
    with pytest.raises(TokenError):
        check_type(typ, {"at+jwt"})


@pytest.mark.parametrize("typ", [None, "jwt", "at+jwt", "id_token"])
def test_all_types_may_be_allowed(typ: str | None) -> None:
    check_type(typ, {"any"})


@pytest.mark.parametrize(
    "typ", ["dpop+jwt", "logout+jwt", "token-introspection+jwt", "secevent+jwt"]
)
def test_what_says_that_it_is_something_else_is_never_an_access_token(typ: str) -> None:
    """RFC 9701 8.1: introspection responses MUST NOT be accepted as access tokens."""
    with pytest.raises(TokenError):
        check_type(typ, {"any"})


def test_a_type_called_any_is_a_type_like_others() -> None:
    with pytest.raises(TokenError):
        check_type("any", {"at+jwt"})


def test_types_may_be_named() -> None:
    check_type("at+jwt", {"at+jwt"})
    check_type("jwt", {"at+jwt", "jwt"})
    with pytest.raises(TokenError):
        check_type(None, {"at+jwt", "jwt"})


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
