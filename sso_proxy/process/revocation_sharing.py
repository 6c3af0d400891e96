"""
Keeps what is revoked here the same as on other machines.

The list in the cache is read every few seconds, and at once when somebody says that
there is something new.  What this machine knows and the list does not, it writes there:
a cache that has lost everything gets it back from whoever still runs.

While the list could not be read for longer than the configuration allows, from the
start on or later, nobody knows who is revoked elsewhere, and those who serve are told
so: they let nobody in.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ISubscription
from sso_proxy.model import WARNING
from sso_proxy.process.revocations import Keeper
from sso_proxy.revocation_list import Found, SharedList
from sso_proxy.specs.revocation_record import RevocationRecord
from sso_proxy.specs.revocations import RevocationsFullError

PERIOD: Final = 2.0
"""Seconds between two looks at the list, if nobody says that there is something new."""
_AGAIN: Final = 1.0
"""Seconds until a subscription that was lost is tried again."""

_log = Logger()


class Doubtful(Protocol):
    """Whoever lets nobody in while it is in doubt."""

    async def revoke(
        self, add: Iterable[Any], remove: Iterable[str], *, doubted: bool | None
    ) -> tuple[str, ...]:
        """Be in doubt or no longer; says who is not told."""


class Sharing:
    """
    Reads and writes the list that several machines share, as long as it is in use.

    Args:
        keeper: What is revoked on this machine.
        reactor: Measures time.

    Attributes:
        doubted: Whether what others have revoked is not known.
    """

    def __init__(self, keeper: Keeper, reactor: Any) -> None:  # noqa: ANN401
        self.doubted = False
        self._told = False
        self._keeper = keeper
        self._reactor = reactor
        self._serving: Doubtful | None = None
        self._list: SharedList | None = None
        self._stale = 0.0
        self._read_at = float("-inf")
        self._problem = ""
        self._listening: Deferred[None] | None = None
        self._wake: Deferred[None] | None = None
        self._nudged = False
        self._known: Deferred[None] | None = None

    def use(self, shared: SharedList | None, stale: float) -> None:
        """
        Go by this list from now on, and no longer by the one before.

        Args:
            shared: The list; None if there is none.
            stale: Seconds that what was last read is gone by without a doubt.
        """
        self._stop()
        first = self._serving is None
        self._list, self._stale, self._problem = shared, stale, ""
        # At the start nobody knows what has happened in the meantime.
        self.doubted = shared is not None and (first or self.doubted)
        self._read_at = float("-inf") if self.doubted else self._reactor.seconds()

    def start(self, serving: Doubtful) -> None:
        """Begin; *serving* is told when there is a doubt, or no longer."""
        if self._serving is None:
            self._told = self.doubted  # was said to those who serve at their start
        self._serving = serving
        self._keeper.share = self._share
        if self._list is None:
            if self._told:
                self._spawn(self._tell(doubted=False))
            return
        self._spawn(self._keep(self._list))
        self._listening = self._spawn(self._listen(self._list))

    async def wait(self, seconds: float) -> None:
        """Wait until those who serve are in no doubt, but no longer than that."""
        if not self._told:
            return
        self._known = Deferred()
        later = self._reactor.callLater(seconds, self._wait_no_more)
        try:
            await self._known
        finally:
            if later.active():
                later.cancel()

    def close(self) -> None:
        """Let go of the list."""
        self._wait_no_more()
        self._stop()

    def health(self) -> tuple[str, ...]:
        """Say what is wrong."""
        if self._list is None or not (self._problem or self.doubted):
            return ()
        problem = self._problem or "not read yet"
        if self.doubted:
            return (f"what other machines have revoked: {problem}",)
        return (f"{WARNING}what other machines have revoked: {problem}",)

    async def _share(self, records: Iterable[RevocationRecord]) -> tuple[str, ...]:
        """Say *records* to other machines; gives why not all of them know."""
        if self._list is None:
            return ()
        try:
            await self._list.write(records)
        except UnavailableError as e:
            self._nudge()
            return (f"other machines are told as soon as they can be: {e.what}",)
        return ()

    async def _keep(self, shared: SharedList) -> None:
        while self._list is shared:
            try:
                await self._level(shared)
            except UnavailableError as e:
                self._failed(shared, e.what)
            except RevocationsFullError as e:
                self._failed(shared, str(e))
            else:
                if self._problem:
                    _log.info("what other machines have revoked is known again")
                self._problem, self._read_at = "", self._reactor.seconds()
            if self._list is not shared:
                return
            doubted = self._reactor.seconds() - self._read_at > self._stale
            if doubted != self._told:
                await self._tell(doubted=doubted)
            await self._rest()

    async def _level(self, shared: SharedList) -> None:
        """Have the list and the keeper say the same."""
        found = await shared.read()
        if found.strange and not found.records and self.doubted:
            # Who has known the list writes it anew, as after a change of all keys.
            raise UnavailableError(
                "none of it can be read; all machines need the same key ring"
            )
        missing = await self._keeper.take_over(found.records)
        if missing:
            await shared.write(missing)
        await self._tidy(shared, found)

    async def _tidy(self, shared: SharedList, found: Found) -> None:
        if found.surplus:
            await shared.tidy(found.surplus)

    async def _listen(self, shared: SharedList) -> None:
        while self._list is shared:
            subscription: ISubscription | None = None
            try:
                subscription = shared.subscribe()
                async for _ in subscription:
                    self._nudge()
            except UnavailableError:
                await deferLater(self._reactor, _AGAIN)
                self._nudge()
            else:
                return  # closed
            finally:
                if subscription is not None:
                    subscription.close()

    def _failed(self, shared: SharedList, problem: str) -> None:
        if self._list is not shared:
            return
        if not self._problem:
            _log.warn(
                "what other machines have revoked cannot be read: {problem}",
                problem=problem,
            )
        self._problem = problem

    async def _tell(self, *, doubted: bool) -> None:
        self.doubted = self._told = doubted
        if doubted:
            _log.error("nobody is let in: what others have revoked is not known")
        if self._serving is not None:
            for line in await self._serving.revoke((), (), doubted=doubted):
                _log.error("{line}", line=line)
        if not doubted:
            self._wait_no_more()

    def _wait_no_more(self) -> None:
        if self._known is not None:
            known, self._known = self._known, None
            known.callback(None)

    async def _rest(self) -> None:
        """Wait until it is time to look again."""
        if not self._nudged:
            self._wake = Deferred()
            later = self._reactor.callLater(PERIOD, self._nudge)
            try:
                await self._wake
            finally:
                self._wake = None
                if later.active():
                    later.cancel()
        self._nudged = False

    def _nudge(self) -> None:
        self._nudged = True
        if self._wake is not None:
            wake, self._wake = self._wake, None
            wake.callback(None)

    def _stop(self) -> None:
        shared, self._list = self._list, None
        # What is being told to those who serve is told to the end, and then that ends.
        if self._listening is not None:
            self._listening.cancel()
        self._nudge()
        if shared is not None:
            shared.close()

    def _spawn(self, coroutine: Any) -> Deferred[None]:  # noqa: ANN401
        running: Deferred[None] = Deferred.fromCoroutine(coroutine)
        running.addErrback(_stumble)
        return running


def _stumble(failure: Failure) -> None:
    if failure.check(CancelledError) is None:
        _log.failure("revocations are no longer shared", failure)
