"""Conditions and policies, explained; decision points elsewhere above all."""

from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from sso_proxy.authz.conditions import compile_requirements
from sso_proxy.authz.policies import Local, Named, Policies
from sso_proxy.authz.remote_policy import Question, UnfitError
from sso_proxy.errors import UnavailableError
from sso_proxy.explain.judging import (
    Finding,
    WaitsError,
    at_once,
    judge_conditions,
    judge_few,
    judge_login,
    judge_policies,
    judge_shadows,
)
from sso_proxy.interfaces import IPolicy
from sso_proxy.model import PERMIT, Decision, Effect, Identity, Refusal, Request
from sso_proxy.session import Session
from sso_proxy.testing.fakes import FakeLocalPolicy, make_identity, make_request
from tests.support.doubles import FakeUpstream, make_route

ALICE = make_identity()
REQUEST = make_request()
DENY = Decision(effect=Effect.DENY, reasons=("no",))
NOTHING: frozenset[str] = frozenset()


@implementer(IPolicy)
@attrs.define
class FakeRemote:
    """Asks a decision point, or would."""

    answer: Decision | Exception = PERMIT
    question: bytes | Exception = b'{"subject": "alice"}'
    asked: int = 0
    sets: frozenset[str] = NOTHING

    async def decide(self, _identity: Identity, _request: Request) -> Decision:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def build(self, _identity: Identity, _request: Request) -> Question:
        if isinstance(self.question, Exception):
            raise self.question
        return Question(url="https://pdp.example/", body=self.question)


def judge(
    policy: IPolicy, missing: frozenset[str] = NOTHING, *, ask: bool = False
) -> Finding:
    policies = Policies([Named("pdp", policy)])
    judging = judge_policies(policies, REQUEST, ALICE, missing, ask=ask)
    (finding,) = at_once(judging)
    return finding


def test_what_would_be_asked_is_shown_and_not_asked() -> None:
    remote = FakeRemote()
    finding = judge(remote)
    assert (finding.outcome, remote.asked) == ("may", 0)
    assert finding.step.parts[0].text == (
        'asks https://pdp.example/\n{"subject": "alice"}'
    )


def test_asked_it_decides() -> None:
    finding = judge(FakeRemote(DENY), frozenset({"client"}), ask=True)
    assert (finding.outcome, finding.decided_by) == ("miss", ("pdp/no",))
    assert finding.step.parts[-1].text == "asked without: client"
    assert judge(FakeRemote(), ask=True).outcome == "hit"


def test_without_a_caller_nobody_is_asked() -> None:
    remote = FakeRemote()
    assert judge(remote, frozenset({"claims"}), ask=True).outcome == "may"
    assert remote.asked == 0


def test_who_does_not_answer_is_told_apart_from_no() -> None:
    down = UnavailableError("policy.pdp: refused", reason="policy-down")
    finding = judge(FakeRemote(down), ask=True)
    assert (finding.outcome, finding.status) == ("miss", 503)
    assert finding.decided_by == ("policy-down",)


def test_a_fault_in_a_policy_is_one_here_too() -> None:
    finding = judge(FakeRemote(ZeroDivisionError()), ask=True)
    assert (finding.status, finding.decided_by) == (503, ("failed",))


def test_what_cannot_be_asked_is_denied() -> None:
    remote = FakeRemote(question=UnfitError("a claim that is too long"))
    finding = judge(remote)
    assert (finding.status, finding.decided_by) == (0, ("pdp/attribute-unfit",))
    assert judge(remote, frozenset({"claims"})).outcome == "may"


def test_a_question_that_is_not_known_yet_decides_nothing() -> None:
    finding = judge(FakeRemote(question=AssertionError()))
    assert finding.outcome == "may"
    assert "--ask" in finding.step.parts[0].text


def test_a_local_policy_of_a_plugin_decides_if_all_is_known() -> None:
    assert judge(FakeLocalPolicy(DENY)).outcome == "miss"
    assert judge(FakeLocalPolicy(PERMIT)).outcome == "hit"
    assert judge(FakeLocalPolicy(DENY), frozenset({"client"})).outcome == "may"


def test_shadows_of_plugins_are_told_and_decide_nothing() -> None:
    policies = Policies([], [Local("next", FakeLocalPolicy(DENY))])
    (step,) = judge_shadows(policies, REQUEST, ALICE, NOTHING)
    assert (step.phase, step.outcome, step.decides) == ("shadow", "miss", False)


def test_each_condition_is_told() -> None:
    wanted = compile_requirements(["exists claims.a", "scope:a"], "require")
    route = make_route(FakeUpstream(), requirements=wanted)
    missing = frozenset({"scopes"})
    first, second = judge_conditions(route, REQUEST, ALICE, missing)
    assert (first.outcome, second.outcome) == ("miss", "may")
    assert first.decided_by == ("require[0]",)


def asks_for(*acr_values: str) -> Any:  # noqa: ANN401
    """Make a route that wants logins of these contexts, or else of something else."""

    def check(session: Session) -> Refusal | None:
        if session.identity.claims.get("acr") in {*acr_values, "best"}:
            return None
        return Refusal(error="x", acr_values=acr_values)

    return make_route(FakeUpstream(), login_checks={"fake": check})


def login(route: Any, acr: str, *missing: str) -> tuple[str, tuple[str, ...]] | None:  # noqa: ANN401
    who = make_identity(claims={"acr": acr})
    found = judge_login(route, REQUEST, who, frozenset(missing))
    return None if found is None else (found.outcome, found.decided_by)


def test_a_login_that_is_too_weak_is_told() -> None:
    assert login(asks_for("gold"), "gold") == ("hit", ())
    assert login(asks_for("gold"), "silver") == ("miss", ("login-lacks",))


def test_what_only_the_session_knows_of_a_login_may_be_enough() -> None:
    assert login(asks_for(), "silver") == ("may", ())
    assert login(asks_for("gold"), "gold", "claims") == ("may", ())
    assert login(asks_for("gold"), "gold", "authenticator") == ("may", ())


def test_routes_that_ask_nothing_of_logins_are_not_told_of() -> None:
    assert login(make_route(FakeUpstream()), "silver") is None


def test_after_a_refusal_nobody_is_asked_again() -> None:
    remote = FakeRemote(DENY)
    policies = Policies([Named("pdp", remote)])
    route = make_route(FakeUpstream(), policies=policies)
    (step,) = judge_few(route, REQUEST, ALICE, 5)
    assert (step.text, step.outcome) == ("pdp: not one of rules", "")
    assert remote.asked == 0


def test_what_waits_is_not_waited_for() -> None:
    async def waits() -> None:
        await Deferred()

    with pytest.raises(WaitsError):
        at_once(waits())
