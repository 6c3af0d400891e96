"""Signals reach the reactor."""

import os
import signal
from collections.abc import Iterator

import pytest

from sso_proxy.process.signals import ignore, install


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    numbers = (signal.SIGUSR1, signal.SIGUSR2)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class QueueingReactor:
    """Keeps what it is to call."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def callFromThread(self, call: object) -> None:  # noqa: N802
        self.calls.append(call)


def first() -> None: ...


def second() -> None: ...


def test_each_signal_has_its_own_handler_called_by_the_reactor() -> None:
    reactor = QueueingReactor()
    install(reactor, {signal.SIGUSR1: first, signal.SIGUSR2: second})
    os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert reactor.calls == [second, first]


def test_ignored_signal_does_nothing() -> None:
    ignore(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
