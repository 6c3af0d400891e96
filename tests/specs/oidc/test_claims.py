"""Claims of several places become one set, in one order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oidc.claims import (
    COMPOSITE_CLAIMS,
    PROTOCOL_CLAIMS,
    merge_claims,
)

ID_TOKEN = {"iss": "https://op.example", "sub": "alice", "acr": "gold", "email": "id"}


def test_id_token_wins_over_userinfo_and_that_over_others() -> None:
    merged = merge_claims(
        {"sub": "alice", "a": 1}, {"a": 2, "b": 2}, {"a": 3, "b": 3, "c": 3}
    )
    assert merged == {"sub": "alice", "a": 1, "b": 2, "c": 3}


def test_there_may_be_no_others() -> None:
    assert merge_claims(ID_TOKEN) == ID_TOKEN
    assert merge_claims(ID_TOKEN, None, None) == ID_TOKEN


@pytest.mark.parametrize("name", sorted(PROTOCOL_CLAIMS))
def test_claim_about_the_login_is_from_the_id_token_alone(name: str) -> None:
    assert name not in merge_claims({}, {name: "x"}, {name: "x"})
    assert merge_claims({name: "ours"}, {name: "x"}, {name: "x"})[name] == "ours"


@pytest.mark.parametrize("name", sorted(COMPOSITE_CLAIMS))
def test_places_of_other_claims_are_left_out(name: str) -> None:
    """They have access tokens."""
    assert merge_claims({name: {"a": "b"}}, {name: {"a": "b"}}) == {}


def test_nothing_within_a_claim_is_merged() -> None:
    address = {"address": {"country": "DE"}}
    merged = merge_claims(address, {"address": {"locality": "Bonn"}})
    assert merged == address


def test_null_in_the_id_token_counts() -> None:
    assert merge_claims({"email": None}, {"email": "x"}) == {"email": None}


VALUES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.text(max_size=3) | st.sampled_from(sorted(PROTOCOL_CLAIMS)), st.integers()
)


@given(id_token=VALUES, userinfo=VALUES, composite=VALUES)
def test_no_claim_of_the_id_token_is_changed(
    id_token: dict[str, Any], userinfo: dict[str, Any], composite: dict[str, Any]
) -> None:
    merged = merge_claims(id_token, userinfo, composite)
    assert merged | id_token == merged
    assert merged.keys() <= id_token.keys() | userinfo.keys() | composite.keys()
