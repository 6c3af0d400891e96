"""Validators for options that hold what protocols name: URLs and algorithms."""

from collections.abc import Iterable

import attrs

from sso_proxy.config.checks import Attribute
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url
from sso_proxy.specs.oidc.response_type import ResponseType


def secure_url(_instance: object, _attribute: Attribute, value: str | None) -> None:
    """Refuse URLs on the way to which anybody could read questions or write answers."""
    if value is None:
        return
    try:
        url = read_url(value)
    except UrlRefusedError as e:
        raise ValueError(e.detail) from None
    if url.is_plain and not url.is_loopback:
        raise ValueError("must be https; http only for loopback addresses")


@attrs.frozen
class OneOf:
    """
    A validator that refuses lists with anything but what is known.

    Attributes:
        known: All that may be listed.
    """

    known: tuple[str, ...]

    def __call__(
        self, _instance: object, _attribute: Attribute, value: tuple[str, ...]
    ) -> None:
        """Refuse what is not known."""
        for item in value:
            if item not in self.known:
                raise ValueError(f"{item!r} is none of {', '.join(self.known)}")


def known_response_type(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse what is no response type of OpenID Connect."""
    ResponseType.read(value)


def one_of(known: Iterable[str]) -> OneOf:
    """Make a validator that refuses lists with anything but *known*."""
    return OneOf(tuple(sorted(known)))
