"""What looks after a listener's connections."""

import math
from collections.abc import Callable

from twisted.trial.unittest import TestCase

from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_identity
from tests.support.doubles import Scene

SESSION = Session(id="one", identity=make_identity(), created=1, used=1, expires=2)


class FakeSwept:
    """A connection as the site sees it."""

    def __init__(self, deadline: float = math.inf) -> None:
        self.deadline = deadline
        self.said: list[str] = []

    def timed_out(self) -> None:
        self.said.append("timed out")

    def check_progress(self, now: float) -> None:
        self.said.append(f"at {now}")

    def drain(self) -> None:
        self.said.append("drain")

    def close_if_idle(self) -> None:
        self.said.append("close if idle")

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        self.said.append(f"ended {ended(SESSION)}")

    def abort(self) -> None:
        self.said.append("abort")


def test_a_deadline_that_has_passed_is_told() -> None:
    site = Scene().site
    late, early = FakeSwept(9.0), FakeSwept(11.0)
    site.connections = {late, early}
    site.sweep(10.0)
    assert (late.said, early.said) == (["timed out"], ["at 10.0"])
    assert site.now == 10.0


def test_everything_is_passed_on_to_all() -> None:
    site = Scene().site
    one, two = FakeSwept(), FakeSwept()
    site.connections = {one, two}
    site.drain()
    site.close_idle()
    site.end_sessions(lambda session: session.id == "one")
    site.abort()
    assert one.said == two.said == ["drain", "close if idle", "ended True", "abort"]
    assert site.draining


def test_the_date_is_made_twice_a_second() -> None:
    site = Scene().site
    first = site.date()
    assert site.date() is first
    site.now += 0.6
    assert site.date() is not first
    assert first.endswith(b" GMT")


class BrokenConnectionTests(TestCase):
    """One connection that fails."""

    def test_it_is_closed_and_the_others_are_looked_after(self) -> None:
        class Broken(FakeSwept):
            def timed_out(self) -> None:
                raise RuntimeError("bug")

        site = Scene().site
        broken, others = Broken(0.0), [FakeSwept(), FakeSwept()]
        site.connections = {broken, *others}
        site.sweep(10.0)
        site.sweep(11.0)
        assert broken.said == ["abort"]
        assert [each.said for each in others] == [["at 10.0", "at 11.0"]] * 2
        assert len(self.flushLoggedErrors(RuntimeError)) == 1


def test_decisions_are_forgotten_by_other_rules_that_say_the_same() -> None:
    site = Scene().site
    before = site.rules
    site.decide_anew()
    assert site.rules is not before
    assert site.rules.pipeline is before.pipeline
