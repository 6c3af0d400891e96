"""Coroutines that need not wait, that wait, and that nobody waits for any more."""

import types
from collections.abc import Generator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from sso_proxy.net.coroutine import run


class Told:
    """Keeps what came out."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.failures: list[Failure] = []

    def done(self, result: object) -> None:
        self.results.append(result)

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)

    def types(self) -> list[type]:
        return [type(failure.value) for failure in self.failures]


class CoroutineTests(TestCase):
    """What `run` tells whom."""

    def setUp(self) -> None:
        self.told = Told()

    def test_a_result_that_is_known_is_told_at_once(self) -> None:
        async def known() -> int:
            return 1

        assert run(known(), self.told.done, self.told.failed) is None
        assert self.told.results == [1]

    def test_an_error_is_told_at_once(self) -> None:
        async def broken() -> int:
            raise OSError("down")

        assert run(broken(), self.told.done, self.told.failed) is None
        assert self.told.types() == [OSError]

    def test_a_result_that_comes_later_is_told_later(self) -> None:
        first: Deferred[int] = Deferred()
        second: Deferred[int] = Deferred()

        async def sums() -> int:
            return await first + await second

        assert run(sums(), self.told.done, self.told.failed) is not None
        first.callback(1)
        assert self.told.results == []
        second.callback(2)
        assert self.told.results == [3]

    def test_a_failure_is_raised_where_it_is_awaited(self) -> None:
        waits: Deferred[int] = Deferred()

        async def recovers() -> str:
            try:
                await waits
            except OSError:
                return "recovered"
            return "?"

        run(recovers(), self.told.done, self.told.failed)
        waits.errback(OSError("down"))
        assert self.told.results == ["recovered"]

    def test_an_error_that_comes_later_is_told(self) -> None:
        waits: Deferred[int] = Deferred()

        async def waiting() -> int:
            return await waits

        run(waiting(), self.told.done, self.told.failed)
        waits.errback(OSError("down"))
        assert self.told.types() == [OSError]

    def test_many_that_have_fired_already_do_not_exhaust_the_stack(self) -> None:
        async def counts() -> int:
            total = 0
            for _ in range(5000):
                total += await succeed(1)
            try:
                await fail(OSError("down"))
            except OSError:
                return total
            return 0

        assert run(counts(), self.told.done, self.told.failed) is None
        assert self.told.results == [5000]

    def test_many_that_fire_later_do_not_exhaust_the_stack(self) -> None:
        waits: list[Deferred[int]] = []

        async def counts() -> int:
            total = 0
            for _ in range(5000):
                waits.append(Deferred())
                total += await waits[-1]
            return total

        run(counts(), self.told.done, self.told.failed)
        for at in range(5000):
            waits[at].callback(1)
        assert self.told.results == [5000]

    def test_cancelling_is_raised_inside_and_told_to_nobody(self) -> None:
        waits: Deferred[int] = Deferred()
        cleaned = []

        async def waiting() -> int:
            try:
                return await waits
            finally:
                cleaned.append(1)

        started = run(waiting(), self.told.done, self.told.failed)
        assert started is not None
        started.cancel()
        assert cleaned == [1]
        assert self.told.results == []
        assert self.told.failures == []

    def test_one_that_goes_on_after_it_was_cancelled_is_told_to_nobody(self) -> None:
        first: Deferred[int] = Deferred()
        second: Deferred[int] = Deferred()

        async def stubborn() -> int:
            try:
                return await first
            except CancelledError:
                return await second

        started = run(stubborn(), self.told.done, self.told.failed)
        assert started is not None
        started.cancel()
        second.callback(1)
        started.cancel()
        assert self.told.results == []

    def test_awaiting_what_is_no_deferred_fails_at_once(self) -> None:
        @types.coroutine
        def foreign() -> Generator[str, None, None]:
            yield "asyncio's"

        async def waiting() -> None:
            await foreign()

        started = run(waiting(), self.told.done, self.told.failed)
        assert self.told.types() == [TypeError]
        assert started is not None
        started.cancel()

    def test_a_result_that_nobody_can_use_is_a_failure(self) -> None:
        waits: Deferred[int] = Deferred()

        async def waiting() -> int:
            return await waits

        def broken(result: int) -> None:
            raise RuntimeError(result)

        run(waiting(), broken, self.told.failed)
        waits.callback(1)
        assert self.told.types() == [RuntimeError]
