"""Tests for `sso_proxy.authn.device_binding`."""

from typing import Any

import attrs
import pytest

from sso_proxy.authn.device_binding import (
    DeviceBinding,
    DeviceBindingConfig,
    demanded,
)
from sso_proxy.authn.token_binding import TokenBinding
from sso_proxy.model import Bound, Identity, Unbound
from sso_proxy.session import Session
from sso_proxy.sessions.bound_cookie import Standing
from sso_proxy.sessions.devices import PASSES
from sso_proxy.testing.checks import check_binding, outcome_of
from sso_proxy.testing.fakes import NOW, FakeTools, make_identity, make_request

ALICE = make_identity("alice", authenticator="login")
UNPROVED = Bound((), proved=False)


class Devices:
    """Devices of sessions, of which one thing is known."""

    def __init__(self, standing: Standing = PASSES) -> None:
        self.standing = standing
        self.levels: list[str] = []

    async def check(self, _request: Any, holder: str, began: float, level: str) -> Any:  # noqa: ANN401
        assert (holder, began) == ("s", NOW)
        self.levels.append(level)
        return self.standing


@attrs.frozen
class Store:
    """Sessions that are bound to devices."""

    devices: Devices


def check(
    level: Any,  # noqa: ANN401
    devices: Devices | None = None,
    *,
    device: str = "",
    identity: Identity = ALICE,
    session: bool = True,
) -> Any:  # noqa: ANN401
    kept = Session(
        id="s", identity=ALICE, created=NOW, used=NOW, expires=NOW + 9, device=device
    )
    request = attrs.evolve(
        make_request(),
        session=kept if session else None,
        sessions=Store(devices or Devices()),
    )
    return outcome_of(DeviceBinding(level).check(request, identity))


@pytest.mark.parametrize("level", ["require", "prefer", "observe"])
def test_a_proved_device_satisfies(level: str) -> None:
    assert check(level, device="print") is None


@pytest.mark.parametrize("level", ["require", "prefer", "observe"])
def test_the_sessions_are_asked_as_strictly_as_the_route_wants(level: str) -> None:
    devices = Devices(Standing(refused="device-missing"))
    answer = check(level, devices)
    assert devices.levels == [level]
    assert isinstance(answer, Unbound)
    assert answer.reason == "device-missing"


@pytest.mark.parametrize("level", ["require", "prefer", "observe"])
def test_who_may_pass_without_has_proved_nothing(level: str) -> None:
    """A new session, or one whose browser has no key."""
    assert check(level, Devices(Standing(until=NOW + 60))) == UNPROVED


def test_only_a_session_has_a_device() -> None:
    token = make_identity("alice", authenticator="api")
    for given in ({"session": False}, {"identity": token, "device": "print"}):
        answer = check("require", **given)
        assert isinstance(answer, Unbound)
        assert check("prefer", **given) == UNPROVED
        assert check("observe", **given) == UNPROVED


def test_a_route_demands_what_it_requires_and_any_level_of_a_device() -> None:
    bindings = {"device": DeviceBinding(), "token_binding": TokenBinding()}
    found = demanded(bindings, {"device": "prefer", "token_binding": "require"})
    assert [binding.kind for binding in found] == ["device", "token_binding"]
    found = demanded(bindings, {"device": "observe", "token_binding": "prefer"})
    assert [binding.kind for binding in found] == ["device"]


def test_it_keeps_the_contract() -> None:
    made = DeviceBinding.from_config(DeviceBindingConfig(), FakeTools())
    check_binding(made)
