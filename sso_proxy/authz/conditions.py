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
from collections.abc import Iterable, Iterator
from typing import ClassVar, TypeVar

import attrs
from zope.interface import implementer

from sso_proxy.authz.clocks import Clock
from sso_proxy.authz.compiling import (
    Test,
    clocks,
    compile_tree,
    depends_on_request,
)
from sso_proxy.authz.facts import NOTHING, Context, UndefinedError
from sso_proxy.authz.logins import Login, sufficient_logins
from sso_proxy.authz.possible import (
    NONE_MISSING,
    Outcome,
    find_answers,
    outcome_of,
)
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ILocalPolicy
from sso_proxy.model import PERMIT, Decision, Effect, Identity, Request
from sso_proxy.specs import expression
from sso_proxy.specs import expression_tree as tree
from sso_proxy.specs.expression_tokens import ExpressionError
from sso_proxy.specs.expression_tree import Comparison, FactOperand, children

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Condition:
    """
    One condition, compiled.

    Attributes:
        text: As it was written.
        scopes: The scopes that it asks for, in their order.
        acr_values: The authentication contexts that it asks for, in their order.
        ages: The seconds since authentication that it asks for.
        clocks: Say when the answer may change as time goes by.
        depends_on_request: Whether the answer can differ for two requests of the
            same identity at the same time.
        node: What it says, to be explained.
        context: What that may name.
        test: True if it holds; False or None if not.
    """

    text: str
    scopes: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    ages: tuple[int, ...] = ()
    clocks: tuple[Clock, ...] = attrs.field(default=(), repr=False, eq=False)
    depends_on_request: bool = False
    node: tree.Node = attrs.field(repr=False, eq=False)
    context: Context = attrs.field(default=NOTHING, repr=False, eq=False)
    test: Test = attrs.field(repr=False, eq=False)

    def holds(self, identity: Identity, request: Request) -> bool:
        """Say whether the condition is true, beyond doubt."""
        return self.test(identity, request) is True

    def explain(
        self,
        identity: Identity,
        request: Request,
        missing: frozenset[str] = NONE_MISSING,
    ) -> Outcome:
        """Say whether it holds, if the facts in *missing* are not known."""
        if not missing:
            return "hit" if self.holds(identity, request) else "miss"
        return outcome_of(
            find_answers(self.node, self.context, identity, request, missing)
        )


def compile_condition(text: str, path: str, context: Context = NOTHING) -> Condition:
    """
    Compile *text*, which stands at *path* in the configuration.

    Args:
        text: The condition.
        path: For mistakes.
        context: What it may name.

    Raises:
        ConfigError: It is no condition, the mistake names the column; or it names what
            is not there.
    """
    try:
        node = expression.parse(text)
        test = compile_tree(node, context)
    except ExpressionError as e:
        problem = f"column {e.column} of {text[:80]!r}: {e.problem}"
        raise ConfigError(Mistake(path, problem)) from e
    except UndefinedError as e:
        raise ConfigError(Mistake(path, str(e))) from e
    wanted = tuple(_wanted(node, wanted=True))
    return Condition(
        text=text,
        scopes=_once(n.name for n in wanted if isinstance(n, tree.Scope)),
        acr_values=_once(
            str(v) for n in wanted if isinstance(n, Comparison) for v in n.values
        ),
        ages=_once(n.seconds for n in wanted if isinstance(n, tree.AuthAge)),
        clocks=tuple(clocks(node, context)),
        depends_on_request=depends_on_request(node),
        node=node,
        context=context,
        test=test,
    )


def _once(items: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))


def _wanted(node: tree.Node, *, wanted: bool) -> Iterator[tree.Node]:
    """Give what a client could get from its authorization server to pass."""
    match node:
        case tree.Scope() | tree.AuthAge():
            if wanted:
                yield node
        case Comparison(FactOperand("acr"), "==" | "in", _, negated):
            if wanted != negated:
                yield node
        case _:
            negates = isinstance(node, tree.Not)
            for child in children(node):
                yield from _wanted(child, wanted=wanted != negates)


@implementer(ILocalPolicy)
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
        self._clocks = _once(clock for c in self.conditions for clock in c.clocks)
        self.depends_on_time = bool(self._clocks)

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """Decide as `check` does; never waits."""
        return self.check(identity, request)

    def check(self, identity: Identity, request: Request) -> Decision:
        """Permit if all conditions hold; else say which is the first that does not."""
        for test in self._tests:
            if test(identity, request) is not True:
                return self._deny(identity, request)
        return PERMIT

    def steady_for(self, identity: Identity, request: Request) -> float:
        """Say for how many seconds the answer to *request* stays the same."""
        if not self._clocks or request.time is None:
            return math.inf
        now = request.time
        return min(clock(identity, request, now) for clock in self._clocks) - now

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
