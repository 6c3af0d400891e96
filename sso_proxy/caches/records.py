"""What every cache means by a purpose, a time to live, a value and its size."""

import re
from functools import lru_cache
from typing import Final

OPERATIONS: Final = frozenset(
    {
        "get",
        "put",
        "add",
        "mark",
        "take",
        "delete",
        "touch",
        "compare_and_set",
        "index_add",
        "index_remove",
        "index_list",
        "publish",
        "subscribe",
    }
)
"""All that a cache can be asked for."""

MOST: Final = 1_000_000
"""Octets of a value, a member or a message: what the smallest backend takes."""

LONGEST: Final = 1e9
"""Seconds that something may be kept: some 30 years."""

_PURPOSE = re.compile(r"[a-z0-9-]{1,32}")


@lru_cache(maxsize=64)  # there are a few, and every call of a cache names one
def check_purpose(purpose: str) -> None:
    """Raise ValueError unless *purpose* may name a kind of record."""
    if not _PURPOSE.fullmatch(purpose):
        raise ValueError(f"{purpose!r} is no purpose: 1 to 32 of a-z 0-9 -")


def check_ttl(ttl: float) -> None:
    """Raise ValueError unless something may be kept for *ttl* seconds."""
    if not 0 < ttl <= LONGEST:
        raise ValueError(f"cannot keep anything for {ttl!r} s")


def check_value(value: bytes) -> None:
    """Raise ValueError if *value* is too long."""
    if len(value) > MOST:
        raise ValueError(f"a value of {len(value)} octets; {MOST} is the most")


def cost(value: bytes) -> int:
    """
    Give the octets that a record counts against its purpose's budget.

    No less than what it takes in any of our stores: keys, expiry and half-empty pages
    included.
    """
    return 256 + 2 * len(value)
