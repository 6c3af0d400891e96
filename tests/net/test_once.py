"""What several want at the same time is fetched once."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.errors import UnavailableError
from sso_proxy.net.once import Once


class Fetches:
    """Counts how often it is asked, and answers when told to."""

    def __init__(self) -> None:
        self.pending: list[Deferred[str]] = []

    async def fetch(self) -> str:
        self.pending.append(Deferred())
        return await self.pending[-1]


def waiting(coroutine: Coroutine[Any, Any, str]) -> Deferred[str]:
    return Deferred.fromCoroutine(coroutine)


class OnceTests(TestCase):
    def setUp(self) -> None:
        self.fetches = Fetches()
        self.once = Once(self.fetches.fetch)

    def test_all_who_wait_get_the_one_result(self) -> None:
        first, second = waiting(self.once.join()), waiting(self.once.join())
        assert len(self.fetches.pending) == 1
        self.fetches.pending[0].callback("keys")
        assert self.successResultOf(first) == "keys"
        assert self.successResultOf(second) == "keys"

    def test_the_next_one_after_the_end_is_new(self) -> None:
        waiting(self.once.join())
        self.fetches.pending[0].callback("old")
        later = waiting(self.once.join())
        self.fetches.pending[1].callback("new")
        assert self.successResultOf(later) == "new"

    def test_it_survives_the_cancellation_of_the_first(self) -> None:
        first, second = waiting(self.once.join()), waiting(self.once.join())
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(second)
        self.fetches.pending[0].callback("keys")
        assert self.successResultOf(second) == "keys"

    def test_it_goes_on_when_nobody_waits_any_more(self) -> None:
        first = waiting(self.once.join())
        first.cancel()
        self.failureResultOf(first, CancelledError)
        assert self.once.running
        self.fetches.pending[0].callback("keys")
        assert not self.once.running

    def test_all_who_wait_get_the_one_failure(self) -> None:
        first, second = waiting(self.once.join()), waiting(self.once.join())
        self.fetches.pending[0].errback(UnavailableError("keys"))
        self.failureResultOf(first, UnavailableError)
        self.failureResultOf(second, UnavailableError)
        assert not self.once.running

    def test_one_that_waits_for_nothing_is_over_at_once(self) -> None:
        async def known() -> str:
            return "keys"

        assert self.successResultOf(waiting(Once(known).join())) == "keys"

    def test_it_is_begun_once(self) -> None:
        self.once.begin()
        self.once.begin()
        joined = waiting(self.once.join())
        assert len(self.fetches.pending) == 1
        self.fetches.pending[0].callback("keys")
        assert self.successResultOf(joined) == "keys"

    def test_one_who_asks_again_from_the_result_starts_a_new_one(self) -> None:
        async def twice() -> str:
            await self.once.join()
            return await self.once.join()

        both = waiting(twice())
        self.fetches.pending[0].callback("old")
        self.fetches.pending[1].callback("new")
        assert self.successResultOf(both) == "new"

    def test_a_failure_of_ours_that_nobody_waits_for_is_silent(self) -> None:
        self.once.begin()
        self.fetches.pending[0].errback(UnavailableError("keys"))
        assert self.flushLoggedErrors() == []

    def test_an_unexpected_failure_that_nobody_waits_for_is_logged(self) -> None:
        self.once.begin()
        self.fetches.pending[0].errback(ZeroDivisionError())
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1
