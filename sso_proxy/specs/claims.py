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

ValuePath = tuple[str | int | None, ...]
"""The same through lists: a number is one element, None is each of them."""

MAX_DEPTH = 16

_ELEMENT = re.compile(r"\[([0-9]{0,4})\]")
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


def scan_value_path(text: str, start: int) -> tuple[ValuePath, int]:
    """
    Read the path that begins at *start*, which may go through lists.

    ``orgs[0].name`` is the name of the first, ``orgs[].name`` are all their names.

    Returns:
        The path, and where it ends.

    Raises:
        ValueError: No path begins there, or it is deeper than `MAX_DEPTH`.
    """
    path: list[str | int | None] = []
    while True:
        names, start = scan_claim_path(text, start)
        path += names
        while (element := _ELEMENT.match(text, start)) is not None:
            path.append(int(element[1]) if element[1] else None)
            start = element.end()
        if len(path) > MAX_DEPTH:
            raise ValueError(f"a claim's path has at most {MAX_DEPTH} names")
        if not text.startswith(".", start):
            return tuple(path), start
        start += 1


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


def value_at(claims: Mapping[str, Any], path: ValuePath) -> Any:  # noqa: ANN401
    """
    Give the value at *path*, or None.

    With each element of a list on the way, it is the list of all that there are.
    """
    found: Any = claims
    for number, step in enumerate(path):
        if step is None:
            if not isinstance(found, list | tuple):
                return None
            rest = path[number + 1 :]
            below = (value_at({"": item}, ("", *rest)) for item in found)
            return [item for each in below for item in _spread(each, rest)]
        if isinstance(step, int):
            is_there = isinstance(found, list | tuple) and step < len(found)
            found = found[step] if is_there else None
        elif isinstance(found, Mapping):
            found = found.get(step)
        else:
            return None
    return found


def _spread(value: Any, rest: ValuePath) -> list[Any]:  # noqa: ANN401
    """Give what one element of a list adds to all that are at the end of *rest*."""
    if value is None:
        return []
    return value if None in rest else [value]
