"""What a policy obliges us to is done, or the request is denied."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from twisted.logger import capturedLogs
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sso_proxy.authz.obligations import OURS, Obligations
from sso_proxy.equipment import Equipment
from sso_proxy.interfaces import IObligation
from sso_proxy.model import Decision, Effect, Request
from sso_proxy.testing.checks import outcome_of
from sso_proxy.testing.fakes import make_request


@implementer(IObligation)
class Counting:
    """Counts how often it is done, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.done = 0

    async def fulfil(
        self,
        parameters: Mapping[str, Any],  # noqa: ARG002
        request: Request,  # noqa: ARG002
        equipment: Equipment,  # noqa: ARG002
    ) -> None:
        self.done += 1
        if self.error is not None:
            raise self.error


def fulfil(
    *obligations: tuple[str, Mapping[str, Any]],
    equipment: Equipment | None = None,
    request: Request | None = None,
    **others: Any,  # noqa: ANN401
) -> str | None:
    decision = Decision(effect=Effect.PERMIT, obligations=obligations)
    known = Obligations(others)
    undone: str | None = outcome_of(
        known.fulfil(decision, request or make_request(), equipment or Equipment())
    )
    return undone


@pytest.mark.parametrize("name", OURS)
def test_ours_are_what_plugins_make(name: str) -> None:
    verifyObject(IObligation, OURS[name])


def test_an_unknown_one_is_not_done() -> None:
    assert fulfil(("log", {"message": "m"}), ("unheard-of", {})) == "unheard-of"


def test_one_that_fails_does_not_keep_others_from_being_done() -> None:
    bad, good = Counting(ValueError("bug")), Counting()
    with capturedLogs():
        assert fulfil(("bad", {}), ("good", {}), bad=bad, good=good) == "bad"
    assert good.done == 1


def test_a_header_is_set_for_the_backend() -> None:
    equipment = Equipment(settable=frozenset({"x-purpose"}))
    set_it = ("set-header", {"name": "X-Purpose", "value": "audit"})
    assert fulfil(set_it, equipment=equipment) is None
    assert equipment.fields == [("X-Purpose", "audit")]


@pytest.mark.parametrize(
    "parameters",
    [
        {"name": "X-Other", "value": "v"},
        {"name": "X-Purpose"},
        {"name": "X-Purpose", "value": 3},
        {"name": "X-Purpose", "value": "a\r\nX-Remote-User: root"},
        {"name": "X-Purpose", "value": ""},
        {"value": "v"},
    ],
)
def test_only_what_clients_cannot_send_is_set(parameters: dict[str, Any]) -> None:
    equipment = Equipment(settable=frozenset({"x-purpose"}))
    assert fulfil(("set-header", parameters), equipment=equipment) == "set-header"
    assert equipment.fields == []


def test_a_header_is_kept_from_the_backend() -> None:
    equipment = Equipment()
    assert fulfil(("remove-header", {"name": "Accept"}), equipment=equipment) is None
    assert equipment.removed == {"accept"}


def set_twice(first: str, second: str) -> tuple[str | None, Equipment]:
    equipment = Equipment(settable=frozenset({"x-purpose", "x_purpose"}))
    undone = fulfil(
        ("set-header", {"name": "X-Purpose", "value": first}),
        ("set-header", {"name": "x_purpose", "value": second}),
        equipment=equipment,
    )
    return undone, equipment


def test_two_rules_that_set_a_field_differently_oblige_us_to_nothing_possible() -> None:
    """A backend might take the one or the other."""
    assert set_twice("a", "b")[0] == "set-header"


def test_two_rules_that_set_a_field_alike_set_it_once() -> None:
    undone, equipment = set_twice("a", "a")
    assert undone is None
    assert equipment.fields == [("X-Purpose", "a")]


def test_a_field_is_removed_in_every_spelling() -> None:
    equipment = Equipment()
    assert fulfil(("remove-header", {"name": "X_D.On"}), equipment=equipment) is None
    assert equipment.removed == {"x-d-on"}
    assert equipment.once
    assert fulfil(("remove-header", {"name": "a b"})) == "remove-header"


def test_a_message_is_logged_as_one_bounded_line() -> None:
    with capturedLogs() as logs:
        assert fulfil(("log", {"message": "m" * 5000})) is None
        assert fulfil(("log", {"message": "two\nlines"})) == "log"
    assert len(logs[0]["message"]) == 1000


def test_a_key_has_to_be_proved() -> None:
    wants = ("require-binding", {"kind": "dpop"})
    assert fulfil(wants) == "require-binding"
    request = make_request()
    assert fulfil(wants, request=_bound(request)) is None


def _bound(request: Request) -> Request:
    return attrs.evolve(request, bindings=("dpop",))


class FakeSessions:
    """Sessions, of which one is ended."""

    def __init__(self) -> None:
        self.ended = 0

    async def end(self, request: Request) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        self.ended += 1
        return (("set-cookie", "__Host-sso=; Max-Age=0"),)


def test_a_session_is_ended_and_the_browser_hears_it() -> None:
    sessions, equipment = FakeSessions(), Equipment()
    session: Any = object()
    request = attrs.evolve(make_request(), session=session, sessions=sessions)
    assert fulfil(("end-session", {}), equipment=equipment, request=request) is None
    assert sessions.ended == 1
    assert equipment.answer == [("set-cookie", "__Host-sso=; Max-Age=0")]


def test_without_a_session_there_is_nothing_to_end() -> None:
    assert fulfil(("end-session", {})) is None
