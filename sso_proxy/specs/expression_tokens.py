"""The words of the grammar of conditions: see `sso_proxy.specs.expression`."""

import re
from typing import Literal

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.claims import ClaimPath, scan_claim_path


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
    """A word of a condition, and the column where it begins, counted from 1."""

    kind: Literal["scope", "claim", "word", "string", "number", "sign", "end"]
    column: int
    text: str
    path: ClaimPath = ()


# The characters of a scope (RFC 6749 section 3.3) without those that the grammar needs
# itself; a scope with one of them is written in quotes.
_SCOPE = re.compile(r"scope:(?:([!#-&*+\--Z^-~]+)|'([!#-&(-\[\]-~]+)')")
_LEXEMES = re.compile(
    r"""(?P<word>[A-Za-z_][A-Za-z0-9_-]*)
      | (?P<number>-?[0-9]{1,15}(?![A-Za-z0-9_.]))
      | (?P<string>'(?:[^'\\]|\\['\\])*'|"(?:[^"\\]|\\["\\])*")
      | (?P<sign>==|!=|<=|[()\[\],])""",
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
    if text.startswith("claims.", position):
        try:
            path, end = scan_claim_path(text, position + len("claims."))
        except ValueError as e:
            raise ExpressionError(column, str(e)) from e
        return Token("claim", column, text[position:end], path), end
    found = _LEXEMES.match(text, position)
    if found is None:
        raise ExpressionError(column, f"cannot read {text[position : position + 12]!r}")
    lexeme = found[0]
    match found.lastgroup:
        case "string":
            lexeme = _ESCAPE.sub(r"\1", lexeme[1:-1])
            return Token("string", column, lexeme), found.end()
        case "word" | "number" | "sign" as kind:
            return Token(kind, column, lexeme), found.end()
        case _:
            raise AssertionError(found.lastgroup)
