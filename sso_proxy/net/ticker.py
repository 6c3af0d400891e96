"""One clock tick for all deadlines, instead of a delayed call for each."""

from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from sso_proxy.interfaces import IClock

_log = Logger()

PERIOD = 0.25
"""Seconds between ticks; deadlines are this exact."""


class Ticker:
    """Knows roughly what time it is, and tells whoever wants to hear each tick."""

    def __init__(self, reactor: Any, clock: IClock) -> None:  # noqa: ANN401
        self._clock = clock
        self._now = clock.monotonic()
        self._listeners: list[Callable[[float], None]] = []
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor

    def now(self) -> float:
        """Give the monotonic time of the last tick."""
        return self._now

    def call_each(self, listener: Callable[[float], None]) -> None:
        """Call *listener* with the monotonic time at each tick."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[float], None]) -> None:
        """Stop calling *listener*."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def start(self) -> None:
        """Begin to tick."""
        self._loop.start(PERIOD, now=False)

    def stop(self) -> None:
        """Stop ticking."""
        if self._loop.running:
            self._loop.stop()

    def _tick(self) -> None:
        self._now = now = self._clock.monotonic()
        for listener in [*self._listeners]:
            try:
                listener(now)
            except Exception:  # noqa: BLE001
                _log.failure("A sweep failed; the others go on.")
