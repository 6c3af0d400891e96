"""Many questions at once, dead endpoints, and what is known of them at the start."""

import json

from twisted.internet.defer import Deferred, gatherResults

from sso_proxy.errors import UnavailableError
from sso_proxy.net.introspection import CHECK_AFTER, IntrospectionEndpoint, Introspector
from tests.support.introspection_scene import ACTIVE, NONE, IntrospectionTestCase, pause


class ManyTests(IntrospectionTestCase):
    async def held(self, count: int) -> None:
        """Wait until *count* questions have arrived."""
        for _ in range(500):
            if len(self.resource.asked) >= count:
                return
            await pause(0.01)
        raise AssertionError(f"{len(self.resource.asked)} questions")

    async def test_a_token_is_asked_about_once_at_a_time(self) -> None:
        self.resource.held = []
        asker = self.introspector()
        waiting = [Deferred.fromCoroutine(asker.ask("t")) for _ in range(20)]
        await self.held(1)
        self.resource.release()
        assert await gatherResults(waiting) == [ACTIVE] * 20
        assert len(self.resource.asked) == 1
        await asker.ask("t")
        assert len(self.resource.asked) == 2

    async def test_who_leaves_takes_nobody_along(self) -> None:
        self.resource.held = []
        asker = self.introspector()
        first, second = (Deferred.fromCoroutine(asker.ask("t")) for _ in range(2))
        await self.held(1)
        first.addErrback(lambda _: None)
        first.cancel()
        self.resource.release()
        assert await second == ACTIVE

    async def test_different_tokens_never_share_an_answer(self) -> None:
        self.resource.body = lambda told: json.dumps(
            {"active": True, "sub": dict(told["fields"])["token"]}
        ).encode()
        asker = self.introspector()
        tokens = [f"token-{n}" for n in range(50)]
        answers = await gatherResults(
            [Deferred.fromCoroutine(asker.ask(token)) for token in tokens]
        )
        assert [answer["sub"] for answer in answers] == tokens

    async def test_no_more_than_allowed_are_asked_about_at_once(self) -> None:
        self.resource.held = []
        asker = self.introspector(at_once=3)
        waiting = [Deferred.fromCoroutine(asker.ask(token)) for token in "abcc"]
        error = await self.failure(asker, "d")
        assert error.status == 503
        assert "too many" in error.what
        await self.held(3)
        self.resource.release()
        await gatherResults(waiting)
        assert await asker.ask("d") == ACTIVE

    async def test_a_dead_endpoint_is_not_waited_for_by_everybody(self) -> None:
        self.resource.held = []
        asker = self.introspector(within=0.1)
        for _ in range(3):
            assert (await self.failure(asker)).status == 504
        for _ in range(50):
            error = await self.failure(asker)
            assert error.status == 503
            assert "no answer in 0.1 s" in error.what
        assert len(self.resource.asked) == 3
        (line,) = await asker.probe()
        assert line == "introspection at the AS: no answer in 0.1 s"

    async def test_an_endpoint_that_is_back_is_asked_within_a_second(self) -> None:
        self.resource.held = []
        asker = self.introspector(within=0.1)
        for _ in range(4):
            await self.failure(asker)
        self.resource.held = None
        self.clock.advance(1.0)
        assert await asker.ask("t") == ACTIVE
        assert await asker.ask("u") == ACTIVE
        assert await asker.probe() == ()

    async def test_a_failure_or_two_keep_nobody_out(self) -> None:
        asker = self.introspector(within=0.1)
        for _ in range(3):
            self.resource.held = []
            await self.failure(asker)
            await self.failure(asker)
            self.resource.held = None
            assert await asker.ask("t") == ACTIVE

    async def test_tokens_that_upset_the_endpoint_keep_nobody_out(self) -> None:
        """Or anybody could keep everybody out, with a token made for it."""
        asker = self.introspector()
        self.resource.status = 500
        for _ in range(10):
            assert (await self.failure(asker)).status == 502
        self.resource.status = 200
        assert await asker.ask("t") == ACTIVE

    async def test_wrong_credentials_are_not_shown_again_and_again(self) -> None:
        """Some servers lock out who does."""
        asker = self.introspector()
        self.resource.status = 401
        statuses = [(await self.failure(asker)).status for _ in range(10)]
        assert statuses == [502] * 3 + [503] * 7


class HealthTests(IntrospectionTestCase):
    async def test_a_start_asks_about_no_token(self) -> None:
        self.resource.body = b'{"active":false}'
        asker = self.introspector()
        await asker.warm()
        assert len(self.resource.asked) == 1
        assert await asker.probe() == ()

    async def test_wrong_credentials_are_known_at_the_start(self) -> None:
        self.resource.status = 401
        asker = self.introspector()
        await asker.warm()
        (line,) = await asker.probe()
        assert "refuses our credentials" in line

    async def test_an_endpoint_may_dislike_what_is_no_token(self) -> None:
        self.resource.status, self.resource.body = 400, b'{"error":"invalid_request"}'
        asker = self.introspector()
        await asker.warm()
        assert await asker.probe() == ()
        await self.failure(asker)
        (line,) = await asker.probe()
        assert line == "warning: introspection at the AS: status 400 invalid_request"

    async def test_who_asks_for_health_has_the_endpoint_asked(self) -> None:
        """A proxy without requests would otherwise never be ready again."""
        self.resource.status = 401
        asker = self.introspector()
        await asker.warm()
        self.resource.status = 200
        assert len(await asker.probe()) == 1
        assert len(self.resource.asked) == 1
        self.clock.advance(CHECK_AFTER)
        assert len(await asker.probe()) == 1
        for _ in range(200):
            if not await asker.probe():
                break
            await pause(0.01)
        assert await asker.probe() == ()
        assert len(self.resource.asked) == 2

    async def test_an_endpoint_that_is_not_known_yet_is_no_verdict(self) -> None:
        async def find() -> str:
            raise UnavailableError("metadata")

        endpoint = IntrospectionEndpoint(name="the AS", find=find, client=NONE)
        asker = Introspector(endpoint, self.client, self.clock, lambda: "")
        await asker.warm()
        assert (await self.failure(asker)).status == 503
