"""An issuer's keys are fetched when they are needed, and no more often."""

from collections.abc import Coroutine, Mapping
from typing import Any, cast

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IHealth
from sso_proxy.net.http_client import HttpClient, HttpReply
from sso_proxy.net.jwks import (
    DEFAULT_TTL,
    MAX_TTL,
    MIN_TTL,
    RETRY_AFTER,
    UNKNOWN_AFTER,
    FixedKeys,
    JwksSource,
)
from sso_proxy.specs.jose.keys import MAX_JWKS, KeySet
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.tokens import TokenSigner, jwks

FIRST = TokenSigner.create("ES256", "first")
SECOND = TokenSigner.create("ES256", "second")
URL = "https://login.example.com/jwks?secret=1"


class Provider:
    """Stands in for `HttpClient`; answers each request when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int | None]] = []
        self.pending: list[Deferred[HttpReply]] = []

    async def get(
        self, url: str, headers: Mapping[str, str], *, max_bytes: int | None = None
    ) -> HttpReply:
        assert headers["Accept"]
        self.asked.append((url, max_bytes))
        self.pending.append(Deferred())
        return await self.pending[-1]

    def answer(
        self, *keys: TokenSigner | Mapping[str, Any], cache_control: str = ""
    ) -> None:
        fields = (("cache-control", cache_control),) if cache_control else ()
        self.reply(HttpReply(status=200, headers=fields, body=jwks(*keys)))

    def reply(self, reply: HttpReply) -> None:
        self.pending.pop(0).callback(reply)

    def fail(self) -> None:
        self.pending.pop(0).errback(UnavailableError("login.example.com: refused"))


def kids(keys: KeySet) -> list[str | None]:
    return [key.kid for key in keys.keys]


class JwksTests(TestCase):
    def setUp(self) -> None:
        self.provider = Provider()
        self.clock = SettableClock()
        client = cast("HttpClient", self.provider)
        self.source = JwksSource(URL, client, self.clock)

    def run_(self, coroutine: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        return Deferred.fromCoroutine(coroutine)

    def now(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        """Give what *coroutine* gives without waiting."""
        return self.successResultOf(self.run_(coroutine))

    def fetched(self, *keys: TokenSigner, cache_control: str = "") -> None:
        """Have the first fetch succeed."""
        waiting = self.run_(self.source.key_set())
        self.provider.answer(*keys, cache_control=cache_control)
        self.successResultOf(waiting)

    def refused(self, coroutine: Coroutine[Any, Any, Any]) -> str:
        """Give what is unavailable, without waiting."""
        failure = self.failureResultOf(self.run_(coroutine), UnavailableError)
        assert isinstance(failure.value, UnavailableError)
        return failure.value.what

    def test_it_tells_its_health(self) -> None:
        assert verifyObject(IHealth, self.source)

    def test_the_first_who_ask_wait_for_one_fetch(self) -> None:
        first, second = (self.run_(self.source.key_set()) for _ in range(2))
        self.provider.answer(FIRST)
        keys = self.successResultOf(first)
        assert kids(keys) == ["first"]
        assert self.successResultOf(second) is keys
        assert self.provider.asked == [(URL, MAX_JWKS)]

    def test_fresh_keys_are_given_without_waiting(self) -> None:
        self.fetched(FIRST)
        self.clock.advance(DEFAULT_TTL - 1)
        assert kids(self.now(self.source.key_set())) == ["first"]
        assert len(self.provider.asked) == 1

    def test_the_cancellation_of_the_first_leaves_the_fetch_to_the_others(self) -> None:
        first, second = (self.run_(self.source.key_set()) for _ in range(2))
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.provider.answer(FIRST)
        assert kids(self.successResultOf(second)) == ["first"]

    def test_old_keys_stay_in_use_while_new_ones_are_fetched(self) -> None:
        self.fetched(FIRST)
        self.clock.advance(DEFAULT_TTL)
        assert kids(self.now(self.source.key_set())) == ["first"]
        assert kids(self.now(self.source.key_set())) == ["first"]
        assert len(self.provider.asked) == 2
        self.provider.answer(SECOND)
        assert kids(self.now(self.source.key_set())) == ["second"]

    def test_old_keys_stay_in_use_when_the_provider_is_down(self) -> None:
        self.fetched(FIRST)
        self.clock.advance(MAX_TTL)
        self.now(self.source.key_set())
        self.provider.fail()
        assert kids(self.now(self.source.key_set())) == ["first"]
        (line,) = self.now(self.source.probe())
        assert "old keys" in line

    def test_a_failed_refresh_is_tried_again_after_a_while(self) -> None:
        self.fetched(FIRST)
        self.clock.advance(DEFAULT_TTL)
        self.now(self.source.key_set())
        self.provider.fail()
        self.clock.advance(RETRY_AFTER - 0.1)
        self.now(self.source.key_set())
        assert len(self.provider.asked) == 2
        self.clock.advance(0.1)
        self.now(self.source.key_set())
        assert len(self.provider.asked) == 3

    def test_a_provider_that_is_down_at_first_may_come_up(self) -> None:
        waiting = self.run_(self.source.key_set())
        self.provider.fail()
        self.failureResultOf(waiting, UnavailableError)
        self.refused(self.source.key_set())
        assert len(self.provider.asked) == 1
        self.clock.advance(RETRY_AFTER)
        self.fetched(FIRST)
        assert self.now(self.source.probe()) == ()

    def test_warming_fetches_without_complaint(self) -> None:
        warming = self.run_(self.source.warm())
        self.provider.fail()
        self.successResultOf(warming)
        self.clock.advance(RETRY_AFTER)
        warming = self.run_(self.source.warm())
        self.provider.answer(FIRST)
        self.successResultOf(warming)
        self.now(self.source.key_set())

    def test_an_unknown_key_is_fetched(self) -> None:
        self.fetched(FIRST)
        waiting = self.run_(self.source.key_set_for_unknown())
        self.provider.answer(FIRST, SECOND)
        assert kids(self.successResultOf(waiting)) == ["first", "second"]

    def test_a_flood_of_unknown_keys_fetches_once_a_minute(self) -> None:
        """Random names in forged tokens must not become requests to the provider."""
        self.fetched(FIRST)
        flood = [self.run_(self.source.key_set_for_unknown()) for _ in range(10)]
        self.provider.answer(FIRST)
        for one in flood:
            self.successResultOf(one)
        for _ in range(10):
            assert kids(self.now(self.source.key_set_for_unknown())) == ["first"]
        assert len(self.provider.asked) == 2
        self.clock.advance(UNKNOWN_AFTER)
        self.run_(self.source.key_set_for_unknown())
        assert len(self.provider.asked) == 3
        self.provider.answer(FIRST)

    def test_an_unknown_key_is_undecided_while_the_provider_is_down(self) -> None:
        """Our failure is no fault of the token (503, not invalid_token)."""
        self.fetched(FIRST)
        waiting = self.run_(self.source.key_set_for_unknown())
        self.provider.fail()
        self.failureResultOf(waiting, UnavailableError)
        self.refused(self.source.key_set_for_unknown())
        assert len(self.provider.asked) == 2

    def test_an_unknown_key_before_any_fetch_is_fetched(self) -> None:
        waiting = self.run_(self.source.key_set_for_unknown())
        self.provider.answer(FIRST)
        assert kids(self.successResultOf(waiting)) == ["first"]

    def test_health_tells_what_is_missing_and_hides_queries(self) -> None:
        (line,) = self.now(self.source.probe())
        assert line == "jwks of https://login.example.com/jwks: not fetched yet"
        self.provider.answer()
        (line,) = self.now(self.source.probe())
        assert "no key that can be used" in line

    def test_asking_for_health_fetches_the_first_keys(self) -> None:
        """Who gets no requests before being ready must become ready without."""
        for _ in range(2):
            assert len(self.now(self.source.probe())) == 1
        self.provider.fail()
        assert len(self.now(self.source.probe())) == 1
        assert len(self.provider.asked) == 1
        self.clock.advance(RETRY_AFTER)
        self.now(self.source.probe())
        self.provider.answer(FIRST)
        assert self.now(self.source.probe()) == ()

    def test_a_set_without_keys_withdraws_the_old_ones(self) -> None:
        self.fetched(FIRST)
        self.clock.advance(DEFAULT_TTL)
        self.now(self.source.key_set())
        self.provider.answer()
        assert kids(self.now(self.source.key_set())) == []

    def test_the_operator_can_give_keys_instead(self) -> None:
        keys = KeySet(())
        fixed = FixedKeys(keys)
        assert self.now(fixed.key_set()) is keys
        assert self.now(fixed.key_set_for_unknown()) is keys
        assert self.now(fixed.probe()) == ()
        self.now(fixed.warm())

    def bad_reply(self, reply: HttpReply) -> None:
        """Check that *reply* is taken for no keys at all."""
        waiting = self.run_(self.source.key_set())
        self.provider.reply(reply)
        self.failureResultOf(waiting, UnavailableError)
        assert len(self.now(self.source.probe())) == 1

    def test_a_redirect_is_not_followed(self) -> None:
        location = (("location", "http://169.254.169.254/"),)
        self.bad_reply(HttpReply(status=302, headers=location, body=jwks(FIRST)))

    def test_an_error_has_no_keys(self) -> None:
        self.bad_reply(HttpReply(status=500, body=jwks(FIRST)))

    def test_garbage_has_no_keys(self) -> None:
        self.bad_reply(HttpReply(status=200, body=b"<html>"))

    def freshness(self, cache_control: str) -> float:
        """Give after how many seconds keys with this field are fetched again."""
        self.fetched(FIRST, cache_control=cache_control)
        for seconds in (MIN_TTL, 300.0, DEFAULT_TTL, MAX_TTL):
            self.clock.advance(seconds - self.clock.monotonic())
            self.now(self.source.key_set())
            if self.provider.pending:
                return seconds
        pytest.fail("never fetched again")

    def test_keys_are_kept_as_long_as_the_provider_says(self) -> None:
        assert self.freshness("public, max-age=300, must-revalidate") == 300.0

    def test_keys_are_kept_a_while_if_the_provider_says_nothing(self) -> None:
        assert self.freshness("no-transform") == DEFAULT_TTL

    def test_keys_are_never_fetched_for_every_request(self) -> None:
        assert self.freshness("max-age=0") == MIN_TTL

    def test_keys_are_never_kept_for_ever(self) -> None:
        assert self.freshness('max-age="999999999"') == MAX_TTL

    def test_another_directive_is_not_taken_for_the_age(self) -> None:
        assert self.freshness("s-max-age=300, x-max-age=60") == DEFAULT_TTL
