"""What comes back for a pushed request is a name for it, or a refusal."""

import json
from typing import Any

import pytest

from sso_proxy.specs.oidc.pushed_request import PushedRequest, read_pushed_response
from sso_proxy.specs.oidc.token_response import TokenResponseError

NAME = "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"


def read(
    members: object, status: int = 201, kind: str | None = "application/json"
) -> PushedRequest:
    return read_pushed_response(status, kind, json.dumps(members).encode())


def refusal(*args: Any) -> TokenResponseError:  # noqa: ANN401
    with pytest.raises(TokenResponseError) as caught:
        read(*args)
    return caught.value


def test_the_example_of_rfc_9126_is_read() -> None:
    """Section 2.2."""
    assert read({"request_uri": NAME, "expires_in": 60}) == PushedRequest(
        request_uri=NAME, expires_in=60
    )


def test_the_name_of_a_request_is_a_secret() -> None:
    assert NAME not in repr(read({"request_uri": NAME, "expires_in": 60}))


def test_a_refusal_is_told_with_its_code() -> None:
    """Section 2.3: as at the token endpoint."""
    error = refusal({"error": "invalid_request", "error_description": "no"}, 400)
    assert (error.error, error.detail, error.status) == ("invalid_request", "no", 400)


@pytest.mark.parametrize("status", [200, 202, 204, 302, 307, 404, 405, 413, 500])
def test_only_201_is_success(status: int) -> None:
    error = refusal({"request_uri": NAME, "expires_in": 60}, status)
    assert (error.error, error.status) == ("", status)


@pytest.mark.parametrize(
    "members",
    [
        {},
        [],
        "text",
        {"request_uri": NAME},
        {"expires_in": 60},
        {"request_uri": "", "expires_in": 60},
        {"request_uri": "a b", "expires_in": 60},
        {"request_uri": "a\r\nb", "expires_in": 60},
        {"request_uri": "ü", "expires_in": 60},
        {"request_uri": "a" * 2049, "expires_in": 60},
        {"request_uri": 1, "expires_in": 60},
        {"request_uri": NAME, "expires_in": 0},
        {"request_uri": NAME, "expires_in": -1},
        {"request_uri": NAME, "expires_in": True},
        {"request_uri": NAME, "expires_in": "60"},
        {"request_uri": NAME, "expires_in": 6.5},
    ],
)
def test_anything_else_is_no_answer(members: object) -> None:
    assert refusal(members).error == ""


@pytest.mark.parametrize("kind", [None, "text/html", "application/jwt"])
def test_the_answer_is_json(kind: str | None) -> None:
    assert refusal({"request_uri": NAME, "expires_in": 60}, 201, kind).error == ""
