"""One fetch for all who want the same thing at the same time."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from sso_proxy.errors import SsoProxyError

_log = Logger()

T = TypeVar("T")


class Once(Generic[T]):
    """
    Runs something at most once at a time and tells the result to everybody waiting.

    It goes on when those who wait are cancelled, the first one included: it has to be
    bounded in time by itself.
    """

    def __init__(self, start: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._start = start
        self._waiting: list[Deferred[T]] = []
        self._running = False

    @property
    def running(self) -> bool:
        """Say whether it runs now."""
        return self._running

    def begin(self) -> None:
        """
        Let it run unless it does already, and wait for nothing.

        Errors of ours (`SsoProxyError`) are told to those who `join` it, if any; other
        exceptions are logged if nobody does.
        """
        if self._running:
            return
        self._running = True
        Deferred.fromCoroutine(self._start()).addBoth(self._finish)

    async def join(self) -> T:
        """
        Give the result of the one that runs, or else of a new one.

        Raises:
            Exception: Whatever it raises.
        """
        waiter: Deferred[T] = Deferred(self._waiting.remove)
        self._waiting.append(waiter)
        self.begin()
        return await waiter

    def _finish(self, result: T | Failure) -> None:
        """Tell everybody."""
        self._running = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(result)
        if waiting or not isinstance(result, Failure):
            return
        if not result.check(SsoProxyError):
            _log.failure("What nobody waited for failed", failure=result)
