"""Where somebody who logs out is sent."""

from urllib.parse import parse_qsl, urlsplit

import attrs
import pytest

from sso_proxy.specs.oidc.logout_request import (
    LONGEST,
    LogoutRequest,
    build_logout_url,
)

ENDPOINT = "https://login.example.com/logout"
BACK = "https://app.example.com/.sso/logout/done"
REQUEST = LogoutRequest(
    client_id="app",
    id_token_hint="e.y.s",
    logout_hint="alice@example.com",
    post_logout_redirect_uri=BACK,
    state="state-1",
    ui_locales=("de", "en"),
    extra={"flow": "a b"},
)


def told(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


def test_the_provider_is_told_all_that_it_may_need() -> None:
    url = build_logout_url(ENDPOINT, REQUEST)

    assert url.startswith(ENDPOINT + "?")
    assert told(url) == {
        "client_id": "app",
        "id_token_hint": "e.y.s",
        "logout_hint": "alice@example.com",
        "post_logout_redirect_uri": BACK,
        "state": "state-1",
        "ui_locales": "de en",
        "flow": "a b",
    }


def test_what_is_empty_is_not_said() -> None:
    assert told(build_logout_url(ENDPOINT, LogoutRequest(client_id="app"))) == {
        "client_id": "app"
    }


def test_a_state_without_a_way_back_is_not_said() -> None:
    """
    Pass it back to the RP using the state parameter when redirecting.

    OpenID Connect RP-Initiated Logout 1.0 section 2: without that, it says nothing.
    """
    request = attrs.evolve(REQUEST, post_logout_redirect_uri="")

    assert "state" not in told(build_logout_url(ENDPOINT, request))


@pytest.mark.parametrize("endpoint", [ENDPOINT + "?p=policy", ENDPOINT + "?"])
def test_the_query_of_an_endpoint_stays(endpoint: str) -> None:
    url = build_logout_url(endpoint, REQUEST)

    assert url.startswith(endpoint)
    assert told(url)["client_id"] == "app"


@pytest.mark.parametrize(
    "endpoint",
    [
        ENDPOINT + "?client_id=other",
        ENDPOINT + "?flow=other",
        ENDPOINT + "#here",
        "javascript:alert(1)",
        "//login.example.com/logout",
    ],
)
def test_an_endpoint_of_two_readings_is_none(endpoint: str) -> None:
    with pytest.raises(ValueError, match="end_session_endpoint"):
        build_logout_url(endpoint, REQUEST)


def test_further_parameters_never_take_the_place_of_ours() -> None:
    request = attrs.evolve(REQUEST, extra={"client_id": "other", "state": "other"})

    assert told(build_logout_url(ENDPOINT, request))["client_id"] == "app"
    assert told(build_logout_url(ENDPOINT, request))["state"] == "state-1"


def test_an_id_token_that_no_server_would_take_is_left_out() -> None:
    request = attrs.evolve(REQUEST, id_token_hint="x" * LONGEST)

    url = build_logout_url(ENDPOINT, request)
    assert "id_token_hint" not in told(url)
    assert told(url)["logout_hint"] == "alice@example.com"


def test_what_is_too_long_without_it_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match="characters"):
        build_logout_url(ENDPOINT, attrs.evolve(REQUEST, logout_hint="x" * LONGEST))


def test_secrets_do_not_show() -> None:
    assert "e.y.s" not in repr(REQUEST)
    assert "state-1" not in repr(REQUEST)
