"""What a provider says when it is to take a token back."""

import json

import pytest

from sso_proxy.specs.oidc.revocation import read_revocation
from sso_proxy.specs.oidc.token_response import TokenResponseError

JSON = "application/json"


def refusal(error: str) -> bytes:
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize("status", [200, 204])
def test_the_status_alone_says_that_it_is_done(status: int) -> None:
    """
    The content of the response body is ignored by the client.

    RFC 7009 section 2.2.
    """
    assert read_revocation(status, "text/html", b"<p>whatever</p>")


def test_a_provider_may_not_take_back_this_type() -> None:
    assert not read_revocation(400, JSON, refusal("unsupported_token_type"))


@pytest.mark.parametrize(
    ("status", "kind", "body", "error"),
    [
        (400, JSON, refusal("invalid_request"), "invalid_request"),
        (401, JSON, refusal("invalid_client"), "invalid_client"),
        (400, "text/html", refusal("unsupported_token_type"), ""),
        (503, JSON, refusal("unsupported_token_type"), ""),
        (302, None, b"", ""),
        (404, "text/plain", b"no", ""),
    ],
)
def test_all_else_is_no_success(
    status: int, kind: str | None, body: bytes, error: str
) -> None:
    with pytest.raises(TokenResponseError) as e:
        read_revocation(status, kind, body)
    assert e.value.error == error
