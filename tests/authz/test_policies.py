"""All policies of a route have to permit; shadows are only compared with them."""

from typing import Any

import attrs
import pytest
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from sso_proxy.authz.policies import Local, Named, Policies
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import RuleConfig, RulesConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.testing.checks import outcome_of
from sso_proxy.testing.fakes import (
    FakeLocalPolicy,
    FakePolicy,
    FakeTools,
    make_identity,
    make_request,
)

DENY = Decision(effect=Effect.DENY, reasons=("no",))
STEP_UP = Decision(effect=Effect.STEP_UP, reasons=("weak",), acr_values=("gold",))
LOGGED = Decision(effect=Effect.PERMIT, obligations=(("log", {"message": "m"}),))


def named(*policies: Any) -> list[Named]:  # noqa: ANN401
    return [Named(f"p{number}", policy) for number, policy in enumerate(policies)]


def decide(*answers: Decision | Exception) -> Decision:
    policies = Policies(named(*map(FakeLocalPolicy, answers)))
    found: Decision = outcome_of(policies.decide(make_identity(), make_request()))
    if not any(isinstance(answer, Exception) for answer in answers):
        assert policies.check(make_identity(), make_request()) == found
    return found


def test_all_have_to_permit() -> None:
    assert decide(PERMIT, PERMIT) is PERMIT
    assert decide(PERMIT, DENY, PERMIT).effect is Effect.DENY


def test_who_denies_is_named() -> None:
    assert decide(PERMIT, DENY).reasons == ("p1/no",)
    assert decide(attrs.evolve(DENY, reasons=())).reasons == ("p0",)


@pytest.mark.parametrize("answers", [(STEP_UP, DENY), (DENY, STEP_UP)])
def test_another_login_is_no_help_against_a_denial(answers: Any) -> None:  # noqa: ANN401
    assert decide(*answers).effect is Effect.DENY


def test_another_login_is_asked_for_if_that_is_all() -> None:
    decision = decide(PERMIT, STEP_UP, PERMIT)
    assert (decision.effect, decision.acr_values) == (Effect.STEP_UP, ("gold",))


def test_what_any_obliges_us_to_is_kept() -> None:
    assert decide(LOGGED, PERMIT, LOGGED).obligations == LOGGED.obligations * 2
    assert decide(LOGGED, DENY).obligations == LOGGED.obligations


def test_nobody_is_asked_after_a_denial() -> None:
    late = FakeLocalPolicy()
    policies = Policies(named(FakeLocalPolicy(DENY), late))
    policies.check(make_identity(), make_request())
    outcome_of(policies.decide(make_identity(), make_request()))
    assert late.asked == []


def test_who_cannot_say_is_no_denial() -> None:
    with pytest.raises(UnavailableError):
        decide(PERMIT, UnavailableError("pdp"))


def test_only_what_waits_for_nobody_is_decided_on_again() -> None:
    local, asks = FakeLocalPolicy(), FakePolicy()
    identity, request = make_identity(), make_request()
    assert not Policies(named(local)).waits
    assert Policies(named(local)).steady_for(identity, request) == 9.0
    both = Policies(named(local, asks))
    assert both.waits
    assert both.depends_on_request
    assert both.steady_for(identity, request) == 0.0


@pytest.mark.parametrize(
    ("decisive", "shadow", "depends"),
    [(False, False, False), (True, False, True), (False, True, True)],
)
def test_one_that_looks_at_the_request_is_enough(
    *, decisive: bool, shadow: bool, depends: bool
) -> None:
    policies = Policies(
        named(FakeLocalPolicy(by_request=decisive)),
        [Local("s", FakeLocalPolicy(by_request=shadow))],
    )
    assert policies.depends_on_request is depends


class ShadowTests(TestCase):
    """A policy that does not count yet."""

    def compare(self, decided: Decision, shadow: Decision | Exception) -> list[str]:
        policies = Policies(
            named(FakeLocalPolicy(decided)), [Local("new", FakeLocalPolicy(shadow))]
        )
        with capturedLogs() as logs:
            found = policies.check(make_identity(), make_request())
        assert found.effect is decided.effect
        self.differences = dict(policies.differences)
        return [each["log_format"].format(**each) for each in logs]

    def test_a_difference_is_logged_and_changes_nothing(self) -> None:
        (line,) = self.compare(PERMIT, DENY)
        assert line == (
            "Request test-request: shadow policy new says deny instead of permit: no"
        )
        assert self.differences == {("new", "permit", "deny"): 1}

    def test_agreement_is_not_logged(self) -> None:
        assert self.compare(DENY, attrs.evolve(DENY, reasons=("other",))) == []
        assert self.differences == {}

    def test_a_shadow_that_fails_changes_nothing(self) -> None:
        (line,) = self.compare(PERMIT, ValueError("bug"))
        assert line == "Request test-request: shadow policy new failed."
        assert len(self.flushLoggedErrors(ValueError)) == 1
        assert self.differences == {("new", "permit", "failed"): 1}


def known(*policies: Any, shadows: tuple[Local, ...] = ()) -> bool:  # noqa: ANN401
    """Ask a second time, without a request."""
    alice, request = make_identity(), make_request()
    made = Policies(named(*policies), shadows)
    assert made.check(alice, request).effect is Effect.PERMIT
    return made.is_known_to_permit(alice, "GET", "app.example.com", "/")


def rules(**options: Any) -> RulesPolicy:  # noqa: ANN401
    rule = RuleConfig(name="r", effect="permit", **options)
    return RulesPolicy.from_config(RulesConfig(rule=(rule,)), FakeTools())


def test_all_have_to_know_that_they_permit() -> None:
    other = rules(when="path == '/'")
    assert known(rules(), rules())
    assert not known(rules(), other)
    assert not known(rules(), FakeLocalPolicy())
    assert not known(FakePolicy(), rules())
    assert not known(rules(), shadows=(Local("s", rules()),))
