"""
Files of identities and user names, one pair in each line.

They look like the maps that modules of Apache read: an identity, a delimiter, a name.
Either may stand in quotation marks, with a mark inside doubled, as in CSV.
"""

import re
from typing import Final

from sso_proxy.specs.user_name import is_safe_user_name

REFUSED_NAME: Final = "!"
"""The name of those who do not get in; an empty one is as good."""

_BLANKS: Final = " \t"
_MOST_TOLD: Final = 3


def check_delimiter(delimiter: str) -> None:
    """
    Refuse what cannot stand between two fields.

    Raises:
        ValueError: It is not one character, or one that means something else.
    """
    printable = delimiter.isprintable() or delimiter == "\t"
    if len(delimiter) != 1 or not printable or delimiter in '"#!':
        raise ValueError('one character is needed, and none of ", # and !')


def read_user_map(text: str, delimiter: str = " ") -> dict[str, str | None]:
    """
    Read the name of each identity; None is somebody who does not get in.

    Empty lines and those that begin with ``#`` are comments.  Blanks around a field
    that is not in quotation marks do not count.  If *delimiter* is a blank, any number
    of spaces and tabs is one.

    Raises:
        ValueError: Lines cannot be used, by their numbers; nothing of what is in them.
    """
    if text and not text.endswith("\n"):
        # It may be half a line of a file that is being written: a shorter name would
        # be somebody else.
        raise ValueError("the last line does not end")
    match = _fields(delimiter)
    found: dict[str, str | None] = {}
    problems = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.removesuffix("\r").strip(_BLANKS)
        if not stripped or stripped.startswith("#"):
            continue
        fields = match.fullmatch(stripped)
        if fields is None:
            problems.append(f"line {number}: not an identity, {delimiter!r} and a name")
            continue
        identity, name = _text(fields[1]), _text(fields[2])
        if not identity or not identity.isprintable():
            problems.append(f"line {number}: no identity")
        elif identity in found:
            problems.append(f"line {number}: the identity is there already")
        elif name not in ("", REFUSED_NAME) and not is_safe_user_name(name):
            problems.append(f"line {number}: no user name")
        else:
            found[identity] = None if name in ("", REFUSED_NAME) else name
    if problems:
        more = len(problems) - _MOST_TOLD
        told = problems[:_MOST_TOLD] + [f"{more} more"] * (more > 0)
        raise ValueError("; ".join(told))
    return found


def _fields(delimiter: str) -> re.Pattern[str]:
    """Give the expression of a line: two fields, quoted or not."""
    quoted = r'"(?:[^"]|"")*"'
    if delimiter in _BLANKS:
        bare = r'[^" \t][^ \t]*'
        return re.compile(f"({quoted}|{bare})[ \t]+({quoted}|{bare})")
    d = re.escape(delimiter)
    return re.compile(
        f'({quoted}[ \t]*|[^" \t{d}][^{d}]*){d}[ \t]*({quoted}|[^" \t{d}][^{d}]*|)'
    )


def _text(field: str) -> str:
    """Take the quotation marks off, or the blanks around it."""
    stripped = field.strip(_BLANKS)
    if stripped.startswith('"'):
        return stripped[1:-1].replace('""', '"')
    return stripped
