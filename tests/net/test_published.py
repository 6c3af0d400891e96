"""What others publish is fetched when it is needed, and no more often."""

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.errors import UnavailableError
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import HttpReply
from sso_proxy.net.published import (
    DEFAULT_TTL,
    MAX_TTL,
    MIN_TTL,
    RETRY_AFTER,
    UNKNOWN_AFTER,
    Fetched,
    Published,
    ttl,
    without_query,
)
from sso_proxy.testing.clock import SettableClock


class Publisher:
    """Answers each fetch when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.pending: list[Deferred[Fetched[str]]] = []

    async def fetch(self) -> Fetched[str]:
        self.asked += 1
        self.pending.append(Deferred())
        return await self.pending[-1]

    def publish(self, value: str, seconds: float = DEFAULT_TTL) -> None:
        self.pending.pop(0).callback(Fetched(value, seconds))

    def fail(self, error: Exception | None = None) -> None:
        self.pending.pop(0).errback(error or UnavailableError("refused"))


class PublishedTests(TestCase):
    def setUp(self) -> None:
        self.publisher = Publisher()
        self.clock = SettableClock()
        self.thing = Published("a thing", self.publisher.fetch, self.clock)

    def run_(self, coroutine: Coroutine[Any, Any, str]) -> Deferred[str]:
        return Deferred.fromCoroutine(coroutine)

    def now(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        """Give what *coroutine* gives without waiting."""
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, waiting: Deferred[str]) -> str:
        """Give why *waiting* has ended without anything."""
        failure = self.failureResultOf(waiting, UnavailableError)
        assert isinstance(failure.value, UnavailableError)
        assert failure.value.status == 503
        return failure.value.what

    def fetched(self, value: str = "first", seconds: float = DEFAULT_TTL) -> None:
        """Have a first fetch succeed."""
        waiting = self.run_(self.thing.get())
        self.publisher.publish(value, seconds)
        assert self.successResultOf(waiting) == value

    def test_a_newer_one_is_told_of_when_it_is_there(self) -> None:
        told: list[str | None] = []
        thing: Published[str] = Published(
            "a thing",
            self.publisher.fetch,
            self.clock,
            changed=lambda: told.append(thing.current()),
        )
        first = self.run_(thing.get())
        self.publisher.publish("first")
        self.successResultOf(first)
        assert told == []
        self.clock.advance(UNKNOWN_AFTER)
        newer = self.run_(thing.renewed())
        assert told == []
        self.publisher.publish("newer")
        assert self.successResultOf(newer) == "newer"
        assert told == ["newer"]

    def test_nothing_is_fetched_before_somebody_asks(self) -> None:
        assert self.thing.current() is None
        assert self.publisher.asked == 0

    def test_a_thousand_who_ask_first_wait_for_one_fetch(self) -> None:
        crowd = [self.run_(self.thing.get()) for _ in range(1000)]
        self.publisher.publish("first")
        assert {self.successResultOf(one) for one in crowd} == {"first"}
        assert self.publisher.asked == 1

    def test_a_thousand_who_wait_for_a_failure_do_not_ask_again(self) -> None:
        """Else they would all knock at once, at a server that is in trouble already."""

        async def twice() -> str:
            with pytest.raises(UnavailableError):
                await self.thing.get()
            return await self.thing.get()

        crowd = [self.run_(twice()) for _ in range(1000)]
        self.publisher.fail()
        assert {self.refused(one) for one in crowd} == {"a thing: refused"}
        assert self.publisher.asked == 1
        assert not self.publisher.pending

    def test_what_is_fresh_is_given_without_waiting(self) -> None:
        self.fetched(seconds=100.0)
        self.clock.advance(99.9)
        assert self.now(self.thing.get()) == "first"
        assert self.thing.current() == "first"
        assert self.publisher.asked == 1

    def test_the_cancellation_of_the_first_leaves_the_fetch_to_the_others(self) -> None:
        first, second = (self.run_(self.thing.get()) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.publisher.publish("first")
        assert self.successResultOf(second) == "first"

    def test_the_old_one_stays_in_use_while_a_new_one_is_fetched(self) -> None:
        self.fetched()
        self.clock.advance(DEFAULT_TTL)
        assert self.now(self.thing.get()) == "first"
        assert self.thing.current() == "first"
        assert self.publisher.asked == 2
        self.publisher.publish("second")
        assert self.now(self.thing.get()) == "second"

    def test_the_last_good_one_stays_in_use_for_as_long_as_it_takes(self) -> None:
        self.fetched()
        for _ in range(5):
            self.clock.advance(MAX_TTL)
            assert self.now(self.thing.get()) == "first"
            self.publisher.fail()
        assert self.now(self.thing.get()) == "first"

    def test_an_old_one_in_use_is_a_warning(self) -> None:
        """Requests are served: no reason to send them elsewhere."""
        self.fetched()
        self.clock.advance(DEFAULT_TTL)
        self.thing.current()
        assert self.thing.health() == ()
        self.publisher.fail()
        line = f"{WARNING}a thing: an old one in use: refused"
        assert self.thing.health() == (line,)

    def test_a_failed_refresh_is_tried_again_after_a_while(self) -> None:
        self.fetched()
        self.clock.advance(DEFAULT_TTL)
        self.thing.current()
        self.publisher.fail()
        self.clock.advance(RETRY_AFTER - 0.1)
        self.thing.current()
        assert self.publisher.asked == 2
        self.clock.advance(0.1)
        self.thing.current()
        assert self.publisher.asked == 3
        self.publisher.publish("second")
        assert self.thing.health() == ()

    def test_who_is_down_at_first_may_come_up(self) -> None:
        waiting = self.run_(self.thing.get())
        self.publisher.fail()
        assert self.refused(waiting) == "a thing: refused"
        self.clock.advance(RETRY_AFTER - 0.1)
        assert self.refused(self.run_(self.thing.get())) == "a thing: refused"
        assert self.publisher.asked == 1
        self.clock.advance(0.1)
        self.fetched()
        assert self.thing.health() == ()

    def test_warming_fetches_without_complaint(self) -> None:
        warming = Deferred.fromCoroutine(self.thing.warm())
        self.publisher.fail()
        self.successResultOf(warming)
        self.clock.advance(RETRY_AFTER)
        warming = Deferred.fromCoroutine(self.thing.warm())
        self.publisher.publish("first")
        self.successResultOf(warming)
        assert self.thing.current() == "first"

    def test_asking_for_health_fetches_the_first_one(self) -> None:
        """Who gets no requests before being ready must become ready without."""
        for _ in range(2):
            assert self.thing.health() == ("a thing: not fetched yet",)
        self.publisher.fail()
        assert self.thing.health() == ("a thing: refused",)
        assert self.publisher.asked == 1
        self.clock.advance(RETRY_AFTER)
        self.thing.health()
        self.publisher.publish("first")
        assert self.thing.health() == ()

    def test_a_client_may_have_it_renewed(self) -> None:
        self.fetched()
        waiting = self.run_(self.thing.renewed())
        self.assertNoResult(waiting)
        self.publisher.publish("second")
        assert self.successResultOf(waiting) == "second"

    def test_a_thousand_clients_have_it_renewed_once_a_minute(self) -> None:
        """Random names in forged tokens must not become requests of ours (D9)."""
        self.fetched()
        flood = [self.run_(self.thing.renewed()) for _ in range(1000)]
        self.publisher.publish("second")
        assert {self.successResultOf(one) for one in flood} == {"second"}
        self.clock.advance(UNKNOWN_AFTER - 0.1)
        for _ in range(1000):
            assert self.now(self.thing.renewed()) == "second"
        assert self.publisher.asked == 2
        self.clock.advance(0.1)
        self.run_(self.thing.renewed())
        assert self.publisher.asked == 3
        self.publisher.publish("third")

    def test_a_client_joins_a_refresh(self) -> None:
        self.fetched()
        self.clock.advance(DEFAULT_TTL)
        self.thing.current()
        waiting = self.run_(self.thing.renewed())
        self.publisher.publish("second")
        assert self.successResultOf(waiting) == "second"
        assert self.publisher.asked == 2

    def test_it_is_not_renewed_if_it_is_young_enough(self) -> None:
        self.fetched()
        self.clock.advance(29.9)
        assert self.now(self.thing.renewed(min_age=30.0)) == "first"
        assert self.publisher.asked == 1
        self.clock.advance(0.1)
        waiting = self.run_(self.thing.renewed(min_age=30.0))
        self.publisher.publish("second")
        assert self.successResultOf(waiting) == "second"

    def test_a_client_that_comes_first_has_it_fetched(self) -> None:
        waiting = self.run_(self.thing.renewed())
        self.publisher.publish("first")
        assert self.successResultOf(waiting) == "first"

    def test_nobody_knows_what_is_new_while_it_cannot_be_had(self) -> None:
        """Our failure is no fault of the token: 503, not ``invalid_token``."""
        self.fetched()
        waiting = self.run_(self.thing.renewed())
        self.publisher.fail()
        assert self.refused(waiting) == "a thing: refused"
        assert self.refused(self.run_(self.thing.renewed())) == "a thing: refused"
        assert self.now(self.thing.get()) == "first"
        assert self.publisher.asked == 2

    def test_after_a_failed_renewal_the_next_is_soon(self) -> None:
        """A server that was away for a moment is no reason to refuse for a minute."""
        self.fetched()
        self.run_(self.thing.renewed()).addErrback(lambda _: None)
        self.publisher.fail()
        self.clock.advance(RETRY_AFTER)
        waiting = self.run_(self.thing.renewed())
        self.publisher.publish("second")
        assert self.successResultOf(waiting) == "second"

    def test_what_has_expired_is_fetched_soon_and_used_until_then(self) -> None:
        self.fetched()
        self.thing.expire()
        assert self.publisher.asked == 1
        assert self.thing.current() == "first"
        assert self.publisher.asked == 2
        self.publisher.publish("second")
        assert self.thing.current() == "second"

    def test_what_has_expired_is_renewed_at_once(self) -> None:
        self.fetched()
        self.run_(self.thing.renewed())
        self.publisher.publish("second")
        self.thing.expire()
        waiting = self.run_(self.thing.renewed())
        self.publisher.publish("third")
        assert self.successResultOf(waiting) == "third"

    def test_the_time_of_day_may_jump(self) -> None:
        self.fetched()
        for jump in (-1e9, 2e9):
            self.clock.now += jump
            assert self.now(self.thing.get()) == "first"
        self.now(self.thing.get())
        assert self.publisher.asked == 1

    def test_a_fault_of_ours_is_not_repeated_for_each_client(self) -> None:
        """Whatever in an answer makes reading it fail, there is no storm of fetches."""
        waiting = self.run_(self.thing.get())
        self.publisher.fail(OverflowError("too large"))
        assert self.refused(waiting) == "a thing: failed: OverflowError"
        assert self.refused(self.run_(self.thing.get())).endswith("OverflowError")
        assert self.publisher.asked == 1
        assert len(self.flushLoggedErrors(OverflowError)) == 1

    def test_a_fetch_that_is_cancelled_is_no_answer(self) -> None:
        waiting = self.run_(self.thing.get())
        self.publisher.fail(CancelledError())
        self.failureResultOf(waiting, CancelledError)
        self.fetched()


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("public, max-age=300, must-revalidate", 300.0),
        ('MAX-AGE="300"', 300.0),
        ("", DEFAULT_TTL),
        ("no-transform", DEFAULT_TTL),
        ("max-age=0", MIN_TTL),
        ("max-age=-1", DEFAULT_TTL),
        ("max-age=999999999", MAX_TTL),
        ("s-maxage=300, x-max-age=60", DEFAULT_TTL),
        ("s-max-age=300", DEFAULT_TTL),
    ],
)
def test_freshness_is_what_the_answer_says_within_bounds(
    cache_control: str, seconds: float
) -> None:
    fields = (("cache-control", cache_control),) if cache_control else ()
    assert ttl(HttpReply(status=200, headers=fields)) == seconds


def test_queries_stay_out_of_logs() -> None:
    assert without_query("https://a.example/jwks?key=1") == "https://a.example/jwks"
