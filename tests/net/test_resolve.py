"""Names to addresses: remembered for a moment, and no literal is looked up."""

import socket
from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address

from sso_proxy.net.connect import Address
from sso_proxy.net.resolve import Resolver
from sso_proxy.testing.clock import SettableClock

FOUR = IPv4Address("TCP", "192.0.2.1", 80)
SIX = IPv6Address("TCP", "2001:db8::1", 80)


class Names:
    """A reactor whose names resolve to what the test says, when it says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self._receivers: list[Any] = []

    @property
    def nameResolver(self) -> "Names":  # noqa: N802
        return self

    def resolveHostName(self, receiver: Any, host: str, port: int) -> None:  # noqa: ANN401, N802
        self.asked.append((host, port))
        self._receivers.append(receiver)

    def answer(self, *found: object) -> None:
        receiver = self._receivers.pop(0)
        receiver.resolutionBegan(None)
        for address in found:
            receiver.addressResolved(address)
        receiver.resolutionComplete()


class Scene:
    def __init__(self) -> None:
        self.names = Names()
        self.clock = SettableClock()
        self.resolver = Resolver(self.names, self.clock)
        self.found: list[Sequence[Address]] = []

    def lookup(self, host: str = "app.example") -> None:
        self.resolver.lookup(host, 80, self.found.append)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_all_addresses_are_given_in_their_order(scene: Scene) -> None:
    scene.lookup()
    scene.names.answer(SIX, FOUR)
    assert scene.found == [
        [
            (socket.AF_INET6, ("2001:db8::1", 80)),
            (socket.AF_INET, ("192.0.2.1", 80)),
        ]
    ]


def test_answer_is_remembered_for_a_moment(scene: Scene) -> None:
    scene.lookup()
    scene.names.answer(FOUR)
    scene.lookup()
    assert scene.found[0] == scene.found[1]
    scene.clock.advance(60)
    scene.lookup()
    assert len(scene.names.asked) == 2
    assert len(scene.found) == 2


def test_failure_is_not_remembered(scene: Scene) -> None:
    scene.lookup()
    scene.names.answer()
    assert scene.found == [[]]
    scene.lookup()
    assert len(scene.names.asked) == 2


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("192.0.2.1", socket.AF_INET),
        ("2001:db8::1", socket.AF_INET6),
        ("[2001:db8::1]", socket.AF_INET6),
    ],
)
def test_address_needs_no_looking_up(scene: Scene, host: str, family: int) -> None:
    scene.lookup(host)
    assert scene.names.asked == []
    assert scene.found == [[(family, (host.strip("[]"), 80))]]


def test_number_of_names_remembered_is_bounded(scene: Scene) -> None:
    for number in range(1025):
        scene.lookup(f"{number}.example")
        scene.names.answer(FOUR)
    scene.lookup("0.example")
    assert len(scene.names.asked) == 1026
