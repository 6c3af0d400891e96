"""Whatever happens in whatever order: one asks, and nobody gets what is over."""

import random
from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.token import NotIssued, Token
from tests.support.keeping import Answer, Keeping

DOWN = NoReplyError("it", status=502, problem="no", trouble=Trouble.TIMEOUT)
STEPS = (
    *((("ask", 0, b"a"), 6), (("ask", 1, b"a"), 6), (("ask", 1, b"b"), 2)),
    *((("cancel", 0), 1), (("cancel", 3), 1)),
    *((("issue", 0.5), 1), (("issue", 10.0), 3), (("issue", 100.0), 1)),
    *((("issue", None), 1), (("refuse", 401), 1), (("refuse", 502), 1), (("fail",), 1)),
    *((("pass", 0.1), 3), (("pass", 1.0), 3), (("pass", 8.0), 3), (("pass", 31.0), 1)),
)
"""What happens, and how often."""
TROUBLE = (*STEPS, (("cache", True), 1), (("cache", False), 2))


def story_of(seed: int, steps: Sequence[tuple[tuple[Any, ...], int]]) -> list[Any]:
    """Draw forty steps: the same ones each time."""
    chance = random.Random(seed)  # noqa: S311 - nothing is secret here
    return chance.choices(*zip(*steps, strict=True), k=40)


class Flaky(MemoryCache):
    """A cache that can be down."""

    down = False

    def _kind(self, purpose: str) -> Any:  # noqa: ANN401
        if self.down:
            raise UnavailableError("the cache")
        return super()._kind(purpose)


class Story:
    """Two processes, to which things happen."""

    def __init__(self) -> None:
        self.scene = Keeping()
        self.cache = Flaky(MemoryCacheConfig(), self.scene.clock)
        self.keepers = [self.scene.keeper(self.cache) for _ in range(2)]
        self.waiting: list[Deferred[Answer]] = []
        self.questions: list[tuple[bytes, Deferred[Answer]]] = []
        self.answered = 0
        self.late = 0
        self.surprises: list[Failure] = []
        self.steady = True

    def ask(self, which: int, key: bytes) -> None:
        async def fetch() -> Answer:
            self.questions.append((key, Deferred()))
            return await self.questions[-1][1]

        asking = self.keepers[which].get(key, fetch, until=None)
        waiting = Deferred.fromCoroutine(asking)
        waiting.addCallbacks(self.check_answer, self.check_failure)
        self.waiting.append(waiting)

    def check_answer(self, answer: Answer) -> Answer:
        self.answered += 1
        if isinstance(answer, Token) and answer.expires is not None:
            self.late += answer.expires <= self.scene.clock.time()
        return answer

    def check_failure(self, why: Failure) -> None:
        self.answered += 1
        if not why.check(UnavailableError, CancelledError):
            self.surprises.append(why)

    def open_questions(self) -> list[tuple[bytes, Deferred[Answer]]]:
        return [(key, each) for key, each in self.questions if not each.called]

    def answer(self, answer: Answer | Exception) -> None:
        for _, question in self.open_questions()[:1]:
            if isinstance(answer, Exception):
                question.errback(answer)
            else:
                question.callback(answer)

    def do(self, act: str, *how: Any) -> None:  # noqa: ANN401
        now = self.scene.clock.time()
        match act:
            case "ask":
                self.ask(*how)
            case "cancel" if how[0] < len(self.waiting):
                self.waiting[how[0]].cancel()
            case "issue":
                expires = None if how[0] is None else now + how[0]
                self.answer(Token(value="t", expires=expires))
            case "refuse":
                self.answer(NotIssued(reason="no", status=how[0]))
            case "fail":
                self.answer(DOWN)
            case "pass":
                self.scene.pass_time(how[0])
            case "cache":
                self.cache.down = how[0]
                self.steady = self.steady and not how[0]
        if self.steady:
            keys = [key for key, _ in self.open_questions()]
            assert len(keys) == len(set(keys)), "two ask for the same"

    def end(self) -> None:
        """Let all come to an end."""
        self.cache.down = False
        for _ in range(3):
            self.scene.pass_time(31)
        assert self.answered == len(self.waiting)
        assert not self.open_questions()
        assert not self.surprises
        assert not self.late
        assert self.scene.reactor.getDelayedCalls() == []
        self.ask(0, b"new")
        self.answer(Token(value="new"))
        assert self.answered == len(self.waiting)


@pytest.mark.parametrize("steps", [STEPS, TROUBLE])
def test_one_at_a_time_asks_and_all_are_answered(steps: Any) -> None:  # noqa: ANN401
    for seed in range(100):
        story = Story()
        for step in story_of(seed, steps):
            story.do(*step)
        story.end()
