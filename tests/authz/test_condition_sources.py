"""Conditions about one of the places that claims are from."""

import attrs
import pytest

from sso_proxy.authz.conditions import compile_condition
from sso_proxy.testing.fakes import make_identity, make_request


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("id_token.a == 'x'", True),
        ("userinfo.a == 'x'", False),
        ("userinfo.a == 'y'", True),
        ("claims.a == 'x'", True),
        ("userinfo.b.c contains 1", True),
        ("exists id_token.b", False),
        ("token.a != 'x'", False),
        ("not token.a == 'x'", False),
        ("not exists token.a", True),
    ],
)
def test_a_claim_is_from_the_place_that_is_named(text: str, right: bool) -> None:  # noqa: FBT001
    """UserInfo says another ``a`` than the ID token; there is no access token."""
    identity = attrs.evolve(
        make_identity(claims={"a": "x", "b": {"c": [1]}}),
        sources={"id_token": {"a": "x"}, "userinfo": {"a": "y", "b": {"c": [1]}}},
    )
    assert compile_condition(text, "p").holds(identity, make_request()) is right
