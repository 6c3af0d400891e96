"""Policies as files: rules that are decided here, without a call to anybody."""

import math
from collections.abc import Sequence
from typing import ClassVar, Final, Self, TypeAlias
from weakref import ref

import attrs
from zope.interface import implementer

from sso_proxy.authz.compiling import Test
from sso_proxy.authz.possible import NONE_MISSING
from sso_proxy.authz.rule import Rule, RuleTrace, compile_rule, trace_rule
from sso_proxy.authz.rule_files import load_rules
from sso_proxy.authz.rule_index import Place, RuleIndex
from sso_proxy.authz.rules_config import RulesConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IRememberingPolicy, ITools
from sso_proxy.model import Decision, Effect, Identity, Request

NO_RULE: Final = Decision(effect=Effect.DENY, reasons=("no-rule",))
"""Nothing matches."""

MOST_REMEMBERED: Final = 32768
"""Answers that a policy remembers, which take some 300 octets each; what is left to be
looked at each time counts as another one for every `_RULES` rules."""

_RULES: Final = 32

_LONGEST: Final = 32
"""Characters of a method; who asks at an endpoint for decisions may take any."""

_SET_HEADER: Final = "set-header"

_Open: TypeAlias = Sequence[Rule]
"""Rules that may apply; what varies of them is left to be looked at each time."""

_Key: TypeAlias = tuple[int, Place, str]


@implementer(IRememberingPolicy)
class RulesPolicy:
    """
    Rules of one policy.

    Most conditions are about the caller and the method.  What these come to is
    remembered for each identity, for as long as it is the same object; what looks at
    the time, the path or the connection is looked at each time.

    Args:
        rules: The rules, in their order.
        first: The first that applies decides; else one that denies overrides.

    Attributes:
        rules: The rules.
        depends_on_request: Whether any of them does.
        sets: Lower-case names of header fields that they set.
    """

    config_class: ClassVar = RulesConfig

    def __init__(self, rules: Sequence[Rule], *, first: bool = False) -> None:
        self.rules = tuple(rules)
        self.depends_on_request = any(rule.depends_on_request for rule in rules)
        self.sets = frozenset(
            parameters["name"].lower()
            for rule in rules
            for name, parameters in rule.decision.obligations
            if name == _SET_HEADER
        )
        self._index = RuleIndex(rules)
        self._first = first
        self._known: dict[_Key, tuple[ref[Identity], Decision | _Open]] = {}
        self._room = MOST_REMEMBERED
        self._clocks = tuple(dict.fromkeys(c for rule in rules for c in rule.clocks))

    @classmethod
    def from_config(cls, config: RulesConfig, _tools: ITools) -> Self:
        """
        Make the policy that *config* describes.

        Raises:
            ConfigError: With everything that is wrong.
        """
        found = load_rules(config)
        mistakes: list[Mistake] = []
        rules: list[Rule] = []
        for number, (path, rule) in enumerate(found.rules):
            try:
                made = compile_rule(
                    rule,
                    number=number,
                    path=path,
                    groups=found.groups,
                    tables=found.tables,
                )
            except ConfigError as e:
                mistakes += e.mistakes
            else:
                rules.append(made)
        if mistakes:
            raise ConfigError(*mistakes)
        if not rules:
            raise ConfigError(
                Mistake("rule", "there is none; nobody could do anything")
            )
        return cls(rules, first=config.combine == "first_applicable")

    async def decide(self, identity: Identity, request: Request) -> Decision:
        """Decide as `check` does; never waits."""
        return self.check(identity, request)

    def check(self, identity: Identity, request: Request) -> Decision:
        """Say what the rules come to; nothing that applies denies."""
        head = request.head
        key = (id(identity), self._index.find(head.host, head.path), head.method)
        known = self._known.get(key)
        if known is not None and known[0]() is identity:
            found = known[1]
        else:
            found = self._learn(key, identity, request)
        if isinstance(found, Decision):
            return found
        return self._combine(found, identity, request)

    def is_known_to_permit(
        self, identity: Identity, method: str, host: str, path: str
    ) -> bool:
        """Say whether *identity* may do this, without a look at anything else."""
        known = self._known.get((id(identity), self._index.find(host, path), method))
        if known is None or known[0]() is not identity:
            return False
        said = known[1]
        if not isinstance(said, Decision):
            return False
        return said.effect is Effect.PERMIT and not said.obligations

    def _learn(
        self, key: _Key, identity: Identity, request: Request
    ) -> Decision | _Open:
        """Find out what always comes of the rules at a place for a caller's method."""
        left = tuple(
            rule for rule in key[1].rules if _all_true(rule.steady, identity, request)
        )
        found: Decision | _Open = left
        if not any(rule.varying or rule.looks_at_time for rule in left):
            found, left = self._combine(left, identity, request), ()
        if len(key[2]) <= _LONGEST:
            self._room -= 1 + len(left) // _RULES
            if self._room < 0:
                self._known.clear()
                self._room = MOST_REMEMBERED - 1 - len(left) // _RULES
            self._known[key] = ref(identity), found
        return found

    def _combine(self, rules: _Open, identity: Identity, request: Request) -> Decision:
        """Say what comes of those of *rules* that apply."""
        stepped_up: Decision | None = None
        permitted: Decision | None = None
        for rule in rules:
            if not _all_true(rule.varying, identity, request):
                continue
            decision = rule.decision
            effect = decision.effect
            if effect is Effect.STEP_UP and rule.is_satisfied(identity, request):
                continue
            if self._first or effect is Effect.DENY:
                return decision
            if effect is Effect.STEP_UP:
                stepped_up = stepped_up or decision
            else:
                permitted = _and_also(permitted, decision)
        return stepped_up or permitted or NO_RULE

    def steady_for(self, identity: Identity, request: Request) -> float:
        """Say for how many seconds the answer to *request* stays the same."""
        if not self._clocks or request.time is None:
            return math.inf
        now, change = request.time, math.inf
        for clock in self._clocks:
            change = min(change, clock(identity, request, now))
        return change - now

    def explain(
        self,
        identity: Identity,
        request: Request,
        missing: frozenset[str] = NONE_MISSING,
    ) -> tuple[RuleTrace, ...]:
        """
        Say of every rule, in their order, whether and why it applies.

        Args:
            identity: Who calls, as far as is known.
            request: The request likewise.
            missing: What is not known of them (`sso_proxy.authz.possible.facts_of`).
        """
        return tuple(trace_rule(r, identity, request, missing) for r in self.rules)

    def explain_few(
        self, identity: Identity, request: Request, most: int
    ) -> tuple[RuleTrace, ...]:
        """Do as `explain` does, of *most* rules that are about the host and path."""
        place = self._index.find(request.head.host, request.head.path)
        rules = place.rules[:most]
        return tuple(trace_rule(rule, identity, request) for rule in rules)

    def effects(self, traces: Sequence[RuleTrace]) -> frozenset[Effect]:
        """Say what rules may come to that were explained."""
        found = set()
        for trace in traces if self._first else _overriding(traces):
            if trace.decides != "miss":
                found.add(trace.effect)
            if trace.decides == "hit":
                return frozenset(found)
        return frozenset({*found, NO_RULE.effect})


def _all_true(tests: Sequence[Test], identity: Identity, request: Request) -> bool:
    for test in tests:  # noqa: SIM110 - a generator takes twice the time
        if test(identity, request) is not True:
            return False
    return True


def _overriding(traces: Sequence[RuleTrace]) -> list[RuleTrace]:
    """Put them in the order in which one that applies overrides others."""
    order = (Effect.DENY, Effect.STEP_UP, Effect.PERMIT)
    return sorted(traces, key=lambda trace: order.index(trace.effect))


def _and_also(before: Decision | None, decision: Decision) -> Decision:
    """Add the obligations of one more rule that permits."""
    if before is None:
        return decision
    if not decision.obligations:
        return before
    obligations = (*before.obligations, *decision.obligations)
    return attrs.evolve(before, obligations=obligations)
