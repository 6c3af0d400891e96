"""Cases: read, tried, and told to continuous integration."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.explain.cases import Case, Result, problems, read_cases, write_junit
from sso_proxy.explain.report import Explanation
from sso_proxy.testing.fakes import NOW
from tests.support.explain_scene import make_situation

PERMITTED = Explanation(
    request="GET /",
    verdict="permit",
    decided_by=("main/rule:a",),
    headers=(("X-Remote-User", "alice"),),
    steps=(),
)
DENIED = Explanation(
    request="GET /", verdict="deny", status=404, reason="no-route", steps=()
)


def read(directory: Path, text: str) -> list[Case]:
    file = directory / "cases.toml"
    file.write_text(text)
    return read_cases(file, NOW)


def test_a_case_says_what_is_given_and_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "alice.json").write_text('{"sub": "alice"}')
    first, second = read(
        tmp_path,
        """
        [[case]]
        url = "https://a.example/"
        as = "alice.json"
        scopes = ["a", "b"]
        expect = 404
        [[case]]
        name = "second"
        url = "https://a.example/"
        method = "POST"
        as = { claims = { a = 1 }, subject = "bob" }
        from = "192.0.2.1"
        at = 2026-01-31T13:45:00Z
        cert = "none"
        binding = "dpop"
        expect_rule = "main/rule:a"
        expect_header = { X-A = "b" }
        """,
    )
    assert (first.name, first.expect) == ("GET https://a.example/", "404")
    assert first.situation.who.identity.scopes == {"a", "b"}
    assert first.situation.at == NOW
    assert second.situation.who.identity.subject == "bob"
    assert second.situation.at == 1769867100.0
    assert second.situation.certificate_known
    assert second.situation.bindings == ("dpop",)
    assert (second.rule, second.headers) == ("main/rule:a", {"X-A": "b"})


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("x = 1", "cases.toml"),
        ("[[case]]\nexpect = 'permit'", "case[0].url"),
        ("[[case]]\nurl = 'https://a/'", "case[0].expect"),
        ("[[case]]\nurl = 'https://a/'\nexpect = 'yes'", "case[0].expect"),
        ("[[case]]\nurl = 5\nexpect = 'permit'", "case[0].url"),
        ("[[case]]\nurl = 'https://a/'\nexpect = 200\nfoo = 1", "case[0].foo"),
        ("[[case]]\nurl = 'https://a/'\nexpect = 200\nas = 5", "case[0].as"),
        ("[[case]]\nurl = 'https://a/'\nexpect = 200\nat = 'x'", "case[0].at"),
        ("[[case]]\nurl = 'https://a/'\nexpect = 200\nbinding = 1", "case[0].binding"),
        ("[[case]]\nurl = 'https://a/'\nexpect = 200\nscopes = 1", "case[0].scopes"),
        (
            "[[case]]\nurl = 'https://a/'\nexpect_header = { a = 1 }",
            "case[0].expect_header",
        ),
    ],
)
def test_what_is_no_case_is_a_mistake(tmp_path: Path, text: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.mistakes[0].path.endswith(path)


def case(expect: str = "", rule: str = "", **headers: str) -> Case:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Case(
        name="n\x1b",
        situation=make_situation(),
        expect=expect,
        rule=rule,
        headers=named,
    )


def test_what_is_as_expected_has_no_problems() -> None:
    assert (
        problems(case("permit", "main/rule:a", x_remote_user="alice"), PERMITTED) == []
    )
    assert problems(case("404"), DENIED) == []
    assert problems(case("deny"), DENIED) == []
    assert problems(case(X_None=""), PERMITTED) == []


def test_each_difference_is_a_problem() -> None:
    assert problems(case("deny"), PERMITTED) == [
        "expected deny, got permitted by main/rule:a"
    ]
    assert problems(case("403"), DENIED) == ["expected 403, got denied: 404 no-route"]
    assert problems(case(rule="main/rule:b"), PERMITTED) == [
        "expected that main/rule:b decides, not main/rule:a"
    ]
    assert problems(case(X_Remote_User="bob"), PERMITTED) == [
        "expected X-Remote-User: 'bob', got 'alice'"
    ]
    assert problems(case(X_None="a"), PERMITTED) == ["expected X-None: 'a', got none"]


def test_results_are_written_as_junit() -> None:
    good = Result(case("permit"), PERMITTED, [], 0.25)
    bad = Result(case("deny"), PERMITTED, ["expected <deny>"], 0.5)
    suite = ET.fromstring(write_junit([good, bad], "cases.toml"))[0]  # noqa: S314
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert suite.get("time") == "0.750"
    first, second = suite
    assert first.get("name") == "n\\x1b"
    assert list(first) == []
    assert second[0].get("message") == "expected <deny>"
    assert "permitted" in (second[0].text or "")
