"""The words of the grammar of conditions: see `sso_proxy.specs.expression`."""

import re
from typing import Final, Literal, TypeAlias

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.claims import ValuePath, scan_value_path

Source: TypeAlias = Literal["claims", "id_token", "userinfo", "token"]
"""Where a claim is from; ``claims`` is what all that is known comes to."""


@attrs.frozen
class ExpressionError(SsoProxyError):
    """
    A condition that says nothing.

    Attributes:
        column: Where the problem is, counted from 1.
        problem: What is wrong there, and what would be right.
    """

    column: int
    problem: str


@attrs.frozen
class Token:
    """
    A word of a condition, and the column where it begins, counted from 1.

    Attributes:
        kind: What it is.
        column: Where it begins.
        text: The word; of scopes and strings, what it means.
        path: Of a claim, where it is.
        source: Of a claim, where that begins.
    """

    kind: Literal["scope", "claim", "word", "string", "number", "moment", "sign", "end"]
    column: int
    text: str
    path: ValuePath = ()
    source: Source = "claims"


_SOURCES: Final[tuple[Source, ...]] = ("claims", "id_token", "userinfo", "token")

# The characters of a scope (RFC 6749 section 3.3) without those that the grammar needs
# itself; a scope with one of them is written in quotes.
_SCOPE = re.compile(r"scope:(?:([!#-&*+\--Z^-~]+)|'([!#-&(-\[\]-~]+)')")
_LEXEMES = re.compile(
    r"""(?P<word>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*)
      | (?P<moment>[0-9]{4}-[0-9]{2}-[0-9]{2}[0-9TZ:+-]*)
      | (?P<number>-?[0-9]{1,15}(?![A-Za-z0-9_.-]))
      | (?P<string>'(?:[^'\\]|\\['\\])*'|"(?:[^"\\]|\\["\\])*")
      | (?P<sign>==|!=|<=|>=|[<>()\[\],.])""",
    re.VERBOSE,
)
_BLANK = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(r"\\(.)")


def read_tokens(text: str) -> list[Token]:
    """
    Cut *text* into tokens, the last of which is the end.

    Raises:
        ExpressionError: Something in it is none.
    """
    tokens = []
    position = _skip(text, 0)
    while position < len(text):
        token, position = _token(text, position)
        tokens.append(token)
        position = _skip(text, position)
    tokens.append(Token("end", len(text) + 1, "the end"))
    return tokens


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank is not None else position


def _token(text: str, position: int) -> tuple[Token, int]:
    column = position + 1
    if text.startswith("scope:", position):
        scope = _SCOPE.match(text, position)
        if scope is None:
            raise ExpressionError(
                column, "expected scope:NAME, as in scope:orders.read"
            )
        return Token("scope", column, scope[1] or scope[2]), scope.end()
    for source in _SOURCES:
        if text.startswith(f"{source}.", position):
            return _claim(text, position, source)
    found = _LEXEMES.match(text, position)
    if found is None:
        raise ExpressionError(column, f"cannot read {text[position : position + 12]!r}")
    lexeme = found[0]
    match found.lastgroup:
        case "string":
            lexeme = _ESCAPE.sub(r"\1", lexeme[1:-1])
            return Token("string", column, lexeme), found.end()
        case "word" | "number" | "moment" | "sign" as kind:
            return Token(kind, column, lexeme), found.end()
        case _:
            raise AssertionError(found.lastgroup)


def _claim(text: str, position: int, source: Source) -> tuple[Token, int]:
    column = position + 1
    try:
        path, end = scan_value_path(text, position + len(source) + 1)
    except ValueError as e:
        raise ExpressionError(column, str(e)) from e
    return Token("claim", column, text[position:end], path, source), end
