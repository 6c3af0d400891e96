"""Read the times that tokens have."""

from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.errors import TokenError

LAST_DATE: Final = 253402300800.0
"""The year 10000; what is later is a mistake, or milliseconds."""


def read_date(claims: Mapping[str, Any], name: str) -> float:
    """
    Give a NumericDate (RFC 7519 section 2) of this age of the world.

    Raises:
        TokenError: It is missing, no number, before 1970 or after the year 9999.
    """
    value: Any = claims.get(name)
    if type(value) not in (int, float):  # bool is neither
        raise TokenError(f"{name} is missing, or no number", reason="token-date")
    if not 0 <= value < LAST_DATE:  # nor is NaN, which compares false
        raise TokenError(f"{name} is no date", reason="token-date")
    return float(value)
