"""What a condition says, as a tree: see `sso_proxy.specs.expression`."""

from typing import Final, Literal, TypeAlias

import attrs

from sso_proxy.specs.claims import ValuePath
from sso_proxy.specs.expression_times import Moment, Window
from sso_proxy.specs.expression_tokens import Source


class Now:
    """The moment at which a request came."""

    def __repr__(self) -> str:
        """Give the word for it."""
        return "now"


NOW: Final = Now()

Value: TypeAlias = str | int | bool | Moment | Now
Operator = Literal[
    "==", "in", "contains", "starts with", "like", "matches", "<", "<=", ">", ">="
]
Pattern = Literal["starts with", "like", "matches"]


@attrs.frozen
class ClaimOperand:
    """A claim of the identity: of all that is known of it, or as one source has it."""

    path: ValuePath
    source: Source = "claims"


@attrs.frozen
class FactOperand:
    """
    Something else that is known: ``method``, ``certificate.subject``.

    Attributes:
        name: Its name; `sso_proxy.specs.expression` lists them by what they are.
    """

    name: str


@attrs.frozen
class PartOperand:
    """The segment of the path that stands where the template has ``{name}``."""

    name: str


@attrs.frozen
class CellOperand:
    """What a table has in *column*, in the row whose key is the value of *key*."""

    table: str
    key: "Operand"
    column: str


Operand: TypeAlias = ClaimOperand | FactOperand | PartOperand | CellOperand


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
    """There is such a value, and it is not null."""

    operand: Operand


@attrs.frozen
class Comparison:
    """
    A typed comparison.

    Attributes:
        operand: What is compared.
        operator: Only ``in`` has more than one value.
        values: All of one type; at least one.
        negated: The opposite: ``!=``, ``not in``, ``not contains``.
        inside: With a pattern for an operator: an element of the list fits it.
    """

    operand: Operand
    operator: Operator
    values: tuple[Value, ...]
    negated: bool = False
    inside: bool = False


@attrs.frozen
class Member:
    """
    A value is in a group.

    Attributes:
        operand: The value, or a list of which one element has to be.
        group: The group's name.
        negated: The opposite.
    """

    operand: Operand
    group: str
    negated: bool = False


@attrs.frozen
class Within:
    """The request came in these hours of the week."""

    window: Window
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


Node: TypeAlias = (
    Scope | AuthAge | Exists | Comparison | Member | Within | Not | All | Any
)


def children(node: Node) -> tuple[Node, ...]:
    """Give the conditions that *node* is made of."""
    match node:
        case All(of) | Any(of):
            return of
        case Not(of):
            return (of,)
        case _:
            return ()
