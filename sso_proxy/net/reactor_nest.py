"""
The nest where there is no epoll: every descriptor is one of the reactor's own.

Any reactor that takes descriptors serves (poll, kqueue, select), slower.  Two things
differ from `Nest`.  Nothing is told about a descriptor that neither reads nor writes:
a peer that goes away meanwhile is noticed at the next read or write, or at a deadline.
And an error is told as READ and WRITE, whichever is wanted, as select does: the call
that follows learns what it is.
"""

import select
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from sso_proxy.net.dispatch import ONCE, READ, WRITE, Descriptor, Watcher, Writer
from sso_proxy.net.nest import Nest

_log = Logger()

_AGAIN = 0.05
"""Seconds until a descriptor that is told once is looked at again."""


@implementer(IReadDescriptor, IWriteDescriptor)
class _Watched:
    """
    One descriptor, as the reactor knows it.

    Attributes:
        wanted: The events to tell about.
        told: What of *wanted* the reactor has been asked for.
        dead: Whether it was forgotten; its number may be another's by now.
    """

    __slots__ = ("_descriptor", "_fd", "_reactor", "dead", "told", "wanted")

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        fd: int,
        events: int,
        descriptor: Descriptor,
    ) -> None:
        self._reactor = reactor
        self._fd = fd
        self._descriptor = descriptor
        self.wanted = events
        self.told = 0
        self.dead = False

    def apply(self) -> None:
        """Ask the reactor for what is wanted."""
        if self.dead:
            return
        wanted = self.wanted & (READ | WRITE)
        changed, self.told = wanted ^ self.told, wanted
        if changed & READ:
            if wanted & READ:
                self._reactor.addReader(self)
            else:
                self._reactor.removeReader(self)
        if changed & WRITE:
            if wanted & WRITE:
                self._reactor.addWriter(self)
            else:
                self._reactor.removeWriter(self)

    def forget(self) -> None:
        """Ask the reactor for nothing any more."""
        self.wanted = 0
        self.apply()
        self.dead = True

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._fd

    def logPrefix(self) -> str:
        """Name this in Twisted's log."""
        return "nest"

    def doRead(self) -> None:
        """Tell that there is something to read."""
        self._tell(READ)

    def doWrite(self) -> None:
        """Tell that there is room to write."""
        self._tell(WRITE)

    def connectionLost(self, reason: Failure) -> None:
        """
        Tell that something is wrong, which reading or writing will show.

        The reactor has let go of the descriptor; what waits for it has not.
        """
        self.told = 0
        if self.dead or not self._reactor.running:
            return
        if reason.check(ConnectionDone, ConnectionLost):
            self.apply()
            self._tell(READ | WRITE)
        else:
            # The reactor cannot watch it: select takes no more than 1024.
            _log.error(
                "The reactor cannot watch descriptor {fd}: {reason}",
                fd=self._fd,
                reason=reason.getErrorMessage(),
            )
            self._descriptor.abort()

    def _tell(self, events: int) -> None:
        events &= self.wanted
        if not events:  # forgotten or changed since the reactor looked
            return
        if self.wanted & ONCE:
            self._rest()
        try:
            self._descriptor.on_event(events)
        except Exception:  # noqa: BLE001
            _log.failure("A connection failed; it is closed.")
            self._descriptor.abort()

    def _rest(self) -> None:
        """Let the reactor look away: what lies there would be told for ever."""
        wanted, self.wanted = self.wanted, 0
        self.apply()
        self.wanted = wanted
        self._reactor.callLater(_AGAIN, self.apply)


class ReactorNest:
    """Does as `Nest`, with no epoll."""

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._watched: dict[int, _Watched] = {}
        self._fresh: list[_Watched] = []
        self.written: list[Writer] | None = None  # each event is told alone

    def watch(self, fd: int, events: int, descriptor: Descriptor) -> None:
        """Begin to tell *descriptor* about *events* of *fd*."""
        watched = _Watched(self._reactor, fd, events, descriptor)
        self._watched[fd] = watched
        # Not at once: the reactor may still hold events of a descriptor that had this
        # number, and would tell them to this one.
        if not self._fresh:
            self._reactor.callLater(0, self._apply_fresh)
        self._fresh.append(watched)

    def change(self, fd: int, events: int) -> None:
        """Tell about other events; 0 tells about nothing."""
        watched = self._watched[fd]
        watched.wanted = events
        if watched not in self._fresh:
            watched.apply()

    def forget(self, fd: int) -> None:
        """Stop telling about *fd*; call this before it is closed."""
        self._watched.pop(fd).forget()

    def close(self) -> None:
        """Stop for good."""
        for fd in list(self._watched):
            self.forget(fd)

    def _apply_fresh(self) -> None:
        fresh, self._fresh = self._fresh, []
        for watched in fresh:
            watched.apply()


def open_nest(reactor: Any) -> Watcher:  # noqa: ANN401
    """Open the nest that this system has."""
    if hasattr(select, "epoll"):
        return Nest(reactor)
    return ReactorNest(reactor)
