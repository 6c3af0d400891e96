"""What a decision point wants besides is understood, or known not to be."""

from typing import Any

import pytest

from sso_proxy.specs.authzen.meaning import (
    Obligation,
    StepUp,
    read_obligations,
    read_reasons,
    read_step_up,
)
from sso_proxy.specs.authzen.values import AuthzenError


def test_reasons_become_lines_for_a_log() -> None:
    context = {
        "reason_user": {"en": "Not allowed"},
        "reason_admin": {"403": "policy\nC076E82F", "n": 1},
    }
    assert read_reasons(context) == ("policy C076E82F", "Not allowed")
    assert read_reasons({"reason_admin": "x" * 1000}) == ("x" * 500,)
    assert read_reasons({"reason_admin": ["x"]}) == ()
    assert read_reasons({}) == ()


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, None),
        ({"acr_values": []}, None),
        ({"acr_values": "gold silver"}, StepUp(acr_values=("gold", "silver"))),
        ({"acr_values": ["gold"], "more": 1}, StepUp(acr_values=("gold",))),
        ({"amr_values": "mfa hwk"}, StepUp(amr_values=("mfa", "hwk"))),
        ({"max_age": 300}, StepUp(max_age=300)),
    ],
)
def test_a_login_is_asked_for(members: dict[str, Any], found: StepUp | None) -> None:
    assert read_step_up(members) == found


@pytest.mark.parametrize(
    "members",
    [
        {"acr_values": 1},
        {"acr_values": [1]},
        {"acr_values": "gold  silver"},
        {"acr_values": 'a"b'},
        {"acr_values": ["a b"]},
        {"acr_values": None},
        {"amr_values": {}},
        {"acr_values": ["a"] * 33},
        {"max_age": "300"},
        {"max_age": True},
        {"max_age": -1},
    ],
)
def test_a_login_that_nobody_can_ask_for_is_none(members: dict[str, Any]) -> None:
    with pytest.raises(AuthzenError):
        read_step_up(members)


def test_obligations_are_read() -> None:
    context = {
        "obligations": [
            {"id": "1", "type": "notification", "properties": {"to": "bob"}, "x": 1},
            {"id": "2", "type": "session_termination"},
        ]
    }
    assert read_obligations(context) == (
        Obligation(id="1", type="notification", properties={"to": "bob"}),
        Obligation(id="2", type="session_termination"),
    )
    assert read_obligations({}) == ()


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        "session_termination",
        [1],
        [{"id": "1"}],
        [{"type": "custom"}],
        [{"id": 1, "type": "custom"}],
        [{"id": "1", "type": "custom", "properties": []}],
        [{"id": "1", "type": "custom"}] * 33,
    ],
)
def test_what_is_no_obligation_is_refused(found: object) -> None:
    with pytest.raises(AuthzenError):
        read_obligations({"obligations": found})
