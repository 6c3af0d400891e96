"""Compare the two ID tokens of one login (OpenID Connect Core section 3.3.3.6)."""

from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.errors import TokenError

_LOGIN: Final = ("auth_time", "acr", "amr", "sid", "nonce")
_USER: Final = (
    *("name", "given_name", "family_name", "middle_name", "nickname"),
    *("preferred_username", "profile", "picture", "website", "email"),
    *("email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number"),
    *("phone_number_verified", "address", "updated_at"),
)
COMPARED: Final = (*_LOGIN, *_USER)
"""
Claims that have to be the same where both tokens have them.

Those that are about the login (section 2) and about the user (section 5.1).  Others may
be about the token itself: providers write such as they like.
"""


def check_same_login(front: Mapping[str, Any], back: Mapping[str, Any]) -> None:
    """
    Check that two ID tokens are about the same login.

    Args:
        front: Claims of the one that the browser brought.
        back: Claims of the one from the token endpoint; both are checked already.

    Raises:
        TokenError: They are not.
    """
    for name, reason in (("iss", "token-issuer"), ("sub", "token-subject")):
        if front.get(name) != back.get(name):
            detail = f"{name} differs from the one that the browser brought"
            raise TokenError(detail, reason=reason)
    for name in COMPARED:
        if name in front and name in back and not _is_equal(front[name], back[name]):
            detail = f"{name} differs from the one that the browser brought"
            raise TokenError(detail, reason="token-differs")


def _is_equal(one: object, other: object) -> bool:
    """Compare as JSON does, where true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
