"""Run a coroutine without a Deferred for as long as it need not wait."""

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, cast

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

    def wait(self, awaited: object) -> None:
        """Go on with the coroutine once *awaited*, a Deferred, has its result."""
        if isinstance(awaited, Deferred):
            self._deferred = awaited
            awaited.addBoth(self.step)
            return
        self._coroutine.close()
        message = f"a coroutine awaits {type(awaited).__name__}, which is no Deferred"
        self._fail(Failure(TypeError(message)))

    def step(self, result: object) -> None:
        """Give the coroutine *result* and see how far it gets."""
        try:
            if isinstance(result, Failure):
                awaited = self._coroutine.throw(cast("Exception", result.value))
            else:
                awaited = self._coroutine.send(result)
        except StopIteration as end:
            if not self.cancelled:
                self._end(end.value)
        except Exception:  # noqa: BLE001
            self._fail(Failure())
        else:
            self.wait(awaited)

    def _end(self, result: T) -> None:
        try:
            self._done(result)
        except Exception:  # noqa: BLE001
            # Nobody else would hear of it: a Deferred called us.
            self._fail(Failure())

    def _fail(self, failure: Failure) -> None:
        if not self.cancelled:
            self._failed(failure)


def run(
    coroutine: Coroutine[Any, Any, T],
    done: Callable[[T], None],
    failed: Callable[[Failure], None],
) -> Waiting[T] | None:
    """
    Start *coroutine*, and tell *done* its result or *failed* what it raised.

    Returns:
        None if it has ended already, else something that can be cancelled.  What
        *done* raises comes out of here in the first case, and goes to *failed* later.
    """
    try:
        awaited = coroutine.send(None)
    except StopIteration as end:
        done(end.value)
        return None
    except Exception:  # noqa: BLE001
        failed(Failure())
        return None
    waiting = Waiting(coroutine, done, failed)
    waiting.wait(awaited)
    return waiting
