"""Phase 7 of a request's way: who may do what, and what is done for it."""

from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.authz.policies import Local, Named, Policies
from sso_proxy.authz.revocations import Revocations
from sso_proxy.errors import UnavailableError
from sso_proxy.model import (
    PERMIT,
    Authenticated,
    Decision,
    Effect,
    Identity,
    Refusal,
    Request,
    UserName,
)
from sso_proxy.routing import Supply
from sso_proxy.specs.revocations import Revocation
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import (
    NOW,
    FakeAuthenticator,
    FakeLocalPolicy,
    FakeMapper,
    FakePolicy,
    FakeTokenSource,
    make_identity,
)
from sso_proxy.token import Audience
from sso_proxy.tokens.delivery import HeaderDelivery
from tests.support.deciding import Asked, FakeBinding, read, require


def test_a_condition_that_does_not_hold_is_403_with_the_scope_that_would() -> None:
    condition = compile_condition("scope:orders", "require")
    asked = Asked(requirements=Requirements((condition,)))
    assert asked.refused[0] == 403
    assert (
        "www-authenticate",
        'Fake error="insufficient_scope", scope="orders"',
    ) in asked.response.headers


class SlowMapper(FakeMapper):
    """Takes its time."""

    def __init__(self, clock: SettableClock, seconds: float) -> None:
        super().__init__()
        self.clock = clock
        self.seconds = seconds

    async def map_user(self, identity: Identity) -> Any:  # noqa: ANN401
        self.clock.advance(self.seconds)
        return await super().map_user(identity)


def test_a_login_that_is_not_enough_is_401_with_one_that_would_be() -> None:
    """RFC 9470 section 3: the status is 401."""
    requirements = require("acr in ['gold', 'silver']", "auth_age <= 300", "scope:a")
    asked = Asked(requirements=requirements)
    assert asked.refused == (401, "require[0]")
    challenge = (
        'Fake error="insufficient_user_authentication", scope="a",'
        ' acr_values="gold silver", max_age="300"'
    )
    assert asked.response.headers[1:] == (("www-authenticate", challenge),)


def test_without_a_way_to_log_in_again_it_is_403() -> None:
    """401 would promise a challenge (RFC 9110 15.5.2)."""

    class Silent(FakeAuthenticator):
        def refusal(self, request: Request, refusal: Refusal) -> None:
            pass

    asked = Asked(None, Silent(), requirements=require("acr == 'gold'"))
    assert asked.refused == (403, "require[0]")


def test_a_decision_is_not_reused_when_the_login_is_too_old() -> None:
    requirements = require("auth_age <= 300")
    for age, left in ((0, 30.0), (280, 20.0), (300, 0.0)):
        someone = Authenticated(make_identity(claims={"auth_time": NOW - age}))
        asked = Asked(None, FakeAuthenticator(someone), requirements=requirements)
        assert asked.admission.reuse_until == left
    clock = SettableClock()
    someone = Authenticated(make_identity(claims={"auth_time": NOW - 295}))
    asked = Asked(
        None,
        FakeAuthenticator(someone),
        mappers=(SlowMapper(clock, 10),),
        requirements=requirements,
        clock=clock,
    )
    assert asked.admission.reuse_until < clock.monotonic()
    someone = Authenticated(make_identity(claims={"auth_time": NOW - 301}))
    asked = Asked(None, FakeAuthenticator(someone), requirements=requirements)
    assert asked.refused == (401, "require[0]")


@pytest.mark.parametrize(
    "decision",
    [
        Decision(effect=Effect.PERMIT, obligations=(("log", {}),)),
        Decision(effect=Effect.DENY, reasons=("why",)),
    ],
)
def test_whatever_is_not_a_plain_permit_denies(decision: Decision) -> None:
    class Odd(Requirements):
        def check(
            self,
            identity: Identity,  # noqa: ARG002
            request: Request,  # noqa: ARG002
        ) -> Decision:
            return decision

    asked = Asked(requirements=Odd(()))
    assert asked.refused == (403, decision.reasons[0] if decision.reasons else "denied")


ALICE = make_identity()
OF_ALICE = Revocation(issuer=ALICE.issuer, subject=ALICE.subject, until=int(NOW) + 9)


class WaitingMapper:
    """A mapper that has to look somewhere."""

    def __init__(self) -> None:
        self.found: Deferred[UserName] = Deferred()

    async def map_user(self, identity: Identity) -> UserName:  # noqa: ARG002
        return await self.found


def revoke(*added: Revocation) -> Revocations:
    revocations = Revocations(SettableClock())
    revocations.change(added, [])
    return revocations


def test_whoever_is_revoked_is_refused_whoever_found_them() -> None:
    asked = Asked(revocations=revoke(OF_ALICE))
    assert asked.refused == (401, "revoked")
    assert ("www-authenticate", 'Fake error="invalid_token", scope=""') in (
        asked.response.headers
    )


def test_a_revoked_credential_is_no_reason_to_ask_somebody_else() -> None:
    """Alice without her token must not become somebody without one."""
    second = FakeAuthenticator(Authenticated(make_identity(subject="bob")))
    asked = Asked(None, FakeAuthenticator(), second, revocations=revoke(OF_ALICE))
    assert asked.refused == (401, "revoked")
    assert not second.asked


def test_revocations_of_others_change_nothing() -> None:
    other = attrs.evolve(OF_ALICE, subject="bob")
    asked = Asked(revocations=revoke(other))
    assert asked.admission.caller.identity == ALICE


def test_a_revocation_while_a_decision_waits_is_not_too_late() -> None:
    """It is about what is admitted from now on, not about what begins from now on."""
    revocations, mapper = revoke(), WaitingMapper()
    asked = Asked(revocations=revocations, mappers=(mapper,))
    revocations.change([OF_ALICE], [])
    mapper.found.callback(UserName("alice"))
    assert asked.refused == (401, "revoked")


def policies(*each: Any) -> Policies:  # noqa: ANN401
    return Policies([Named(f"p{number}", p) for number, p in enumerate(each)])


NO = Decision(effect=Effect.DENY, reasons=("no",))


def test_a_policy_decides_after_the_conditions() -> None:
    policy = FakePolicy(NO)
    assert Asked(policies=policies(policy)).refused == (403, "p0/no")
    nothing = Requirements((compile_condition("scope:x", "r"),))
    denied = Asked(policies=policies(FakePolicy()), requirements=nothing)
    assert denied.refused == (403, "require[0]")
    assert len(policy.asked) == 1


def test_a_policy_sees_which_keys_were_proved() -> None:
    policy = FakePolicy()
    Asked(policies=policies(policy), demanded=(FakeBinding(kind="dpop"),))
    ((_, request),) = policy.asked
    assert request.bindings == ("dpop",)


def test_who_cannot_say_is_503_and_no_denial() -> None:
    down = FakePolicy(UnavailableError("pdp"))
    assert Asked(policies=policies(down)).refused == (503, "unavailable")


def test_a_decision_holds_as_long_as_the_policys() -> None:
    assert Asked(policies=policies(FakeLocalPolicy())).admission.reuse_until == 9.0
    assert Asked(policies=policies(FakePolicy())).admission.reuse_until == 0.0


def test_an_obligation_that_is_not_understood_denies() -> None:
    odd = Decision(effect=Effect.PERMIT, obligations=(("sing", {}),))
    asked = Asked(policies=policies(FakePolicy(odd)))
    assert asked.refused == (403, "obligation/sing")


def test_obligations_change_what_the_backend_gets() -> None:
    purpose = ("set-header", {"name": "X-Purpose", "value": "audit"})
    removed = ("remove-header", {"name": "accept"})
    decision = Decision(effect=Effect.PERMIT, obligations=(purpose, removed))
    asked = Asked(
        read("GET /", "Accept: */*"),
        policies=policies(FakePolicy(decision)),
        settable=frozenset({"x-purpose"}),
    )
    assert b"\r\nX-Purpose: audit\r\n" in asked.admission.block
    assert b"Accept" not in asked.admission.block


@pytest.mark.parametrize(
    "obligation",
    [
        ("set-header", {"name": "X-Purpose", "value": "audit"}),
        ("log", {"message": "m"}),
    ],
)
def test_what_we_were_obliged_to_is_done_for_each_request(
    obligation: tuple[str, dict[str, str]],
) -> None:
    """Also for those with the same head: another path may oblige us to nothing."""
    decision = Decision(effect=Effect.PERMIT, obligations=(obligation,))
    admission = Asked(
        policies=policies(FakeLocalPolicy(decision)),
        settable=frozenset({"x-purpose"}),
        consumed=frozenset({"authorization", "dpop"}),
    ).admission
    assert admission.reuse_until == 0.0
    assert admission.shared == 0


@pytest.mark.parametrize(
    "said",
    [PERMIT, NO, Decision(effect=Effect.PERMIT, obligations=(("log", {}),))],
)
def test_rules_are_asked_once_for_each_request(said: Decision) -> None:
    """Otherwise where a shadow differs would count twice."""
    rules, shadow = FakeLocalPolicy(said), FakeLocalPolicy(NO)
    Asked(policies=Policies([Named("rules", rules)], [Local("shadow", shadow)]))
    assert (len(rules.asked), len(shadow.asked)) == (1, 1)


def test_rules_are_not_asked_about_who_is_out_already() -> None:
    rules = FakeLocalPolicy()
    asked = Asked(policies=policies(rules), revocations=revoke(OF_ALICE))
    assert asked.refused == (401, "revoked")
    assert rules.asked == []


def test_nobody_who_may_not_pass_causes_a_token() -> None:
    source = FakeTokenSource()
    supply = Supply(
        name="t", source=source, audience=Audience(), delivery=HeaderDelivery("X-T")
    )
    asked = Asked(policies=policies(FakePolicy(NO)), supplies=(supply,))
    assert asked.refused == (403, "p0/no")
    assert source.asked == []
