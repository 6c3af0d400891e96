"""What was asked for as essential is there, or nobody is let in."""

from typing import Any

import pytest

from sso_proxy.authn.oidc_checks import (
    check_essential,
    check_prompt,
)
from sso_proxy.errors import TokenError


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"id_token": {"email": {}}},
        {"id_token": {"email": {"value": "x@example.com"}}},
        {"id_token": {"email": {"essential": False, "value": "x@example.com"}}},
        {"id_token": {"sub": {"essential": True}}},
        {"id_token": {"acr": {"essential": True, "values": ["gold", "silver"]}}},
        {"userinfo": {"verified": {"essential": True, "value": True}}},
    ],
)
def test_what_is_there_or_not_essential_passes(asked: dict[str, Any]) -> None:
    sources: dict[str, dict[str, Any]] = {
        "id_token": {"sub": "alice", "acr": "silver"},
        "userinfo": {"verified": True},
    }
    check_essential(asked, sources)


@pytest.mark.parametrize(
    ("asked", "sources"),
    [
        ({"id_token": {"email": {"essential": True}}}, {"id_token": {"sub": "a"}}),
        ({"id_token": {"email": {"essential": True}}}, {"userinfo": {"email": "e"}}),
        ({"userinfo": {"email": {"essential": True}}}, {"id_token": {"email": "e"}}),
        (
            {"id_token": {"acr": {"essential": True, "values": ["gold"]}}},
            {"id_token": {"acr": "silver"}},
        ),
        (
            {"id_token": {"ok": {"essential": True, "value": True}}},
            {"id_token": {"ok": 1}},
        ),
    ],
)
def test_an_essential_claim_must_be_where_it_was_asked_for(
    asked: dict[str, Any], sources: dict[str, Any]
) -> None:
    with pytest.raises(TokenError) as caught:
        check_essential(asked, sources)
    assert caught.value.reason == "login-claims"


def test_a_login_before_it_was_asked_for_is_none() -> None:
    with pytest.raises(TokenError):
        check_prompt("consent login", {"auth_time": 80}, begun=100, leeway=10)


@pytest.mark.parametrize(
    ("prompt", "claims"),
    [
        ("login", {"auth_time": 95}),
        ("login", {}),
        ("consent", {"auth_time": 1}),
        ("", {"auth_time": 1}),
    ],
)
def test_other_logins_pass(prompt: str, claims: dict[str, Any]) -> None:
    check_prompt(prompt, claims, begun=100, leeway=10)
