"""One rule, compiled."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import attrs

from sso_proxy.authz.clocks import Clock
from sso_proxy.authz.compiling import (
    Test,
    clocks,
    compile_tree,
    depends_on_request,
    is_steady,
)
from sso_proxy.authz.conditions import compile_condition
from sso_proxy.authz.facts import NOTHING, Context, Table
from sso_proxy.authz.logins import is_enough
from sso_proxy.authz.possible import (
    NONE_MISSING,
    Answers,
    Outcome,
    find_answers,
    outcome_of,
)
from sso_proxy.authz.rules_config import MatchConfig, RuleConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.model import Decision, Effect, Identity, Request
from sso_proxy.specs import expression_tree as tree
from sso_proxy.specs.expression_times import read_window
from sso_proxy.specs.expression_tree import Comparison, FactOperand
from sso_proxy.specs.http.target import matching_path

_EFFECTS: Final = {
    "permit": Effect.PERMIT,
    "deny": Effect.DENY,
    "step_up": Effect.STEP_UP,
}


class Part(NamedTuple):
    """
    A part of a rule that has to be true.

    Attributes:
        text: As it was written, or what it was made of.
        test: Says whether it is.
        node: What it says, to be explained.
    """

    text: str
    test: Test
    node: tree.Node


@attrs.frozen(kw_only=True, eq=False)
class Rule:
    """
    A rule.

    Attributes:
        name: Its name.
        number: Its place among all rules of its policy.
        hosts: Patterns of hosts that it is about; empty: all.
        segments: Those that a path begins with; None is any one.
        parts: What else has to be true.
        steady: What of that is the same whenever one identity sends one method.
        varying: What of it is not.
        decision: What it decides.
        max_age: For another login: seconds that may have passed since the last.
        clocks: Say when that may change.
        depends_on_request: Whether repeated requests of one identity may differ.
        context: What its parts may name.
    """

    name: str
    number: int
    hosts: tuple[str, ...]
    segments: tuple[str | None, ...]
    parts: tuple[Part, ...]
    steady: tuple[Test, ...]
    varying: tuple[Test, ...]
    decision: Decision
    clocks: tuple[Clock, ...]
    depends_on_request: bool
    context: Context = NOTHING

    @property
    def looks_at_time(self) -> bool:
        """Whether a login that is good enough for it is so for a while only."""
        return self.decision.max_age is not None

    def is_about_host(self, host: str) -> bool:
        """Say whether it is about *host*."""
        patterns = (host, "*." + host.partition(".")[2], "*")
        return not self.hosts or any(pattern in self.hosts for pattern in patterns)

    def is_about_path(self, path: str) -> bool:
        """Say whether it is about *path*."""
        found = split_path(path)
        return len(found) >= len(self.segments) and all(
            wanted is None or wanted == given
            for wanted, given in zip(self.segments, found, strict=False)
        )

    def is_satisfied(self, identity: Identity, request: Request) -> bool:
        """Say whether a login is as good as the rule asks for."""
        wanted = self.decision
        return is_enough(wanted.acr_values, wanted.max_age, identity, request)


def split_path(path: str) -> list[str]:
    """Give the segments of a canonical path, as rules compare them."""
    return [segment for segment in matching_path(path).split("/") if segment]


def compile_rule(
    config: RuleConfig,
    *,
    number: int,
    path: str,
    groups: Mapping[str, frozenset[str]],
    tables: Mapping[str, Table],
) -> Rule:
    """
    Compile one rule.

    Args:
        config: The rule.
        number: Its place among all.
        path: Where it stands, for mistakes.
        groups: Groups that conditions may name.
        tables: Tables likewise.

    Raises:
        ConfigError: With every condition that is none.
    """
    match = config.match
    context = Context(template=match.path, groups=groups, tables=tables)
    nodes = list(_match_nodes(match))
    mistakes: list[Mistake] = []
    conditions = []
    for index, text in enumerate(config.conditions):
        single = isinstance(config.when, str)
        place = f"{path}.when" if single else f"{path}.when[{index}]"
        try:
            conditions.append(compile_condition(text, place, context))
        except ConfigError as e:
            mistakes += e.mistakes
    if mistakes:
        raise ConfigError(*mistakes)
    segments = tuple(
        None if segment.startswith("{") else segment
        for segment in split_path(match.path)
    )
    asked = [] if config.max_age is None else [tree.AuthAge(config.max_age)]
    parts = (
        *(Part(text, compile_tree(node, context), node) for text, node in nodes),
        *(Part(each.text, each.test, each.node) for each in conditions),
    )
    alone = [node for part in parts for node in _conjuncts(part.node)]
    return Rule(
        name=config.name,
        number=number,
        hosts=match.host,
        segments=segments,
        parts=parts,
        steady=tuple(compile_tree(n, context) for n in alone if is_steady(n)),
        varying=tuple(compile_tree(n, context) for n in alone if not is_steady(n)),
        decision=Decision(
            effect=_EFFECTS[config.effect],
            obligations=tuple(each.given for each in config.obligations),
            reasons=(f"rule:{config.name}",),
            acr_values=config.acr_values,
            max_age=config.max_age,
        ),
        clocks=(
            *(clock for _, node in nodes for clock in clocks(node, context)),
            *(clock for condition in conditions for clock in condition.clocks),
            *(clock for node in asked for clock in clocks(node, context)),
        ),
        depends_on_request=bool(segments)
        or any(depends_on_request(node) for _, node in nodes)
        or any(condition.depends_on_request for condition in conditions),
        context=context,
    )


def _conjuncts(node: tree.Node) -> Iterator[tree.Node]:
    """Take apart what is true if, and only if, each of several is true."""
    if not isinstance(node, tree.All):
        yield node
        return
    for child in node.of:
        yield from _conjuncts(child)


def _match_nodes(match: MatchConfig) -> Iterator[tuple[str, tree.Node]]:
    """Give what a rule's ``match`` says besides host and path, as conditions."""
    for name, values in (
        ("method", match.method),
        ("client", match.client),
        ("tls.version", match.tls_version),
    ):
        if values:
            node = Comparison(FactOperand(name), "in", values)
            yield f"{name} in [{', '.join(values)}]", node
    if match.hours is not None:
        yield f"now in '{match.hours}'", tree.Within(read_window(match.hours))
    if match.certificate == "any":
        yield "exists certificate", tree.Exists(FactOperand("certificate.subject"))
    if match.certificate == "verified":
        verified = FactOperand("certificate.verified")
        yield "certificate.verified", Comparison(verified, "==", (True,))


@attrs.frozen(kw_only=True)
class RuleTrace:
    """
    Why a rule applies, or does not.

    Attributes:
        name: The rule.
        effect: What it would decide.
        outcome: ``hit``: it applies; ``miss``: it does not; ``may``: that cannot be
            told from what is known.
        parts: Each part, as it was written, and likewise.
        satisfied: Whether the login is as good as a rule asks for that asks for
            another: then it decides nothing.
    """

    name: str
    effect: Effect
    outcome: Outcome
    parts: tuple[tuple[str, Outcome], ...]
    satisfied: Outcome = "miss"

    @property
    def decides(self) -> Outcome:
        """Say whether it has anything to say in the end."""
        if self.outcome == "miss" or self.satisfied == "hit":
            return "miss"
        return "may" if "may" in {self.outcome, self.satisfied} else "hit"


def trace_rule(
    rule: Rule,
    identity: Identity,
    request: Request,
    missing: frozenset[str] = NONE_MISSING,
) -> RuleTrace:
    """
    Say of each part of *rule* whether it is true.

    Args:
        rule: The rule.
        identity: Who calls, as far as is known.
        request: The request likewise.
        missing: What is not known of them (`sso_proxy.authz.possible.facts_of`).
    """
    head = request.head
    parts: list[tuple[str, Outcome]] = []
    if rule.hosts:
        about = rule.is_about_host(head.host)
        parts.append((f"host {', '.join(rule.hosts)}", "hit" if about else "miss"))
    if rule.segments:
        shown = "/".join("{}" if s is None else s for s in rule.segments)
        about = rule.is_about_path(head.path)
        parts.append((f"path /{shown}/", "hit" if about else "miss"))
    for part in rule.parts:
        answers = _answers(rule, part, identity, request, missing)
        parts.append((part.text, outcome_of(answers)))
    outcomes = {outcome for _, outcome in parts}
    outcome: Outcome = "hit"
    if "miss" in outcomes:
        outcome = "miss"
    elif "may" in outcomes:
        outcome = "may"
    return RuleTrace(
        name=rule.name,
        effect=rule.decision.effect,
        outcome=outcome,
        parts=tuple(parts),
        satisfied=_satisfied(rule, identity, request, missing),
    )


def _answers(
    rule: Rule,
    part: Part,
    identity: Identity,
    request: Request,
    missing: frozenset[str],
) -> Answers:
    if not missing:
        return frozenset({part.test(identity, request)})
    return find_answers(part.node, rule.context, identity, request, missing)


def _satisfied(
    rule: Rule, identity: Identity, request: Request, missing: frozenset[str]
) -> Outcome:
    """Say whether a login is good enough, for a rule that asks for another."""
    if rule.decision.effect is not Effect.STEP_UP:
        return "miss"
    if missing & {"claims", "time"}:
        return "may"
    return "hit" if rule.is_satisfied(identity, request) else "miss"
