"""How far an OPTIONS request may go: ``Max-Forwards`` (RFC 9110 section 7.6.2)."""

import re
from typing import Final

import attrs

from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead

NAME: Final = "max-forwards"

_MOST: Final = 255
"""The largest value that we pass on; no chain of proxies is longer."""

_is_number = re.compile(r"[0-9]{1,18}").fullmatch


def read_max_forwards(head: RequestHead) -> int | None:
    """
    Give how often *head* may still be forwarded, or None if nothing says so.

    It means something for OPTIONS alone here: TRACE is not served, and with other
    methods it is ignored.

    Raises:
        BadMessageError: 400; it is no number, or there are two.
    """
    if head.method != "OPTIONS":
        return None
    values = head.values(NAME)
    if not values:
        return None
    if len(values) > 1 or not _is_number(values[0]):
        raise BadMessageError(400, "max-forwards")
    return int(values[0])


def forwarded_once(head: RequestHead, left: int) -> RequestHead:
    """Give *head*, which may be forwarded *left* times, as it is forwarded."""
    value = str(min(left - 1, _MOST))
    return attrs.evolve(
        head,
        headers=tuple(
            (name, value if name == NAME else old) for name, old in head.headers
        ),
    )
