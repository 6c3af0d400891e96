"""What is known about a server is told once, and keeps others from waiting for it."""

from sso_proxy.net.circuit import FAILURES, PAUSE
from sso_proxy.net.standing import Standing
from sso_proxy.testing.clock import SettableClock


def test_news_is_told_once_and_not_all_the_time() -> None:
    clock = SettableClock()
    told: list[str] = []
    standing = Standing(clock, told.append)
    for problem in ("", "bad", "bad", "worse", ""):
        standing.note(problem)
    assert told == ["bad"]
    clock.advance(5)
    standing.note()
    assert told == ["bad", ""]
    assert standing.problem == ""


def test_who_is_down_is_asked_once_a_second() -> None:
    clock = SettableClock()
    standing = Standing(clock, lambda _: None)
    for _ in range(FAILURES):
        assert standing.admit()
        standing.note("no answer", counts=True)
    assert standing.is_down
    assert not standing.admit()
    clock.advance(PAUSE)
    assert [standing.admit(), standing.admit()] == [True, False]
    standing.note()
    assert standing.admit()
    assert not standing.is_down


def test_an_answer_that_is_none_does_not_mean_that_nobody_is_there() -> None:
    standing = Standing(SettableClock(), lambda _: None)
    for _ in range(2 * FAILURES):
        standing.note("nonsense")
    assert not standing.is_down
    assert standing.problem == "nonsense"
