"""The test clock goes when it is told to."""

import pytest
from zope.interface.verify import verifyObject

from sso_proxy.interfaces import IClock
from sso_proxy.testing.clock import SettableClock


def test_the_clock_is_a_clock() -> None:
    assert verifyObject(IClock, SettableClock())


def test_time_stands_still() -> None:
    clock = SettableClock(100.0)
    assert (clock.time(), clock.time(), clock.monotonic()) == (100.0, 100.0, 0.0)


def test_time_passes_on_both_scales() -> None:
    clock = SettableClock(100.0)
    clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (102.5, 2.5)


def test_the_epoch_may_jump_alone() -> None:
    clock = SettableClock(100.0)
    clock.now = 50.0
    assert (clock.time(), clock.monotonic()) == (50.0, 0.0)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="back"):
        SettableClock().advance(-1)
