"""Questions are written in one way only, and only answers are taken for answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.authzen.client import (
    build_evaluation,
    build_evaluations,
    read_decision,
    read_decisions,
)
from sso_proxy.specs.authzen.values import (
    JSON_TYPE,
    Action,
    AuthzenError,
    Entity,
    Evaluated,
    Evaluation,
)

ASKED = Evaluation(
    subject=Entity(type="identity", id="alice"),
    action=Action(name="GET"),
    resource=Entity(type="route", id="/todos"),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=5,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
ENTITIES = st.builds(Entity, type=TEXT, id=TEXT, properties=OBJECTS)
QUESTIONS = st.builds(
    Evaluation,
    subject=ENTITIES,
    action=st.builds(Action, name=TEXT, properties=OBJECTS),
    resource=ENTITIES,
    context=OBJECTS,
)


def test_a_question_is_written_without_blanks_and_in_order() -> None:
    assert build_evaluation(ASKED) == (
        b'{"action":{"name":"GET"},"context":{},"resource":{"id":"/todos",'
        b'"type":"route"},"subject":{"id":"alice","type":"identity"}}'
    )


@given(QUESTIONS)
def test_nothing_of_a_question_is_lost(asked: Evaluation) -> None:
    """Two different questions never look the same, so none has another's answer."""
    assert typed(json.loads(build_evaluation(asked))) == typed(asked.members)


def typed(value: Any) -> Any:  # noqa: ANN401
    """Give a value in which 1, 1.0 and true differ, and 0.0 from -0.0."""
    match value:
        case dict():
            return {name: typed(each) for name, each in value.items()}
        case list():
            return [typed(each) for each in value]
        case _:
            return type(value), repr(value)


@pytest.mark.parametrize(
    "value",
    [2**53, -(2**53), float("nan"), float("inf"), "\ud800", {1: 2}, b"octets", {1, 2}],
)
def test_what_others_would_read_otherwise_is_not_sent(value: object) -> None:
    asked = Evaluation(
        subject=ASKED.subject,
        action=ASKED.action,
        resource=ASKED.resource,
        context={"x": [value]},
    )
    with pytest.raises(ValueError, match=r"."):
        build_evaluation(asked)


def test_several_questions_are_written_with_what_ends_them() -> None:
    members = json.loads(build_evaluations([ASKED], "deny_on_first_deny"))
    assert members == {
        "evaluations": [ASKED.members],
        "options": {"evaluations_semantic": "deny_on_first_deny"},
    }
    with pytest.raises(ValueError, match="no question"):
        build_evaluations([])


@pytest.mark.parametrize(
    ("body", "decision", "context"),
    [
        (b'{"decision": true}', True, {}),
        (b'{"decision": false, "context": {"id": "0"}, "more": 1}', False, {"id": "0"}),
    ],
)
def test_yes_and_no_are_read(
    body: bytes, decision: object, context: dict[str, Any]
) -> None:
    found = read_decision(JSON_TYPE, body)
    assert found.decision is decision
    assert found.context == context


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"decision": "false"}',
        b'{"decision": "true"}',
        b'{"decision": 0}',
        b'{"decision": 1}',
        b'{"decision": null}',
        b'{"decision": [true]}',
        b'{"Decision": true}',
        b'{"decision": false, "decision": true}',
        b'{"decision": true, "context": []}',
        b'{"decision": true, "context": null}',
        b'[{"decision": true}]',
        b"true",
    ],
)
def test_anything_else_is_no_answer(body: bytes) -> None:
    with pytest.raises(AuthzenError):
        read_decision(JSON_TYPE, body)


def answers(*decisions: object) -> bytes:
    return json.dumps({"evaluations": [{"decision": d} for d in decisions]}).encode()


def test_several_answers_are_read_in_their_order() -> None:
    found = read_decisions(JSON_TYPE, answers(True, False), 2, "execute_all")
    assert found == (Evaluated(decision=True), Evaluated(decision=False))
    ended = read_decisions(JSON_TYPE, answers(True, False), 3, "deny_on_first_deny")
    assert len(ended) == 2
    begun = read_decisions(JSON_TYPE, answers(True), 3, "permit_on_first_permit")
    assert len(begun) == 1


@pytest.mark.parametrize(
    ("body", "semantic"),
    [
        (answers(True, True, True), "execute_all"),
        (answers(True), "execute_all"),
        (answers(), "deny_on_first_deny"),
        (answers(True), "deny_on_first_deny"),
        (answers(False), "permit_on_first_permit"),
        (answers(True, "false"), "execute_all"),
        (b'{"evaluations": {}}', "execute_all"),
        (b'{"evaluations": [true, true]}', "execute_all"),
    ],
)
def test_answers_to_other_questions_are_none(body: bytes, semantic: Any) -> None:  # noqa: ANN401
    with pytest.raises(AuthzenError):
        read_decisions(JSON_TYPE, body, 2, semantic)
