"""Tests for `sso_proxy.specs.oauth.offer`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.bearer import challenge
from sso_proxy.specs.oauth.offer import NOTHING, Offer, complete_challenges

METADATA = "https://api.example.com/.well-known/oauth-protected-resource/orders"
ACCEPT = Offer(dpop="accept", algorithms=("ES256", "EdDSA"))
REQUIRE = Offer(dpop="require", algorithms=("ES256",))


def complete(offer: Offer, *values: str, status: int = 401) -> tuple[str, ...]:
    return complete_challenges(values, offer, status=status)


def test_without_an_offer_challenges_stay_as_they_are() -> None:
    assert complete(NOTHING, 'Bearer realm="a"', "Negotiate") == (
        'Bearer realm="a"',
        "Negotiate",
    )


def test_both_schemes_are_offered_without_an_error() -> None:
    """RFC 9449 7.2: Bearer, and DPoP with algs."""
    assert complete(ACCEPT, 'Bearer realm="a"') == (
        'Bearer realm="a"',
        'DPoP algs="ES256 EdDSA"',
    )


def test_only_the_scheme_that_was_used_has_an_error() -> None:
    assert complete(ACCEPT, 'Bearer error="invalid_token"') == (
        'Bearer error="invalid_token"',
        'DPoP algs="ES256 EdDSA"',
    )
    assert complete(ACCEPT, 'DPoP error="invalid_token"') == (
        'DPoP error="invalid_token", algs="ES256 EdDSA"',
    )


def test_where_dpop_is_required_nothing_else_is_offered() -> None:
    assert complete(REQUIRE, 'Bearer realm="a"') == ('DPoP realm="a", algs="ES256"',)
    assert complete(REQUIRE, 'bearer error="invalid_token"', "Basic") == (
        'DPoP error="invalid_token", algs="ES256"',
        "Basic",
    )


def test_several_authenticators_offer_dpop_once() -> None:
    assert complete(ACCEPT, "Bearer", 'Bearer realm="b"') == (
        "Bearer",
        'DPoP algs="ES256 EdDSA"',
        'Bearer realm="b"',
    )


def test_what_a_challenge_says_already_is_left_alone() -> None:
    given = 'DPoP error="use_dpop_nonce", algs="PS256"'
    assert complete(ACCEPT, given) == (given,)
    assert complete(ACCEPT, 'DPoP realm=" algs=x"') == (
        'DPoP realm=" algs=x", algs="ES256 EdDSA"',
    )


def test_the_scheme_of_a_good_token_is_settled() -> None:
    """A 403 is about what the token may do."""
    value = 'Bearer error="insufficient_scope", scope="a"'
    assert complete(ACCEPT, value, status=403) == (value,)


def test_every_challenge_for_a_token_points_at_the_metadata() -> None:
    """RFC 9728 5.1."""
    offer = Offer(dpop="accept", algorithms=("ES256",), resource_metadata=METADATA)
    assert complete(offer, 'Bearer realm="a"', "Negotiate") == (
        f'Bearer realm="a", resource_metadata="{METADATA}"',
        f'DPoP algs="ES256", resource_metadata="{METADATA}"',
        "Negotiate",
    )
    assert complete(Offer(resource_metadata=METADATA), "Bearer") == (
        f'Bearer resource_metadata="{METADATA}"',
    )


@pytest.mark.parametrize("dpop", ["no", "accept", "require"])
@given(realm=st.text(), scope=st.lists(st.text()))
def test_a_challenge_stays_one(dpop: str, realm: str, scope: list[str]) -> None:
    """What is added stands outside of the quotes of what was there."""
    value = challenge("Bearer", "insufficient_scope", None, scope, realm=realm)
    offer = Offer(
        dpop=dpop,  # type: ignore[arg-type]
        algorithms=("ES256",),
        resource_metadata=METADATA,
    )
    for completed in complete(offer, value):
        bare = re.sub(r"\\.", "", completed)
        assert re.fullmatch(r'(Bearer|DPoP) [a-z_]+="[^"]*"(, [a-z_]+="[^"]*")*', bare)
        assert bare.endswith(f'resource_metadata="{METADATA}"')
