"""Work that takes long and is done beside the reactor, by few threads."""

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClosable

MOST_WAITING: Final = 100

P = ParamSpec("P")
T = TypeVar("T")


@implementer(IClosable)
class Threads:
    """
    A few threads, which begin with the first work.

    Args:
        reactor: The reactor.
        what: What they do, for names and logs.
        size: How many there are at most.
        most_waiting: Work that may be waiting or being done; more is refused.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        what: str,
        size: int,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._reactor = reactor
        self._what = what
        self._most = most_waiting
        self._busy = 0
        self._pool = ThreadPool(0, size, name=what)
        self._trigger: Any = None
        self._closed = False

    async def run(
        self, work: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """
        Do *work* in a thread, and give what it returns.

        It goes on when who waits for it is cancelled; it has to end by itself.

        Raises:
            UnavailableError: There is too much to do already.
            Exception: What *work* raises.
        """
        if self._closed or self._busy >= self._most:
            raise UnavailableError(f"{self._what}: too much to do", reason="busy")
        if self._trigger is None:
            self._pool.start()
            self._trigger = self._reactor.addSystemEventTrigger(
                "during", "shutdown", self._stop
            )
        self._busy += 1

        def turn() -> T:
            if self._closed:
                raise UnavailableError(f"{self._what}: closed", reason="busy")
            return work(*arguments, **named)

        done = deferToThreadPool(self._reactor, self._pool, turn)
        waiter: Deferred[T] = Deferred()
        done.addBoth(self._finish, waiter)
        return await waiter

    def close(self) -> None:
        """Take no more work, and wait for what is being done; not for what waits."""
        self._closed = True
        if self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
            self._trigger = None
            self._stop()

    def _stop(self) -> None:
        self._closed = True
        self._pool.stop()

    def _finish(self, result: T | Failure, waiter: "Deferred[T]") -> None:
        """Note that something is done, and tell who waits, if anybody still does."""
        self._busy -= 1
        waiter.callback(result)
