"""What comes from the token endpoint is about who came with the browser."""

import pytest

from sso_proxy.errors import TokenError
from sso_proxy.specs.oidc.hybrid import COMPARED, check_same_login

FRONT = {"iss": "https://op.example", "sub": "alice", "nonce": "n", "at_hash": "x"}


def test_two_tokens_of_one_login() -> None:
    back = {**FRONT, "at_hash": "y", "iat": 2, "email": "alice@example.com"}
    check_same_login(FRONT, back)


@pytest.mark.parametrize("name", ["iss", "sub"])
@pytest.mark.parametrize("value", ["bob", None, "Alice"])
def test_another_user_is_refused(name: str, value: str | None) -> None:
    """Core 3.3.3.6: "the iss and sub Claim Values MUST be identical"."""
    with pytest.raises(TokenError, match=name):
        check_same_login(FRONT, {**FRONT, name: value})


@pytest.mark.parametrize("name", COMPARED)
def test_claims_that_both_have_are_the_same(name: str) -> None:
    """Core 3.3.3.6: "they SHOULD have the same values in both"."""
    check_same_login({**FRONT, name: 1}, {**FRONT, name: 1})
    with pytest.raises(TokenError, match=f"{name} differs"):
        check_same_login({**FRONT, name: 1}, {**FRONT, name: 2})


def test_true_is_not_one() -> None:
    with pytest.raises(TokenError):
        check_same_login(
            {**FRONT, "email_verified": 1}, {**FRONT, "email_verified": True}
        )


def test_what_is_about_a_token_may_differ() -> None:
    about = {"iat": 1, "exp": 2, "jti": "a", "at_hash": "b", "c_hash": "c", "uti": "d"}
    check_same_login({**FRONT, **about}, {**FRONT, **dict.fromkeys(about, "z")})
