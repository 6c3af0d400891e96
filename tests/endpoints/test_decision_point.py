"""A decision point of ours answers as the standard's scenarios want it."""

import json
from typing import Any

import pytest
from twisted.logger import capturedLogs

from sso_proxy.endpoints.decision_point import MOST
from sso_proxy.model import PERMIT
from sso_proxy.testing.fakes import FakeLocalPolicy
from tests.support.decision_scene import (
    EVALUATION,
    EVALUATIONS,
    HOST,
    DecisionScene,
    gateway_cases,
    rules_of,
)

ALICE = {"type": "user", "id": "alice"}
BOB = {"type": "user", "id": "bob"}
ADMIN = {**BOB, "properties": {"role": "admin"}}
FIRST = {"type": "record", "id": "record-1"}
ACTIVE = {**FIRST, "properties": {"status": "active"}}
ARCHIVED = {"type": "record", "id": "record-2", "properties": {"status": "archived"}}
READ, WRITE = {"name": "read"}, {"name": "write"}
SOFT = {"name": "delete", "properties": {"soft": True}}
HARD = {"name": "delete", "properties": {"soft": False}}


@pytest.fixture(scope="module")
def scene() -> DecisionScene:
    return DecisionScene(rules_of("record-rules.toml"))


def asked(subject: object, action: object, resource: object) -> dict[str, Any]:
    return {"subject": subject, "action": action, "resource": resource}


GOOD = asked(ALICE, READ, FIRST)


@pytest.mark.parametrize(
    ("members", "decision"),
    [
        (asked(ALICE, READ, FIRST), True),
        (asked(ALICE, WRITE, FIRST), True),
        (asked(BOB, READ, FIRST), True),
        (asked(BOB, WRITE, FIRST), False),
        (asked(ALICE, WRITE, ARCHIVED), False),
        (asked(ADMIN, WRITE, ARCHIVED), True),
        (asked(ALICE, SOFT, FIRST), True),
        (asked(ALICE, HARD, FIRST), False),
    ],
)
def test_it_decides_as_the_fixture_does(
    scene: DecisionScene, members: object, decision: object
) -> None:
    """Scenario 1.4 and 2.6: the eight decisions, again and again."""
    assert [scene.decides(members) for _ in range(3)] == [decision] * 3


@pytest.mark.parametrize(
    "members",
    [
        {**GOOD, "context": {"time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1"}},
        {**GOOD, "foo": "bar", "futureField": {"nested": True}},
        asked({**ALICE, "properties": {"department": "Sales"}}, READ, ACTIVE),
    ],
)
def test_more_than_is_needed_changes_nothing(
    scene: DecisionScene, members: object
) -> None:
    """Scenario 2.2.3, 2.2.8, 2.2.9."""
    assert scene.decides(members)


@pytest.mark.parametrize("path", [EVALUATION, EVALUATIONS])
@pytest.mark.parametrize(
    "members",
    [
        {"action": READ, "resource": FIRST},
        {"subject": ALICE, "resource": FIRST},
        {"subject": ALICE, "action": READ},
        asked({"id": "alice"}, READ, FIRST),
        asked({"type": "user"}, READ, FIRST),
        asked(ALICE, {}, FIRST),
        asked(ALICE, READ, {"id": "record-1"}),
        asked(ALICE, READ, {"type": "record"}),
        asked("alice", READ, FIRST),
        asked(ALICE, {"name": 123}, FIRST),
        asked(ALICE, READ, {"type": "route", "id": "todos"}),
    ],
)
def test_what_is_missing_or_of_another_type_is_a_bad_request(
    scene: DecisionScene, members: object, path: str
) -> None:
    """Scenario 2.4.1, 2.4.2, 2.4.6."""
    heard = scene.ask(members, path)
    assert heard.status == 400
    assert heard.headers["content-type"] == "text/plain; charset=utf-8"
    assert b"alice" not in heard.body


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "text/plain"},
        {"kind": None},
        {"kind": "application/x-www-form-urlencoded"},
        {"body": b"{not json"},
        {"body": b""},
        {"body": b"[]"},
        {"body": json.dumps(GOOD).encode() * 2},
        {"body": b'{"subject": 1, "subject": 2}'},
    ],
)
def test_what_is_no_json_is_a_bad_request(
    scene: DecisionScene, options: dict[str, Any]
) -> None:
    """Scenario 2.4.3 to 2.4.5."""
    assert scene.ask(GOOD, **options).status == 400


def decisions(scene: DecisionScene, members: object) -> list[bool]:
    heard = scene.ask(members, EVALUATIONS)
    assert heard.status == 200
    assert {*heard.members} == {"evaluations"}
    return [each["decision"] for each in heard.members["evaluations"]]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            {
                "subject": BOB,
                "resource": FIRST,
                "evaluations": [{"action": READ}, {"action": WRITE}],
            },
            [True, False],
        ),
        (
            {
                "subject": ALICE,
                "action": WRITE,
                "evaluations": [{"resource": ACTIVE}, {"resource": ARCHIVED}],
            },
            [True, False],
        ),
        (
            {
                "action": WRITE,
                "resource": ARCHIVED,
                "evaluations": [{"subject": ALICE}, {"subject": ADMIN}],
            },
            [False, True],
        ),
        ({"evaluations": [GOOD, asked(BOB, WRITE, FIRST)]}, [True, False]),
        (
            {
                "subject": ALICE,
                "action": WRITE,
                "resource": {"type": "record"},
                "evaluations": [
                    {
                        "resource": {
                            "id": "record-1",
                            "properties": {"status": "active"},
                        }
                    },
                    {"resource": ARCHIVED},
                ],
            },
            [True, False],
        ),
        (
            {
                "subject": ALICE,
                "action": READ,
                "evaluations": [{"resource": FIRST}, {}, {"resource": 7}, GOOD],
            },
            [True, False, False, True],
        ),
        (
            {
                **GOOD,
                "evaluations": [{}, {"resource": {"type": "route", "id": "x"}}],
            },
            [True, False],
        ),
    ],
)
def test_several_questions_are_answered_in_their_order(
    scene: DecisionScene, members: object, expected: list[bool]
) -> None:
    """Scenario 3.2 and 3.4.1."""
    assert decisions(scene, members) == expected


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
def test_without_several_questions_it_is_one(
    scene: DecisionScene, more: dict[str, Any]
) -> None:
    """Scenario 3.4.2, 3.4.3."""
    assert scene.ask({**GOOD, **more}, EVALUATIONS).members == {"decision": True}


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_the_answers_end_where_that_is_wanted(
    scene: DecisionScene, semantic: str, expected: list[bool]
) -> None:
    members = {
        "evaluations": [GOOD, asked(BOB, WRITE, FIRST), GOOD],
        "options": {"evaluations_semantic": semantic},
    }
    assert decisions(scene, members) == expected


@pytest.mark.parametrize("prefix", ["", "/tenant", "/a/b"])
def test_it_is_discovered(scene: DecisionScene, prefix: str) -> None:
    """Scenario 6: what is published is where it was asked for."""
    place = f"/.well-known/authzen-configuration{prefix}"
    base = f"https://{HOST}{prefix}"
    found = scene.ask(path=place, method="GET", kind=None, body=b"").members
    assert found["policy_decision_point"] == base
    endpoint = found["access_evaluation_endpoint"].removeprefix(f"https://{HOST}")
    assert scene.ask(GOOD, endpoint).members == {"decision": True}
    several = found["access_evaluations_endpoint"].removeprefix(f"https://{HOST}")
    assert scene.ask(GOOD, several).members == {"decision": True}


def test_only_how_long_that_is_can_be_asked_for(scene: DecisionScene) -> None:
    place = "/.well-known/authzen-configuration"
    found = [scene.ask(path=place, method=method) for method in ("GET", "HEAD")]
    assert found[1].body == b""
    assert found[1].headers["content-length"] == str(len(found[0].body))


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (EVALUATION, "GET", 405),
        (EVALUATIONS, "PUT", 405),
        ("/.well-known/authzen-configuration", "POST", 405),
        ("/access/v1/search/subject", "POST", 404),
        ("/.well-known/authzen-configurations", "GET", 404),
        ("/", "POST", 404),
    ],
)
def test_nothing_else_is_answered(
    scene: DecisionScene, path: str, method: str, status: int
) -> None:
    heard = scene.ask(GOOD, path, method=method)
    assert heard.status == status
    assert ("allow" in heard.headers) == (status == 405)


def test_a_request_has_an_end(scene: DecisionScene) -> None:
    assert scene.ask(body=b" " * (MOST + 1)).status == 413


@pytest.mark.parametrize(("members", "expected"), gateway_cases())
def test_it_decides_as_the_gateways_of_the_scenario_expect(
    members: dict[str, Any], expected: object
) -> None:
    gateway = DecisionScene(rules_of("gateway-rules.toml"))
    assert gateway.decides(members) is expected


def test_what_was_decided_is_in_the_log_and_no_claim_is() -> None:
    here = DecisionScene(FakeLocalPolicy(PERMIT))
    with capturedLogs() as events:
        here.decides(asked(ADMIN, WRITE, ARCHIVED))
    (event,) = events
    assert (event["id"], event["name"], event["effect"]) == (
        "test-request",
        "main",
        "permit",
    )
    assert "admin" not in repr(event)
