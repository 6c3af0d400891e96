"""Which language the caller would rather read (RFC 9110 section 12.5.4)."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

MOST_RANGES: Final = 20
"""Language ranges that are looked at; people have fewer."""

_range = re.compile(
    r"[ \t]*([a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*|\*)[ \t]*"
    r"(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
).fullmatch


def choose_language(values: Iterable[str], offered: Sequence[str], default: str) -> str:
    """
    Give the language to answer in, by lookup (RFC 4647 section 3.4).

    A range that no language goes by is cut at its end until one does: ``de-CH`` finds
    ``de``.  What is no range is passed over; ``*`` is as good as asking for nothing.

    Args:
        values: The ``Accept-Language`` fields.
        offered: The languages that there are, lower-case.
        default: The language if none is wanted that there is.
    """
    wanted = _read_ranges(values)
    refused = {tag for tag, quality in wanted if not quality}
    # The sort keeps the caller's order where two are wanted alike.
    for tag, _ in sorted(wanted, key=lambda w: -w[1]):
        if tag in refused:
            continue
        if tag == "*":
            return default
        found = _look_up(tag, offered)
        if found and found not in refused:
            return found
    return default


def _read_ranges(values: Iterable[str]) -> list[tuple[str, float]]:
    """Give each range and how much it is wanted, in the caller's order."""
    members = [member for value in values for member in value.split(",", MOST_RANGES)]
    matches = (_range(member) for member in members[:MOST_RANGES])
    return [
        (match[1].lower(), 1.0 if match[2] is None else float(match[2]))
        for match in matches
        if match
    ]


def _look_up(tag: str, offered: Sequence[str]) -> str:
    """Find the language that *tag* or the longest beginning of it goes by."""
    while tag:
        if tag in offered:
            return tag
        tag, _, cut = tag.rpartition("-")
        if len(tag) > 1 and tag[-2] == "-":  # never ends in a singleton
            tag = tag[:-2]
        if not cut:
            break
    return ""
