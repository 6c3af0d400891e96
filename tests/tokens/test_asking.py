"""A server of tokens is asked, and left alone while it is down."""

from collections import Counter

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.errors import UnavailableError
from sso_proxy.net.circuit import FAILURES, PAUSE
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.testing.clock import SettableClock
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.asking import Answer, Asker

TOKEN = Token(value="the secret")
REFUSED = NotIssued(reason="token-refused", detail="access_denied")
DOWN = NoReplyError(
    "the server", status=502, problem="refused", trouble=Trouble.UNREACHABLE
)
GARBLED = NoReplyError(
    "the server", status=502, problem="is no HTTP", trouble=Trouble.GARBLED
)


class AskerTests(TestCase):
    """One server."""

    def setUp(self) -> None:
        self.clock = SettableClock()
        self.counts: Counter[str] = Counter()
        self.asker = Asker("orders", self.clock, self.counts)
        self.asked = 0

    async def ask(self, answer: Answer | Exception) -> Answer:
        async def fetch() -> Answer:
            self.asked += 1
            if isinstance(answer, Exception):
                raise answer
            return answer

        return await self.asker.ask(fetch)

    async def fails(self, error: Exception, times: int = FAILURES) -> None:
        for _ in range(times):
            with pytest.raises(type(error)):
                await self.ask(error)

    async def test_what_it_says_is_given_and_counted(self) -> None:
        unusable = NotIssued(reason="token-unusable", status=502, detail="no JSON")
        for answer in (TOKEN, REFUSED, unusable):
            assert await self.ask(answer) is answer
        assert self.counts == {"issued": 1, "refused": 1, "unusable": 1}

    async def test_who_is_down_is_asked_once_a_second(self) -> None:
        await self.fails(DOWN)
        with pytest.raises(UnavailableError) as refused:
            await self.ask(TOKEN)
        assert (refused.value.what, refused.value.status) == (
            "token.orders: the server",
            503,
        )
        assert self.asked == FAILURES
        self.clock.advance(PAUSE)
        assert await self.ask(TOKEN) == await self.ask(TOKEN) == TOKEN

    async def test_what_can_be_asked_for_does_not_count(self) -> None:
        """Nonsense, or an error, by a credential that the server stumbles over."""
        for error in (GARBLED, UnavailableError("it", status=502)):
            await self.fails(error, 2 * FAILURES)
            assert await self.ask(TOKEN) == TOKEN

    async def test_what_the_server_was_not_asked_says_nothing_about_it(self) -> None:
        """Else who presents nonsense in between would keep us asking who is down."""
        malformed = NotIssued(reason="token-malformed", status=400)
        await self.fails(DOWN, FAILURES - 1)
        await self.ask(malformed)
        await self.fails(DOWN, 1)
        with pytest.raises(UnavailableError):
            await self.ask(TOKEN)
        assert self.asked == FAILURES + 1

    async def test_refusals_do_not_count_either(self) -> None:
        for _ in range(2 * FAILURES):
            await self.ask(REFUSED)
        assert await self.ask(TOKEN) == TOKEN

    async def test_what_takes_too_long_counts(self) -> None:
        await self.fails(CancelledError())
        with pytest.raises(UnavailableError):
            await self.ask(TOKEN)

    async def test_what_is_wrong_is_known_until_it_is_right(self) -> None:
        await self.ask(NotIssued(reason="token-unusable", status=502, detail="no JSON"))
        assert self.asker.problem == "token-unusable no JSON"
        await self.fails(UnavailableError("the server"), 1)
        assert self.asker.problem == "the server"
        await self.ask(REFUSED)
        assert self.asker.problem == ""

    async def test_who_waits_is_told_of_its_end(self) -> None:
        waiting: Deferred[Answer] = Deferred()

        async def fetch() -> Answer:
            return await waiting

        asking = Deferred.fromCoroutine(self.asker.ask(fetch))
        waiting.callback(TOKEN)
        assert await asking == TOKEN
