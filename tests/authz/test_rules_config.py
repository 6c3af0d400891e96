"""What a rule must not say."""

from typing import Any

import pytest

from sso_proxy.authz.rules_config import (
    MatchConfig,
    ObligationConfig,
    RuleConfig,
    RulesConfig,
)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"effect": "step_up"}, "needs acr_values or max_age"),
        ({"effect": "permit", "max_age": 3}, "no effect"),
        ({"effect": "deny", "acr_values": ("a",)}, "no effect"),
        ({"effect": "permit", "name": "-a"}, "short code"),
        ({"effect": "permit", "name": "a\nb"}, "short code"),
    ],
)
def test_a_rule_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        RuleConfig(**{"name": "r", **options})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"hours": "always"}, "expected hours"),
        ({"client": ("localhost",)}, "localhost"),
        ({"path": "orders"}, "no canonical path"),
        ({"host": ("a*b",)}, "a\\*b"),
        ({"method": ("get",)}, "is no method"),
    ],
)
def test_a_match_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        MatchConfig(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"do": "set-header", "name": "X-A"}, "needs value"),
        ({"do": "log", "message": "m", "name": "X-A"}, "no effect"),
        ({"do": "end-session", "parameters": {"a": "b"}}, "parameters has no effect"),
        ({"do": "set-header", "name": "a b", "value": "v"}, "no header field"),
        ({"do": "remove-header", "name": "Content_Length"}, "HTTP itself"),
        ({"do": "set-header", "name": "X-A", "value": "a\r\nX-B: c"}, "line of text"),
        ({"do": "set-header", "name": "X-A", "value": ""}, "line of text"),
        ({"do": "set-header", "name": "X-A", "value": "\u0430"}, "cannot have"),
        ({"do": "log", "message": "a\nb"}, "line of text"),
    ],
)
def test_an_obligation_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ObligationConfig(**options)


def test_an_obligation_of_a_plugin_has_parameters_of_its_own() -> None:
    page = ObligationConfig(do="page", parameters={"who": "security"})
    assert page.given == ("page", {"who": "security"})


def test_nobody_is_no_member() -> None:
    with pytest.raises(ValueError, match="without a name"):
        RulesConfig(groups={"g": ("alice", "")})


def test_one_condition_needs_no_list() -> None:
    assert RuleConfig(name="r", effect="permit", when="scope:a").conditions == (
        "scope:a",
    )
