"""
What a route's challenges say, whoever asks for the token.

Authenticators write the challenges of their scheme.  What depends on the route, its
metadata (RFC 9728) and whether tokens have to be bound to a key (RFC 9449), is added
here.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

import attrs

from sso_proxy.specs.oauth.bearer import challenge

_BEARER: Final = "bearer"
_DPOP: Final = "dpop"

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


@attrs.frozen(kw_only=True)
class Offer:
    """
    What a route takes.

    Attributes:
        dpop: Whether clients may, or have to, use the scheme ``DPoP``.
        algorithms: What proofs may be signed with.
        resource_metadata: The URL of the route's metadata, or empty.
    """

    dpop: Literal["no", "accept", "require"] = "no"
    algorithms: tuple[str, ...] = ()
    resource_metadata: str = ""


NOTHING: Final = Offer()


def complete_challenges(
    values: Sequence[str], offer: Offer, *, status: int
) -> tuple[str, ...]:
    """
    Add to ``WWW-Authenticate`` values what *offer* says.

    Where a route takes both schemes, a challenge of each goes out, and only the one
    whose credential was bad names an error (RFC 9449 section 7.2); where it requires
    DPoP, ``Bearer`` is offered to nobody.

    Args:
        values: One challenge each; other schemes stay as they are.
        offer: The route's.
        status: The answer's; a 403 is about a good token, whose scheme is settled.
    """
    if offer == NOTHING:
        return tuple(values)
    completed: list[str] = []
    for value in values:
        scheme = value.partition(" ")[0].lower()
        if scheme == _BEARER and offer.dpop == "require":
            value = "DPoP" + value[len(_BEARER) :]  # noqa: PLW2901
            scheme = _DPOP
        if scheme not in {_BEARER, _DPOP}:
            completed.append(value)
            continue
        if scheme == _DPOP:
            value = _with(value, "algs", " ".join(offer.algorithms))  # noqa: PLW2901
        completed.append(_with(value, "resource_metadata", offer.resource_metadata))
        if scheme == _BEARER and offer.dpop == "accept" and status != 403:
            other = challenge(
                "DPoP",
                algs=offer.algorithms,
                resource_metadata=offer.resource_metadata,
            )
            completed.append(other)
    return tuple(dict.fromkeys(completed))


def _with(value: str, name: str, text: str) -> str:
    """Add a parameter to a challenge, unless it has it."""
    bare = _QUOTED.sub("", value)
    if not text or re.search(rf"[ ,]{name}\s*=", bare):
        return value
    added = challenge("Bearer", **{name: text}).removeprefix("Bearer")
    return f"{value},{added}" if " " in value else value + added
