"""An issuer's keys come from where it publishes them; what is none replaces none."""

from typing import Any

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.interfaces import IHealth
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.jwks import MAX_PEM, EcKeySource, FixedKeys, JwksSource
from sso_proxy.net.published import DEFAULT_TTL, RETRY_AFTER, UNKNOWN_AFTER
from sso_proxy.specs.jose.keys import MAX_JWKS, MAX_KEYS, KeySet, UnknownKeyError
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.publisher import Answer, Publisher, broken, page, silent

reactor: Any = installed

FIRST = TokenSigner.create("ES256", "first")
SECOND = TokenSigner.create("ES256", "second")
NAMELESS = TokenSigner.create("ES256", None)
RSA = TokenSigner.create("RS256", "rsa")
EDWARDS = TokenSigner.create("EdDSA", "edwards")


def kids(keys: KeySet) -> list[str | None]:
    return [key.kid for key in keys.keys]


class SourceTestCase(TestCase):
    """A server on this machine, a client with little patience, and a clock."""

    def setUp(self) -> None:
        self.server = Publisher(reactor)
        self.clock = SettableClock()
        self.client = HttpClient(reactor, OutboundConfig(timeout=2.0))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.end()))

    async def end(self) -> None:
        await self.client.close()
        await self.server.stop()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    async def settle(self, *paths: str) -> None:
        """Wait until the server was asked for exactly these, and has answered."""
        for _ in range(200):
            if len(self.server.asked) >= len(paths):
                break
            await deferLater(reactor, 0.01)
        await deferLater(reactor, 0.03)
        assert self.server.asked == list(paths)


class JwksTests(SourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.publish(page(jwks(FIRST)))
        self.source = JwksSource(
            self.server.origin + "/jwks?a=b", self.client, self.clock
        )

    def publish(self, answer: Answer) -> None:
        self.server.pages["/jwks?a=b"] = answer

    async def problem(self) -> str:
        """Give why there are no keys; hides what differs from run to run."""
        with pytest.raises(UnavailableError) as caught:
            await self.source.key_set()
        assert caught.value.status == 503
        (line,) = await self.source.probe()
        assert line == caught.value.what
        name = f"jwks of {self.server.origin}/jwks: "
        assert line.startswith(name)
        assert "?" not in line
        return line.removeprefix(name)

    async def kept(self, answer: Answer) -> str:
        """Check that *answer* does not replace good keys; give the warning."""
        await self.source.key_set()
        asked = len(self.server.asked)
        self.publish(answer)
        self.clock.advance(DEFAULT_TTL)
        await self.source.key_set()
        for _ in range(500):
            if lines := await self.source.probe():
                break
            await deferLater(reactor, 0.01)
        assert kids(await self.source.key_set()) == ["first"]
        assert len(self.server.asked) == asked + 1
        (line,) = lines
        assert line.startswith(f"{WARNING}jwks of {self.server.origin}/jwks: ")
        return line

    def test_it_tells_its_health(self) -> None:
        assert verifyObject(IHealth, self.source)

    async def test_keys_are_fetched_when_they_are_needed(self) -> None:
        assert self.source.current() is None
        assert self.server.asked == []
        assert kids(await self.source.key_set()) == ["first"]
        assert self.source.current() is await self.source.key_set()
        assert self.server.asked == ["/jwks?a=b"]
        (head,) = self.server.heads
        assert b"Accept: application/jwk-set+json, application/json\r\n" in head
        assert await self.source.probe() == ()

    async def test_a_thousand_tokens_at_first_cause_one_fetch(self) -> None:
        waiting: list[Deferred[Any]] = [
            Deferred.fromCoroutine(self.source.key_set()) for _ in range(1000)
        ]
        sets = await gatherResults(waiting)
        assert all(keys is sets[0] for keys in sets)
        assert len(self.server.asked) == 1

    async def verify(self, kid: str) -> bool:
        """Look a key up as verifiers do; say whether it is there."""
        keys = await self.source.key_set()
        try:
            keys.find(kid, "ES256")
        except UnknownKeyError:
            keys = await self.source.key_set_for_unknown()
            try:
                keys.find(kid, "ES256")
            except UnknownKeyError:
                return False
        return True

    async def verify_all(self, number: int) -> list[bool]:
        """Look *number* different unknown keys up at once."""
        flood: list[Deferred[Any]] = [
            Deferred.fromCoroutine(self.verify(f"{n}")) for n in range(number)
        ]
        return await gatherResults(flood)

    async def test_a_thousand_different_unknown_keys_cause_one_fetch(self) -> None:
        assert await self.verify("first")
        assert not any(await self.verify_all(1000))
        for n in range(1000):
            assert not await self.verify(f"again-{n}")
        assert len(self.server.asked) == 2
        self.clock.advance(UNKNOWN_AFTER)
        assert not await self.verify("later")
        assert len(self.server.asked) == 3

    async def test_a_thousand_unknown_keys_at_first_cause_one_more_fetch(self) -> None:
        assert not any(await self.verify_all(1000))
        assert await self.verify("first")
        assert len(self.server.asked) == 2

    async def test_unknown_keys_at_a_server_in_trouble_cause_one_fetch(self) -> None:
        assert await self.verify("first")
        self.publish(page(b"", status="503 Service Unavailable"))
        flood = [Deferred.fromCoroutine(self.verify(f"{n}")) for n in range(100)]
        for one in flood:
            with pytest.raises(UnavailableError):
                await one
        assert await self.verify("first")
        assert len(self.server.asked) == 2

    async def test_a_new_key_is_found_at_once(self) -> None:
        assert await self.verify("first")
        self.publish(page(jwks(FIRST, SECOND)))
        assert await self.verify("second")

    async def test_a_withdrawn_key_is_withdrawn_when_the_set_is_fetched(self) -> None:
        assert await self.verify("first")
        self.publish(page(jwks(SECOND)))
        assert await self.verify("second")
        assert not await self.verify("first")

    async def test_the_keys_are_fetched_again_when_the_server_says(self) -> None:
        self.publish(page(jwks(FIRST), "Cache-Control: max-age=120"))
        await self.source.key_set()
        self.clock.advance(119)
        await self.source.key_set()
        self.clock.advance(1)
        await self.source.key_set()
        await self.settle("/jwks?a=b", "/jwks?a=b")

    async def test_a_token_without_a_name_may_mean_the_only_key_that_fits(self) -> None:
        self.publish(page(jwks(FIRST, RSA, EDWARDS)))
        keys = await self.source.key_set()
        assert keys.find(None, "ES256").kid == "first"
        assert keys.find(None, "RS256").kid == "rsa"
        with pytest.raises(UnknownKeyError):
            keys.find(None, "ES384")

    async def test_a_token_without_a_name_never_tries_several_keys(self) -> None:
        self.publish(page(jwks(FIRST, SECOND, NAMELESS)))
        keys = await self.source.key_set()
        with pytest.raises(UnknownKeyError, match="more than one"):
            keys.find(None, "ES256")
        assert keys.find("other", "ES256").kid is None

    async def test_keys_that_must_not_be_used_are_left_out(self) -> None:
        others: list[Any] = [
            FIRST.public_jwk(kid="private", d="AAAA"),
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"},
            FIRST.public_jwk(kid="encryption", use="enc"),
            FIRST.public_jwk(kid="operation", key_ops=["sign"]),
            FIRST.public_jwk(kid="algorithm", alg="HS256"),
            {"kty": "AKP", "kid": "unknown"},
            FIRST.public_jwk(kid="x5c", x="AA"),
            "no key",
        ]
        self.publish(page(jwks(*others, SECOND)))
        keys = await self.source.key_set()
        assert kids(keys) == ["second"]
        assert len(keys.ignored) == len(others)
        assert await self.source.probe() == ()

    async def test_a_name_that_two_keys_have_means_neither(self) -> None:
        self.publish(page(jwks(FIRST, SECOND.renamed("first"), RSA)))
        assert kids(await self.source.key_set()) == ["rsa"]

    async def test_nobody_listening_is_no_answer(self) -> None:
        await self.server.stop()
        assert "refused" in await self.problem()
        self.server.start()
        assert "refused" in await self.problem()
        assert self.server.asked == []
        self.clock.advance(RETRY_AFTER)
        assert kids(await self.source.key_set()) == ["first"]
        assert await self.source.probe() == ()

    async def test_a_server_that_says_nothing_is_given_up(self) -> None:
        self.publish(silent())
        assert "no answer in 2 s" in await self.problem()

    async def test_a_server_that_closes_is_no_answer(self) -> None:
        self.publish(broken(b""))
        assert await self.problem()

    async def test_a_cut_answer_has_no_keys(self) -> None:
        body = jwks(FIRST)
        self.publish(broken(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + body))
        assert await self.problem()

    async def test_a_cut_answer_of_unknown_length_has_no_keys(self) -> None:
        self.publish(broken(b"HTTP/1.1 200 OK\r\n\r\n" + jwks(FIRST, SECOND)[:-1]))
        assert await self.problem() == "the set is no strict JSON"

    async def test_an_answer_longer_than_it_says_has_no_keys(self) -> None:
        self.publish(
            broken(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + jwks(FIRST))
        )
        assert await self.problem() == "the set is no strict JSON"

    async def test_a_redirect_is_not_followed(self) -> None:
        """It could lead into the network that we stand in (D11)."""
        self.server.pages["/elsewhere"] = page(jwks(FIRST))
        self.publish(page(b"", "Location: /elsewhere", status="302 Found"))
        assert await self.problem() == "status 302"
        assert self.server.asked == ["/jwks?a=b"]

    async def test_an_error_has_no_keys(self) -> None:
        self.publish(page(jwks(FIRST), status="500 Internal Server Error"))
        assert await self.problem() == "status 500"

    async def test_a_set_at_the_limits_is_read(self) -> None:
        several = [FIRST.public_jwk(kid=f"{n}") for n in range(MAX_KEYS)]
        body = jwks(*several)
        self.publish(page(body + b" " * (MAX_JWKS - len(body))))
        assert len((await self.source.key_set()).keys) == MAX_KEYS

    async def test_a_set_that_is_too_long_is_refused(self) -> None:
        body = jwks(FIRST)
        self.publish(page(body + b" " * (MAX_JWKS - len(body) + 1)))
        assert "too long" in await self.problem()

    async def test_a_set_of_too_many_keys_is_refused(self) -> None:
        several = [FIRST.public_jwk(kid=f"{n}") for n in range(MAX_KEYS + 1)]
        self.publish(page(jwks(*several)))
        assert await self.problem() == f"the set has more than {MAX_KEYS} keys"

    async def test_no_keys_at_first_are_a_failure(self) -> None:
        self.publish(page(jwks()))
        assert await self.problem() == "no key that can be used"

    async def test_an_error_page_with_status_200_does_not_replace_keys(self) -> None:
        assert "no strict JSON" in await self.kept(page(b"<h1>Maintenance</h1>"))

    async def test_an_error_object_with_status_200_does_not_replace_keys(self) -> None:
        assert "no list of keys" in await self.kept(page(b'{"error": "server_error"}'))

    async def test_an_empty_set_does_not_replace_keys(self) -> None:
        assert "no key that can be used" in await self.kept(page(jwks()))

    async def test_a_set_of_unusable_keys_does_not_replace_keys(self) -> None:
        private = FIRST.public_jwk(d="AAAA")
        assert "no key that can be used" in await self.kept(page(jwks(private)))

    async def test_a_set_that_has_grown_too_long_does_not_replace_keys(self) -> None:
        assert "too long" in await self.kept(page(b" " * 200_000))

    async def test_a_server_that_hangs_does_not_replace_keys(self) -> None:
        answer = silent(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        assert "no answer" in await self.kept(answer)

    async def test_keys_follow_when_they_move(self) -> None:
        await self.source.key_set()
        self.server.pages["/other"] = page(jwks(SECOND))
        self.source.move(self.server.origin + "/other")
        assert kids(await self.source.key_set()) == ["first"]
        await self.settle("/jwks?a=b", "/other")
        assert kids(await self.source.key_set()) == ["second"]

    async def test_keys_from_the_former_place_are_replaced_soon(self) -> None:
        """They may come after the move, when they were asked for before."""
        waiting = Deferred.fromCoroutine(self.source.key_set())
        self.server.pages["/other"] = page(jwks(SECOND))
        self.source.move(self.server.origin + "/other")
        assert kids(await waiting) == ["first"]
        await self.source.key_set()
        await self.settle("/jwks?a=b", "/other")
        assert kids(await self.source.key_set()) == ["second"]

    async def test_keys_stay_when_the_new_place_has_none(self) -> None:
        await self.source.key_set()
        self.source.move(self.server.origin + "/nothing")
        await self.source.key_set()
        await self.settle("/jwks?a=b", "/nothing")
        assert kids(await self.source.key_set()) == ["first"]
        (line,) = await self.source.probe()
        assert f"{self.server.origin}/nothing: " in line

    async def test_a_move_to_the_same_place_is_none(self) -> None:
        await self.source.key_set()
        self.source.move(self.server.origin + "/jwks?a=b")
        await self.source.key_set()
        await self.settle("/jwks?a=b")


class EcKeyTests(SourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.source = EcKeySource(self.server.origin + "/key", self.client, self.clock)

    async def published(self, body: bytes) -> KeySet:
        self.server.pages["/key"] = page(body)
        return await self.source.key_set()

    def test_it_tells_its_health(self) -> None:
        assert verifyObject(IHealth, self.source)

    async def test_one_key_is_read(self) -> None:
        keys = await self.published(FIRST.public_pem())
        key = keys.find("any-name", "ES256")
        key.verify("ES256", b"octets", FIRST.signature(b"octets"))
        with pytest.raises(TokenError):
            key.verify("ES256", b"others", FIRST.signature(b"octets"))
        assert await self.source.probe() == ()

    async def test_a_new_key_is_found_when_signatures_seem_wrong(self) -> None:
        await self.published(FIRST.public_pem())
        self.server.pages["/key"] = page(SECOND.public_pem())
        (key,) = (await self.source.key_set_for_unknown()).keys
        key.verify("ES256", b"octets", SECOND.signature(b"octets"))
        assert (await self.source.key_set_for_unknown()).keys == (key,)
        assert len(self.server.asked) == 2

    async def test_what_is_not_one_ec_key_is_none(self) -> None:
        body = FIRST.public_pem()
        for other in (
            RSA.public_pem(),
            EDWARDS.public_pem(),
            body + SECOND.public_pem(),
            jwks(FIRST),
            body[:-9],
            body.replace(b"PUBLIC", b"PRIVATE"),
            b"",
            body + b"#" * MAX_PEM,
        ):
            with pytest.raises(UnavailableError, match="EC key of http"):
                await self.published(other)
            self.clock.advance(RETRY_AFTER)
        assert (await self.published(body)).keys

    async def test_the_last_good_key_stays(self) -> None:
        keys = await self.published(FIRST.public_pem())
        self.clock.advance(DEFAULT_TTL)
        assert await self.published(b"<h1>Maintenance</h1>") is keys
        await self.settle("/key", "/key")
        assert await self.source.key_set() is keys
        (line,) = await self.source.probe()
        assert line.startswith(WARNING)


class FixedKeysTests(TestCase):
    async def test_the_operator_can_give_keys_instead(self) -> None:
        keys = KeySet(())
        fixed = FixedKeys(keys)
        assert await fixed.key_set() is keys
        assert await fixed.key_set_for_unknown() is keys
        assert await fixed.probe() == ()
        await fixed.warm()
