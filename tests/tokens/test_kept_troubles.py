"""Refusals and outages, of servers and caches, and clocks that are set."""

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.testing.fakes import NOW
from sso_proxy.token import Token
from sso_proxy.tokens.shared import TOKENS, WORK
from tests.support.keeping import KeeperCase

DOWN = NoReplyError("it", status=502, problem="no", trouble=Trouble.UNREACHABLE)


class TroubleTests(KeeperCase):
    """Refusals, outages, and clocks."""

    def test_a_refusal_is_believed_by_all_for_five_seconds(self) -> None:
        for status in (401, 403):
            key = b"%d" % status
            waiting = [self.scene.ask(k, key) for k in (self.here, self.there)]
            refusal = self.server.refuse(status)
            self.pass_time(0.3)
            assert [self.successResultOf(each) for each in waiting] == [refusal] * 2
            asked = len(self.server.asked)
            self.pass_time(4)
            assert self.given(self.there, key=key) == refusal
            assert len(self.server.asked) == asked
            self.pass_time(1)
            self.have_token(self.there, key=key)

    def test_without_a_negative_cache_each_asks(self) -> None:
        keeper = self.scene.keeper(self.cache, negative=0.0)
        for _ in range(2):
            waiting = self.scene.ask(keeper)
            refusal = self.server.refuse()
            assert self.successResultOf(waiting) == refusal
        assert len(self.server.asked) == 2

    async def test_what_is_unusable_is_kept_nowhere(self) -> None:
        waiting = self.scene.ask(self.here)
        answer = self.server.refuse(502)
        assert self.successResultOf(waiting) == answer
        for purpose in (TOKENS, WORK):
            assert not self.cache._kinds[purpose]._entries  # noqa: SLF001
        self.have_token(self.there)
        assert self.here.counts["unusable"] == 1
        assert await self.here.probe() == ("warning: token.orders: token-refused no",)

    def test_many_refusals_push_out_no_token(self) -> None:
        """Anybody can cause them, with whatever they call a credential."""
        small = MemoryCache(MemoryCacheConfig(budget=2**16), self.clock)
        here = self.scene.keeper(small, size=10)
        token = self.have_token(here)
        for number in range(300):
            self.scene.ask(here, b"%d" % number)
            self.server.refuse()
        assert self.given(here) == self.given(self.scene.keeper(small)) == token

    def test_a_dead_server_is_not_asked_by_each_request(self) -> None:
        for number in range(3):
            waiting = self.scene.ask(self.here, b"%d" % number)
            self.server.fail(DOWN)
            assert self.failureResultOf(waiting, UnavailableError).value.status == 502
        waiting = self.scene.ask(self.here)
        assert self.failureResultOf(waiting, UnavailableError).value.status == 503
        assert len(self.server.asked) == 3
        self.pass_time(1.1)
        self.have_token(self.here)
        self.have_token(self.here, key=b"more")

    async def test_who_makes_the_server_say_nonsense_holds_up_nobody(self) -> None:
        nonsense = NoReplyError(
            "it", status=502, problem="is no HTTP", trouble=Trouble.GARBLED
        )
        for number in range(5):
            waiting = self.scene.ask(self.here, b"%d" % number)
            self.server.fail(nonsense)
            self.failureResultOf(waiting, UnavailableError)
        self.have_token(self.here)
        assert await self.here.probe() == ()

    def test_while_the_cache_is_down_each_process_gets_its_own(self) -> None:
        old = self.have_token(self.here)
        self.cache.down = True
        assert self.given(self.here) == old
        waiting = [self.scene.ask(self.there) for _ in range(10)]
        assert len(self.server.asked) == 2
        new = self.server.issue()
        assert [self.successResultOf(each) for each in waiting] == [new] * 10
        self.cache.asked = 0
        for number in range(100):
            self.have_token(self.there, key=b"%d" % number)
        assert 0 < self.cache.asked < 300  # who is down is not asked by everybody

    async def test_the_operator_is_told_while_the_cache_is_down(self) -> None:
        self.cache.down = True
        self.have_token(self.here)
        assert await self.here.probe() == (
            "warning: token.orders: the cache is down; each process gets its own",
        )
        self.cache.down = False
        self.have_token(self.here, key=b"other")
        assert await self.here.probe() == ()

    def test_or_who_has_none_is_refused_if_the_operator_wants(self) -> None:
        here = self.scene.keeper(self.cache, cache_down="refuse")
        old = self.have_token(here)
        self.cache.down = True
        assert self.given(here) == old
        for number in range(10):
            waiting = self.scene.ask(here, b"%d" % number)
            assert self.failureResultOf(waiting, UnavailableError).value.status == 503
        assert len(self.server.asked) == 1
        self.cache.down = False
        self.pass_time(1.1)
        self.have_token(here, key=b"other")

    def test_a_cache_that_goes_down_meanwhile_takes_no_token_away(self) -> None:
        waiting = self.scene.ask(self.here)
        self.cache.down = True
        token = self.server.issue()
        assert self.successResultOf(waiting) == token
        self.pass_time(10)
        assert self.scene.reactor.getDelayedCalls() == []

    def test_a_cache_without_room_is_no_trouble(self) -> None:
        small = MemoryCache(MemoryCacheConfig(budget=2**16), self.clock)
        here = self.scene.keeper(small)
        waiting = self.scene.ask(here)
        token = Token(value="x" * 100_000, expires=NOW + 100)
        self.server.asked[-1].callback(token)
        assert self.successResultOf(waiting) == token
        assert self.given(here) == token

    def test_a_clock_that_is_set_ends_what_was_worked_out_by_it(self) -> None:
        """An hour on, the token has ended; an hour back, nobody knows."""
        for jump in (3600, -3600):
            with self.subTest(jump=jump):
                self.have_token(self.here)
                self.clock.now += jump
                self.clock.advance(1.1)
                assert len(self.server.asked) == 1
                self.have_token(self.here)
                self.setUp()

    def test_a_clock_that_goes_a_bit_wrong_changes_nothing(self) -> None:
        self.server.lasts = 1000.0
        token = self.have_token(self.here)
        for _ in range(100):
            self.clock.advance(1.1)
            self.clock.now += 0.5
            assert self.given(self.here) == token
