"""Read what a provider answers when it is to take a token back (RFC 7009)."""

from typing import Final

from sso_proxy.specs.oidc.token_response import TokenResponseError, refuse

_REVOKED: Final = frozenset({200, 204})
"""Section 2.2 says 200; there is nothing to read, and some say so."""

_UNSUPPORTED: Final = "unsupported_token_type"


def read_revocation(status: int, content_type: str | None, body: bytes) -> bool:
    """
    Say whether a token is worth nothing now (section 2.2).

    Returns:
        False if the provider cannot take back tokens of this type (section 2.2.1).

    Raises:
        TokenResponseError: It refuses, or nobody knows what it did.
    """
    if status in _REVOKED:
        return True
    try:
        refuse(status, content_type, body)
    except TokenResponseError as e:
        if e.error == _UNSUPPORTED:
            return False
        raise
