"""Our client of decision points asks our own, and both mean the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.authzen import AuthzenPolicy
from sso_proxy.authz.foreign_obligations import ForeignObligationConfig
from sso_proxy.interfaces import ILocalPolicy
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.specs.authzen.client import (
    build_evaluation,
    build_evaluations,
    read_decision,
    read_decisions,
)
from sso_proxy.specs.authzen.server import (
    Batch,
    build_answer,
    build_answers,
    read_evaluation,
    read_evaluations,
)
from sso_proxy.specs.authzen.values import (
    JSON_TYPE,
    SEMANTICS,
    Action,
    Entity,
    Evaluated,
    Evaluation,
)
from sso_proxy.testing.fakes import FakeLocalPolicy, make_identity, make_request
from tests.conformance.parts import Asked
from tests.support.decision_scene import DecisionScene, gateway_cases, rules_of
from tests.support.policy_scene import URL, PolicyScene, answer
from tests.support.sts_faults import Said

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
OBJECTS = st.dictionaries(NAMES, st.none() | st.booleans() | NAMES, max_size=2)
ENTITIES = st.builds(Entity, type=NAMES, id=NAMES, properties=OBJECTS)
QUESTIONS = st.builds(
    Evaluation,
    subject=ENTITIES,
    action=st.builds(Action, name=NAMES, properties=OBJECTS),
    resource=ENTITIES,
    context=OBJECTS,
)
ANSWERS = st.builds(Evaluated, st.booleans(), OBJECTS)


class Both(PolicyScene):
    """A policy that asks a decision point of ours about its own policy."""

    def __init__(self, rules: ILocalPolicy, **options: Any) -> None:  # noqa: ANN401
        super().__init__(AuthzenPolicy, answer(""), url=URL, **options)
        self.point = DecisionScene(rules)
        self.server.said = self.answer

    def answer(self, asked: Asked) -> Said:
        heard = self.point.ask(path=asked.path, method=asked.method, body=asked.body)
        return answer(heard.body, heard.headers["content-type"], heard.status)


@given(QUESTIONS)
def test_a_question_arrives_as_it_was_meant(asked: Evaluation) -> None:
    assert read_evaluation(JSON_TYPE, build_evaluation(asked)) == asked


@given(st.lists(QUESTIONS, min_size=1, max_size=3), st.sampled_from(SEMANTICS))
def test_several_questions_do(asked: list[Evaluation], semantic: Any) -> None:  # noqa: ANN401
    batch = read_evaluations(JSON_TYPE, build_evaluations(asked, semantic))
    assert batch == Batch(items=tuple(asked), semantic=semantic)


@given(st.lists(ANSWERS, min_size=1, max_size=3))
def test_answers_do(said: list[Evaluated]) -> None:
    assert read_decision(JSON_TYPE, build_answer(said[0])) == said[0]
    body = build_answers(said)
    assert read_decisions(JSON_TYPE, body, len(said), "execute_all") == tuple(said)


def test_the_scenario_of_gateways_comes_out_the_same() -> None:
    paths = ("/todos", "/todos/{todoId}", "/users/{userId}")
    here = Both(rules_of("gateway-rules.toml"), paths=paths)
    for asked, expected in gateway_cases():
        path = asked["resource"]["id"].replace("{", "").replace("}", "")
        decision = here.decide(
            make_identity(asked["subject"]["id"]),
            make_request(asked["action"]["name"], path),
        )
        assert (decision.effect is Effect.PERMIT) is expected
    assert here.asked[0].method == "GET"
    assert len(here.asked) == 26


LOG = Decision(effect=Effect.PERMIT, obligations=(("log", {"message": "m"}),))
END = Decision(effect=Effect.PERMIT, obligations=(("end-session", {}),))
KNOWN = {"notification": ForeignObligationConfig(do="log", message="message")}


@pytest.mark.parametrize(
    ("decision", "options", "found"),
    [
        (LOG, {"announce_obligations": True, "obligations": KNOWN}, LOG),
        (END, {"announce_obligations": True}, END),
        (PERMIT, {}, PERMIT),
    ],
)
def test_what_has_to_be_done_is_done_by_who_understands_it(
    decision: Decision, options: dict[str, Any], found: Decision
) -> None:
    assert Both(FakeLocalPolicy(decision), **options).decide() == found


@pytest.mark.parametrize(
    ("decision", "options"),
    [(LOG, {}), (LOG, {"announce_obligations": True}), (END, {})],
)
def test_who_does_not_is_not_let_in(
    decision: Decision, options: dict[str, Any]
) -> None:
    found = Both(FakeLocalPolicy(decision), **options).decide()
    assert found == Decision(effect=Effect.DENY, reasons=("denied",))


def test_another_login_is_asked_for_as_the_rules_want_it() -> None:
    wanted = Decision(
        effect=Effect.STEP_UP,
        reasons=("rule:gold",),
        acr_values=("gold", "silver"),
        max_age=60,
    )
    found = Both(FakeLocalPolicy(wanted)).decide()
    assert (found.effect, found.acr_values, found.max_age) == (
        Effect.STEP_UP,
        ("gold", "silver"),
        60,
    )
