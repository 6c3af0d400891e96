"""One at a time gets a token, over all who share a cache."""

from collections import Counter
from collections.abc import Awaitable, Callable

import attrs
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeTools
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.keep_rules import KeepRules, Span
from sso_proxy.tokens.kept_record import Kept
from sso_proxy.tokens.shared import (
    KIND,
    MARK_LASTS,
    TOKENS,
    WORK,
    Refused,
    SharedTokens,
    Turn,
)

NAME = b"n" * 32
KEPT = Kept(
    token=Token(value="the secret value", expires=NOW + 100),
    made=NOW,
    span=Span(renew=NOW + 60, ends=NOW + 90),
)
REFUSED = NotIssued(reason="token-refused", status=403, detail="access_denied")
Found = Kept | Refused | Turn


@implementer(ICache)
class Racing(MemoryCache):
    """
    A cache that others use, too.

    Attributes:
        meanwhile: What they do just before the next turn is taken.
    """

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def compare_and_set(
        self, purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().compare_and_set(purpose, name, old, new, ttl)


class SharedTokensTests(TestCase):
    """Two processes and their cache."""

    def setUp(self) -> None:
        self.reactor = Clock()
        self.clock = SettableClock()
        self.cache = Racing(MemoryCacheConfig(), self.clock)
        self.counts: Counter[str] = Counter()
        self.here, self.there = self.make(), self.make()

    def make(self) -> SharedTokens:
        return SharedTokens(
            self.cache,
            FakeTools().sealer(KIND),
            self.clock,
            sleep=lambda seconds: deferLater(self.reactor, seconds),
            rules=KeepRules(),
            counts=self.counts,
        )

    def seek(self, shared: SharedTokens, *, fresh: bool = False) -> Deferred[Found]:
        return Deferred.fromCoroutine(shared.seek(NAME, fresh=fresh))

    def pass_time(self, seconds: float) -> None:
        """In small steps, as what waits is to see them."""
        while seconds > 0:
            step = min(seconds, 0.1)
            self.clock.advance(step)
            self.reactor.advance(step)
            seconds -= step

    def turn(self, shared: SharedTokens) -> Turn:
        found = self.successResultOf(self.seek(shared))
        assert isinstance(found, Turn)
        return found

    async def test_the_second_waits_for_what_the_first_gets(self) -> None:
        turn, waiting = self.turn(self.here), self.seek(self.there)
        self.pass_time(0.3)
        self.assertNoResult(waiting)
        await self.here.put(NAME, KEPT)
        await turn.end()
        self.pass_time(0.3)
        assert await waiting == KEPT
        assert await self.seek(self.here) == KEPT
        assert await self.cache.get(WORK, NAME) is None

    async def test_it_waits_for_as_long_as_the_first_is_alive(self) -> None:
        turn, waiting = self.turn(self.here), self.seek(self.there)
        self.pass_time(4 * MARK_LASTS)
        self.assertNoResult(waiting)
        await turn.end()
        self.pass_time(0.3)
        await self.end(self.successResultOf(waiting))

    async def test_it_has_the_turn_of_one_who_died(self) -> None:
        """There is nothing but the mark of who was killed."""
        turn = self.turn(self.here)
        mark = await self.cache.get(WORK, NAME)
        assert mark is not None
        await turn.end()
        await self.cache.put(WORK, NAME, mark, MARK_LASTS)
        waiting = self.seek(self.there)
        self.pass_time(MARK_LASTS - 0.5)
        self.assertNoResult(waiting)
        self.pass_time(1)
        await self.end(self.successResultOf(waiting))

    async def test_who_lost_the_turn_does_not_end_anothers(self) -> None:
        """A process that was held up for long."""
        late = self.turn(self.here)
        self.clock.advance(MARK_LASTS + 1)  # nothing of its own goes on meanwhile
        turn = self.turn(self.there)
        await late.end()
        self.assertNoResult(waiting := self.seek(self.here))
        await turn.end()
        self.pass_time(0.3)
        await self.end(self.successResultOf(waiting))

    async def test_a_refusal_is_for_all_for_a_while(self) -> None:
        turn, waiting = self.turn(self.here), self.seek(self.there)
        await self.here.refuse(turn, NAME, REFUSED)
        self.pass_time(0.3)
        found = await waiting
        assert isinstance(found, Refused)
        assert found.why == REFUSED
        assert 0 < found.left < 5
        self.pass_time(5)
        await self.end(await self.seek(self.here))

    async def test_nothing_in_the_cache_shows_a_token(self) -> None:
        await self.here.put(NAME, KEPT)
        sealed = await self.cache.get(TOKENS, NAME)
        assert sealed is not None
        assert b"secret" not in sealed

    async def test_what_nobody_can_open_counts_as_nothing(self) -> None:
        """Another key ring, an old version, half a record; in either place."""
        await self.here.put(NAME, KEPT)
        sealed = await self.cache.get(TOKENS, NAME)
        assert sealed is not None
        for octets in (b"", b"\1", sealed[:-1], sealed[::-1], b"x" * 1000):
            await self.cache.put(TOKENS, NAME, octets, 60)
            await self.cache.put(WORK, NAME, octets, 60)
            turn = self.turn(self.there)
            await turn.end()
        assert self.counts["unreadable"] >= 10

    async def test_a_record_is_none_in_anothers_place(self) -> None:
        """Whoever can write to the cache cannot give one's token to another."""
        await self.here.put(NAME, KEPT)
        sealed = await self.cache.get(TOKENS, NAME)
        assert sealed is not None
        await self.cache.put(TOKENS, b"another", sealed, 60)
        found = await self.here.seek(b"another", fresh=False)
        assert isinstance(found, Turn)
        await found.end()

    async def test_who_renews_does_not_take_what_is_to_be_renewed(self) -> None:
        await self.here.put(NAME, KEPT)
        self.pass_time(61)
        assert await self.seek(self.there) == KEPT
        found = await self.seek(self.there, fresh=True)
        await self.end(found)
        newer = attrs.evolve(KEPT, span=Span(renew=NOW + 200, ends=NOW + 300))
        await self.here.put(NAME, newer)
        assert await self.seek(self.there, fresh=True) == newer

    async def test_who_waits_can_be_cancelled(self) -> None:
        turn, waiting = self.turn(self.here), self.seek(self.there)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        await turn.end()
        assert self.reactor.getDelayedCalls() == []

    async def test_what_comes_between_two_looks_is_found(self) -> None:
        """Else a token would be got twice, one time for nothing."""
        self.cache.meanwhile = lambda: self.here.put(NAME, KEPT)
        assert await self.seek(self.there) == KEPT
        assert await self.cache.get(WORK, NAME) is None
        assert self.reactor.getDelayedCalls() == []

    async def test_what_is_too_large_for_a_cache_is_not_put_there(self) -> None:
        large = attrs.evolve(KEPT, token=Token(value="x" * 1_000_000))
        await self.here.put(NAME, large)
        assert await self.cache.get(TOKENS, NAME) is None

    async def test_a_cache_without_room_is_told(self) -> None:
        small = MemoryCache(MemoryCacheConfig(budget=2**16), self.clock)
        shared = SharedTokens(
            small,
            FakeTools().sealer(KIND),
            self.clock,
            sleep=lambda _: Deferred(),
            rules=KeepRules(),
            counts=self.counts,
        )
        large = attrs.evolve(KEPT, token=Token(value="x" * 500_000))
        with pytest.raises(UnavailableError):
            await shared.put(NAME, large)

    async def end(self, found: Found) -> None:
        assert isinstance(found, Turn)
        await found.end()
