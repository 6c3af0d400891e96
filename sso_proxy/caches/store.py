"""What a process does with the files of the ``local`` cache besides answering."""

import functools
from typing import Any, Final

from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.caches import layout
from sso_proxy.caches.environment import Environment
from sso_proxy.caches.subscription import Subscription
from sso_proxy.caches.table import Table, Transaction
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClosable

SWEEP: Final = 5.0
"""Seconds between two sweeps; some of the writes sweep a little, too."""

POLL: Final = 0.25
"""Seconds until a message from another process is heard."""

_AT_ONCE: Final = 500
"""Expired records of a purpose that one sweep removes at most."""

_log = Logger()


@implementer(IClosable)
class LocalStore:
    """
    An environment, swept, and watched for messages.  Outlives a reload.

    Args:
        environment: The files.
        reactor: The reactor, or what tells its time.
    """

    def __init__(self, environment: Environment, reactor: Any) -> None:  # noqa: ANN401
        self.environment = environment
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._heard: dict[str, int] = {}
        self._sweeper = LoopingCall(self.sweep)
        self._poller = LoopingCall(self.poll)
        self._sweeper.clock = self._poller.clock = reactor

    def open(self, size: int) -> None:
        """
        Open the files; may be done again, with another size.

        Raises:
            UnusableError: They cannot be used.
        """
        self.environment.open(size)
        if not self._sweeper.running:
            self._sweeper.start(SWEEP, now=False)

    def close(self) -> None:
        """Close the files and end all subscriptions."""
        for subscriptions in [*self._subscriptions.values()]:
            for subscription in [*subscriptions]:
                subscription.close()
        if self._sweeper.running:
            self._sweeper.stop()
        self.environment.close()

    def totals(self) -> dict[str, layout.Totals]:
        """Give what is counted, by purpose."""
        return self.environment.read(_totals)

    def sweep(self) -> None:
        """Remove what has expired."""
        try:
            self.environment.check_readers()
            for purpose in self.environment.read(_expired):
                self.environment.write(functools.partial(_sweep, purpose))
        except UnavailableError as e:
            _log.error("cannot sweep {what}", what=e.what)

    def subscribe(self, purpose: str) -> Subscription:
        """Hear what any process publishes from now on."""
        if purpose not in self._subscriptions:
            self._heard[purpose] = self._last_message(purpose)
        subscriptions = self._subscriptions.setdefault(purpose, [])
        subscription = Subscription(lambda this: self._drop(purpose, this))
        subscriptions.append(subscription)
        if not self._poller.running:
            self._poller.start(POLL, now=False)
        return subscription

    def poll(self) -> None:
        """Deliver what was published since the last time."""
        for purpose, subscriptions in [*self._subscriptions.items()]:
            try:
                messages = self._new_messages(purpose)
            except UnavailableError:
                messages = None
            for subscription in [*subscriptions]:
                if messages is None:
                    subscription.miss()
                for message in messages or ():
                    subscription.deliver(message)

    def _drop(self, purpose: str, subscription: Subscription) -> None:
        self._subscriptions[purpose].remove(subscription)
        if not self._subscriptions[purpose]:
            del self._subscriptions[purpose]
        if not self._subscriptions and self._poller.running:
            self._poller.stop()

    def _last_message(self, purpose: str) -> int:
        return self.environment.read(
            lambda txn, now: Table(txn, purpose, now).totals().messages
        )

    def _new_messages(self, purpose: str) -> list[bytes] | None:
        """Give the messages not heard yet; None if one of them is gone already."""
        heard, last = self._heard[purpose], self._last_message(purpose)
        if last == heard:
            return []
        found = self.environment.read(
            lambda txn, now: [
                Table(txn, purpose, now).find(layout.message_key(number))
                for number in range(heard + 1, last + 1)
            ]
        )
        self._heard[purpose] = last
        messages = [record.value for record in found if record is not None]
        return messages if len(messages) == len(found) else None


def _totals(txn: Transaction, now: int) -> dict[str, layout.Totals]:
    return {purpose: Table(txn, purpose, now).totals() for purpose in _purposes(txn)}


def _expired(txn: Transaction, now: int) -> list[str]:
    """Find the purposes of which something has expired."""
    return [p for p in _purposes(txn) if Table(txn, p, now).has_expired()]


def _sweep(purpose: str, txn: Transaction, now: int) -> None:
    Table(txn, purpose, now).sweep(_AT_ONCE)


def _purposes(txn: Transaction) -> list[str]:
    found = []
    with txn.cursor() as cursor:
        more = cursor.set_range(layout.META + b"\0")
        while more:
            prefix = cursor.key().partition(b"\0")[0] + b"\0"
            found.append(prefix[:-1].decode("ascii"))
            more = cursor.set_range(layout.after(prefix))
    return found
