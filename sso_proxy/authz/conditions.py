"""
What a route's ``require`` says: conditions of an identity and a request.

A comparison with a claim that is not there, or that is of another type than the value,
is neither true nor false, and so is its opposite: ``claims.department != 'sales'``
does not hold for somebody without a department, nor does ``not`` before anything that
cannot be told.  Whether there is a claim is what ``exists`` asks.  ``any`` needs one
that is true, ``all`` needs every one.

``claims`` is all that is known of somebody, ``id_token``, ``userinfo`` and ``token``
what each of these says: for who has logged in by something else, they are empty.

``acr`` and ``auth_age`` are about how the user authenticated, and when.  If nothing
else is missing, another login helps, and the client is told which (RFC 9470).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final, TypeAlias, TypeVar

import attrs
from zope.interface import implementer

from sso_proxy.authz.logins import (
    Login,
    authenticated_at,
    authenticated_within,
    sufficient_logins,
)
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IPolicy
from sso_proxy.model import PERMIT, Decision, Effect, Identity, Request
from sso_proxy.specs import expression
from sso_proxy.specs.claims import claim_at
from sso_proxy.specs.expression import ClaimOperand, Comparison, FactOperand
from sso_proxy.specs.expression_tokens import ExpressionError

Test: TypeAlias = Callable[[Identity, Request], bool | None]
"""True, False, or None where it cannot be told."""

T = TypeVar("T", str, int)

Getter: TypeAlias = Callable[[Identity, Request], Any]


@attrs.frozen(kw_only=True)
class Condition:
    """
    One condition, compiled.

    Attributes:
        text: As it was written.
        scopes: The scopes that it asks for, in their order.
        acr_values: The authentication contexts that it asks for, in their order.
        ages: The seconds since authentication that it asks for.
        limits: All that it compares with them; the answer may change when they pass.
        depends_on_request: Whether the answer can differ for two requests of the
            same identity at the same time.
        test: True if it holds; False or None if not.
    """

    text: str
    scopes: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    ages: tuple[int, ...] = ()
    limits: tuple[int, ...] = ()
    depends_on_request: bool = False
    test: Test = attrs.field(repr=False, eq=False)

    def holds(self, identity: Identity, request: Request) -> bool:
        """Say whether the condition is true, beyond doubt."""
        return self.test(identity, request) is True


def compile_condition(text: str, path: str) -> Condition:
    """
    Compile *text*, which stands at *path* in the configuration.

    Raises:
        ConfigError: It is no condition; the mistake names the column.
    """
    try:
        node = expression.parse(text)
    except ExpressionError as e:
        problem = f"column {e.column} of {text[:80]!r}: {e.problem}"
        raise ConfigError(Mistake(path, problem)) from e
    wanted = tuple(_wanted(node, wanted=True))
    return Condition(
        text=text,
        scopes=_once(n.name for n in wanted if isinstance(n, expression.Scope)),
        acr_values=_once(
            str(v) for n in wanted if isinstance(n, Comparison) for v in n.values
        ),
        ages=_once(n.seconds for n in wanted if isinstance(n, expression.AuthAge)),
        limits=_once(_limits(node)),
        depends_on_request=_depends_on_request(node),
        test=_compile(node),
    )


def _children(node: expression.Node) -> tuple[expression.Node, ...]:
    match node:
        case expression.All(of) | expression.Any(of):
            return of
        case expression.Not(of):
            return (of,)
        case _:
            return ()


def _once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))


def _wanted(node: expression.Node, *, wanted: bool) -> Iterator[expression.Node]:
    """Give what a client could get from its authorization server to pass."""
    match node:
        case expression.Scope() | expression.AuthAge():
            if wanted:
                yield node
        case Comparison(FactOperand("acr"), _, _, negated):
            if wanted != negated:
                yield node
        case _:
            negates = isinstance(node, expression.Not)
            for child in _children(node):
                yield from _wanted(child, wanted=wanted != negates)


def _limits(node: expression.Node) -> Iterator[int]:
    if isinstance(node, expression.AuthAge):
        yield node.seconds
    for child in _children(node):
        yield from _limits(child)


def _depends_on_request(node: expression.Node) -> bool:
    if isinstance(node, Comparison):
        return node.operand == FactOperand("method")
    return any(_depends_on_request(child) for child in _children(node))


def _compile(node: expression.Node) -> Test:  # noqa: PLR0911 - one for each kind
    match node:
        case expression.Scope(name):
            return lambda identity, _request: name in identity.scopes
        case expression.AuthAge(seconds):
            return lambda identity, request: authenticated_within(
                seconds, identity, request
            )
        case expression.Exists(claim):
            get = _getter(claim)
            return lambda identity, request: get(identity, request) is not None
        case expression.Not(of):
            return _negate(_compile(of))
        case expression.All(of):
            return _all(tuple(_compile(child) for child in of))
        case expression.Any(of):
            return _any(tuple(_compile(child) for child in of))
        case Comparison(operand, operator, values, negated):
            test = _COMPARISONS[operator](_getter(operand), values)
            return _negate(test) if negated else test


def _negate(test: Test) -> Test:
    def negated(identity: Identity, request: Request) -> bool | None:
        found = test(identity, request)
        return None if found is None else not found

    return negated


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


_FACTS: Final[dict[str, Getter]] = {
    "method": lambda _identity, request: request.head.method,
    "subject": lambda identity, _request: identity.subject,
    "issuer": lambda identity, _request: identity.issuer,
    "authenticator": lambda identity, _request: identity.authenticator,
    "acr": lambda identity, _request: identity.claims.get("acr"),
}


def _getter(operand: expression.Operand) -> Getter:
    match operand:
        case FactOperand(name):
            return _FACTS[name]
        case ClaimOperand((name,), "claims"):
            return lambda identity, _request: identity.claims.get(name)
        case ClaimOperand(path, "claims"):
            return lambda identity, _request: claim_at(identity.claims, path)
        case ClaimOperand(path, source):
            whole = (source, *path)
            return lambda identity, _request: claim_at(identity.sources, whole)


def _types(value: expression.Value) -> frozenset[type]:
    """Give the types that a claim may have to be compared with *value*."""
    # 1.0 is the number 1; true is none, although Python has True == 1.
    return frozenset({int, float}) if type(value) is int else frozenset({type(value)})


def _is_one_of(get: Getter, values: tuple[expression.Value, ...]) -> Test:
    types = _types(values[0])
    wanted = frozenset(values)

    def is_one_of(identity: Identity, request: Request) -> bool | None:
        found = get(identity, request)
        return found in wanted if type(found) in types else None

    return is_one_of


def _contains(get: Getter, values: tuple[expression.Value, ...]) -> Test:
    value = values[0]
    types = _types(value)

    def contains(identity: Identity, request: Request) -> bool | None:
        found = get(identity, request)
        if type(found) not in {list, tuple}:
            return None
        return any(type(item) in types and item == value for item in found)

    return contains


_COMPARISONS: Final = {"==": _is_one_of, "in": _is_one_of, "contains": _contains}


@implementer(IPolicy)
class Requirements:
    """
    A route's ``require``: all conditions must hold.

    Attributes:
        conditions: In the order of the file.
        depends_on_request: Whether any of them does.
        depends_on_time: Whether the answer can change as time goes by.
    """

    reads_headers: ClassVar = False
    sets: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.conditions = tuple(conditions)
        self.depends_on_request = any(c.depends_on_request for c in self.conditions)
        self._tests = tuple(c.test for c in self.conditions)
        self._acr_values = _once(a for c in self.conditions for a in c.acr_values)
        self._ages = _once(age for c in self.conditions for age in c.ages)
        self._limits = _once(limit for c in self.conditions for limit in c.limits)
        self.depends_on_time = bool(self._limits)

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """Decide as `check` does; never waits."""
        return self.check(identity, request)

    def check(self, identity: Identity, request: Request) -> Decision:
        """Permit if all conditions hold; else say which is the first that does not."""
        for test in self._tests:
            if test(identity, request) is not True:
                return self._deny(identity, request)
        return PERMIT

    def steady_for(self, identity: Identity, now: float) -> float:
        """
        Say for how many seconds the answer for *identity* stays the same.

        Args:
            identity: Whose requests.
            now: Seconds since the epoch.
        """
        since = authenticated_at(identity)
        if since is None:
            return math.inf
        left = (since + limit - now for limit in self._limits)
        return min((seconds for seconds in left if seconds >= 0), default=math.inf)

    def _deny(self, identity: Identity, request: Request) -> Decision:
        failed = [c.holds(identity, request) for c in self.conditions].index(False)
        denied = Decision(effect=Effect.DENY, reasons=(f"require[{failed}]",))
        if scope := self._enough(identity, request):
            return attrs.evolve(denied, scope=scope)
        return self._better_login(identity, request, denied) or denied

    def _better_login(
        self, identity: Identity, request: Request, denied: Decision
    ) -> Decision | None:
        """Say how the user would have to log in to pass, if that is what is missing."""
        asked = frozenset(s for c in self.conditions for s in c.scopes)
        for scopes in (identity.scopes, asked):
            known = attrs.evolve(identity, scopes=scopes)
            if scopes is asked and (not asked or self._holds(known, request)):
                return None  # scopes are not what is missing

            def enough(login: Login, known: Identity = known) -> bool:
                return self._holds(login.of(known, request), request)

            if logins := sufficient_logins(self._acr_values, self._ages, enough):
                again = logins[0].of(known, request)
                return attrs.evolve(
                    denied,
                    effect=Effect.STEP_UP,
                    acr_values=tuple(a.acr for a in logins if a.acr is not None),
                    max_age=logins[0].age,
                    scope=self._enough(again, request) if scopes is asked else (),
                )
        return None

    def _enough(self, identity: Identity, request: Request) -> tuple[str, ...]:
        """Give the scopes with which *identity* could pass; empty if it cannot."""
        asked = dict.fromkeys(s for c in self.conditions for s in c.scopes)
        if not self._pass_with(asked, identity, request):
            return ()
        for scope in list(asked)[::-1]:  # of alternatives, the first is enough
            fewer = [s for s in asked if s != scope]
            if self._pass_with(fewer, identity, request):
                del asked[scope]
        return tuple(asked)

    def _pass_with(
        self, scopes: Iterable[str], identity: Identity, request: Request
    ) -> bool:
        other = attrs.evolve(identity, scopes=frozenset(scopes))
        return self._holds(other, request)

    def _holds(self, identity: Identity, request: Request) -> bool:
        return all(test(identity, request) is True for test in self._tests)


def compile_requirements(texts: Iterable[str], path: str) -> Requirements:
    """
    Compile a route's ``require``; *path* is the list's, such as ``route[0].require``.

    Raises:
        ConfigError: With every condition that is none.
    """
    conditions: list[Condition] = []
    mistakes: list[Mistake] = []
    for number, text in enumerate(texts):
        try:
            conditions.append(compile_condition(text, f"{path}[{number}]"))
        except ConfigError as e:
            mistakes += e.mistakes
    if mistakes:
        raise ConfigError(*mistakes)
    return Requirements(conditions)
