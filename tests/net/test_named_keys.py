"""Keys are fetched once, a bounded number of times, and a bounded number is kept."""

from collections.abc import Coroutine, Mapping
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpClient, HttpReply
from sso_proxy.net.named_keys import (
    FETCH_PERIOD,
    KEEP,
    MAX_BYTES,
    MAX_FETCHES,
    MAX_KEPT,
    MISSING_FOR,
    RETRY_AFTER,
    NamedKeys,
)
from sso_proxy.specs.jose.keys import UnknownKeyError, VerificationKey
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.tokens import TokenSigner

BASE = "https://keys.example.com/"
SIGNER = TokenSigner.create("ES256", "a")
FOUND = HttpReply(status=200, body=SIGNER.public_pem())


class Server:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.waiting: list[Deferred[HttpReply]] = []
        self.reply: HttpReply | None = None
        self.sizes: set[int | None] = set()

    async def get(
        self,
        url: str,
        _headers: Mapping[str, str] | None = None,
        *,
        max_bytes: int | None = None,
    ) -> HttpReply:
        self.asked.append(url)
        self.sizes.add(max_bytes)
        if self.reply is not None:
            return self.reply
        waiting: Deferred[HttpReply] = Deferred()
        self.waiting.append(waiting)
        return await waiting


class NamedKeysTests(TestCase):
    def setUp(self) -> None:
        self.server = Server()
        self.clock = SettableClock()
        self.keys = NamedKeys(BASE, cast("HttpClient", self.server), self.clock)

    def ask(self, name: str) -> Deferred[VerificationKey]:
        coroutine: Coroutine[Any, Any, VerificationKey] = self.keys.key(name)
        return Deferred.fromCoroutine(coroutine)

    def found(self, name: str = "a") -> VerificationKey:
        self.server.reply = FOUND
        return self.successResultOf(self.ask(name))

    def missing(self, name: str = "a") -> None:
        self.failureResultOf(self.ask(name), UnknownKeyError)

    def unavailable(self, name: str = "a") -> str:
        failure = self.failureResultOf(self.ask(name), UnavailableError)
        assert isinstance(failure.value, UnavailableError)
        return failure.value.what

    def test_a_key_is_fetched_once(self) -> None:
        key = self.found()
        key.verify("ES256", b"x", SIGNER.signature(b"x"))
        assert self.found() is key
        assert self.server.asked == [BASE + "a"]
        assert self.server.sizes == {MAX_BYTES}

    def test_those_who_ask_meanwhile_wait_for_the_same_fetch(self) -> None:
        first, second = self.ask("a"), self.ask("a")
        (waiting,) = self.server.waiting
        first.cancel()
        self.failureResultOf(first, CancelledError)
        waiting.callback(FOUND)
        assert self.successResultOf(second) is self.found()
        assert len(self.server.asked) == 1

    def test_a_name_cannot_steer_the_url(self) -> None:
        """Whoever reads tokens refuses such names; this is the second lock."""
        self.server.reply = HttpReply(status=404)
        self.missing("../x?y#z")
        assert self.server.asked == [BASE + "..%2Fx%3Fy%23z"]

    def test_what_is_not_there_is_not_looked_for_again_for_a_while(self) -> None:
        for status in (403, 404):
            self.server.reply = HttpReply(status=status)
            self.missing(str(status))
            self.missing(str(status))
        assert len(self.server.asked) == 2
        self.clock.advance(MISSING_FOR)
        self.found("404")

    def test_a_flood_of_names_is_a_bounded_number_of_fetches(self) -> None:
        self.server.reply = HttpReply(status=404)
        for number in range(MAX_FETCHES):
            self.missing(f"n{number}")
        for number in range(1000):
            assert "too many names" in self.unavailable(f"m{number}")
        assert len(self.server.asked) == MAX_FETCHES
        self.clock.advance(FETCH_PERIOD)
        self.missing("later")
        assert len(self.server.asked) == MAX_FETCHES + 1

    def test_a_flood_does_not_touch_the_key_in_use(self) -> None:
        key = self.found()
        self.server.reply = HttpReply(status=404)
        for number in range(MAX_FETCHES - 1):
            self.missing(f"n{number}")
        self.unavailable("other")
        assert self.found() is key

    def test_few_keys_are_kept_and_the_one_in_use_is_the_last_to_go(self) -> None:
        key = self.found()
        for number in range(MAX_KEPT + 3):
            self.clock.advance(FETCH_PERIOD / MAX_FETCHES)
            self.found(f"k{number}")
            assert self.found() is key
        before = len(self.server.asked)
        self.found(f"k{MAX_KEPT + 2}")
        assert len(self.server.asked) == before
        self.clock.advance(FETCH_PERIOD)
        self.found("k0")
        assert len(self.server.asked) == before + 1

    def test_a_kept_key_is_looked_for_again_and_used_meanwhile(self) -> None:
        key = self.found()
        self.server.reply = None
        self.clock.advance(KEEP)
        assert self.successResultOf(self.ask("a")) is key
        assert self.successResultOf(self.ask("a")) is key
        (waiting,) = self.server.waiting
        other = TokenSigner.create("ES256")
        waiting.callback(HttpReply(status=200, body=other.public_pem()))
        assert self.successResultOf(self.ask("a")) is not key

    def test_a_key_that_is_gone_is_no_longer_used(self) -> None:
        self.found()
        self.clock.advance(KEEP)
        self.server.reply = HttpReply(status=404)
        self.successResultOf(self.ask("a"))
        self.missing()

    def test_a_kept_key_stays_in_use_while_nobody_answers(self) -> None:
        key = self.found()
        self.clock.advance(KEEP)
        self.server.reply = HttpReply(status=500)
        for _ in range(3):
            assert self.successResultOf(self.ask("a")) is key
        assert len(self.server.asked) == 2
        self.clock.advance(RETRY_AFTER)
        assert self.found() is key
        assert len(self.server.asked) == 3

    def test_other_answers_are_no_keys_and_say_nothing_about_them(self) -> None:
        location = (("location", "http://169.254.169.254/"),)
        for reply in (
            HttpReply(status=302, headers=location, body=FOUND.body),
            HttpReply(status=500),
            HttpReply(status=200, body=b"<html>"),
            HttpReply(status=200, body=FOUND.body * 2),
        ):
            self.server.reply = reply
            assert BASE in self.unavailable()
        assert self.server.asked == [BASE + "a"] * 4
        self.found()
