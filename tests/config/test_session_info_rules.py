"""Routes whose pages ask in one place give one answer."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]

ROUTE = """
[[route]]
host = "{host}"
path = "{path}"
authenticate = ["corp"]
backend = "http://127.0.0.1:9000"
{options}
"""
CORP = """
[authenticator.corp]
type = "oidc"
issuer = "https://login.example.com"
client_id = "app"
auth = "none"

[policy.p]
type = "rules"

[authenticator.other]
type = "oidc"
issuer = "https://other.example.com"
client_id = "app"
auth = "none"
"""


def route(options: str = "session_info = {}", path: str = "/", **place: str) -> str:
    host = place.get("host", "app.example.com")
    return ROUTE.format(host=host, path=path, options=options)


def two(first: str, second: str, **place: str) -> str:
    return CORP + route(first) + route(second, "/more/", **place)


@pytest.mark.parametrize(
    "text",
    [
        CORP + route(),
        two("session_info = {}", "session_info = {}"),
        two("session_info = {}", "require = ['acr == \"x\"']"),
        two("session_info = {}", "session_info = {}\nmethods = ['GET']"),
        two(
            "session_info = {}",
            "session_info = {extend = false}\nendpoints = '/.more/'",
        ),
        two(
            "session_info = {}",
            "session_info = {extend = false}",
            host="b.example.com",
        ),
    ],
)
def test_it_is_accepted(mistakes: Mistakes, text: str) -> None:
    assert mistakes(route=text) == {}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("session_info = { show = [] }", "session_info"),
        ("session_info = {}\nrequire = ['acr == \"x\"']", "require"),
        ("session_info = {}\npolicy = ['p']", "policy"),
        ("session_info = {}\nbinding = { certificate = 'observe' }", "binding"),
        (
            "session_info = {}\n[route.cors]\norigins = ['https://a.example']",
            "cors",
        ),
    ],
)
def test_two_answers_in_one_place_are_refused(
    mistakes: Mistakes, options: str, named: str
) -> None:
    found = mistakes(route=two("session_info = {}", options))
    ((path, problem),) = found.items()
    assert path == "route[1].session_info"
    assert f"another {named};" in problem
    assert "route[0]" in problem


def test_unknown_names_are_refused(mistakes: Mistakes) -> None:
    found = mistakes(route=CORP + route("session_info = { show = ['refresh_token'] }"))
    assert list(found) == ["route[0].session_info.show[0]"]


def test_a_claim_stands_there_once(mistakes: Mistakes) -> None:
    found = mistakes(route=CORP + route("session_info = { claims = ['a', 'a'] }"))
    assert list(found) == ["route[0].session_info.claims[1]"]
