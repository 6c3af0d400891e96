"""What a decision point is asked tells one request from every other that matters."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.authzen_config import AuthzenConfig
from sso_proxy.authz.authzen_question import AuthzenQuestions, PathTemplates
from sso_proxy.authz.remote_policy import UnfitError
from sso_proxy.errors import ConfigError
from sso_proxy.specs.authzen.client import build_evaluation
from sso_proxy.testing.fakes import make_identity, make_request

PDP = "https://pdp.example.com"
ALICE = make_identity(claims={"email": "alice@example.com", "roles": ["a"], "n": 1})


def members(
    request: Any = None,  # noqa: ANN401
    identity: Any = ALICE,  # noqa: ANN401
    **options: Any,  # noqa: ANN401
) -> dict[str, Any]:
    questions = AuthzenQuestions(AuthzenConfig(url=PDP, **options))
    return questions.build(identity, request or make_request()).members


def test_it_is_what_api_gateways_ask() -> None:
    request = make_request("PUT", "/todos/7", host="api.example.com", query="secret=1")
    assert members(request, paths=("/todos", "/todos/{todoId}")) == {
        "subject": {"type": "identity", "id": "alice"},
        "action": {"name": "PUT"},
        "resource": {
            "type": "route",
            "id": "/todos/{todoId}",
            "properties": {
                "uri": "https://api.example.com/todos/7",
                "schema": "https",
                "hostname": "api.example.com",
                "path": "/todos/7",
                "params": {"todoId": "7"},
                "ip": "192.0.2.1",
            },
        },
        "context": {},
    }


def test_other_attributes_are_sent_where_they_are_wanted() -> None:
    found = members(
        attributes={
            "subject.type": "'user'",
            "subject.id": "claims.email",
            "subject.properties.roles": "claims.roles",
            "subject.properties.none": "claims.none",
            "action.properties.soft": "true",
            "resource.properties.uri": "",
            "resource.properties.params": "",
            "context.tls": "tls.version",
        }
    )
    assert found["subject"] == {
        "type": "user",
        "id": "alice@example.com",
        "properties": {"roles": ["a"]},
    }
    assert found["action"]["properties"] == {"soft": True}
    assert "uri" not in found["resource"]["properties"]
    assert found["context"] == {"tls": "TLSv1.3"}


def test_obligations_that_are_understood_are_announced_if_that_is_wanted() -> None:
    found = members(announce_obligations=True)
    wanted = ("step-up", "session_termination")
    assert found["context"] == {"supported_obligations": wanted}


@pytest.mark.parametrize("name", ["none", "n", "roles"])
def test_nobody_is_asked_about_whom_they_do_not_know(name: str) -> None:
    with pytest.raises(UnfitError, match=r"subject\.id is no text"):
        members(attributes={"subject.id": f"claims.{name}"})


def test_what_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"attributes\.context\.a: .*no table"):
        members(attributes={"context.a": "tables.a[subject].b"})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/todos", ("/todos", {})),
        ("/todos/", ("/todos", {})),
        ("/todos/7", ("/todos/{id}", {"id": "7"})),
        ("/todos/mine", ("/todos/mine", {})),
        ("/todos/7/notes", ("/todos/7/notes", {})),
        ("/todos/%2F", ("/todos/{id}", {"id": "%2F"})),
        ("/todos/%40me", ("/todos/{id}", {"id": "@me"})),
        ("/users/a/b", ("/users/{user}/b", {"user": "a"})),
        ("/other", ("/other", {})),
        ("/", ("/", {})),
        ("*", ("*", {})),
    ],
)
def test_the_template_that_says_most_is_found(path: str, found: object) -> None:
    templates = PathTemplates(
        [
            *("/todos/{id}", "/todos/mine", "/todos"),
            *("/users/{user}/{what}", "/users/{user}/b"),
        ]
    )
    assert templates.find(path) == found


SEGMENTS = st.lists(st.sampled_from(["a", "b", "%2F", "{id}", "a%2Fb"]), max_size=3)


@given(st.lists(st.tuples(st.sampled_from("GP"), SEGMENTS, st.text()), max_size=6))
def test_no_two_requests_that_differ_are_asked_about_alike(asked: list[Any]) -> None:
    """Else one would get the other's answer out of what is kept."""
    questions = AuthzenQuestions(AuthzenConfig(url=PDP, paths=("/a/{id}", "/{x}/b")))
    seen: dict[bytes, object] = {}
    for method, segments, name in asked:
        if not name or not name.isprintable():
            continue
        path = "/" + "/".join(segments)
        request = make_request(method, path)
        identity = attrs.evolve(ALICE, subject=name)
        body = build_evaluation(questions.build(identity, request))
        assert seen.setdefault(body, (method, path, name)) == (method, path, name)
