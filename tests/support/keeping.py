"""Keepers of tokens, a server that they ask, and time that passes when told to."""

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeTools
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.kept import TokenKeeper
from sso_proxy.tokens.shared import KIND

Answer = Token | NotIssued


@attrs.define
class Server:
    """
    Issues tokens when it is told to.

    Attributes:
        clock: The time.
        asked: What waits for an answer, and what has got one.
        lasts: Seconds that a token is good; None: it does not say.
    """

    clock: SettableClock
    asked: list[Deferred[Any]] = attrs.field(factory=list)
    lasts: float | None = 100.0

    async def fetch(self) -> Answer:
        """Ask."""
        self.asked.append(Deferred())
        answer: Answer = await self.asked[-1]
        return answer

    def issue(self) -> Token:
        """Answer who asked last with a token."""
        ends = None if self.lasts is None else self.clock.time() + self.lasts
        token = Token(value=f"the secret {len(self.asked)}", expires=ends)
        self.asked[-1].callback(token)
        return token

    def refuse(self, status: int = 403) -> NotIssued:
        """Answer who asked last with a refusal."""
        refusal = NotIssued(reason="token-refused", status=status, detail="no")
        self.asked[-1].callback(refusal)
        return refusal

    def fail(self, error: Exception) -> None:
        """Let the last question fail."""
        self.asked[-1].errback(error)

    def refuse_all(self) -> None:
        """Answer all who wait with a refusal."""
        for asked in self.asked:
            if not asked.called:
                asked.callback(NotIssued(reason="token-refused"))


class Keeping:
    """
    One machine: its time, its server, and as many processes as a test makes.

    Attributes:
        clock: The time.
        reactor: What waits for it.
        server: Issues tokens.
    """

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.reactor = Clock()
        self.server = Server(self.clock)

    def keeper(
        self,
        cache: ICache | None = None,
        *,
        name: str = "orders",
        reactor: Clock | None = None,
        **rules: Any,  # noqa: ANN401
    ) -> TokenKeeper:
        """Make a process that keeps tokens."""
        reactor = reactor or self.reactor
        return TokenKeeper(
            name,
            cache=cache,
            sealer=FakeTools().sealer(KIND),
            clock=self.clock,
            sleep=lambda seconds: deferLater(reactor, seconds),
            rules=KeepRules(**rules),
        )

    def ask(
        self,
        keeper: TokenKeeper,
        key: bytes = b"key",
        *,
        until: float | None = NOW + 1e6,
        ahead: bool = True,
    ) -> Deferred[Answer]:
        """Ask a keeper for a token."""
        asking = keeper.get(key, self.server.fetch, until=until, ahead=ahead)
        return Deferred.fromCoroutine(asking)

    def pass_time(self, seconds: float) -> None:
        """Let time pass in steps that are smaller than what anybody waits for."""
        while seconds > 0:
            step = min(seconds, 0.1)
            self.clock.advance(step)
            self.reactor.advance(step)
            seconds -= step


@implementer(ICache)
class Breakable(MemoryCache):
    """A cache that can be down."""

    down = False
    asked = 0

    def _kind(self, purpose: str) -> Any:  # noqa: ANN401
        self.asked += 1
        if self.down:
            raise UnavailableError("the cache")
        return super()._kind(purpose)


class KeeperCase(TestCase):
    """Two processes with one cache."""

    def setUp(self) -> None:
        self.scene = Keeping()
        self.server, self.clock = self.scene.server, self.scene.clock
        self.cache = Breakable(MemoryCacheConfig(), self.clock)
        self.here = self.scene.keeper(self.cache)
        self.there = self.scene.keeper(self.cache)

    def have_token(self, keeper: TokenKeeper, **how: Any) -> Token:  # noqa: ANN401
        waiting = self.scene.ask(keeper, **how)
        token = self.server.issue()
        assert self.successResultOf(waiting) == token
        return token

    def given(self, keeper: TokenKeeper, **how: Any) -> Answer:  # noqa: ANN401
        answer: Answer = self.successResultOf(self.scene.ask(keeper, **how))
        return answer

    def pass_time(self, seconds: float) -> None:
        self.scene.pass_time(seconds)
