"""Conditions, put together from what Apache requires."""

from collections.abc import Iterable
from typing import Final, TypeAlias

import attrs

TRUE: Final = "true"
FALSE: Final = "false"
"""What needs no condition, and what none can say."""

_MOST_CONDITIONS: Final = 500


class TooLargeError(ValueError):
    """Sections in sections come to more than one condition may be."""


@attrs.frozen(cache_hash=True)
class Joined:
    """
    Conditions of which ``all``, or ``any``, have to be true.

    Attributes:
        word: Which.
        of: The conditions.
        size: How many there are, those inside others included.
    """

    word: str
    of: tuple["Condition", ...]
    size: int = attrs.field(init=False, eq=False)

    @size.default
    def _size(self) -> int:
        return sum(each.size if isinstance(each, Joined) else 1 for each in self.of)


Condition: TypeAlias = str | Joined


def any_of(conditions: Iterable[Condition]) -> Condition:
    """Say that at least one of *conditions* is true."""
    return _join("any", conditions, nothing=FALSE, everything=TRUE)


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Say that all *conditions* are true."""
    return _join("all", conditions, nothing=TRUE, everything=FALSE)


def _join(
    word: str, conditions: Iterable[Condition], *, nothing: str, everything: str
) -> Condition:
    found: dict[Condition, None] = {}
    for each in conditions:
        inside = isinstance(each, Joined) and each.word == word
        found.update(dict.fromkeys(each.of if inside else (each,)))  # type: ignore[union-attr]
    found.pop(nothing, None)
    if everything in found:
        return everything
    if len(found) == 1:
        return next(iter(found))
    joined = Joined(word, tuple(found))
    if joined.size > _MOST_CONDITIONS:
        raise TooLargeError("comes to more than a rule can say")
    return joined if found else nothing


def write(condition: Condition) -> str:
    """Write a condition as one text."""
    if isinstance(condition, Joined):
        return f"{condition.word}({', '.join(map(write, condition.of))})"
    return condition


def write_each(condition: Condition) -> tuple[str, ...]:
    """Write a condition as several, all of which have to be true."""
    if isinstance(condition, Joined) and condition.word == "all":
        return tuple(map(write, condition.of))
    return () if condition == TRUE else (write(condition),)
