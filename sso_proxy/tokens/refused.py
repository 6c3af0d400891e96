"""What it means for a caller that a token endpoint refuses (RFC 6749 section 5.2)."""

from collections.abc import Mapping
from typing import Final

from sso_proxy.specs.oidc.token_response import TokenResponseError
from sso_proxy.token import NotIssued

_MEANING: Final[Mapping[str, tuple[str, int]]] = {
    # RFC 8693 section 2.2.2 has invalid_request for subject tokens that are not good
    "invalid_grant": ("token-refused", 401),
    "invalid_request": ("token-refused", 401),
    "invalid_token": ("token-refused", 401),
    "access_denied": ("token-refused", 403),
    "interaction_required": ("token-refused", 403),
    "login_required": ("token-refused", 401),
    "consent_required": ("token-refused", 403),
    # RFC 8707 section 2, RFC 8693 section 2.2.2
    "invalid_target": ("token-target", 403),
    "invalid_scope": ("token-scope", 403),
}
UNUSABLE: Final = "token-unusable"


def not_issued(error: TokenResponseError) -> NotIssued:
    """
    Say what becomes of a request for which a token endpoint said *error*.

    A code that nobody knows is no refusal that we understand, and 502 as all else that
    is no answer.
    """
    reason, status = _MEANING.get(error.error, (UNUSABLE, 502))
    detail = f"{error.error} {error.detail}".strip()
    return NotIssued(reason=reason, status=status, detail=detail)


def unusable(detail: str) -> NotIssued:
    """Say that what was issued is of no use."""
    return NotIssued(reason=UNUSABLE, status=502, detail=detail)
