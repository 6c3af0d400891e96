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
        start, end = _extent(line)
        if start == end:
            continue
        fields = match.fullmatch(line, start, end)
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


def set_name(text: str, delimiter: str, identity: str, name: str | None) -> str:
    """
    Give *text* with this name for an identity, in its line or in a new one at the end.

    Everything else stays as it is, comments and blanks too.

    Args:
        text: A file that :func:`read_user_map` takes.
        delimiter: What stands between the two.
        identity: Whose name.
        name: The name; None for somebody who does not get in.

    Raises:
        ValueError: The file, the identity or the name cannot be used.
    """
    wanted = {**read_user_map(text, delimiter), identity: name}
    if name is not None and not is_safe_user_name(name):
        raise ValueError(
            "no user name: 1 to 256 printable characters, no blanks around"
        )
    if not identity or not identity.isprintable():
        raise ValueError("no identity: printable characters, at least one")
    if name == REFUSED_NAME:
        raise ValueError(f"{REFUSED_NAME!r} is nobody's name")
    written = _quoted(REFUSED_NAME if name is None else name, delimiter)
    lines = text.split("\n")
    found = _find(lines, delimiter, identity)
    if found is None:
        end = "\r" if text.endswith("\r\n") else ""
        pair = f"{_quoted(identity, delimiter)}{delimiter}{written}{end}"
        lines.insert(len(lines) - 1, pair)
    else:
        number, place = found
        line = lines[number]
        lines[number] = line[: place.start(2)] + written + line[place.end(2) :]
    return _same("\n".join(lines), delimiter, wanted)


def drop_identity(text: str, delimiter: str, identity: str) -> str:
    """
    Give *text* without the line of an identity.

    Raises:
        ValueError: The file cannot be used.
        KeyError: It is not there.
    """
    wanted = read_user_map(text, delimiter)
    del wanted[identity]
    lines = text.split("\n")
    found = _find(lines, delimiter, identity)
    if found is not None:
        del lines[found[0]]
    return _same("\n".join(lines), delimiter, wanted)


def _same(text: str, delimiter: str, wanted: dict[str, str | None]) -> str:
    """Give *text*, which says just what was wanted."""
    if read_user_map(text, delimiter) != wanted:
        raise ValueError("cannot be written in this file")
    return text


def _find(
    lines: list[str], delimiter: str, identity: str
) -> tuple[int, re.Match[str]] | None:
    """Say in which line an identity stands, and where in it."""
    match = _fields(delimiter)
    for number, line in enumerate(lines):
        fields = match.fullmatch(line, *_extent(line))
        if fields is not None and _text(fields[1]) == identity:
            return number, fields
    return None


def _quoted(text: str, delimiter: str) -> str:
    """Put what needs them in quotation marks."""
    if text.startswith("#") or any(c in text for c in f'" {delimiter}'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _extent(line: str) -> tuple[int, int]:
    """Say where in a line its fields are; there are none in a comment."""
    bare = line.removesuffix("\r").rstrip(_BLANKS)
    start = len(bare) - len(bare.lstrip(_BLANKS))
    return (0, 0) if bare.startswith("#", start) else (start, len(bare))


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
