"""Run a coroutine without a Deferred for as long as it need not wait."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Waiting(Generic[T]):
    """A coroutine that waits; `cancel` ends it, and then nobody is told a result."""

    __slots__ = ("_coroutine", "_deferred", "_done", "_failed", "cancelled")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        done: Callable[[T], None],
        failed: Callable[[Failure], None],
    ) -> None:
        self._coroutine = coroutine
        self._done = done
        self._failed = failed
        self._deferred: Deferred[Any] | None = None
        self.cancelled = False

    def cancel(self) -> None:
        """Tell the coroutine, by a CancelledError, that nobody waits any more."""
        self.cancelled = True
        if self._deferred is not None:
            self._deferred.cancel()

    def step(self, result: Any) -> Any:  # noqa: ANN401
        """Give the coroutine *result* and see how far it gets."""
        try:
            if isinstance(result, Failure):
                if result.value is None:  # a Failure always has one
                    return
                deferred = self._coroutine.throw(result.value)
            else:
                deferred = self._coroutine.send(result)
        except StopIteration as end:
            if not self.cancelled:
                self._done(end.value)
            return
        except Exception:  # noqa: BLE001
            if not self.cancelled:
                self._failed(Failure())
            return
        self._deferred = deferred
        deferred.addBoth(self.step)


def run(
    coroutine: Coroutine[Any, Any, T],
    done: Callable[[T], None],
    failed: Callable[[Failure], None],
) -> Waiting[T] | None:
    """
    Start *coroutine*, and tell *done* its result or *failed* what it raised.

    Returns:
        None if it has ended already, else something that can be cancelled.
    """
    try:
        deferred = coroutine.send(None)
    except StopIteration as end:
        done(end.value)
        return None
    except Exception:  # noqa: BLE001
        failed(Failure())
        return None
    waiting = Waiting(coroutine, done, failed)
    waiting._deferred = deferred  # noqa: SLF001
    deferred.addBoth(waiting.step)
    return waiting
