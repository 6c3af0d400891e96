"""
The grammar of conditions: text to a tree, without meaning.

The language is closed and typed: what it has no word for cannot be said, and a value
is a string, a whole number, a moment, true or false, never turned into one another::

    condition  = and *("or" and)
    and        = not *("and" not)
    not        = "not" not / primary
    primary    = "(" condition ")"
               / ("any" / "all") "(" condition *("," condition) ")"
               / "exists" operand
               / "scope:" name
               / "auth_age" "<=" number                ; seconds
               / "now" ["not"] "in" quoted             ; hours of the week
               / operand ("==" / "!=") value
               / operand ("<" / "<=" / ">" / ">=") (number / moment / "now")
               / operand ["not"] "in" ("[" value *("," value) "]" / "groups." name)
               / operand ["not"] pattern quoted
               / operand ["not"] "contains" (value / pattern quoted)
    pattern    = "starts with" / "like" / "matches"
    operand    = claim / fact / "path." name / cell
    claim      = source "." path                    ; see specs/claims
    source     = "claims" / "id_token" / "userinfo" / "token"
    cell       = "tables." name "[" operand "]" "." column
    value      = quoted / number / moment / "true" / "false"
               / METHOD                             ; upper-case, only for method

Facts are listed below by what they are: text, lists of text, or true and false.
"""

import re
from collections.abc import Callable
from typing import Final, NoReturn, get_args

from sso_proxy.specs.expression_facts import LISTS, TEXTS, TRUTHS, check_text
from sso_proxy.specs.expression_patterns import PatternError, compile_pattern
from sso_proxy.specs.expression_times import Moment, read_moment, read_window
from sso_proxy.specs.expression_tokens import (
    ExpressionError,
    Token,
    read_tokens,
)
from sso_proxy.specs.expression_tree import (
    NOW,
    All,
    Any,
    AuthAge,
    CellOperand,
    ClaimOperand,
    Comparison,
    Exists,
    FactOperand,
    Member,
    Node,
    Not,
    Operand,
    PartOperand,
    Pattern,
    Scope,
    Value,
    Within,
)

MAX_LENGTH: Final = 4096
MAX_NESTING: Final = 32

_FACTS: Final = frozenset((*TEXTS, *LISTS, *TRUTHS))
_METHOD_FACT: Final = FactOperand("method")
_METHOD = re.compile(r"[A-Z][A-Z-]*")
_PATTERNS: Final = get_args(Pattern)


def parse(text: str) -> Node:
    """
    Read one condition.

    Raises:
        ExpressionError: *text* is none, is longer than `MAX_LENGTH` characters or
            nested deeper than `MAX_NESTING`.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(MAX_LENGTH + 1, f"longer than {MAX_LENGTH} characters")
    return _Parser(read_tokens(text)).whole()


class _Parser:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._nesting = 0

    def whole(self) -> Node:
        node = self._any_of()
        if self._token.kind != "end":
            self._fail("expected 'and', 'or' or the end")
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _fail(self, problem: str) -> NoReturn:
        raise ExpressionError(
            self._token.column, f"{problem}, not {self._token.text!r}"
        )

    def _take(self, *texts: str) -> bool:
        """Go past a word or sign if it is one of *texts*."""
        token = self._token
        if token.kind in {"word", "sign"} and token.text in texts:
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self._fail(f"expected {sign!r}")

    def _enter(self) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ExpressionError(
                self._token.column, f"nested deeper than {MAX_NESTING}"
            )

    def _any_of(self) -> Node:
        nodes = [self._all_of()]
        while self._take("or"):
            nodes.append(self._all_of())
        return nodes[0] if len(nodes) == 1 else Any(tuple(nodes))

    def _all_of(self) -> Node:
        nodes = [self._not()]
        while self._take("and"):
            nodes.append(self._not())
        return nodes[0] if len(nodes) == 1 else All(tuple(nodes))

    def _not(self) -> Node:
        if not self._take("not"):
            return self._primary()
        self._enter()
        node = Not(self._not())
        self._nesting -= 1
        return node

    def _primary(self) -> Node:
        token = self._token
        if self._take("("):
            return self._group()[0]
        if self._take("any", "all"):
            self._expect("(")
            nodes = self._group(more=True)
            return Any(nodes) if token.text == "any" else All(nodes)
        if token.kind == "scope":
            self._at += 1
            return Scope(token.text)
        special: dict[str, Callable[[], Node]] = {
            "exists": lambda: Exists(self._operand()),
            "auth_age": self._auth_age,
            "now": self._now,
        }
        if token.kind == "word" and token.text in special:
            self._at += 1
            return special[token.text]()
        return self._comparison()

    def _auth_age(self) -> AuthAge:
        if not self._take("<="):
            self._fail("expected <=, as in auth_age <= 300")
        token = self._token
        if token.kind != "number" or token.text.startswith("-"):
            self._fail("expected a number of seconds")
        self._at += 1
        return AuthAge(int(token.text))

    def _now(self) -> Within:
        negated = self._take("not")
        if not self._take("in"):
            self._fail("expected in, as in now in 'mon-fri 08:00-18:00 Europe/Berlin'")
        token = self._token
        try:
            window = read_window(self._quoted())
        except ValueError as e:
            raise ExpressionError(token.column, str(e)) from None
        return Within(window, negated)

    def _group(self, *, more: bool = False) -> tuple[Node, ...]:
        self._enter()
        nodes = [self._any_of()]
        while more and self._take(","):
            nodes.append(self._any_of())
        self._expect(")")
        self._nesting -= 1
        return tuple(nodes)

    def _operand(self) -> Operand:
        token = self._token
        if token.kind == "claim":
            self._at += 1
            return ClaimOperand(token.path, token.source)
        if token.kind == "word":
            family, _, name = token.text.partition(".")
            if token.text in _FACTS:
                self._at += 1
                return FactOperand(token.text)
            if family == "path" and name and "." not in name:
                self._at += 1
                return PartOperand(name)
            if family == "tables" and name and "." not in name:
                return self._cell(name)
        return self._fail(
            "expected a condition: scope:NAME, claims.NAME, exists, any, all, not, "
            "auth_age, now, path.NAME, tables.NAME[…].COLUMN, "
            + ", ".join((*TEXTS, *LISTS, *TRUTHS))
        )

    def _cell(self, table: str) -> CellOperand:
        """Read what is behind the name of a table."""
        self._at += 1
        self._expect("[")
        self._enter()
        key = self._operand()
        self._nesting -= 1
        self._expect("]")
        self._expect(".")
        column = self._token
        if column.kind != "word" or "." in column.text:
            self._fail("expected the name of a column")
        self._at += 1
        return CellOperand(table, key, column.text)

    def _comparison(self) -> Node:
        operand = self._operand()
        token = self._token
        if _name(operand) in LISTS and token.text in {"==", "!="}:
            self._fail(f"{_name(operand)} is a list: expected contains")
        if self._take("==", "!="):
            negated = token.text == "!="
            return Comparison(operand, "==", (self._value(operand),), negated)
        if self._take("<", "<=", ">", ">="):
            return self._order(operand, token)
        negated = self._take("not")
        if self._take("in"):
            return self._in(operand, negated=negated)
        if self._take("contains"):
            return self._contains(operand, negated=negated)
        if self._token.text in {"starts", "like", "matches"}:
            return self._pattern(operand, negated=negated)
        return self._fail(
            "expected ==, !=, <, <=, >, >=, in, contains, starts with, like or matches"
        )

    def _order(self, operand: Operand, sign: Token) -> Comparison:
        """Read what a number or a moment is compared with."""
        if not isinstance(operand, ClaimOperand | CellOperand):
            raise ExpressionError(
                sign.column, f"only claims have an order, not {_name(operand)}"
            )
        token = self._token
        value: Value | None = None
        if self._take("now"):
            value = NOW
        elif token.kind == "number" and _may_be_anything(operand):
            value, self._at = int(token.text), self._at + 1
        elif token.kind == "moment":
            value, self._at = self._moment(token), self._at + 1
        if value is None:
            self._fail("expected a number, a moment such as 2026-12-31, or now")
        return Comparison(operand, sign.text, (value,))  # type: ignore[arg-type]

    def _in(self, operand: Operand, *, negated: bool) -> Comparison | Member:
        """Read the list, or the group, that a value is in."""
        token = self._token
        if token.kind == "word" and token.text.startswith("groups."):
            if _name(operand) in TRUTHS:
                self._fail(f"{_name(operand)} is no member")
            self._at += 1
            return Member(operand, token.text.removeprefix("groups."), negated)
        if _name(operand) in LISTS:
            self._fail(f"{_name(operand)} is a list: expected a group")
        self._expect("[")
        column = self._token.column
        values = [self._value(operand)]
        while self._take(","):
            values.append(self._value(operand))
        self._expect("]")
        if len({type(value) for value in values}) > 1:
            raise ExpressionError(column, "the values of a list must have one type")
        return Comparison(operand, "in", tuple(values), negated)

    def _contains(self, operand: Operand, *, negated: bool) -> Comparison:
        """Read what an element of a list is, or what it is like."""
        if not (_may_be_anything(operand) or _name(operand) in LISTS):
            column = self._tokens[self._at - 1].column
            raise ExpressionError(column, f"{_name(operand)} is no list")
        if self._token.text in {"starts", "like", "matches"}:
            return self._pattern(operand, negated=negated, inside=True)
        return Comparison(operand, "contains", (self._value(operand),), negated)

    def _pattern(
        self, operand: Operand, *, negated: bool, inside: bool = False
    ) -> Comparison:
        """Read a beginning, a glob or a regular expression."""
        token = self._token
        name = _name(operand)
        if not inside and (name in LISTS or name in TRUTHS):
            raise ExpressionError(token.column, f"{name} is no text")
        operator = token.text
        self._at += 1
        if operator == "starts":
            self._expect("with")
            operator = "starts with"
        value = self._token
        text = self._quoted()
        if operator in _PATTERNS:
            try:
                compile_pattern(operator, text)
            except PatternError as e:
                raise ExpressionError(value.column, str(e)) from None
        return Comparison(operand, operator, (text,), negated, inside)  # type: ignore[arg-type]

    def _quoted(self) -> str:
        token = self._token
        if token.kind != "string":
            self._fail("expected text in quotes")
        self._at += 1
        return token.text

    def _value(self, operand: Operand) -> Value:
        """Read a value that *operand* can have."""
        token = self._token
        anything = _may_be_anything(operand)
        self._at += token.kind != "end"
        match token.kind:
            case "string" if _name(operand) not in TRUTHS:
                self._check_text(operand, token)
                return token.text
            case "number" if anything:
                return int(token.text)
            case "moment" if anything or isinstance(operand, CellOperand):
                return self._moment(token)
            case "word" if anything or _name(operand) in TRUTHS:
                if token.text in {"true", "false"}:
                    return token.text == "true"
            case "word" if operand == _METHOD_FACT:
                if _METHOD.fullmatch(token.text):
                    return token.text
        raise ExpressionError(token.column, _wanted(operand, token))

    @staticmethod
    def _check_text(operand: Operand, token: Token) -> None:
        """Check that a fact can be this text at all."""
        try:
            check_text(_name(operand), token.text)
        except ValueError as e:
            raise ExpressionError(token.column, str(e)) from None

    @staticmethod
    def _moment(token: Token) -> Moment:
        try:
            return read_moment(token.text)
        except ValueError as e:
            raise ExpressionError(token.column, str(e)) from None


def _name(operand: Operand) -> str:
    """Give the name of a fact; for messages, of other operands, too."""
    match operand:
        case FactOperand(name):
            return name
        case PartOperand(name):
            return f"path.{name}"
        case CellOperand(table):
            return f"tables.{table}"
        case ClaimOperand(_, source):
            return source


def _may_be_anything(operand: Operand) -> bool:
    """Say whether a value may be of any type: who issued it has chosen that."""
    return isinstance(operand, ClaimOperand)


def _wanted(operand: Operand, token: Token) -> str:
    if operand == _METHOD_FACT:
        return f"expected a method such as GET, in capitals, not {token.text!r}"
    if _name(operand) in TRUTHS:
        return f"expected true or false, not {token.text!r}"
    if token.kind == "word":
        return f"a string stands in quotes: '{token.text}'"
    if not _may_be_anything(operand):
        return f"{_name(operand)} is compared with a string, not {token.text!r}"
    return f"expected a string, a whole number, true or false, not {token.text!r}"
