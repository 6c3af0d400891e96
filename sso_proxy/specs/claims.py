"""
Where a value stands among an identity's claims: ``realm_access.user``.

A path is one or more names with dots between them; each one but the last names an
object inside the one before.  A name with other characters than ASCII letters,
digits, ``_``, ``-``, ``:`` and ``#`` stands in quotes, where every character is
itself: ``'https://example.com/department'.code``.
"""

import re
from collections.abc import Mapping
from typing import Any

ClaimPath = tuple[str, ...]
"""The names on the way to a claim, outermost first; never empty."""

MAX_DEPTH = 16

_NAME = re.compile(r"""([A-Za-z0-9_:#-]+)|'([^']+)'|"([^"]+)\"""")


def scan_claim_path(text: str, start: int) -> tuple[ClaimPath, int]:
    """
    Read the path that begins at *start*; returns it and where it ends.

    Raises:
        ValueError: No path begins there, or it is deeper than `MAX_DEPTH`.
    """
    names: list[str] = []
    position = start
    while True:
        found = _NAME.match(text, position)
        if found is None:
            raise ValueError(
                "expected the name of a claim, such as department or"
                " 'https://example.com/department'"
            )
        names.append(found[found.lastindex or 0])
        position = found.end()
        if len(names) > MAX_DEPTH:
            raise ValueError(f"a claim's path has at most {MAX_DEPTH} names")
        if not text.startswith(".", position):
            return tuple(names), position
        position += 1


def read_claim_path(text: str) -> ClaimPath:
    """
    Read *text*, which is a path and nothing else.

    Raises:
        ValueError: It is not.
    """
    path, end = scan_claim_path(text, 0)
    if end != len(text):
        raise ValueError(
            f"{text!r} is no path of a claim; write department, realm_access.user or"
            " 'https://example.com/department', in quotes because of its signs"
        )
    return path


def claim_at(claims: Mapping[str, Any], path: ClaimPath) -> Any:  # noqa: ANN401
    """
    Give the claim at *path*, or None.

    A null is no value: it is the same as a claim that is not there.
    """
    found: Any = claims
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found
