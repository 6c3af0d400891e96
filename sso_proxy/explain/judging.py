"""Whether a request may pass: conditions and policies, phase 7."""

import math
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import CancelledError

from sso_proxy.authz.policies import Named, Policies
from sso_proxy.authz.possible import NONE_MISSING, Outcome
from sso_proxy.authz.remote_policy import UNFIT, UnfitError
from sso_proxy.authz.rule import RuleTrace
from sso_proxy.errors import UnavailableError
from sso_proxy.explain.report import Step
from sso_proxy.interfaces import ILocalPolicy
from sso_proxy.model import Decision, Effect, Identity, Request
from sso_proxy.routing import Route
from sso_proxy.session import Session

T = TypeVar("T")

_MOST_QUESTION: Final = 4096


class WaitsError(Exception):
    """A component asks somebody else; nobody is asked here."""


@attrs.define(kw_only=True)
class Finding:
    """
    What one part of a route comes to.

    Attributes:
        step: It, explained.
        outcome: Whether it lets the request pass.
        decision: What it decides, as far as is known; None if it says nothing.
        decided_by: What in it decides, such as ``main/rule:sales-read``.
        status: Our answer's, if it does not let the request pass; 0: what the
            decision says.
    """

    step: Step
    outcome: Outcome
    decision: Decision | None = None
    status: int = 0
    decided_by: tuple[str, ...] = ()


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """
    Run what need not wait.

    Raises:
        WaitsError: It has to.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    coroutine.close()
    raise WaitsError


def judge_conditions(
    route: Route, request: Request, identity: Identity, missing: frozenset[str]
) -> list[Finding]:
    """Explain each condition of ``require``."""
    requirements = route.requirements
    found: list[Finding] = []
    for number, condition in enumerate(requirements.conditions):
        outcome = condition.explain(identity, request, missing)
        decision = None
        if outcome == "miss":
            decision = requirements.check(identity, request)
        text = f"[{number}] {condition.text}"
        step = Step(
            phase="require", text=text, outcome=outcome, decides=outcome == "miss"
        )
        by = (f"require[{number}]",) if outcome == "miss" else ()
        found.append(
            Finding(step=step, outcome=outcome, decision=decision, decided_by=by)
        )
    return found


def judge_login(
    route: Route, request: Request, identity: Identity, missing: frozenset[str]
) -> Finding | None:
    """
    Explain whether a browser's login is what the route asks for; None: it asks nothing.

    What else its provider was asked for at that login, only the session knows.
    """
    if not route.login_checks:
        return None
    check = route.login_checks.get(identity.authenticator)
    if check is None and "authenticator" not in missing:
        return None
    text = "the login of the session is what the route asks for"
    refusal = None
    if check is not None and not missing & {"claims", "authenticator"}:
        now = request.time or 0.0
        session = Session(
            id="", identity=identity, created=now, used=now, expires=math.inf
        )
        refusal = check(session)
        if refusal is None:
            return Finding(
                step=Step(phase="login", text=text, outcome="hit"), outcome="hit"
            )
    accepted = refusal.acr_values if refusal is not None else ()
    if not accepted or identity.claims.get("acr") in accepted:
        return Finding(
            step=Step(phase="login", text=text, outcome="may"), outcome="may"
        )
    reason = "login-lacks"
    step = Step(
        phase="login",
        text=f"{text}: acr one of {', '.join(accepted)}",
        outcome="miss",
        decides=True,
    )
    decision = Decision(effect=Effect.STEP_UP, reasons=(reason,), acr_values=accepted)
    return Finding(step=step, outcome="miss", decision=decision, decided_by=(reason,))


async def judge_policies(
    policies: Policies,
    request: Request,
    identity: Identity,
    missing: frozenset[str],
    *,
    ask: bool,
) -> list[Finding]:
    """
    Explain each policy of a route.

    Args:
        policies: They.
        request: The request.
        identity: Who calls.
        missing: What is not known.
        ask: Whether decision points elsewhere are asked.
    """
    found = []
    for each in policies.decisive:
        if hasattr(each.policy, "effects"):
            found.append(_judge_rules("policy", each, request, identity, missing))
        elif ILocalPolicy.providedBy(each.policy):
            found.append(_judge_local(each, request, identity, missing))
        else:
            found.append(await _judge_remote(each, request, identity, missing, ask=ask))
    return found


def judge_few(
    route: Route, request: Request, identity: Identity, most: int
) -> tuple[Step, ...]:
    """
    Explain what was decided just now, of which everything is known.

    Nothing is told that a policy of a plugin, or elsewhere, has said: it might be
    about the caller.

    Args:
        route: The route.
        request: The request.
        identity: Who called.
        most: Rules of each policy that are explained.
    """
    conditions = judge_conditions(route, request, identity, NONE_MISSING)
    steps = [finding.step for finding in conditions]
    for each in route.policies.decisive if route.policies is not None else ():
        policy: Any = each.policy
        if not hasattr(policy, "explain_few"):
            steps.append(Step(phase="policy", text=f"{each.name}: not one of rules"))
            continue
        traces = policy.explain_few(identity, request, most)
        decision = policy.check(identity, request)
        steps.append(_rules_step("policy", each.name, traces, decision))
    return tuple(steps)


def judge_shadows(
    policies: Policies, request: Request, identity: Identity, missing: frozenset[str]
) -> list[Step]:
    """Explain the policies that do not count yet."""
    steps = []
    for each in policies.shadows:
        named = Named(each.name, each.policy)
        judge = _judge_rules if hasattr(each.policy, "effects") else None
        if judge is not None:
            finding = judge("shadow", named, request, identity, missing)
        else:
            finding = _judge_local(named, request, identity, missing)
        step = attrs.evolve(finding.step, phase="shadow", decides=False)
        steps.append(step)
    return steps


def _judge_rules(
    phase: str,
    named: Named,
    request: Request,
    identity: Identity,
    missing: frozenset[str],
) -> Finding:
    """Explain rules, and say which decides."""
    policy: Any = named.policy
    traces = policy.explain(identity, request, missing)
    effects = policy.effects(traces)
    decision: Decision = policy.check(identity, request)
    if len(effects) == 1:
        step = _rules_step(phase, named.name, traces, decision)
        by: tuple[str, ...] = (f"{named.name}/{decision.reasons[0]}",)
    else:
        outcome: Outcome = "may" if Effect.PERMIT in effects else "miss"
        says = " or ".join(sorted(effect.value for effect in effects))
        step = Step(
            phase=phase,
            text=f"{named.name}: {says}",
            outcome=outcome,
            decides=outcome == "miss",
            parts=tuple(_rule_step(trace, "") for trace in traces),
        )
        by = ()
    outcome = "may" if not step.outcome else step.outcome
    return Finding(step=step, outcome=outcome, decision=decision, decided_by=by)


def _rules_step(
    phase: str, name: str, traces: Sequence[RuleTrace], decision: Decision
) -> Step:
    """Show rules of which one decides, or none of them."""
    reason = decision.reasons[0]
    denies = decision.effect is not Effect.PERMIT
    return Step(
        phase=phase,
        text=f"{name}: {decision.effect.value} ({reason})",
        outcome="miss" if denies else "hit",
        decides=denies,
        parts=tuple(_rule_step(t, reason.removeprefix("rule:")) for t in traces),
    )


def _rule_step(trace: RuleTrace, deciding: str) -> Step:
    parts = [
        Step(phase="part", text=text, outcome=outcome) for text, outcome in trace.parts
    ]
    if trace.effect is Effect.STEP_UP:
        text = "and the login is not as good as asked for"
        opposite: dict[Outcome, Outcome] = {"hit": "miss", "miss": "hit", "may": "may"}
        parts.append(Step(phase="part", text=text, outcome=opposite[trace.satisfied]))
    return Step(
        phase="rule",
        text=f"{trace.effect.value} {trace.name}",
        outcome=trace.decides,
        decides=trace.name == deciding,
        parts=tuple(parts),
    )


def _judge_local(
    named: Named, request: Request, identity: Identity, missing: frozenset[str]
) -> Finding:
    """Ask a policy that asks nobody; it is one of a plugin's, and says no more."""
    policy: Any = named.policy
    decision: Decision = policy.check(identity, request)
    if missing:
        text = f"{named.name}: what it says may depend on what is not given"
        return Finding(
            step=Step(phase="policy", text=text, outcome="may"), outcome="may"
        )
    return _decided(named.name, decision)


async def _judge_remote(
    named: Named,
    request: Request,
    identity: Identity,
    missing: frozenset[str],
    *,
    ask: bool,
) -> Finding:
    """Say what a decision point is asked, and ask it if *ask* says so."""
    policy: Any = named.policy
    told = not missing & {"claims", "subject"}
    answer: Decision | UnavailableError | None = None
    if ask and told:
        try:
            answer = await policy.decide(identity, request)
        except CancelledError:  # an ordinary Exception in Twisted
            raise
        except UnavailableError as e:
            answer = e
        except Exception:  # noqa: BLE001 - the pipeline, too, makes 503 of it
            text = f"{named.name}: failed, which is a fault in it"
            return _failing(text, (), 503, "failed")
    parts, unfit = _question(policy, identity, request)
    if isinstance(answer, Decision):
        finding = _decided(named.name, answer)
        lacks = sorted(missing)
        if lacks:
            line = Step(phase="part", text=f"asked without: {', '.join(lacks)}")
            parts = (*parts, line)
        return _with_parts(finding, parts)
    if answer is not None:
        text = f"{named.name}: cannot be asked: {answer.what}"
        return _failing(text, parts, answer.status, answer.reason)
    if unfit and told:
        return _with_parts(_decided(named.name, UNFIT), parts)
    why = "too little is given to ask" if ask else "asks, and is not asked here"
    step = Step(phase="policy", text=f"{named.name}: {why}", outcome="may", parts=parts)
    return Finding(step=step, outcome="may")


def _with_parts(finding: Finding, parts: tuple[Step, ...]) -> Finding:
    finding.step = attrs.evolve(finding.step, parts=parts)
    return finding


def _failing(text: str, parts: tuple[Step, ...], status: int, reason: str) -> Finding:
    step = Step(phase="policy", text=text, outcome="miss", decides=True, parts=parts)
    return Finding(step=step, outcome="miss", status=status, decided_by=(reason,))


def _question(
    policy: Any,  # noqa: ANN401
    identity: Identity,
    request: Request,
) -> tuple[tuple[Step, ...], bool]:
    """Show what would be sent, if the policy can say that, and whether nothing can."""
    build = getattr(policy, "build", None)
    if build is None:
        return (), False
    try:
        question = build(identity, request)
    except UnfitError as e:
        return (Step(phase="part", text=e.detail),), True
    except Exception:  # noqa: BLE001 - it is shown, and decides nothing
        text = "what it asks is known only to who asks (--ask)"
        return (Step(phase="part", text=text),), False
    body = question.body.decode("utf-8", "replace")[:_MOST_QUESTION]
    return (Step(phase="part", text=f"asks {question.url}\n{body}"),), False


def _decided(name: str, decision: Decision) -> Finding:
    hit = decision.effect is Effect.PERMIT
    outcome: Outcome = "hit" if hit else "miss"
    reasons = tuple(f"{name}/{reason}" for reason in decision.reasons) or (name,)
    text = f"{name}: {decision.effect.value} {' '.join(decision.reasons)}".rstrip()
    step = Step(phase="policy", text=text, outcome=outcome, decides=not hit)
    return Finding(step=step, outcome=outcome, decision=decision, decided_by=reasons)
