"""
Trees of conditions as closures: true, false, or None where it cannot be told.

A comparison with a value that is not there, or that is of another type than what it is
compared with, is neither true nor false, and so is its opposite.
"""

import ipaddress
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeAlias

from sso_proxy.authz.clocks import (
    AgeClock,
    Clock,
    Hours,
    HoursClock,
    MomentClock,
    always,
    moment_of,
    number_of,
)
from sso_proxy.authz.facts import (
    CHANGING,
    STEADY,
    Context,
    Getter,
    UndefinedError,
    make_getter,
)
from sso_proxy.authz.logins import authenticated_within
from sso_proxy.model import Identity, Request
from sso_proxy.specs import expression_tree as tree
from sso_proxy.specs.expression_patterns import compile_pattern, is_text
from sso_proxy.specs.expression_times import Moment, Window
from sso_proxy.specs.expression_tree import Comparison, FactOperand, children

Test: TypeAlias = Callable[[Identity, Request], bool | None]
"""True, False, or None where it cannot be told."""

_ADDRESSES: Final = 128
"""Of how many clients a condition knows whether they are in its networks."""

_TEXTS: Final = 128
"""Of how many paths a condition knows whether they fit its pattern."""

_SHORT: Final = 256
"""Characters of these at most."""


def compile_tree(node: tree.Node, context: Context) -> Test:  # noqa: PLR0911 - one for each kind
    """
    Compile a condition.

    Raises:
        UndefinedError: It names a part, group or table that is not there.
    """
    match node:
        case tree.Scope(name):
            return lambda identity, _request: name in identity.scopes
        case tree.AuthAge(seconds):
            return lambda identity, request: authenticated_within(
                seconds, identity, request
            )
        case tree.Exists(operand):
            get = make_getter(operand, context)
            return lambda identity, request: get(identity, request) is not None
        case tree.Not(of):
            return _negate(compile_tree(of, context))
        case tree.All(of):
            return _all(tuple(compile_tree(child, context) for child in of))
        case tree.Any(of):
            return _any(tuple(compile_tree(child, context) for child in of))
        case tree.Within(window, negated):
            return _maybe_not(_within(window), negated=negated)
        case tree.Member(operand, group, negated):
            return _maybe_not(_member(operand, group, context), negated=negated)
        case Comparison():
            return _maybe_not(_compare(node, context), negated=node.negated)


def depends_on_request(node: tree.Node) -> bool:
    """Say whether the answer may differ for repeated requests of one identity."""
    match node:
        case tree.Exists(operand) | tree.Member(operand) | Comparison(operand):
            return _is_changing(operand)
        case _:
            return any(map(depends_on_request, children(node)))


def _is_changing(operand: tree.Operand) -> bool:
    match operand:
        case FactOperand(name):
            return name in CHANGING
        case tree.CellOperand(_, key):
            return _is_changing(key)
        case _:
            return isinstance(operand, tree.PartOperand)


def is_steady(node: tree.Node) -> bool:
    """
    Say whether the answer is the same whenever one identity sends one method.

    What is not known to be so is not: such answers are kept.
    """
    match node:
        case tree.Scope():
            return True
        case Comparison(operand, _, values):
            return tree.NOW not in values and _is_steady(operand)
        case tree.Exists(operand) | tree.Member(operand):
            return _is_steady(operand)
        case tree.Not() | tree.All() | tree.Any():
            return all(map(is_steady, children(node)))
        case _:
            return False


def _is_steady(operand: tree.Operand) -> bool:
    match operand:
        case FactOperand(name):
            return name in STEADY
        case tree.CellOperand(_, key):
            return _is_steady(key)
        case _:
            return isinstance(operand, tree.ClaimOperand)


def clocks(node: tree.Node, context: Context) -> Iterator[Clock]:
    """Give what says when the answer may change as time goes by."""
    match node:
        case tree.AuthAge(seconds):
            yield AgeClock(seconds)
        case tree.Within(window):
            yield HoursClock(window)
        case Comparison(operand, _, (tree.Now(),)) if _is_changing(operand):
            yield always
        case Comparison(operand, _, (tree.Now(),)):
            yield MomentClock(operand, make_getter(operand, context))
        case _:
            for child in children(node):
                yield from clocks(child, context)


def _maybe_not(test: Test, *, negated: bool) -> Test:
    return _negate(test) if negated else test


def _negate(test: Test) -> Test:
    def opposite(identity: Identity, request: Request) -> bool | None:
        found = test(identity, request)
        return None if found is None else not found

    return opposite


def _all(tests: tuple[Test, ...]) -> Test:
    def every(identity: Identity, request: Request) -> bool | None:
        unknown = False
        for test in tests:
            found = test(identity, request)
            if found is None:
                unknown = True
            elif not found:
                return False
        return None if unknown else True

    return every


def _any(tests: tuple[Test, ...]) -> Test:
    def some(identity: Identity, request: Request) -> bool | None:
        unknown = False
        for test in tests:
            found = test(identity, request)
            if found is None:
                unknown = True
            elif found:
                return True
        return None if unknown else False

    return some


def _within(window: Window) -> Test:
    hours = Hours(window)

    def within(_identity: Identity, request: Request) -> bool | None:
        return None if request.time is None else hours.has(request.time)

    return within


def _member(operand: tree.Operand, group: str, context: Context) -> Test:
    """Say whether a text, or an element of a list, is in a group."""
    members = context.groups.get(group)
    if members is None:
        known = ", ".join(context.groups) or "none"
        raise UndefinedError(f"there is no group {group!r}; there are: {known}")
    get = make_getter(operand, context)

    def member(identity: Identity, request: Request) -> bool | None:
        found = get(identity, request)
        if type(found) in {list, tuple}:
            return any(type(item) is str and item in members for item in found)
        return found in members if type(found) is str else None

    return member


def _compare(node: Comparison, context: Context) -> Test:
    """Compile a comparison, without its negation."""
    get, value = make_getter(node.operand, context), node.values[0]
    if node.operand == FactOperand("client") and node.operator in {"==", "in"}:
        return _in_networks(get, [str(value) for value in node.values])
    match node.operator:
        case "==" | "in":
            return _is_one_of(get, node.values)
        case "contains":
            return _contains(get, value)
        case "starts with" | "like" | "matches":
            fits = compile_pattern(node.operator, str(value))
            if node.operand == FactOperand("path"):
                fits = _remembered(fits)
            if node.inside:
                return _some(get, lambda item: is_text(item) and fits(item))
            return _fits(get, fits)
        case "<" | "<=" | ">" | ">=":
            return _ordered(get, _ORDERS[node.operator], value)


def _types(value: tree.Value) -> frozenset[type]:
    """Give the types that a claim may have to be compared with *value*."""
    # 1.0 is the number 1; true is none, although Python has True == 1.
    return frozenset({int, float}) if type(value) is int else frozenset({type(value)})


def _is_one_of(get: Getter, values: tuple[tree.Value, ...]) -> Test:
    if isinstance(values[0], Moment):
        return _is_moment(get, {v.seconds for v in values if isinstance(v, Moment)})
    types = _types(values[0])
    wanted = frozenset(values)

    def is_one_of(identity: Identity, request: Request) -> bool | None:
        found = get(identity, request)
        return found in wanted if type(found) in types else None

    return is_one_of


def _is_moment(get: Getter, wanted: set[float]) -> Test:
    def is_moment(identity: Identity, request: Request) -> bool | None:
        found = moment_of(get(identity, request))
        return None if found is None else found in wanted

    return is_moment


def _contains(get: Getter, value: tree.Value) -> Test:
    types = _types(value)
    if isinstance(value, Moment):
        moment = value.seconds
        return _some(get, lambda item: moment_of(item) == moment)

    def contains(identity: Identity, request: Request) -> bool | None:
        found = get(identity, request)
        if type(found) not in {list, tuple}:
            return None
        return any(type(item) in types and item == value for item in found)

    return contains


def _fits(get: Getter, fits: Callable[[str], bool]) -> Test:
    def fitting(identity: Identity, request: Request) -> bool | None:
        found = get(identity, request)
        return fits(found) if is_text(found) else None

    return fitting


def _remembered(fits: Callable[[str], bool]) -> Callable[[str], bool]:
    """Remember of short texts whether they fit: that is a tenth of the time."""
    known = lru_cache(_TEXTS)(fits)
    return lambda text: known(text) if len(text) <= _SHORT else fits(text)


def _some(get: Getter, fits: Callable[[Any], bool]) -> Test:
    """Say whether an element of a list fits."""

    def some(identity: Identity, request: Request) -> bool | None:
        found = get(identity, request)
        if type(found) not in {list, tuple}:
            return None
        return any(map(fits, found))

    return some


def _in_networks(get: Getter, texts: list[str]) -> Test:
    """
    Say whether an address is in a network; one of IPv4 in IPv6 is one of IPv4.

    ``unix`` stands for clients on a unix socket, who have none.
    """
    unix = True if "unix" in texts else None
    networks = [ipaddress.ip_network(text) for text in texts if text != "unix"]

    @lru_cache(_ADDRESSES)
    def has(text: str) -> bool | None:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return unix
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in networks)

    return lambda identity, request: has(get(identity, request))


_ORDERS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _ordered(
    get: Getter, order: Callable[[float, float], bool], value: tree.Value
) -> Test:
    """Compare with a number, a moment, or the moment of the request."""
    read = number_of if type(value) is int else moment_of
    limit = value.seconds if isinstance(value, Moment) else value

    def ordered(identity: Identity, request: Request) -> bool | None:
        found = read(get(identity, request))
        other: Any = request.time if limit is tree.NOW else limit
        if found is None or other is None:
            return None
        return order(found, other)

    return ordered
