"""What need not be there has to be right if it is."""

from typing import Any

import pytest

from sso_proxy.errors import TokenError
from sso_proxy.specs.oidc.optional import check_optional

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": "us"},
        {"aud": ["us"]},
        {"aud": ["them", "us"]},
        {"exp": NOW},
        {"exp": NOW - 9},
        {"nbf": NOW + 10},
        {"iat": "whenever"},
    ],
    ids=str,
)
def test_what_is_right_is_taken(claims: dict[str, Any]) -> None:
    check_optional(claims, client_id="us", now=NOW, leeway=10)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"aud": "them"}, "token-audience"),
        ({"aud": []}, "token-audience"),
        ({"aud": None}, "token-audience"),
        ({"aud": {"us": 1}}, "token-audience"),
        ({"aud": [["us"]]}, "token-audience"),
        ({"exp": NOW - 10}, "token-expired"),
        ({"exp": "x"}, "token-date"),
        ({"exp": None}, "token-date"),
        ({"nbf": NOW + 11}, "token-early"),
        ({"nbf": True}, "token-date"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenError) as caught:
        check_optional(claims, client_id="us", now=NOW, leeway=10)
    assert caught.value.reason == reason
