"""Tokens are the same, whichever way they came."""

from typing import Any

from sso_proxy.authn.oidc_given import Given
from sso_proxy.specs.oidc.response import AuthorizationAnswer
from sso_proxy.specs.oidc.token_response import TokenResponse

SAME: dict[str, Any] = {
    "access_token": "a",
    "token_type": "Bearer",
    "expires_in": 3,
    "id_token": "i",
}


def test_tokens_of_a_code_and_of_a_browser_are_alike() -> None:
    answer = AuthorizationAnswer(**SAME, code="c", scope="openid")
    tokens = TokenResponse(**SAME, scope="openid")
    assert Given.by_browser(answer) == Given.by_code(tokens)


def test_a_code_alone_may_bring_a_refresh_token() -> None:
    assert Given.by_code(TokenResponse(**SAME, refresh_token="r")).refresh_token == "r"


def test_a_browser_may_bring_no_access_token() -> None:
    assert Given.by_browser(AuthorizationAnswer(id_token="i")).access_token is None


def test_nothing_secret_is_shown() -> None:
    given = Given(id_token="secret1", access_token="secret2", refresh_token="secret3")
    assert "secret" not in repr(given)
