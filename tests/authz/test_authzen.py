"""An AuthZEN decision point is asked, and what it says is done and nothing else."""

import json
from typing import Any

import attrs
import pytest
from twisted.logger import capturedLogs

from sso_proxy.authz.authzen import AuthzenPolicy
from sso_proxy.authz.foreign_obligations import ForeignObligationConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.registry import provided_problems
from sso_proxy.testing import check_policy, outcome_of
from sso_proxy.testing.fakes import NOW, make_identity, make_request
from tests.conformance.parts import Asked
from tests.support.policy_scene import URL, PolicyScene, answer
from tests.support.sts_faults import Said

ENDPOINT = f"{URL}/access/v1/evaluation"
STEP = {"id": "s", "type": "step-up", "properties": {"acr_values": ["gold"]}}
END = {"id": "e", "type": "session_termination"}
NOTE = {"id": "n", "type": "notification", "properties": {"text": "hello"}}
CUSTOM = {"id": "urn:c", "type": "custom", "properties": {"text": "hello"}}
GOLD = make_identity(claims={"acr": "gold", "auth_time": int(NOW) - 60})
LOG = ForeignObligationConfig(do="log", message="text")


def said(decision: object, *obligations: object, **context: object) -> Said:
    members: dict[str, Any] = {"decision": decision}
    if obligations:
        context["obligations"] = obligations
    if context:
        members["context"] = context
    return answer(json.dumps(members))


def scene(told: Said, **options: Any) -> PolicyScene:  # noqa: ANN401
    return PolicyScene(AuthzenPolicy, told, **{"endpoint": ENDPOINT, **options})


def test_it_keeps_its_contract() -> None:
    here = scene(said(False))
    check_policy(here.policy)
    assert not provided_problems("IHealth", here.policy)


def test_yes_permits_and_no_denies() -> None:
    here = scene(said(True))
    assert here.decide() == PERMIT
    (asked,) = here.asked
    assert (asked.method, asked.url) == ("POST", ENDPOINT)
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["x-request-id"] == "test-request"
    assert {*json.loads(asked.body)} == {"subject", "action", "resource", "context"}
    here = scene(said(False, reason_admin={"en": "because"}))
    with capturedLogs() as events:
        assert here.decide() == Decision(effect=Effect.DENY, reasons=("denied",))
    (event,) = events
    assert (event["id"], event["name"], event["why"]) == (
        "test-request",
        "pdp",
        "because",
    )


@pytest.mark.parametrize(
    "told",
    [
        said("false"),
        said("true"),
        said(None),
        said(0),
        answer(b'{"decision": false, "decision": true}'),
        answer(b'{"decision": true}', "text/plain"),
        answer(b'{"decision": true}', None),
        answer(b'{"decision": true}', status=204),
        answer(b"", status=204),
        answer(b'{"decision": true}', status=302, location=ENDPOINT),
        answer(b'{"decision": true}', status=201),
        answer(b'{"decision": true, "x": ' + b"[" * 40 + b"]" * 40 + b"}"),
        answer(b'{"decision": true, "x": "' + b"x" * 70000 + b'"}'),
        said(True, acr_values=1, obligations=[1]),
        said(False, acr_values=1),
        said(True, {"id": "s", "type": "step-up", "properties": {"acr_values": 7}}),
    ],
)
def test_what_is_no_answer_is_neither_yes_nor_no(told: Said) -> None:
    here = scene(told)
    with pytest.raises(UnavailableError) as caught:
        here.decide()
    assert (caught.value.status, caught.value.reason) == (503, "policy-unusable")


def step_up(**wanted: Any) -> Decision:  # noqa: ANN401
    return Decision(effect=Effect.STEP_UP, **wanted)


@pytest.mark.parametrize(
    ("told", "decision"),
    [
        (said(False, acr_values="gold"), step_up(acr_values=("gold",))),
        (said(False, STEP), step_up(acr_values=("gold",))),
        (said(False, max_age=30), step_up(max_age=30)),
        (said(False, amr_values=["otp", "hwk"]), step_up(acr_values=("phr", "b"))),
    ],
)
def test_another_login_is_asked_for(told: Said, decision: Decision) -> None:
    here = scene(told, acr_for_amr={"hwk": ("phr", "b"), "x": ("y",)})
    assert here.decide() == attrs.evolve(decision, reasons=("login",))
    here.decide()
    assert len(here.asked) == 2, "what a login changes is not kept"


def test_a_login_that_we_cannot_ask_for_is_no_help() -> None:
    here = scene(said(False, amr_values=["face"]))
    assert here.decide().effect is Effect.DENY
    empty = {"id": "s", "type": "step-up"}
    assert scene(said(True, empty)).decide().effect is Effect.DENY


def test_who_has_that_login_already_is_not_sent_to_and_fro() -> None:
    here = scene(said(False, acr_values="gold"))
    found = here.decide(GOLD)
    assert found == Decision(effect=Effect.DENY, reasons=("login-useless",))


def test_an_obligation_to_log_in_is_done_by_the_login() -> None:
    here = scene(said(True, STEP, END))
    found = here.decide()
    assert (found.effect, found.reasons) == (Effect.STEP_UP, ("login-obliged",))
    assert here.decide(GOLD) == Decision(
        effect=Effect.PERMIT, obligations=(("end-session", {}),)
    )
    late = {**STEP, "properties": {"acr_values": ["gold"], "max_age": 59}}
    assert scene(said(True, late)).decide(GOLD).effect is Effect.STEP_UP


def test_nobody_can_log_in_twice() -> None:
    here = scene(said(True, STEP, {**STEP, "id": "t"}))
    assert here.decide(GOLD).obligations == (("unknown:t", {}),)


@pytest.mark.parametrize("decision", [True, False])
def test_obligations_become_ours_whatever_the_answer(decision: object) -> None:
    here = scene(
        said(decision, END, NOTE, CUSTOM),
        obligations={"notification": LOG, "urn:c": LOG},
    )
    found = here.decide()
    assert found.effect is (Effect.PERMIT if decision else Effect.DENY)
    logged = ("log", {"message": "hello"})
    assert found.obligations == (("end-session", {}), logged, logged)
    here.decide()
    assert len(here.asked) == 2


def test_what_nobody_said_what_to_do_about_denies() -> None:
    here = scene(said(True, NOTE, CUSTOM))
    undone = [name for name, _ in here.decide().obligations]
    assert undone == ["unknown:n", "unknown:urn:c"]


def test_what_others_would_read_otherwise_is_denied_here() -> None:
    here = scene(said(True), attributes={"context.n": "claims.n"})
    found = here.decide(make_identity(claims={"n": 2**60}))
    assert found == Decision(effect=Effect.DENY, reasons=("attribute-unfit",))
    assert here.asked == []


def test_the_time_is_sent_and_makes_no_other_question() -> None:
    here = scene(said(True), attributes={"context.time": "now"})
    for time in (NOW, NOW + 1):
        assert here.decide(request=make_request(time=time)) == PERMIT
    (asked,) = here.asked
    assert json.loads(asked.body)["context"] == {"time": NOW}
    here.decide(request=make_request("PUT"))
    assert len(here.asked) == 2


def metadata(**changes: object) -> Said:
    members = {"policy_decision_point": URL, "access_evaluation_endpoint": ENDPOINT}
    return answer(json.dumps({**members, **changes}))


class Finding(PolicyScene):
    """A decision point that is known by its name alone."""

    def __init__(self, found: Said) -> None:
        super().__init__(AuthzenPolicy, said(True), url=URL)
        self.found = found
        self.server.said = self.answer

    def answer(self, asked: Asked) -> Said:
        return self.found if asked.method == "GET" else self.said


def test_its_metadata_is_asked_once() -> None:
    here = Finding(metadata())
    assert here.decide() == PERMIT
    assert here.decide(request=make_request("PUT")) == PERMIT
    assert [asked.path for asked in here.asked] == [
        "/.well-known/authzen-configuration",
        "/access/v1/evaluation",
        "/access/v1/evaluation",
    ]
    assert outcome_of(here.policy.probe()) == ()


@pytest.mark.parametrize(
    "found",
    [
        metadata(policy_decision_point="https://other.example.com"),
        metadata(access_evaluation_endpoint="http://other.example.com"),
        answer(b"{}", status=404),
        answer(b"", status=302, location=ENDPOINT),
        Said(how="reset"),
    ],
)
def test_without_good_metadata_nobody_is_asked(found: Said) -> None:
    here = Finding(found)
    with pytest.raises(UnavailableError) as caught:
        here.decide()
    assert (caught.value.status, caught.value.reason) == (503, "policy-down")
    assert {asked.method for asked in here.asked} == {"GET"}
    (line,) = outcome_of(here.policy.probe())
    assert line.startswith(f"metadata of {URL}: ")
