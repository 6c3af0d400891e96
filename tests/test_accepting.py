"""When listeners begin."""

import pytest
from twisted.internet.task import Clock

from sso_proxy.accepting import PATIENCE, Opening, name_of
from sso_proxy.config.model import ListenerConfig


class FakeListener:
    """Counts how often it was started."""

    started = 0

    def start(self) -> None:
        self.started += 1


class TestOpening:
    """One listener."""

    def setup_method(self) -> None:
        self.clock = Clock()
        self.listener = FakeListener()
        self.opening = Opening(self.clock)

    def test_without_a_doubt_it_begins_at_once(self) -> None:
        self.opening.begin([self.listener], doubted=False)
        assert self.listener.started == 1

    def test_doubted_it_waits_until_there_is_no_doubt(self) -> None:
        self.opening.begin([self.listener], doubted=True)
        self.clock.advance(PATIENCE / 2)
        assert self.listener.started == 0
        self.opening.hurry()
        assert self.listener.started == 1
        assert self.clock.getDelayedCalls() == []

    def test_it_does_not_wait_for_ever(self) -> None:
        self.opening.begin([self.listener], doubted=True)
        self.clock.advance(PATIENCE)
        assert self.listener.started == 1

    def test_it_begins_once(self) -> None:
        self.opening.begin([self.listener], doubted=True)
        self.clock.advance(PATIENCE)
        self.opening.hurry()
        assert self.listener.started == 1


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "192.0.2.1:443"),
        ("::", "[::]:443"),
        ("unix:/run/x", "unix:/run/x"),
        ("systemd:web", "systemd:web"),
    ],
)
def test_listeners_are_called_by_their_address(address: str, name: str) -> None:
    assert name_of(ListenerConfig(address=address, port=443)) == name
