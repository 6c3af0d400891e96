"""What has to be known of a login when the browser comes back from the provider."""

from collections.abc import Mapping
from typing import Any, Self

import attrs

from sso_proxy.login import Wanted
from sso_proxy.specs.openid2.discovery import Endpoint


@attrs.frozen(kw_only=True)
class Begun:
    """
    A login that somebody has begun, as their browser keeps it for us, sealed.

    Attributes:
        by: The configured name of the authenticator: an answer to another's request is
            none to ours.
        place: Where it was to come back, without the query.
        endpoint: Where the browser was sent, and about whom the provider was asked.
        tells: Whether somebody only wants to see which identifier is theirs.
        wanted: What for.
    """

    by: str
    place: str
    endpoint: Endpoint
    tells: bool = False
    wanted: Wanted

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        return {
            "by": self.by,
            "at": self.place,
            "op": self.endpoint.as_json(),
            **({"tells": True} if self.tells else {}),
            "for": self.wanted.as_json(),
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self | None:
        """Read what `as_json` gave; None if a login of another type began."""
        if not members.keys() >= {"by", "at", "op", "for"}:
            return None
        return cls(
            by=members["by"],
            place=members["at"],
            endpoint=Endpoint.from_json(members["op"]),
            tells=members.get("tells", False),
            wanted=Wanted.from_json(members["for"]),
        )


def return_to(place: str, login: str) -> str:
    """Give where the answer to a login has to go, which names the login."""
    return f"{place}?{LOGIN}={login}"


LOGIN = "login"
"""The parameter that names the login when its browser comes back."""
