"""Single claims are asked for as OpenID Connect Core section 5.5 has it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oidc.claims_request import (
    MAX_CLAIMS,
    check_claims_request,
    read_claims_request,
    write_claims_request,
)

# the example of section 5.5
EXAMPLE: dict[str, Any] = {
    "userinfo": {
        "given_name": {"essential": True},
        "nickname": None,
        "http://example.info/claims/groups": None,
    },
    "id_token": {
        "auth_time": {"essential": True},
        "acr": {"values": ["urn:mace:incommon:iap:silver"]},
    },
}


def test_the_example_of_the_standard() -> None:
    text = json.dumps(EXAMPLE)
    assert read_claims_request(text) == EXAMPLE
    assert write_claims_request({"id_token": {"a": None}}) == '{"id_token":{"a":null}}'


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"id_token": None}, "id_token is no object"),
        ({"id_token": []}, "id_token is no object"),
        ({"userinfo": {"email": True}}, "userinfo.email is neither null nor an object"),
        ({"userinfo": {"email": {"essential": 1}}}, "essential of userinfo.email"),
        ({"id_token": {"acr": {"values": "1"}}}, "values of id_token.acr"),
        ({"id_token": {"acr": {"value": object()}}}, "written as JSON"),
        ({"id_token": {"acr": {"value": float("nan")}}}, "written as JSON"),
        ({"id_token": {"a" * MAX_CLAIMS: None}}, "has more than"),
    ],
)
def test_what_asks_for_no_claims_is_refused(
    claims: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=f"^claims: .*{problem}"):
        check_claims_request(claims)


@pytest.mark.parametrize("text", ["", "[]", "null", '{"a":{},"a":{}}', "{", "\ud800"])
def test_what_is_no_strict_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        read_claims_request(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["id_token", "value", "acr"]), inner)
        ),
    ).map(json.dumps)
    | st.text()
)
def test_whatever_is_read_can_be_written(text: str) -> None:
    try:
        claims = read_claims_request(text)
    except ValueError:
        return
    assert read_claims_request(write_claims_request(claims)) == claims
