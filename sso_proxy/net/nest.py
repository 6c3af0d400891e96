"""
Many descriptors behind one of the reactor's.

Twisted's reactor spends as long on dispatching an event as we do on a request.  All our
connections live in an epoll of their own, whose descriptor is a single reader of the
stock reactor: measured, this is as fast as a reactor of our own would be.
"""

import select
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from sso_proxy.net.dispatch import Descriptor, Writer, dispatch

_BATCH = 128
"""Events at once; what has arrived for all of them is in memory."""

_IN_A_ROW = 8
"""Batches until the reactor has its turn, which takes as long as a request or two."""


@implementer(IReadDescriptor)
class Nest:
    """One epoll that a reactor watches as a single reader."""

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._epoll = select.epoll()
        self._descriptors: dict[int, Descriptor] = {}
        self.written: list[Writer] | None = None
        reactor.addReader(self)

    def watch(self, fd: int, events: int, descriptor: Descriptor) -> None:
        """Begin to tell *descriptor* about *events* of *fd*."""
        self._epoll.register(fd, events)
        self._descriptors[fd] = descriptor

    def change(self, fd: int, events: int) -> None:
        """Tell about other events; 0 still tells about GONE."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stop telling about *fd*; call this before it is closed."""
        del self._descriptors[fd]
        self._epoll.unregister(fd)

    def fileno(self) -> int:
        """Give the epoll's own descriptor to the reactor."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """Name this in Twisted's log."""
        return "nest"

    def doRead(self) -> None:
        """Pass on what has happened; a descriptor that raises is closed."""
        for _ in range(_IN_A_ROW):
            batch = self._epoll.poll(0, _BATCH)
            if not batch:
                return
            dispatch(self, self._descriptors, batch)
            if self._epoll.closed:
                return

    def connectionLost(self, reason: object) -> None:
        """Do nothing: the reactor stops, and our owner closes us."""

    def close(self) -> None:
        """Stop for good."""
        self._reactor.removeReader(self)
        self._epoll.close()
