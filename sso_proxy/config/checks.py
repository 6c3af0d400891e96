"""Validators for options; each raises ValueError with what would be right."""

import ipaddress
import re
from collections.abc import Callable, Sized
from typing import Any, TypeAlias

import attrs

_HOST = re.compile(
    r"\*|(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\]"
)
_PREFIX = re.compile(r"/(?:(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2}|\{\w+\})+/?)*")

Attribute: TypeAlias = "attrs.Attribute[Any]"


def positive(_instance: object, _attribute: Attribute, value: float) -> None:
    """Refuse zero and less."""
    if not value > 0:
        raise ValueError(f"must be more than 0, not {value!r}")


def non_empty(_instance: object, _attribute: Attribute, value: Sized) -> None:
    """Refuse what has no elements."""
    if not len(value):
        raise ValueError("must not be empty")


def between(low: float, high: float) -> Callable[[object, Attribute, float], None]:
    """Make a validator that refuses numbers outside *low* to *high*."""

    def check(_instance: object, _attribute: Attribute, value: float) -> None:
        if not low <= value <= high:
            raise ValueError(f"must be from {low} to {high}, not {value!r}")

    return check


def cidr_list(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse what is no IP address or range, and the range of everything."""
    for item in value:
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
    """Refuse a path that is not canonical."""
    if not _PREFIX.fullmatch(value) or any(s in {".", ".."} for s in value.split("/")):
        raise ValueError(
            f"{value!r} is no canonical path; write '/orders/' or '/users/{{id}}/'"
        )
