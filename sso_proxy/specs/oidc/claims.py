"""Put together what a provider says of a user in several places."""

from collections.abc import Mapping
from typing import Any, Final

PROTOCOL_CLAIMS: Final = frozenset(
    {
        *("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce"),
        *("at_hash", "c_hash", "s_hash", "acr", "amr", "auth_time", "sid", "tid"),
        *("cnf", "sub_jwk", "events", "scope", "client_id", "typ"),
    }
)
"""
Claims about a login or a token, and not about a user.

Only the ID token can have them: it alone is made for this login, and checked against
what was asked for.  A UserInfo answer that said ``acr`` could make a login look better
than it was.
"""

COMPOSITE_CLAIMS: Final = frozenset({"_claim_names", "_claim_sources"})
"""Where other claims are (OpenID Connect Core 5.6.2); has tokens for there."""


def merge_claims(
    id_token: Mapping[str, Any],
    userinfo: Mapping[str, Any] | None = None,
    composite: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Give all claims about a user.

    The ID token wins over UserInfo, as it is signed, and UserInfo over claims that
    others made.  A claim is taken whole from one place; nothing in it is merged.

    Args:
        id_token: Claims of the ID token, checked.
        userinfo: Claims of the UserInfo answer, checked; None, if there is none.
        composite: Claims that others made, checked; None, if there are none.
    """
    others = {**(composite or {}), **(userinfo or {})}
    merged = {
        name: value for name, value in others.items() if name not in PROTOCOL_CLAIMS
    }
    merged.update(id_token)
    for name in COMPOSITE_CLAIMS:
        merged.pop(name, None)
    return merged
