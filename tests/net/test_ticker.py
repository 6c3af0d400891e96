"""One tick for all."""

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from sso_proxy.net.ticker import PERIOD, Ticker
from sso_proxy.testing.clock import SettableClock


class TickerTests(TestCase):
    """Who hears what when."""

    def setUp(self) -> None:
        self.reactor = Clock()
        self.clock = SettableClock()
        self.ticker = Ticker(self.reactor, self.clock)
        self.heard: list[float] = []

    def tick(self) -> None:
        self.clock.advance(PERIOD)
        self.reactor.advance(PERIOD)

    def test_each_tick_is_told_with_its_time(self) -> None:
        self.ticker.call_each(self.heard.append)
        self.ticker.start()
        assert self.heard == []
        self.tick()
        self.tick()
        assert self.heard == [PERIOD, 2 * PERIOD]
        assert self.ticker.now() == 2 * PERIOD

    def test_who_forgot_hears_nothing(self) -> None:
        self.ticker.call_each(self.heard.append)
        self.ticker.forget(self.heard.append)
        self.ticker.forget(self.heard.append)
        self.ticker.start()
        self.tick()
        assert self.heard == []

    def test_stopping_twice_is_no_error(self) -> None:
        self.ticker.call_each(self.heard.append)
        self.ticker.start()
        self.ticker.stop()
        self.ticker.stop()
        self.tick()
        assert self.heard == []

    def test_a_listener_that_fails_is_logged_and_the_others_hear(self) -> None:
        def broken(now: float) -> None:
            raise RuntimeError(now)

        self.ticker.call_each(broken)
        self.ticker.call_each(self.heard.append)
        self.ticker.start()
        self.tick()
        assert self.heard == [PERIOD]
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
