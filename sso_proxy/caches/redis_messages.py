"""
Messages through Redis, without losing one silently.

Redis sends messages to whoever listens just then, and nobody hears that he missed one.
So each has a number, which the server counts.  A gap, a number that went back, and a
count that is ahead of what was heard all mean that something was missed.  The count is
asked for twice a second, by the connection for commands: that finds a connection for
messages that is dead, or leads to a server that others have left.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from sso_proxy.caches.redis_link import Link, OnPush
from sso_proxy.caches.redis_names import Names
from sso_proxy.caches.redis_node import Backoff
from sso_proxy.caches.redis_resp import Reply
from sso_proxy.caches.subscription import Subscription
from sso_proxy.errors import UnavailableError

CHECK: Final = 0.5
"""Seconds between two looks at the count."""
_PATIENCE: Final = 1.0
"""Seconds that a server may take to confirm a subscription."""
_GRACE: Final = 0.25
"""Seconds that a message may be on its way to us when it is counted already."""

_log = Logger()

Listen = Callable[[OnPush], Awaitable[Link]]
Count = Callable[[str], Awaitable[int]]


@attrs.frozen
class _Asked:
    """
    A subscription that the server has not confirmed yet.

    Attributes:
        purpose: What for.
        number: Of the last message before.
        since: When it was asked for.
    """

    purpose: str
    number: int
    since: float


class Messages:
    """
    What this process has subscribed to, and the connection for it.

    Args:
        names: Names channels.
        listen: Makes a connection for messages.
        count: Gives the number of a purpose's last message; raises UnavailableError.
        reactor: Measures time.
        random: See `Backoff`.
    """

    def __init__(
        self,
        names: Names,
        *,
        listen: Listen,
        count: Count,
        reactor: Any,  # noqa: ANN401
        random: Callable[[], float],
    ) -> None:
        self._names = names
        self._listen = listen
        self._count = count
        self._reactor = reactor
        self._backoff = Backoff(reactor, random)
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._heard: dict[str, int] = {}
        self._asked: dict[bytes, _Asked] = {}
        self._waiting: list[Deferred[None]] = []
        self._link: Link | None = None
        self._running: Deferred[None] | None = None
        self._wake: Deferred[None] | None = None
        self._nudged = False
        self._failing = False
        self._closed = False

    @property
    def settled(self) -> bool:
        """
        Whether all subscriptions are heard from, or have been told that they are not.

        Only what is read after that is sure to be older than what will be heard.
        """
        return self._failing or self._heard.keys() >= self._subscriptions.keys()

    async def settle(self) -> None:
        """Wait until all is settled."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        await waiting

    def subscribe(self, purpose: str) -> Subscription:
        """Hear what is published from now on, once that is settled."""
        subscription = Subscription(lambda this: self._drop(purpose, this))
        self._subscriptions.setdefault(purpose, []).append(subscription)
        if self._closed:
            subscription.close()
        elif self._running is None:
            self._running = Deferred.fromCoroutine(self._run())
            self._running.addErrback(self._stumble)
        else:
            self._nudge()
        return subscription

    def close(self) -> None:
        """End all subscriptions."""
        self._closed = True
        for subscriptions in [*self._subscriptions.values()]:
            for subscription in [*subscriptions]:
                subscription.close()
        if self._running is not None:
            self._running.cancel()

    def _drop(self, purpose: str, subscription: Subscription) -> None:
        subscriptions = self._subscriptions[purpose]
        subscriptions.remove(subscription)
        if not subscriptions:
            del self._subscriptions[purpose]
            self._heard.pop(purpose, None)
            self._asked.pop(self._names.channel(purpose), None)
            self._tell(b"UNSUBSCRIBE", purpose)
        self._nudge()

    async def _run(self) -> None:
        """Listen for as long as somebody has subscribed."""
        while self._subscriptions:
            try:
                await self._listen_once()
            except UnavailableError as e:
                self._lose()
                if self._subscriptions:
                    await self._sleep(self._backoff.fail(e.what))
        self._running = None
        self._end_link()

    async def _listen_once(self) -> None:
        """Connect if need be, subscribe to what is new, look at the count, rest."""
        if self._link is None:
            self._link = await self._listen(self._hear)
            self._link.on_lost = self._nudge
        for purpose in [*self._subscriptions]:
            if purpose in self._heard:
                await self._check(purpose)
            elif purpose in self._subscriptions:
                await self._ask(purpose)
        if self._link.lost:
            raise UnavailableError(self._link.lost)
        await self._sleep(CHECK)

    async def _ask(self, purpose: str) -> None:
        """Subscribe, unless we wait for the answer already."""
        channel, now = self._names.channel(purpose), self._reactor.seconds()
        if channel not in self._asked:
            # The count first: what is published in between is then known to be missed.
            number = await self._count(purpose)
            self._asked[channel] = _Asked(purpose, number, now)
            self._tell(b"SUBSCRIBE", purpose)
        elif now - self._asked[channel].since > _PATIENCE:
            raise UnavailableError("redis: no answer to SUBSCRIBE")

    async def _check(self, purpose: str) -> None:
        """Compare what was heard with what was counted."""
        before = self._heard[purpose]
        number = await self._count(purpose)
        if number > before:
            await deferLater(self._reactor, _GRACE)
        heard = self._heard.get(purpose)
        if heard is not None and (number < before or heard < number):
            raise UnavailableError("redis: messages were missed")

    def _hear(self, push: Reply) -> None:
        match push:
            case [b"subscribe", bytes(channel), int()]:
                asked = self._asked.pop(channel, None)
                if asked is not None and asked.purpose in self._subscriptions:
                    self._heard[asked.purpose] = asked.number
                    self._confirm()
            case [b"message", bytes(channel), bytes(text)]:
                self._deliver(channel, text)
            case [b"unsubscribe", *_]:
                pass
            case _:
                if self._link is not None:
                    self._link.close("sends no message")

    def _deliver(self, channel: bytes, text: bytes) -> None:
        purpose = channel.decode("latin-1").removeprefix(self._names.prefix)
        if purpose not in self._heard:
            return
        digits, _, message = text.partition(b":")
        number = int(digits) if digits.isdigit() and len(digits) < 20 else -1
        if number != self._heard[purpose] + 1:
            self._miss(purpose)
        if purpose in self._heard:
            self._heard[purpose] = number
        # Whoever heard of a gap may have left by now.
        for subscription in [*self._subscriptions.get(purpose, ())]:
            subscription.deliver(message)

    def _confirm(self) -> None:
        """Say that a subscription is heard from, and, if that took long, the gap."""
        if not self._heard.keys() >= self._subscriptions.keys():
            return
        if self._failing:
            # In between, whoever asked anew did not wait for us.
            for purpose in [*self._subscriptions]:
                self._miss(purpose)
        self._failing = False
        self._backoff.succeed()
        self._release()

    def _lose(self) -> None:
        """Tell everybody, once for an outage."""
        self._end_link()
        if not self._failing:
            self._failing = True
            for purpose in [*self._subscriptions]:
                self._miss(purpose)
        self._release()

    def _miss(self, purpose: str) -> None:
        for subscription in [*self._subscriptions.get(purpose, ())]:
            subscription.miss()

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def _end_link(self) -> None:
        self._heard.clear()
        self._asked.clear()
        link, self._link = self._link, None
        if link is not None:
            link.on_lost = _nothing
            link.close()

    def _tell(self, command: bytes, purpose: str) -> None:
        if self._link is not None and not self._link.lost:
            self._link.tell(command, self._names.channel(purpose))

    async def _sleep(self, seconds: float) -> None:
        """Wait, unless something happens before."""
        if self._nudged:
            self._nudged = False
            return
        self._wake = Deferred()
        timer = self._reactor.callLater(seconds, self._nudge)
        try:
            await self._wake
        finally:
            self._wake, self._nudged = None, False
            if timer.active():
                timer.cancel()

    def _nudge(self) -> None:
        wake, self._wake = self._wake, None
        self._nudged = True
        if wake is not None:
            wake.callback(None)

    def _stumble(self, failure: Failure) -> None:
        """Log what should not happen, and let the next subscriber begin anew."""
        if not failure.check(CancelledError):
            _log.failure("listening to redis failed", failure=failure)
        self._running = None
        self._lose()


def _nothing() -> None:
    """Hear that a connection ended of which nobody wants to know."""
