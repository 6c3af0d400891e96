"""When a JWT ends, as far as it says so itself (RFC 7519 section 4.1.4)."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object

_PARTS: Final = 3


def read_claims(token: str) -> Mapping[str, Any] | None:
    """Give what a signed JWT says, none of it proven; None if *token* is none."""
    parts = token.split(".", _PARTS)
    if len(parts) != _PARTS or not token.isascii():
        return None
    try:
        if "alg" not in read_json_object(decode_base64url(parts[0].encode("ascii"))):
            return None
        return read_json_object(decode_base64url(parts[1].encode("ascii")))
    except TokenError:
        return None


def read_expiry(token: str) -> float | None:
    """
    Give the ``exp`` of a JWT, None if *token* is none or does not say.

    Nothing is proven by that: it may make the time shorter that something is used, and
    never longer.
    """
    exp = (read_claims(token) or {}).get("exp")
    if isinstance(exp, bool) or not isinstance(exp, int | float) or not isfinite(exp):
        return None
    return float(exp)
