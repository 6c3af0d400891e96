"""
The grammar of conditions: text to a tree, without meaning.

The language is closed and typed: what it has no word for cannot be said, and a value
is a string, a whole number, true or false, never turned into one another::

    condition  = and *("or" and)
    and        = not *("and" not)
    not        = "not" not / primary
    primary    = "(" condition ")"
               / ("any" / "all") "(" condition *("," condition) ")"
               / "exists" claim
               / "scope:" name
               / "auth_age" "<=" number                ; seconds
               / operand ("==" / "!=") value
               / operand ["not"] "in" "[" value *("," value) "]"
               / claim ["not"] "contains" value
    operand    = claim / "method" / "subject" / "issuer" / "authenticator" / "acr"
    claim      = source "." path                    ; see specs/claims
    source     = "claims" / "id_token" / "userinfo" / "token"
    value      = quoted / number / "true" / "false"
               / METHOD                             ; upper-case, only for method
"""

import re
from typing import Final, Literal, NoReturn, TypeAlias

import attrs

from sso_proxy.specs.claims import ClaimPath
from sso_proxy.specs.expression_tokens import (
    ExpressionError,
    Source,
    Token,
    read_tokens,
)

MAX_LENGTH: Final = 4096
MAX_NESTING: Final = 32

Value: TypeAlias = str | int | bool
Operator = Literal["==", "in", "contains"]


@attrs.frozen
class ClaimOperand:
    """A claim of the identity: of all that is known of it, or as one source has it."""

    path: ClaimPath
    source: Source = "claims"


@attrs.frozen
class FactOperand:
    """Else: ``method``, ``subject``, ``issuer``, ``authenticator`` or ``acr``."""

    name: str


Operand: TypeAlias = ClaimOperand | FactOperand


@attrs.frozen
class Scope:
    """The access token has the scope *name*."""

    name: str


@attrs.frozen
class AuthAge:
    """The user authenticated at most this many *seconds* ago."""

    seconds: int


@attrs.frozen
class Exists:
    """There is such a claim, and it is not null."""

    claim: ClaimOperand


@attrs.frozen
class Comparison:
    """
    A typed comparison.

    Attributes:
        operand: What is compared.
        operator: ``==`` and ``contains`` have one value.
        values: All of one type; at least one.
        negated: The opposite: ``!=``, ``not in``, ``not contains``.
    """

    operand: Operand
    operator: Operator
    values: tuple[Value, ...]
    negated: bool = False


@attrs.frozen
class Not:
    """The opposite."""

    of: "Node"


@attrs.frozen
class All:
    """Every one."""

    of: tuple["Node", ...]


@attrs.frozen
class Any:
    """At least one."""

    of: tuple["Node", ...]


Node: TypeAlias = Scope | AuthAge | Exists | Comparison | Not | All | Any


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


_FACTS: Final = ("method", "subject", "issuer", "authenticator", "acr")
_METHOD = re.compile(r"[A-Z][A-Z-]*")

# What can stand in a list of acr_values, and in a field (RFC 9470 section 3).
_ACR = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


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
        if self._take("exists"):
            return Exists(self._claim())
        if token.kind == "scope":
            self._at += 1
            return Scope(token.text)
        if self._take("auth_age"):
            return self._auth_age()
        return self._comparison()

    def _auth_age(self) -> AuthAge:
        if not self._take("<="):
            self._fail("expected <=, as in auth_age <= 300")
        token = self._token
        if token.kind != "number" or token.text.startswith("-"):
            self._fail("expected a number of seconds")
        self._at += 1
        return AuthAge(int(token.text))

    def _group(self, *, more: bool = False) -> tuple[Node, ...]:
        self._enter()
        nodes = [self._any_of()]
        while more and self._take(","):
            nodes.append(self._any_of())
        self._expect(")")
        self._nesting -= 1
        return tuple(nodes)

    def _claim(self) -> ClaimOperand:
        token = self._token
        if token.kind != "claim":
            self._fail("expected a claim, such as claims.department")
        self._at += 1
        return ClaimOperand(token.path, token.source)

    def _operand(self) -> Operand:
        token = self._token
        if token.kind == "claim":
            return self._claim()
        if self._take(*_FACTS):
            return FactOperand(token.text)
        return self._fail(
            "expected a condition: scope:NAME, claims.NAME, exists, any, all, not, "
            "auth_age, " + ", ".join(_FACTS)
        )

    def _comparison(self) -> Comparison:
        operand = self._operand()
        if self._take("=="):
            return Comparison(operand, "==", (self._value(operand),))
        if self._take("!="):
            return Comparison(operand, "==", (self._value(operand),), negated=True)
        negated = self._take("not")
        if self._take("in"):
            return Comparison(operand, "in", self._list(operand), negated)
        if isinstance(operand, ClaimOperand) and self._take("contains"):
            return Comparison(operand, "contains", (self._value(operand),), negated)
        return self._fail("expected ==, !=, in or contains (claims only)")

    def _list(self, operand: Operand) -> tuple[Value, ...]:
        self._expect("[")
        column = self._token.column
        values = [self._value(operand)]
        while self._take(","):
            values.append(self._value(operand))
        self._expect("]")
        if len({type(value) for value in values}) > 1:
            raise ExpressionError(column, "the values of a list must have one type")
        return tuple(values)

    def _value(self, operand: Operand) -> Value:
        """Read a value that *operand* can have: facts are strings."""
        token = self._token
        is_claim = isinstance(operand, ClaimOperand)
        self._at += token.kind != "end"
        match token.kind:
            case "string":
                if operand == FactOperand("acr") and not _ACR.fullmatch(token.text):
                    raise ExpressionError(
                        token.column,
                        "no client could ask for this acr: it may have printable ASCII"
                        " characters without blanks, double quotes and backslashes",
                    )
                return token.text
            case "number" if is_claim:
                return int(token.text)
            case "word" if is_claim and token.text in {"true", "false"}:
                return token.text == "true"
            case "word" if operand == FactOperand("method"):
                if _METHOD.fullmatch(token.text):
                    return token.text
        raise ExpressionError(token.column, self._wanted(operand, token))

    @staticmethod
    def _wanted(operand: Operand, token: Token) -> str:
        if operand == FactOperand("method"):
            return f"expected a method such as GET, in capitals, not {token.text!r}"
        if token.kind == "word":
            return f"a string stands in quotes: '{token.text}'"
        if isinstance(operand, FactOperand):
            return f"{operand.name} is compared with a string, not {token.text!r}"
        return f"expected a string, a whole number, true or false, not {token.text!r}"
