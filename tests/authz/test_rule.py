"""A compiled rule knows which hosts and paths it is about."""

import pytest

from sso_proxy.authz.rule import Rule, compile_rule, split_path
from sso_proxy.authz.rules_config import MatchConfig, RuleConfig


def compiled(host: tuple[str, ...] = (), path: str = "/") -> Rule:
    config = RuleConfig(
        name="r", effect="permit", match=MatchConfig(host=host, path=path)
    )
    return compile_rule(config, number=0, path="rule[0]", groups={}, tables={})


@pytest.mark.parametrize(
    ("patterns", "host", "about"),
    [
        ((), "a.example", True),
        (("a.example",), "a.example", True),
        (("*.example",), "a.example", True),
        (("*.example",), "b.a.example", False),
        (("b.example", "*"), "a.example", True),
        (("b.example",), "a.example", False),
    ],
)
def test_a_rule_is_about_hosts(
    patterns: tuple[str, ...], host: str, *, about: bool
) -> None:
    assert compiled(patterns).is_about_host(host) is about


@pytest.mark.parametrize(
    ("pattern", "path", "about"),
    [
        ("/", "/", True),
        ("/a/", "/a", True),
        ("/a/", "/ab", False),
        ("/a/{x}/", "/a", False),
        ("/a/{x}/", "/a/", False),
        ("/a/{x}/", "/a/b/c", True),
        ("/a/", "*", False),
    ],
)
def test_a_rule_is_about_paths(pattern: str, path: str, *, about: bool) -> None:
    assert compiled(path=pattern).is_about_path(path) is about


def test_segments_are_those_that_rules_compare() -> None:
    assert split_path("/%40a//b/") == ["@a", "b"]
