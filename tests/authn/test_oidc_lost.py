"""Somebody whose login is not known hears what is likely."""

import pytest

from sso_proxy.authn.oidc_lost import explain_lost
from sso_proxy.testing.fakes import make_request

OURS = "__Host-sso-login-"


@pytest.mark.parametrize(
    ("cookie", "reason"),
    [
        (None, "login-no-cookie"),
        ("theme=dark", "login-other-browser"),
        ("__Host-sso=1.abc", "login-other-browser"),
        (f"{OURS}other=abc", "login-state"),
        (f"{OURS}mine=abc", "login-expired"),
        (f"{OURS}mine=abc; {OURS}other=abc", "login-expired"),
    ],
)
def test_cookies_tell(cookie: str | None, reason: str) -> None:
    headers = {} if cookie is None else {"cookie": cookie}
    assert explain_lost(make_request(headers=headers), "mine").reason == reason


@pytest.mark.parametrize("state", [None, "", "a b", "x" * 129, "é", "a;b"])
def test_a_state_that_is_none_of_ours_tells_nothing(state: str | None) -> None:
    request = make_request(headers={"cookie": f"{OURS}mine=abc"})
    assert explain_lost(request, state).reason == "login-state"
