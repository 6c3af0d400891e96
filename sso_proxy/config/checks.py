"""Validators for options; each raises ValueError with what would be right."""

import ipaddress
import re
from collections.abc import Sized
from typing import Any, TypeAlias

import attrs

_HOST = re.compile(
    r"\*|(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\]"
)
_SEGMENT = re.compile(
    r"\{[A-Za-z_]\w*\}|(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})+"
)
_NEVER_ESCAPED = re.compile(r"%(?:00|2D|2E|5F|7E|3\d|[46][1-9A-F]|[57][0-9A])")

Attribute: TypeAlias = "attrs.Attribute[Any]"


def positive(_instance: object, _attribute: Attribute, value: float) -> None:
    """Refuse zero and less."""
    if not value > 0:
        raise ValueError(f"must be more than 0, not {value!r}")


def non_empty(_instance: object, _attribute: Attribute, value: Sized) -> None:
    """Refuse what has no elements."""
    if not len(value):
        raise ValueError("must not be empty")


@attrs.frozen
class Between:
    """
    A validator that refuses numbers outside a range.

    Attributes:
        low: The smallest good number.
        high: The largest.
    """

    low: float
    high: float

    def __call__(self, _instance: object, _attribute: Attribute, value: float) -> None:
        """Refuse what is outside."""
        if not self.low <= value <= self.high:
            raise ValueError(f"must be from {self.low} to {self.high}, not {value!r}")


def between(low: float, high: float) -> Between:
    """Make a validator that refuses numbers outside *low* to *high*."""
    return Between(low, high)


def cidr_list(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """
    Refuse what is no IP address or range, and the range of everything.

    ``unix`` stands for the peers on unix sockets, which have no address.
    """
    for item in value:
        if item == "unix":
            continue
        try:
            network = ipaddress.ip_network(item)
        except ValueError as e:
            raise ValueError(f"{item!r} is no address or range: {e}") from e
        if network.prefixlen == 0:
            raise ValueError(f"{item!r} is everybody; name the ranges that you run")


def host_pattern(
    _instance: object, _attribute: Attribute, value: str | tuple[str, ...]
) -> None:
    """Refuse what is neither a lower-case host name nor ``*.`` before one."""
    for item in (value,) if isinstance(value, str) else value:
        if not _HOST.fullmatch(item):
            raise ValueError(
                f"{item!r} is no host name; write 'app.example.com' or"
                " '*.example.com', lower-case, without port"
            )


def path_prefix(_instance: object, _attribute: Attribute, value: str) -> None:
    """Refuse a path that is not canonical: no request's path would ever match it."""
    first, *segments, last = value.split("/") if "/" in value else ("?", "")
    canonical = (
        not first
        and all(_SEGMENT.fullmatch(s) for s in segments)
        and (not last or _SEGMENT.fullmatch(last))
        and not {".", ".."} & {*segments, last}
        and not _NEVER_ESCAPED.search(value)
    )
    if not canonical:
        raise ValueError(
            f"{value!r} is no canonical path; write '/orders/' or '/users/{{id}}/'"
        )
