"""The system's clock tells the time."""

import time

from zope.interface.verify import verifyObject

from sso_proxy.interfaces import IClock
from sso_proxy.net.clock import SystemClock


def test_the_clock_is_a_clock() -> None:
    assert verifyObject(IClock, SystemClock())


def test_the_epoch_is_the_systems() -> None:
    assert abs(SystemClock().time() - time.time()) < 5


def test_monotonic_time_goes_on() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
