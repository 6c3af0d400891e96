"""
How and when the user authenticated, and which other login would be enough (RFC 9470).

Conditions compare with two claims of the access token: ``acr``, the authentication
context, and ``auth_time``, seconds since the epoch.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from sso_proxy.model import Identity, Request

SKEW: Final = 60.0
"""Seconds that the clock of an authorization server may be ahead of ours."""

_EVER: Final = 1e12
"""Seconds before and after the epoch: no moment is farther away."""


@attrs.frozen
class Login:
    """
    A login that a client could ask its authorization server for.

    Attributes:
        acr: The authentication context; None leaves it as it is.
        age: Seconds ago; None leaves that as it is.
    """

    acr: str | None
    age: int | None

    def of(self, identity: Identity, request: Request) -> Identity:
        """Give *identity* as it would be at *request* after this login."""
        claims = dict(identity.claims)
        if self.acr is not None:
            claims["acr"] = self.acr
        if self.age is not None and request.time is not None:
            claims["auth_time"] = math.ceil(request.time) - self.age
        return attrs.evolve(identity, claims=claims)


def authenticated_at(identity: Identity) -> float | None:
    """Give when the user authenticated, or None if the claim says no moment."""
    found = identity.claims.get("auth_time")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found) if -_EVER < found < _EVER else None


def authenticated_within(
    seconds: int, identity: Identity, request: Request
) -> bool | None:
    """Say whether the user authenticated *seconds* ago or later; None if unknown."""
    since = authenticated_at(identity)
    if request.time is None or since is None:
        return None
    age = request.time - since
    # Who will have authenticated tomorrow has a clock that tells nothing.
    return age <= seconds if age >= -SKEW else None


def is_enough(
    acr_values: tuple[str, ...],
    max_age: int | None,
    identity: Identity,
    request: Request,
) -> bool:
    """
    Say whether the login was in one of these contexts, and not too long ago.

    Args:
        acr_values: The contexts; none: in any.
        max_age: Seconds; None: at any time.
        identity: Who logged in.
        request: When they want something.
    """
    if acr_values and identity.claims.get("acr") not in acr_values:
        return False
    return max_age is None or (authenticated_within(max_age, identity, request) is True)


def sufficient_logins(
    acr_values: Iterable[str], ages: Iterable[int], enough: Callable[[Login], bool]
) -> tuple[Login, ...]:
    """
    Find the least that is *enough*; logins that differ in nothing but their context.

    Args:
        acr_values: Contexts to try, the best first.
        ages: Seconds to try.
        enough: Whether a login would be.
    """
    for age in (None, *sorted(ages, reverse=True)):
        for choice in ((None,), tuple(acr_values)):
            logins = (Login(acr, age) for acr in choice)
            if good := tuple(login for login in logins if enough(login)):
                return good
    return ()
