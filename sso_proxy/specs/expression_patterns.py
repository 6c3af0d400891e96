"""
Patterns in conditions: beginnings, globs and regular expressions.

All are matched in time that is linear in the text, whatever the pattern.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import re2

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.expression_tree import Pattern

Matcher = Callable[[str], bool]
"""Says whether a text fits."""

_MOST_MEMORY: Final = 1 << 20
_WILD: Final = re.compile(r"\*\*|\*|\?")
_HALVES: Final = re.compile("[\ud800-\udfff]")
_MEANINGS: Final = {"**": "(?s:.*)", "*": "[^/]*", "?": "[^/]"}


class PatternError(SsoProxyError):
    """A pattern is none; says why."""


@lru_cache(maxsize=1024)
def compile_pattern(operator: Pattern, text: str) -> Matcher:
    """
    Compile a pattern.

    Args:
        operator: ``starts with``: a beginning; ``like``: a glob for the whole text, in
            which ``*`` is anything without a slash, ``**`` anything, and ``?`` one
            character that is no slash; ``matches``: a regular expression of RE2 for
            the whole text.
        text: The pattern.

    Raises:
        PatternError: It is none.
    """
    if operator == "starts with":
        if not text:
            raise PatternError("every text begins with nothing")
        return lambda found: found.startswith(text)
    expression = _translate(text) if operator == "like" else text
    options = re2.Options()
    options.max_mem = _MOST_MEMORY
    options.log_errors = False
    try:
        compiled = re2.compile(expression, options)
    except re2.error as e:
        raise PatternError(f"is no regular expression of RE2: {_said(e)}") from None
    return lambda found: compiled.fullmatch(found) is not None


def is_text(found: object) -> bool:
    """
    Say whether *found* is text that patterns can be compared with.

    JSON may have halves of characters (RFC 8259 section 8.2); no octets stand for them.
    """
    return type(found) is str and (found.isascii() or not _HALVES.search(found))


def _translate(glob: str) -> str:
    """Write a glob as a regular expression."""
    parts = []
    position = 0
    for wild in _WILD.finditer(glob):
        parts += [re2.escape(glob[position : wild.start()]), _MEANINGS[wild[0]]]
        position = wild.end()
    return "".join((*parts, re2.escape(glob[position:])))


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
