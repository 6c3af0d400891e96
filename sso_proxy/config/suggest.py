"""Words for names that nothing has."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that there is no *what* called *name*, and which one may be meant."""
    names = sorted(known)
    if close := get_close_matches(name, names, n=1):
        return f"there is no {what} {name!r}; did you mean {close[0]!r}?"
    if not names:
        return f"there is no {what} {name!r}; there are none at all"
    return f"there is no {what} {name!r}; there are {', '.join(names)}"
