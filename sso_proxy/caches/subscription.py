"""What a process has subscribed to."""

from collections import deque
from collections.abc import Callable
from typing import Final, Self

from twisted.internet.defer import Deferred
from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ISubscription

MOST: Final = 10000
"""Messages that may wait for somebody who does not keep up."""

MOST_OCTETS: Final = 2**24
"""Octets of all of them: a single one may have a million."""


@implementer(ISubscription)
class Subscription:
    """
    Messages for one subscriber.

    Args:
        closed: Told when it is closed.
    """

    def __init__(self, closed: Callable[["Subscription"], None]) -> None:
        self._closed = closed
        self._messages: deque[bytes] = deque()
        self._octets = 0
        self._reader: Deferred[None] | None = None
        self._missed = False
        self._over = False

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> bytes:
        """
        Wait for the next message.

        Raises:
            UnavailableError: Messages may have been missed.
            StopAsyncIteration: It was closed.
        """
        while not self._messages:
            if self._missed:
                self._missed = False
                raise UnavailableError("messages of the cache were missed")
            if self._over:
                raise StopAsyncIteration
            self._reader = Deferred()
            try:
                await self._reader
            finally:
                self._reader = None
        message = self._messages.popleft()
        self._octets -= len(message)
        return message

    def deliver(self, message: bytes) -> None:
        """Let the subscriber have *message*."""
        octets = self._octets + len(message)
        if len(self._messages) < MOST and octets <= MOST_OCTETS:
            self._messages.append(message)
            self._octets = octets
            self._wake()
        else:
            self.miss()

    def miss(self) -> None:
        """Say that messages are lost; those that wait are worth nothing without."""
        self._forget()
        self._missed = True
        self._wake()

    def close(self) -> None:
        """Hear no more."""
        if not self._over:
            self._over = True
            self._forget()
            self._closed(self)
            self._wake()

    def _forget(self) -> None:
        self._messages.clear()
        self._octets = 0

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)
