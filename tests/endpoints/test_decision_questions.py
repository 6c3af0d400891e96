"""Questions become what rules understand, and decisions what AuthZEN has words for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.endpoints.decision_questions import (
    build_evaluated,
    read_identity,
    read_request,
)
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.specs.authzen.values import (
    Action,
    AuthzenError,
    Entity,
    Evaluated,
    Evaluation,
)
from sso_proxy.specs.http.target import canonical_path
from sso_proxy.testing.fakes import NOW

RECORD = Entity(type="record", id="1", properties={"status": "new", "type": "x"})


def question(resource: Entity = RECORD, **options: Any) -> Evaluation:  # noqa: ANN401
    properties = options.pop("properties", {"role": "admin"})
    return Evaluation(
        subject=Entity(type="user", id="alice", properties=properties),
        action=Action(name="write", properties={"soft": True, "name": "x"}),
        resource=resource,
        **options,
    )


def path_of(resource: Entity) -> str:
    return read_request(question(resource), "id", NOW).head.path


def test_the_subject_is_somebody_with_claims() -> None:
    found = read_identity(question(context={"ip": "::1"}))
    assert (found.subject, found.issuer) == ("alice", "authzen")
    assert found.claims == {
        "role": "admin",
        "sub": "alice",
        "subject_type": "user",
        "action": {"soft": True, "name": "write"},
        "resource": {"status": "new", "type": "record", "id": "1"},
        "context": {"ip": "::1"},
    }


def test_properties_say_who_vouches_and_what_for() -> None:
    given_ = {"iss": "https://login.example.com", "scope": "a b"}
    found = read_identity(question(properties=given_))
    assert found.issuer == "https://login.example.com"
    assert found.scopes == {"a", "b"}
    other = read_identity(question(properties={"iss": 1, "scope": ["a"]}))
    assert (other.issuer, other.scopes) == ("authzen", frozenset())


def test_no_property_of_a_subject_stands_for_something_else() -> None:
    names = ("sub", "subject_type", "action", "resource", "context")
    found = read_identity(question(properties=dict.fromkeys(names, "forged")))
    assert "forged" not in found.claims.values()


def test_a_route_is_a_request() -> None:
    known = {
        "path": "/todos/%7e1",
        "hostname": "API.example.com",
        "ip": "192.0.2.7",
        "schema": "http",
    }
    route = Entity(type="route", id="/todos/{todoId}", properties=known)
    found = read_request(question(route), "an-id", NOW)
    head = found.head
    assert (head.method, head.path, head.host) == ("write", "/todos/~1", known_host())
    assert (head.scheme, head.port, found.id, found.time) == ("http", 80, "an-id", NOW)
    assert found.client.address == "192.0.2.7"
    assert path_of(Entity(type="route", id="/todos/{id}")) == "/todos/%7Bid%7D"


def known_host() -> str:
    return "api.example.com"


@pytest.mark.parametrize(
    ("given_", "context", "address"),
    [
        ({}, {}, "::"),
        ({"ip": "unix"}, {}, "::"),
        ({"ip": 7}, {}, "::"),
        ({"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}, "192.0.2.1"),
        ({}, {"ip": "2001:db8::1"}, "2001:db8::1"),
    ],
)
def test_who_has_no_address_is_in_no_network(
    given_: dict[str, Any], context: dict[str, Any], address: str
) -> None:
    route = Entity(type="route", id="/", properties=given_)
    found = read_request(question(route, context=context), "id", NOW)
    assert found.client.address == address


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.booleans())
def test_two_things_never_have_one_path(id_: str, dots: object) -> None:
    """Else whoever chooses an id would be judged as if they had another."""
    if id_ in {".", ".."}:
        with pytest.raises(AuthzenError):
            path_of(Entity(type="record", id=id_))
        return
    path = path_of(Entity(type="record", id=id_))
    assert path.count("/") == 2
    other = f"{id_}/." if dots else f"{id_}%"
    assert path_of(Entity(type="record", id=other)) != path
    if id_.isprintable():
        assert canonical_path(path) == path


@pytest.mark.parametrize(
    ("id_", "properties"),
    [
        ("todos", {}),
        ("/a/../../b", {}),
        ("/a", {"path": "b"}),
        ("/a", {"path": "/a\x00"}),
        ("/a b", {}),
        ("https://api.example.com/", {}),
    ],
)
def test_what_nobody_could_ask_for_is_no_route(
    id_: str, properties: dict[str, Any]
) -> None:
    with pytest.raises(AuthzenError):
        path_of(Entity(type="route", id=id_, properties=properties))


@pytest.mark.parametrize(
    ("kind", "id_"), [("record", ".."), ("record", "."), ("..", "todos"), (".", "x")]
)
def test_no_name_leads_to_another_path(kind: str, id_: str) -> None:
    with pytest.raises(AuthzenError):
        path_of(Entity(type=kind, id=id_))


@pytest.mark.parametrize(
    ("id_", "path"),
    [
        ("a/b", "/record/a%2Fb"),
        ("a%2Fb", "/record/a%252Fb"),
        ("é?", "/record/%C3%A9%3F"),
    ],
)
def test_a_name_is_one_segment(id_: str, path: str) -> None:
    assert path_of(Entity(type="record", id=id_)) == path


LOG = ("log", {"message": "m"})
END: tuple[str, dict[str, Any]] = ("end-session", {})


def say(effect: Effect, *obligations: Any, **wanted: Any) -> Decision:  # noqa: ANN401
    return Decision(
        effect=effect, obligations=obligations, reasons=("rule:a",), **wanted
    )


@pytest.mark.parametrize(
    ("decision", "context"),
    [
        (say(Effect.DENY), {"reason_admin": {"403": "rule:a"}}),
        (
            say(Effect.DENY, END),
            {
                "obligations": [{"id": "end-session", "type": "session_termination"}],
                "reason_admin": {"403": "rule:a"},
            },
        ),
        (
            say(Effect.STEP_UP, acr_values=("gold",), max_age=9),
            {
                "acr_values": ["gold"],
                "max_age": 9,
                "reason_admin": {"401": "rule:a"},
            },
        ),
    ],
)
def test_a_no_says_why(decision: Decision, context: dict[str, Any]) -> None:
    assert build_evaluated(decision, question()) == Evaluated(
        decision=False, context=context
    )


def test_a_yes_is_one() -> None:
    assert build_evaluated(PERMIT, question()) == Evaluated(decision=True)


@pytest.mark.parametrize(
    ("supported", "decision"),
    [
        (None, False),
        ("notification", False),
        (["step-up"], False),
        (["custom"], False),
        (["notification"], True),
        (["log"], True),
    ],
)
def test_a_yes_under_a_condition_is_for_who_understands_it(
    supported: object, decision: object
) -> None:
    asked = question(context={"supported_obligations": supported})
    found = build_evaluated(say(Effect.PERMIT, LOG), asked)
    assert found.decision is decision
    told = {"id": "log", "type": "notification", "properties": {"message": "m"}}
    if decision:
        assert found.context == {"obligations": [told]}
    else:
        assert found.context == {"reason_admin": {"403": "obligation/log"}}


def test_an_obligation_of_your_own_is_understood_by_its_name() -> None:
    mine = say(Effect.PERMIT, ("mine", {}))
    for supported, decision in ((["custom"], False), (["mine"], True)):
        asked = question(context={"supported_obligations": supported})
        assert build_evaluated(mine, asked).decision is decision
