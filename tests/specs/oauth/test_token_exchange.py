"""Requests for exchanges have what RFC 8693 wants, and answers are what was asked."""

import json
from typing import Any

import attrs
import pytest

from sso_proxy.specs.oauth.grants import Target
from sso_proxy.specs.oauth.token_exchange import (
    DELIVERABLE,
    GRANT,
    TOKEN_TYPES,
    Exchange,
    Exchanged,
    actor_problem,
    build_exchange,
    issued_problem,
    missing_scopes,
    read_exchanged,
    read_token_type,
)
from sso_proxy.specs.oidc.token_response import TokenResponseError

ACCESS = TOKEN_TYPES["access_token"]
JWT = TOKEN_TYPES["jwt"]
SAML2 = TOKEN_TYPES["saml2"]
REFRESH = TOKEN_TYPES["refresh_token"]
JSON = "application/json"
GOOD = {
    "access_token": "issued",
    "issued_token_type": ACCESS,
    "token_type": "Bearer",
    "expires_in": 300,
}


def read(**changes: object) -> Exchanged:
    members = {**GOOD, **changes}
    body = json.dumps({n: v for n, v in members.items() if v is not None})
    return read_exchanged(200, JSON, body.encode())


def test_the_example_of_the_standard_is_built() -> None:
    """Section 2.3: a subject token of this server, for one resource."""
    fields = build_exchange(
        Exchange(
            subject="accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC",
            subject_type=ACCESS,
            target=Target(resource=("https://backend.example.com/api",)),
        )
    )
    assert set(fields) == {
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("resource", "https://backend.example.com/api"),
        ("subject_token", "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    }


def test_everything_that_there_is_is_sent() -> None:
    fields = build_exchange(
        Exchange(
            subject="s",
            subject_type=JWT,
            actor="a",
            actor_type=ACCESS,
            requested=SAML2,
            target=Target(
                scope=("read", "write"),
                resource=("https://a/", "https://b/"),
                audience=("c", "d"),
            ),
        )
    )
    assert fields == (
        ("grant_type", GRANT),
        ("subject_token", "s"),
        ("subject_token_type", JWT),
        ("actor_token", "a"),
        ("actor_token_type", ACCESS),
        ("requested_token_type", SAML2),
        ("scope", "read write"),
        ("resource", "https://a/"),
        ("resource", "https://b/"),
        ("audience", "c"),
        ("audience", "d"),
    )


def test_the_example_answer_of_the_standard_is_read() -> None:
    assert read(expires_in=60) == Exchanged(
        token="issued", issued=ACCESS, token_type="Bearer", expires_in=60
    )


def test_a_refresh_token_that_comes_along_is_not_kept() -> None:
    assert read(refresh_token="r") == read()
    assert read(refresh_token={"not": "even a token"}) == read()


@pytest.mark.parametrize(
    ("written", "meant"),
    [("bearer", "Bearer"), ("BEARER", "Bearer"), ("N_A", "N_A"), ("dpop", "DPoP")],
)
def test_how_a_token_is_used_is_read(written: str, meant: str) -> None:
    assert read(token_type=written).token_type == meant


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"issued_token_type": None}, "issued_token_type is missing"),
        ({"issued_token_type": 1}, "issued_token_type is no printable ASCII"),
        ({"issued_token_type": "a\nb"}, "issued_token_type is no printable ASCII"),
        ({"token_type": None}, "token_type is neither"),
        ({"token_type": "mac"}, "token_type is neither"),
        ({"token_type": ["Bearer"]}, "token_type is neither"),
        ({"access_token": None}, "access_token is missing"),
        ({"access_token": "a b"}, "access_token is no printable ASCII"),
        ({"expires_in": True}, "expires_in is no number"),
        ({"expires_in": -1}, "expires_in is no number"),
        ({"expires_in": 10**11}, "expires_in is no number"),
        ({"expires_in": 0.5}, "expires_in is no number"),
        ({"scope": ["a"]}, "scope is no list"),
        ({"error": "invalid_target"}, ""),
    ],
)
def test_what_is_no_answer_is_none(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(TokenResponseError) as caught:
        read(**changes)
    assert problem in caught.value.detail


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_no_token_lasts_for_a_number_that_is_none(literal: str) -> None:
    body = json.dumps({**GOOD, "expires_in": "@"}).replace('"@"', literal)
    with pytest.raises(TokenResponseError):
        read_exchanged(200, JSON, body.encode())


def test_a_refusal_has_its_code() -> None:
    body = b'{"error":"invalid_target","error_description":"no"}'
    with pytest.raises(TokenResponseError) as caught:
        read_exchanged(400, JSON, body)
    assert (caught.value.error, caught.value.detail) == ("invalid_target", "no")


def test_what_was_wanted_is_taken() -> None:
    assert issued_problem(read(), requested=ACCESS, accepted=frozenset()) is None
    assert issued_problem(read(), requested="", accepted=frozenset()) is None
    listed = frozenset({ACCESS})
    assert issued_problem(read(), requested=JWT, accepted=listed) is None


@pytest.mark.parametrize(
    ("changes", "requested", "problem"),
    [
        ({}, JWT, "another type"),
        ({"issued_token_type": REFRESH}, "", "another type"),
        ({"issued_token_type": REFRESH}, ACCESS, "another type"),
        ({"issued_token_type": "urn:x"}, "", "another type"),
        ({"token_type": "DPoP"}, "", "bound to our key"),
        ({"token_type": "N_A"}, "", "an access token was issued that is none"),
    ],
)
def test_what_was_not_wanted_is_not_taken(
    changes: dict[str, Any], requested: str, problem: str
) -> None:
    found = issued_problem(read(**changes), requested=requested, accepted=frozenset())
    assert problem in str(found)


def test_what_is_no_access_token_may_be_of_use_otherwise() -> None:
    saml = read(issued_token_type=SAML2, token_type="N_A")
    assert issued_problem(saml, requested=SAML2, accepted=frozenset()) is None


def test_no_backend_gets_a_refresh_token_unasked() -> None:
    assert REFRESH not in DELIVERABLE
    refresh = read(issued_token_type=REFRESH, token_type="N_A")
    assert issued_problem(refresh, requested=REFRESH, accepted=frozenset()) is None


def test_scopes_that_were_not_granted_are_named() -> None:
    assert missing_scopes(read(), ("a", "b")) == ()
    assert missing_scopes(read(scope="b c"), ("a", "b")) == ("a",)
    assert missing_scopes(read(scope=""), ("a",)) == ("a",)


@pytest.mark.parametrize("name", TOKEN_TYPES)
def test_types_have_short_names(name: str) -> None:
    assert read_token_type(name) == f"urn:ietf:params:oauth:token-type:{name}"


def test_any_uri_is_a_type() -> None:
    assert read_token_type("urn:example:ours") == "urn:example:ours"


@pytest.mark.parametrize("text", ["", "acces_token", "https://a/#b", "a b:c"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither a URI nor one of 'access_token'"):
        read_token_type(text)


MAY = {"may_act": {"sub": "admin@example.com", "iss": "https://issuer.example"}}


@pytest.mark.parametrize(
    ("subject", "actor"),
    [
        ({}, None),
        ({}, {"sub": "anybody"}),
        (MAY, {"sub": "admin@example.com", "iss": "https://issuer.example", "x": 1}),
        ({"may_act": {"sub": "a", "exp": 1}}, {"sub": "a", "exp": 2}),
        ({"act": {"sub": "a", "act": {"sub": "b"}}}, {"sub": "c"}),
    ],
)
def test_an_actor_may_act_where_nothing_speaks_against_it(
    subject: dict[str, Any], actor: dict[str, Any] | None
) -> None:
    assert actor_problem(subject, actor) is None


@pytest.mark.parametrize(
    ("subject", "actor", "problem"),
    [
        (MAY, {"sub": "admin@example.com"}, "somebody else: iss differs"),
        (MAY, {"sub": "b", "iss": "https://issuer.example"}, "sub differs"),
        (MAY, {}, "somebody else"),
        (MAY, None, "cannot be read"),
        ({"may_act": "admin"}, {"sub": "admin"}, "names nobody"),
        ({"may_act": {}}, {"sub": "admin"}, "names nobody"),
        ({"may_act": {"exp": 1}}, {"exp": 1}, "names nobody"),
        ({"act": "admin"}, {"sub": "admin"}, "no chain"),
        ({"act": {"act": ["a"]}}, {"sub": "admin"}, "no chain"),
    ],
)
def test_an_actor_may_not_act_where_something_does(
    subject: dict[str, Any], actor: dict[str, Any] | None, problem: str
) -> None:
    """Section 4.4: the claim says who may."""
    assert problem in str(actor_problem(subject, actor))


def test_a_chain_of_actors_has_an_end() -> None:
    chain: dict[str, Any] = {"sub": "a"}
    for _ in range(8):
        chain = {"sub": "a", "act": chain}
    assert "no chain" in str(actor_problem({"act": chain}, {"sub": "b"}))


def test_secrets_are_not_shown() -> None:
    asked = Exchange(subject="very", subject_type=JWT, actor="secret", actor_type=JWT)
    shown = repr(asked) + repr(attrs.evolve(read(), token="very secret"))
    assert "very" not in shown
    assert "secret" not in shown
