"""Obligations of other makes are done as ours, or deny."""

from typing import Any

import pytest

from sso_proxy.authz.foreign_obligations import (
    ForeignObligationConfig,
    ForeignObligations,
)
from sso_proxy.authz.obligations import OURS, Obligations
from sso_proxy.equipment import Equipment
from sso_proxy.model import Decision, Effect
from sso_proxy.testing import outcome_of
from sso_proxy.testing.fakes import make_request

LOG = ForeignObligationConfig(do="log", message="urn:example:text")
PURPOSE = ForeignObligationConfig(
    do="set-header", value="purpose", constants={"name": "X-Purpose"}
)


def test_attributes_become_parameters() -> None:
    known = ForeignObligations({"urn:log": LOG, "p": PURPOSE}, ("X-Other",))
    assert known.translate("urn:log", {"urn:example:text": "hi", "more": 1}) == (
        "log",
        {"message": "hi"},
    )
    assert known.translate("p", {"purpose": "sales", "name": "X-User"}) == (
        "set-header",
        {"name": "X-Purpose", "value": "sales"},
    )
    assert known.sets == {"x-purpose", "x-other"}
    assert known.knows("p")
    assert not known.knows("x")


@pytest.mark.parametrize(
    ("id_", "attributes"),
    [("log", {}), ("end-session", {}), ("urn:log", {}), ("urn:log", {"m": "x"})],
)
def test_what_nobody_understands_denies(id_: str, attributes: dict[str, Any]) -> None:
    """Names of ours mean nothing unless the configuration says so."""
    known = ForeignObligations({"urn:log": LOG}, ())
    given = known.translate(id_, attributes)
    decision = Decision(effect=Effect.PERMIT, obligations=(given,))
    equipment = Equipment(settable=frozenset())
    undone = outcome_of(Obligations().fulfil(decision, make_request(), equipment))
    assert undone == given[0]


def test_names_of_others_are_plain_in_ours() -> None:
    known = ForeignObligations({}, ())
    assert known.translate("urn:A b\r\n<x>", {})[0] == "unknown:urn:A_b_x_"
    assert len(known.translate("x" * 1000, {})[0]) == 200


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"do": ""}, "must not be empty"),
        ({"do": "log"}, "log needs message"),
        ({"do": "set-header", "name": "a"}, "set-header needs value"),
        ({"do": "end-session", "kind": "a"}, "kind has no effect: end-session"),
        (
            {"do": "remove-header", "constants": {"name": "Host"}},
            "Host belongs to HTTP itself",
        ),
        (
            {"do": "log", "message": "a", "constants": {"message": "b"}},
            "message is said twice",
        ),
        (
            {"do": "mine", "name": "a", "parameters": {"name": "b"}},
            "name is said twice",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        ForeignObligationConfig(**options)


def test_obligations_of_plugins_have_parameters_of_their_own() -> None:
    mine = ForeignObligationConfig(
        do="mine", name="n", parameters={"a": "b"}, constants={"c": "d"}
    )
    known = ForeignObligations({"x": mine}, ())
    assert known.translate("x", {"b": 1, "n": "v"}) == (
        "mine",
        {"a": 1, "name": "v", "c": "d"},
    )


def test_all_of_ours_can_be_meant() -> None:
    texts = {"name": "a", "value": "b", "message": "c", "kind": "d"}
    for do in OURS:
        takes = {
            "set-header": ("name", "value"),
            "remove-header": ("name",),
            "log": ("message",),
            "require-binding": ("kind",),
            "end-session": (),
        }[do]
        options: dict[str, Any] = {option: texts[option] for option in takes}
        config = ForeignObligationConfig(do=do, **options)
        assert set(config.taken) == set(takes)
