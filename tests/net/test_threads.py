"""Long work is done beside the reactor, and there is not too much of it."""

import threading
from typing import Any

import pytest
from twisted.internet import defer
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.trial.unittest import TestCase

from sso_proxy.errors import UnavailableError
from sso_proxy.net.threads import Threads


class ThreadsTests(TestCase):
    """Real threads and the real reactor."""

    timeout = 30

    def make(self, **options: Any) -> Threads:  # noqa: ANN401
        threads = Threads(installed, "test", 1, **options)
        self.addCleanup(threads.close)
        return threads

    async def test_work_is_done_elsewhere(self) -> None:
        """And what it gives comes back here."""
        here = threading.get_ident()
        assert await self.make().run(threading.get_ident) != here

    async def test_what_work_raises_is_raised(self) -> None:
        """Where it is waited for."""
        with pytest.raises(ZeroDivisionError):
            await self.make().run(divmod, 1, 0)

    async def test_too_much_at_once_is_refused(self) -> None:
        """An attacker must not have memory filled with what waits."""
        threads, gate = self.make(most_waiting=2), threading.Event()
        going = [
            defer.Deferred.fromCoroutine(threads.run(gate.wait, 20)) for _ in range(2)
        ]
        with pytest.raises(UnavailableError):
            await threads.run(int)
        gate.set()
        assert await defer.gatherResults(going) == [True, True]
        assert await threads.run(int) == 0

    async def test_who_goes_away_makes_no_room(self) -> None:
        """The work goes on, and counts until it is done."""
        threads, gate = self.make(most_waiting=1), threading.Event()
        going = defer.Deferred.fromCoroutine(threads.run(gate.wait, 20))
        going.cancel()
        with pytest.raises(defer.CancelledError):
            await going
        with pytest.raises(UnavailableError):
            await threads.run(int)
        gate.set()

    async def test_an_end_does_not_wait_for_what_has_not_begun(self) -> None:
        """A hundred hashes would keep a process from ending."""
        threads, gate, begun = self.make(), threading.Event(), threading.Event()
        done: list[str] = []

        def go() -> bool:
            begun.set()
            return gate.wait(20)

        going = defer.Deferred.fromCoroutine(threads.run(go))
        waiting = defer.Deferred.fromCoroutine(threads.run(done.append, "done"))
        assert begun.wait(20)
        threading.Timer(0.05, gate.set).start()
        threads.close()
        assert await going
        with pytest.raises(UnavailableError):
            await waiting
        assert done == []

    async def test_what_is_closed_takes_no_more(self) -> None:
        """Nor does it begin threads."""
        threads = self.make()
        threads.close()
        with pytest.raises(UnavailableError):
            await threads.run(int)
