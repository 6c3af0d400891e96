"""
Apache's configuration files, as far as their form goes: directives and sections.

https://httpd.apache.org/docs/2.4/configuring.html#syntax
"""

import re
from typing import Final

import attrs

MOST_LINES: Final = 100_000
MOST_NESTING: Final = 32

_SECTION = re.compile(r"<\s*([A-Za-z]\w*)\s*(.*?)\s*>\s*")
_END = re.compile(r"</\s*([A-Za-z]\w*)\s*>")
_WORD = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"?|'((?:[^'\\]|\\.)*)'?|(\S+))""")


class ApacheConfigError(ValueError):
    """A file has no such form; says where."""


@attrs.frozen
class Directive:
    """
    A directive, or a section with what stands in it.

    Attributes:
        name: Its name, lower-case.
        text: What follows it, as it stands there.
        line: Its line, counted from 1.
        inside: Of a section, what stands in it; None is no section.
    """

    name: str
    text: str
    line: int
    inside: "tuple[Directive, ...] | None" = None

    def __str__(self) -> str:
        """Write it as one line."""
        line = f"{self.name} {self.text}".strip()
        return line if self.inside is None else f"<{line}>"

    @property
    def words(self) -> tuple[str, ...]:
        """Give the words of the text, without quotation marks."""
        return split_words(self.text)


def split_words(text: str) -> tuple[str, ...]:
    """Cut *text* at blanks, as Apache does; what is in quotation marks is one word."""
    return tuple(
        bare or re.sub(r"\\([\"'\\])", r"\1", double or single)
        for double, single, bare in _WORD.findall(text)
    )


def read_apache_config(text: str) -> tuple[Directive, ...]:
    """
    Read a file.

    Raises:
        ApacheConfigError: A section does not end, or ends that did not begin; or it is
            too long.
    """
    open_sections: list[tuple[str, str, int]] = []
    found: list[list[Directive]] = [[]]
    for number, line in _logical_lines(text):
        if end := _END.fullmatch(line):
            if not open_sections or open_sections[-1][0] != end[1].lower():
                raise ApacheConfigError(f"line {number}: {line} ends nothing")
            name, argument, begin = open_sections.pop()
            inside = tuple(found.pop())
            found[-1].append(Directive(name, argument, begin, inside))
        elif section := _SECTION.fullmatch(line):
            open_sections.append((section[1].lower(), section[2], number))
            found.append([])
            if len(open_sections) > MOST_NESTING:
                raise ApacheConfigError(f"line {number}: nested too deep")
        elif line.startswith("<"):
            raise ApacheConfigError(f"line {number}: {line} is no section")
        else:
            name, _, rest = line.partition(" ")
            found[-1].append(Directive(name.lower(), rest.strip(), number))
    if open_sections:
        name, _, begin = open_sections[-1]
        raise ApacheConfigError(f"line {begin}: <{name}> does not end")
    return tuple(found[0])


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Give lines that say something; one that ends with a backslash has more."""
    lines: list[tuple[int, str]] = []
    begin, parts = 1, ""
    physical = text.split("\n")
    if len(physical) > MOST_LINES:
        raise ApacheConfigError(f"more than {MOST_LINES} lines")
    for number, raw in enumerate(physical, 1):
        line = raw.removesuffix("\r")
        if not parts:
            begin = number
        if line.endswith("\\"):
            parts += line[:-1]
            continue
        whole = re.sub(r"\s", " ", parts + line).strip()
        parts = ""
        if whole and not whole.startswith("#"):
            lines.append((begin, whole))
    if parts.strip():
        raise ApacheConfigError(f"line {begin}: goes on after the end")
    return lines
