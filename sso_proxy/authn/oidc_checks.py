"""
What a provider was asked for, enforced beyond what ID tokens are checked for anyway.

A provider may ignore the parameters ``claims`` and ``prompt``, and so may whoever
changes them in the browser on the way.
"""

from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.errors import TokenError

_PLACES: Final = ("id_token", "userinfo")


def check_essential(
    asked: Mapping[str, Any], sources: Mapping[str, Mapping[str, Any]]
) -> None:
    """
    Check that every claim is there that was asked for as essential.

    OpenID Connect Core section 5.5.1 leaves it to the provider what it does without
    one; we let nobody in whose login lacks what the operator calls essential, or has
    another value than those that were asked for.

    Args:
        asked: The parameter ``claims``.
        sources: Verified claims, by source.

    Raises:
        TokenError: One is missing, or has another value.
    """
    for place in _PLACES:
        for name, details in (asked.get(place) or {}).items():
            if details and details.get("essential") is True:
                _check_one(name, details, sources.get(place, {}), place)


def check_prompt(
    prompt: str, claims: Mapping[str, Any], *, begun: float, leeway: float
) -> None:
    """
    Check that a user who was to log in anew has done so, if the ID token says when.

    Args:
        prompt: What the provider was told.
        claims: The ID token's.
        begun: Seconds since the epoch when the login began.
        leeway: Seconds that the provider's clock may differ from ours.

    Raises:
        TokenError: The user authenticated before that.
    """
    since = claims.get("auth_time")
    if "login" not in prompt.split() or not isinstance(since, int | float):
        return
    if since < begun - leeway:
        detail = "the user did not log in anew, although prompt=login"
        raise TokenError(detail, reason="login-prompt")


def _check_one(
    name: str, details: Mapping[str, Any], claims: Mapping[str, Any], place: str
) -> None:
    found = claims.get(name)
    if found is None:
        detail = f"the essential claim {name} is not in the {place}"
        raise TokenError(detail, reason="login-claims")
    good = [details["value"]] if "value" in details else details.get("values")
    if good and not any(type(one) is type(found) and one == found for one in good):
        detail = f"the essential claim {name} in the {place} has another value"
        raise TokenError(detail, reason="login-claims")
