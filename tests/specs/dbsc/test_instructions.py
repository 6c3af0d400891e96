"""What browsers are told, whichever rule they let decide."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.dbsc.instructions import (
    Rule,
    build_end,
    build_instructions,
    check_rules,
    in_scope,
)

HOST = "app.example.com"


def instruct(rules: Iterable[Rule] = ()) -> Any:  # noqa: ANN401
    given: dict[str, Any] = {
        "session_id": "s1",
        "refresh_url": "/.sso/dbsc/refresh",
        "origin": f"https://{HOST}",
        "rules": tuple(rules),
        "cookies": (("__Host-sso-bound", "Path=/; Secure; HttpOnly; SameSite=Lax"),),
    }
    return json.loads(build_instructions(**given))


def test_instructions_have_what_the_draft_wants() -> None:
    assert instruct([Rule("exclude", "*", "/static")]) == {
        "session_identifier": "s1",
        "refresh_url": "/.sso/dbsc/refresh",
        "scope": {
            "origin": "https://app.example.com",
            "include_site": False,
            "scope_specification": [
                {"type": "exclude", "domain": "*", "path": "/static"}
            ],
        },
        "credentials": [
            {
                "type": "cookie",
                "name": "__Host-sso-bound",
                "attributes": "Path=/; Secure; HttpOnly; SameSite=Lax",
            }
        ],
    }


def test_an_end_is_no_instruction() -> None:
    assert json.loads(build_end("s1")) == {
        "session_identifier": "s1",
        "continue": False,
    }


def matches(rule: dict[str, str], host: str, path: str) -> bool:
    """Read a rule as the draft says, step by step."""
    pattern, prefix = rule["domain"], rule["path"]
    if pattern.startswith("*"):
        if pattern != "*" and not host.endswith(pattern[1:]):
            return False
    elif host != pattern:
        return False
    if path == prefix or (prefix.endswith("/") and path.startswith(prefix)):
        return True
    return path.startswith(f"{prefix}/")


def read(specification: list[dict[str, str]], host: str, path: str) -> bool:
    """Let the first rule decide."""
    for rule in specification:
        if matches(rule, host, path):
            return rule["type"] == "include"
    return True


segments = st.sampled_from(["", "/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/a/b/c"])
paths = segments.map(lambda path: path or "/")
rules = st.builds(
    Rule,
    st.sampled_from(["include", "exclude"]),
    st.sampled_from(["*", HOST, "*.example.com", "*.com", "b.example.com"]),
    paths,
)


@given(
    st.lists(rules, max_size=6, unique_by=lambda rule: (rule.domain, rule.path)),
    st.sampled_from([HOST, "b.example.com", "example.com"]),
    paths,
)
def test_either_reading_lets_the_same_rule_decide(
    given_rules: list[Rule], host: str, path: str
) -> None:
    """The draft takes the first that matches, Chromium the last."""
    written = instruct(given_rules)["scope"]["scope_specification"]
    wanted = in_scope(given_rules, host, path)
    assert read(written, host, path) is wanted
    assert read(written[::-1], host, path) is wanted


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/", False),
        ("/logo.png", False),
        ("/app", True),
        ("/app/", True),
        ("/app/x", True),
        ("/app/static", False),
        ("/app/static/x", False),
        ("/app/statics", True),
        ("/apple", False),
    ],
)
def test_the_most_specific_rule_decides(path: str, inside: bool) -> None:  # noqa: FBT001
    table = [
        Rule("exclude", "*", "/"),
        Rule("include", "*", "/app"),
        Rule("exclude", "*", "/app/static"),
    ]
    assert in_scope(table, HOST, path) is inside


def test_of_equal_paths_that_of_the_host_decides() -> None:
    table = [
        Rule("exclude", "*", "/a"),
        Rule("include", HOST, "/a"),
        Rule("exclude", "*.example.com", "/a"),
        Rule("exclude", "*", "/a/b"),
    ]
    assert in_scope(table, HOST, "/a")
    assert not in_scope(table, HOST, "/a/b")
    assert not in_scope(table, "b.example.com", "/a")


@pytest.mark.parametrize(
    "wrong",
    [
        [Rule("exclude", "*", "static")],
        [Rule("exclude", "*", "")],
        [Rule("exclude", "", "/")],
        [Rule("exclude", "*.", "/")],
        [Rule("exclude", "*e.com", "/")],
        [Rule("exclude", "a.*.com", "/")],
        [Rule("exclude", "*", "/a"), Rule("include", "*", "/a")],
    ],
)
def test_rules_that_browsers_refuse_are_not_written(wrong: list[Rule]) -> None:
    """One bad rule, and a browser registers nothing."""
    with pytest.raises(ValueError, match=r"rule|no host|excluded"):
        check_rules(wrong)
    with pytest.raises(ValueError, match=r"rule|no host|excluded"):
        instruct(wrong)
