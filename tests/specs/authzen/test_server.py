"""Questions of others are read strictly, and answered one by one."""

import json
from typing import Any

import pytest

from sso_proxy.specs.authzen.server import (
    LONGEST,
    MOST,
    Batch,
    answer_mistake,
    build_answer,
    build_answers,
    build_metadata,
    read_evaluation,
    read_evaluations,
)
from sso_proxy.specs.authzen.values import (
    JSON_TYPE,
    Action,
    AuthzenError,
    Entity,
    Evaluated,
    Evaluation,
)

ASKED: dict[str, Any] = {
    "subject": {"type": "user", "id": "alice"},
    "action": {"name": "read"},
    "resource": {"type": "record", "id": "1"},
}


def read(members: object, kind: str | None = JSON_TYPE) -> Evaluation:
    return read_evaluation(kind, json.dumps(members).encode())


def read_many(members: object) -> Batch | Evaluation:
    return read_evaluations(JSON_TYPE, json.dumps(members).encode())


def test_a_question_is_read_and_what_nobody_knows_is_ignored() -> None:
    properties = {"properties": {"a": [1]}}
    members = {
        **ASKED,
        "subject": {**ASKED["subject"], **properties, "x": 1},
        "context": {"time": "now"},
        "future": {"nested": True},
    }
    assert read(members) == Evaluation(
        subject=Entity(type="user", id="alice", properties={"a": [1]}),
        action=Action(name="read"),
        resource=Entity(type="record", id="1"),
        context={"time": "now"},
    )


@pytest.mark.parametrize("part", ["subject", "action", "resource"])
@pytest.mark.parametrize("value", [None, "alice", [], 1, {}])
def test_what_has_to_be_there_is_an_object_with_something_in_it(
    part: str, value: object
) -> None:
    with pytest.raises(AuthzenError):
        read({**ASKED, part: value})


@pytest.mark.parametrize("name", ["type", "id"])
@pytest.mark.parametrize("value", [None, "", 123, True, ["a"], "x" * (LONGEST + 1)])
def test_names_are_text(name: str, value: object) -> None:
    with pytest.raises(AuthzenError):
        read({**ASKED, "subject": {**ASKED["subject"], name: value}})


@pytest.mark.parametrize("value", [None, [], "a", 1])
def test_what_may_be_there_is_an_object(value: object) -> None:
    with pytest.raises(AuthzenError):
        read({**ASKED, "context": value})
    with pytest.raises(AuthzenError):
        read({**ASKED, "action": {"name": "read", "properties": value}})


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form"])
def test_only_json_asks(kind: str | None) -> None:
    with pytest.raises(AuthzenError):
        read(ASKED, kind)


def test_the_whole_says_what_a_question_does_not() -> None:
    batch = read_many(
        {
            "subject": ASKED["subject"],
            "action": {"name": "write", "properties": {"soft": True}},
            "resource": {"type": "record", "properties": {"a": 1}},
            "context": {"c": 1},
            "evaluations": [
                {"resource": {"id": "1"}},
                {"resource": {"id": "2", "type": "file"}, "context": {}},
                {"action": {"name": "read"}, "resource": {"id": "3"}},
            ],
        }
    )
    assert isinstance(batch, Batch)
    first, second, third = batch.items
    assert isinstance(first, Evaluation)
    assert first.resource == Entity(type="record", id="1")
    assert first.action.properties == {"soft": True}
    assert first.context == {"c": 1}
    assert isinstance(second, Evaluation)
    assert (second.resource.type, second.context) == ("file", {})
    assert isinstance(third, Evaluation)
    assert third.action == Action(name="read")


def test_what_is_wrong_with_one_question_is_wrong_with_no_other() -> None:
    batch = read_many({**ASKED, "evaluations": [{}, {"subject": 1}, 7]})
    assert isinstance(batch, Batch)
    assert isinstance(batch.items[0], Evaluation)
    assert [type(each) for each in batch.items[1:]] == [AuthzenError] * 2
    told = answer_mistake(AuthzenError("what?"))
    assert told.members == {
        "decision": False,
        "context": {"error": {"status": 400, "message": "what?"}},
    }


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_without_questions_the_whole_is_one(more: dict[str, Any]) -> None:
    assert read_many({**ASKED, **more}) == read(ASKED)


@pytest.mark.parametrize(
    "more",
    [
        {"evaluations": {}},
        {"evaluations": "all"},
        {"evaluations": [{}] * (MOST + 1)},
        {"evaluations": [{}], "options": []},
        {"evaluations": [{}], "options": {"evaluations_semantic": "any"}},
        {"evaluations": [{}], "options": {"evaluations_semantic": ["execute_all"]}},
    ],
)
def test_what_is_no_batch_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(AuthzenError):
        read_many({**ASKED, **more})


@pytest.mark.parametrize(
    ("semantic", "ends"),
    [
        ("execute_all", [False, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [False, True]),
    ],
)
def test_answers_end_where_that_is_wanted(semantic: str, ends: list[bool]) -> None:
    options = {"evaluations_semantic": semantic}
    batch = read_many({**ASKED, "evaluations": [{}], "options": options})
    assert isinstance(batch, Batch)
    found = [batch.ends_at(Evaluated(decision=d)) for d in (False, True)]
    assert found == ends


def test_answers_are_written() -> None:
    yes, no = Evaluated(decision=True), Evaluated(decision=False, context={"a": 1})
    assert json.loads(build_answer(yes)) == {"decision": True}
    assert json.loads(build_answers([yes, no])) == {
        "evaluations": [
            {"decision": True},
            {"decision": False, "context": {"a": 1}},
        ]
    }


def test_metadata_has_the_name_that_was_asked_for() -> None:
    base = "https://pdp.example.com/tenant"
    assert json.loads(build_metadata(base)) == {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{base}/access/v1/evaluations",
    }
