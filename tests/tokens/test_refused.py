"""A server's codes become our reasons."""

import pytest

from sso_proxy.specs.oidc.token_response import TokenResponseError
from sso_proxy.tokens.refused import not_issued, unusable


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        ("invalid_grant", "token-refused", 401),
        ("invalid_request", "token-refused", 401),
        ("access_denied", "token-refused", 403),
        ("invalid_target", "token-target", 403),
        ("invalid_scope", "token-scope", 403),
        ("own_code", "token-unusable", 502),
        ("", "token-unusable", 502),
    ],
)
def test_each_code_has_a_meaning(error: str, reason: str, status: int) -> None:
    found = not_issued(TokenResponseError(error, "why"))
    assert (found.reason, found.status) == (reason, status)
    assert found.detail == f"{error} why".strip()


def test_what_cannot_be_used_is_the_servers_fault() -> None:
    assert (unusable("why").status, unusable("why").detail) == (502, "why")
