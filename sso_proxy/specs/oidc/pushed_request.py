"""Read what a provider answers to a pushed authorization request (RFC 9126)."""

import re
from typing import Final

import attrs

from sso_proxy.specs.oidc.token_response import (
    TokenResponseError,
    read_members,
    refuse,
)

CREATED: Final = 201
"""The status of an answer that names a request (section 2.2)."""

_NAME = re.compile(r"[!-~]{1,2048}")
"""It goes into a URL, as a parameter's value."""


@attrs.frozen(kw_only=True)
class PushedRequest:
    """
    A request that the provider keeps for us.

    Attributes:
        request_uri: Names it; only who knows it can use it.
        expires_in: Seconds that it is kept.
    """

    request_uri: str = attrs.field(repr=False)
    expires_in: int


def read_pushed_response(
    status: int, content_type: str | None, body: bytes
) -> PushedRequest:
    """
    Read the answer to a pushed request (section 2.2).

    Args:
        status: Its status.
        content_type: Its field ``Content-Type``, or None.
        body: All of it.

    Raises:
        TokenResponseError: The provider refuses (section 2.3), or the answer has
            another status than 201, is no strict JSON, or lacks ``request_uri`` or
            ``expires_in``, a positive integer.
    """
    if status != CREATED:
        if status == 200:
            raise TokenResponseError("", "status 200 instead of 201", status=status)
        refuse(status, content_type, body)
    members = read_members(status, content_type, body)
    name, lifetime = members.get("request_uri"), members.get("expires_in")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise TokenResponseError("", "request_uri is missing or no URI", status=status)
    if type(lifetime) is not int or lifetime <= 0:  # bool is no int
        problem = "expires_in is no positive number of seconds"
        raise TokenResponseError("", problem, status=status)
    return PushedRequest(request_uri=name, expires_in=lifetime)
