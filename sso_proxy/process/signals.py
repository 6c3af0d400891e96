"""Signals, told to the reactor."""

import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeAlias

Handler: TypeAlias = Callable[[], object]


def install(reactor: Any, handlers: Mapping[signal.Signals, Handler]) -> None:  # noqa: ANN401
    """
    Have *reactor* call a handler for every signal of its kind.

    A signal that comes before the reactor runs is handled as soon as it does.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        reactor.callFromThread(handlers[signal.Signals(number)])

    for number in handlers:
        signal.signal(number, handle)


def ignore(*numbers: signal.Signals) -> None:
    """Ignore signals of these kinds."""
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
