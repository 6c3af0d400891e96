"""
Tells descriptors what has happened to them.

A batch of events is worked off in three steps: what has arrived is taken in, then it is
told, then what was written meanwhile is sent.  The system's code and ours push each
other out of the processor's caches; changing between them three times for a batch, and
not three times for each connection, costs a third less.
"""

import select
from typing import Protocol

from twisted.logger import Logger

_log = Logger()

# Where there is no epoll, the numbers need not be any system's.
READ: int = getattr(select, "EPOLLIN", 0x1)
WRITE: int = getattr(select, "EPOLLOUT", 0x4)
BROKEN: int = getattr(select, "EPOLLERR", 0x8)
"""An error: what has not been read is lost."""
GONE: int = getattr(select, "EPOLLHUP", 0x10) | BROKEN
"""Reported whether asked for or not."""
ENDED: int = getattr(select, "EPOLLRDHUP", 0x2000)
"""The peer sends no more."""
EXCLUSIVE: int = getattr(select, "EPOLLEXCLUSIVE", 0)
"""Not every process that waits on the same socket is woken."""
ONCE: int = getattr(select, "EPOLLET", 1 << 31)
"""Told once for what arrives, not for as long as it lies there."""


class Descriptor(Protocol):
    """What the nest tells about its file descriptor."""

    def take_in(self) -> bool:
        """
        Take in what has arrived, and tell nobody yet: `deliver` is called next.

        False if there is nothing to take in, or `on_event` shall be called instead.
        """

    def deliver(self) -> None:
        """Tell what was taken in."""

    def on_event(self, events: int) -> None:
        """React to *events*, a mask of READ, WRITE and GONE."""

    def abort(self) -> None:
        """Close at once; called if something else raised."""


class Writer(Protocol):
    """What may write while events are told."""

    def flush(self) -> None:
        """Send what was written meanwhile."""

    def abort(self) -> None:
        """Close at once; called if `flush` raised."""


class Watcher(Protocol):
    """
    What tells descriptors about their events.

    Attributes:
        written: Who to `flush` after the last of a batch of events; None while none
            is told.
    """

    written: list[Writer] | None

    def watch(self, fd: int, events: int, descriptor: Descriptor) -> None:
        """Begin to tell *descriptor* about *events* of *fd*."""

    def change(self, fd: int, events: int) -> None:
        """Tell about other events."""

    def forget(self, fd: int) -> None:
        """Stop telling about *fd*; call this before it is closed."""

    def close(self) -> None:
        """Stop for good."""


def dispatch(
    watcher: Watcher, descriptors: dict[int, Descriptor], batch: list[tuple[int, int]]
) -> None:
    """
    Tell what has happened; a descriptor that raises is closed.

    Args:
        watcher: Who watches.
        descriptors: Those that are watched, by number; changes meanwhile.
        batch: Their numbers, and masks of what has happened to them.
    """
    told: list[tuple[int, int, Descriptor]] = []
    for fd, events in batch:
        descriptor = descriptors[fd]
        taken = events == READ and descriptor.take_in()
        told.append((fd, 0 if taken else events, descriptor))
    written: list[Writer] = []
    watcher.written = written
    for fd, events, descriptor in told:
        # Forgotten by an earlier one of this batch, perhaps with another in its
        # place, whom these events do not mean.
        if descriptors.get(fd) is not descriptor:
            continue
        try:
            if events:
                descriptor.on_event(events)
            else:
                descriptor.deliver()
        except Exception:  # noqa: BLE001
            _log.failure("A connection failed; it is closed.")
            descriptor.abort()
    watcher.written = None
    for writer in written:
        try:
            writer.flush()
        except Exception:  # noqa: BLE001
            _log.failure("A connection failed; it is closed.")
            writer.abort()
