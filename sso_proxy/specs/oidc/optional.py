"""
Check what need not be there, but has to be right if it is.

Answers that are signed are no ID tokens: OpenID Connect leaves ``iss``, ``aud`` and the
times of them to the provider (Core 5.3.2, 5.6.2).
"""

from collections.abc import Mapping
from typing import Any

from sso_proxy.errors import TokenError
from sso_proxy.specs.oidc.dates import read_date


def check_optional(
    claims: Mapping[str, Any], *, client_id: str, now: float, leeway: float
) -> None:
    """
    Check ``aud``, ``exp`` and ``nbf`` if they are there.

    Raises:
        TokenError: ``aud`` has not *client_id*, or the times are not now.
    """
    if "aud" in claims:
        aud = claims["aud"]
        names = aud if isinstance(aud, list) else [aud]
        if client_id not in names:
            raise TokenError("aud has not us", reason="token-audience")
    if "exp" in claims and now >= read_date(claims, "exp") + leeway:
        raise TokenError("exp is over", reason="token-expired")
    if "nbf" in claims and read_date(claims, "nbf") > now + leeway:
        raise TokenError("nbf is to come", reason="token-early")
