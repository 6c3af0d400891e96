"""
Single parameters of queries and forms, and single cookies, found and taken out.

All other octets stay as they came.
"""

from typing import Final
from urllib.parse import unquote_plus

from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead

FORM: Final = "application/x-www-form-urlencoded"


def is_form(head: RequestHead) -> bool:
    """Say whether a body is one form of this kind, and nothing is done to it."""
    types = head.values("content-type")
    return (
        len(types) == 1
        and types[0].partition(";")[0].strip(" \t").lower() == FORM
        and not head.values("content-encoding")
    )


def read_parameter(query: str | None, name: str) -> list[str]:
    """
    Give the values of every parameter called *name*, decoded.

    A name may be escaped (``access%5Ftoken``) and is the same name to a backend.

    Raises:
        BadMessageError: 400: one stands after a ``;``, which begins a parameter for
            some and is part of a value for others.
    """
    if query is None:
        return []
    pairs = [part.partition("=") for part in query.split("&")]
    if ";" in query:
        inner = (p for part in query.split("&") for p in part.split(";")[1:])
        if any(unquote_plus(p.partition("=")[0]) == name for p in inner):
            raise BadMessageError(400, "parameter-ambiguous")
    return [unquote_plus(value) for key, _, value in pairs if unquote_plus(key) == name]


def without_parameter(query: str | None, name: str) -> str | None:
    """
    Take every parameter called *name* out; None if nothing is left.

    What stands after a ``;`` is a parameter to some backends, and goes, too.
    """
    if query is None:
        return None
    kept = [part for part in query.split("&") if not _is_called(part, name)]
    if ";" in query:
        kept = [_without_inner(part, name) for part in kept]
    left = "&".join(kept)
    return left if left == query else left or None


def _is_called(part: str, name: str) -> bool:
    return unquote_plus(part.partition("=")[0]) == name


def _without_inner(part: str, name: str) -> str:
    """Take parameters called *name* out of what stands between two ``&``."""
    first, *inner = part.split(";")
    return ";".join([first, *(p for p in inner if not _is_called(p, name))])


def read_cookie(value: str, name: str) -> list[str]:
    """Give the values of every cookie called *name* in a ``Cookie`` field."""
    pairs = (pair.partition("=") for pair in value.split(";"))
    return [text.strip(" \t") for key, _, text in pairs if key.strip(" \t") == name]


def without_cookie(value: str, name: str) -> str:
    """Take every cookie called *name* out of a ``Cookie`` field's value."""
    pairs = value.split(";")
    kept = [p for p in pairs if p.partition("=")[0].strip(" \t") != name]
    return value if len(kept) == len(pairs) else ";".join(kept).strip(" \t")
