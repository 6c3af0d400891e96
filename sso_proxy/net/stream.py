"""
Byte streams on non-blocking sockets: written soon, only the remainder buffered.

What is small is sent when the nest has told all that has happened, what is large or
written at another time at once.

A stream tells its handler what arrives; the handler may write, pause, close or abort at
any time, within its own callbacks too; what has been taken in by then is still told
after a pause.  Of these calls only `Stream.close` and `Stream.abort` may
call the handler back, with ``connection_lost``; an error in a write is told later.
"""

import contextlib
import socket
from typing import Protocol

from sso_proxy.net.dispatch import BROKEN, GONE, READ, WRITE, Watcher

HIGH_WATER = 65536
"""Octets waiting to be sent from which a stream is full."""

_SMALL = 16384
"""Octets that may wait for the end of a batch of events."""

_CHUNK = 65536
_RECEIVE_ERRORS = (BlockingIOError, InterruptedError)


class StreamHandler(Protocol):
    """What a stream tells."""

    def data_received(self, data: bytes) -> None:
        """Take what arrived; never empty."""

    def eof_received(self) -> None:
        """Hear that the peer sends no more; writing may still work."""

    def drained(self) -> None:
        """Hear that a full stream has room again."""

    def connection_lost(self, reason: str) -> None:
        """Hear that the stream is gone.  Said once, and nothing after it."""


class _Nobody:
    """Hears what nobody else does: a stream that is gone says nothing."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> None: ...

    def drained(self) -> None: ...

    def connection_lost(self, reason: str) -> None: ...


_NOBODY = _Nobody()


class Stream(Protocol):
    """
    What reads and writes.

    Attributes:
        handler: Who is told.  May be replaced.
        buffered: Octets that wait to be sent.
        progress: Octets sent so far, to see that a slow reader still reads.
    """

    handler: StreamHandler
    buffered: int
    progress: int

    @property
    def closed(self) -> bool:
        """Whether the stream is gone."""

    @property
    def ended(self) -> bool:
        """Whether the peer has said that it sends no more."""

    @property
    def full(self) -> bool:
        """Whether to wait for `StreamHandler.drained`, which asking promises."""

    @property
    def unheard(self) -> bool:
        """Whether something was taken in that the handler has not heard of."""

    def readable_now(self) -> bool:
        """Say whether there is anything to read, an end included, or it is closed."""

    def write(self, data: bytes) -> None:
        """Send *data* soon, or as soon as the peer takes it."""

    def pause(self) -> None:
        """Stop reading; the peer's window fills."""

    def resume(self) -> None:
        """Read on, unless the peer has ended or `close` was called."""

    def close(self) -> None:
        """Close once everything written has been sent."""

    def half_close(self) -> None:
        """Send no more once everything written has been sent, but read on."""

    def abort(self) -> None:
        """Close at once; what waits is dropped, and the peer sees a reset."""


class SocketStream:
    """A stream over TCP or a unix socket, without TLS."""

    __slots__ = (
        "_closing",
        "_deferred",
        "_early",
        "_ended",
        "_events",
        "_failed",
        "_fd",
        "_greeting",
        "_half_closed",
        "_nest",
        "_parked",
        "_reading",
        "_sock",
        "_waiting",
        "buffered",
        "handler",
        "progress",
        "was_full",
    )

    def __init__(
        self, nest: Watcher, sock: socket.socket, handler: StreamHandler
    ) -> None:
        self._nest = nest
        self._sock = sock
        self._fd = sock.fileno()
        self._waiting: list[bytes | memoryview] = []
        self._greeting = False
        self._reading = True
        self._closing = False
        self._half_closed = False
        self._ended = False
        self._parked = False
        self._deferred = False
        self._early = b""
        self._failed = ""
        self.handler = handler
        self.buffered = 0
        self.progress = 0
        self.was_full = False
        self._events = READ
        nest.watch(self._fd, READ, self)

    @property
    def closed(self) -> bool:
        """Whether the stream is gone."""
        return self._fd == -1

    @property
    def ended(self) -> bool:
        """Whether the peer has said that it sends no more."""
        return self._ended

    @property
    def full(self) -> bool:
        """Whether to wait for `StreamHandler.drained`, which asking promises."""
        if self.buffered < HIGH_WATER:
            return False
        self.was_full = True
        return True

    def take_in(self) -> bool:
        """Take in what has arrived, for `deliver`."""
        if not self._reading or self._greeting or self._failed:
            return False
        try:
            self._early = self._sock.recv(_CHUNK)
        except OSError:
            return False
        return bool(self._early)

    def deliver(self) -> None:
        """Tell the handler what was taken in."""
        data, self._early = self._early, b""
        if not self._closing:
            self.handler.data_received(data)

    def on_event(self, events: int) -> None:
        """React to the nest."""
        if self._greeting:
            self._greet()
            return
        if self._failed:
            self._lose(self._failed)
        elif events & READ and self._reading:
            self._read()
        elif events & GONE:
            if self._ended or events & BROKEN:
                self._lose("reset")
            else:
                self._park()
        if events & WRITE and self._fd != -1:
            self._flush()

    @property
    def unheard(self) -> bool:
        """Whether something was taken in that the handler has not heard of."""
        return bool(self._early)

    def readable_now(self) -> bool:
        """Say whether there is anything to read, an end included, or it is closed."""
        if self._fd == -1 or self._failed or self._early:
            return True
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except _RECEIVE_ERRORS:
            return False
        except OSError:
            return True
        return True

    def write(self, data: bytes) -> None:
        """Send *data* soon, or as soon as the peer takes it."""
        if self._waiting or self._greeting:
            self._waiting.append(data)
            self.buffered += len(data)
            if self._deferred and self.buffered > _SMALL:
                self.flush()
            return
        if self._fd == -1 or self._failed:
            return
        written = self._nest.written
        if written is not None and len(data) <= _SMALL:
            self._waiting.append(data)
            self.buffered = len(data)
            self._deferred = True
            written.append(self)
            return
        sent = self._send(data)
        self.progress += sent
        if sent < len(data):
            self._waiting.append(memoryview(data)[sent:])
            self.buffered = len(data) - sent
            self._want(self._events | WRITE)

    def flush(self) -> None:
        """Send what waits for the end of a batch of events."""
        if not self._deferred:
            return
        self._deferred = False
        waiting = self._waiting
        data = waiting[0] if len(waiting) == 1 else b"".join(waiting)
        sent = self._send(data)
        self.progress += sent
        self.buffered -= sent
        waiting.clear()
        if self.buffered:
            waiting.append(memoryview(data)[sent:])
        if waiting or self._half_closed or self.was_full:
            self._flush()

    def pause(self) -> None:
        """Stop reading; the peer's window fills."""
        if self._reading:
            self._reading = False
            self._want(self._events & ~READ)

    def resume(self) -> None:
        """Read on, unless the peer has ended or `close` was called."""
        if not self._reading and not self._ended and not self._closing:
            self._reading = True
            self._want(self._events | READ)

    def close(self) -> None:
        """Close once everything written has been sent."""
        self.flush()
        if self._waiting:
            self._closing = True
            self.pause()
        elif self._fd != -1:
            self._say_end()
            self._lose("closed")

    def half_close(self) -> None:
        """Send no more once everything written has been sent, but read on."""
        if self._half_closed:
            return
        self._half_closed = True
        if not self._waiting and self._fd != -1:
            self._end_sending()

    def abort(self) -> None:
        """Close at once; what waits is dropped, and the peer sees a reset."""
        if self._deferred:
            self._deferred = False
            self._send(b"".join(self._waiting))
        if self._fd != -1:
            linger_zero = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            with contextlib.suppress(OSError):  # it is closed in any case
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
            self._lose("aborted")

    def _greet(self) -> None:
        """Go on with what comes before the handler's bytes."""

    def _want(self, events: int) -> None:
        if self._fd != -1 and events != self._events:
            self._events = events
            if self._parked:
                self._parked = False
                self._nest.watch(self._fd, events, self)
            else:
                self._nest.change(self._fd, events)

    def _park(self) -> None:
        """
        Hear nothing until the handler reads or writes again.

        The peer is done, but what it sent last may still be unread: dropping the
        stream would cut it.  An epoll would tell us for ever.
        """
        if self._parked or self._reading or self._events & WRITE:
            return
        self._parked = True
        self._nest.forget(self._fd)

    def _fail(self, reason: str) -> None:
        """Be lost at the next event: a write must not call the handler back."""
        self._failed = reason
        self._want(WRITE)

    def _read(self) -> None:
        try:
            data = self._sock.recv(_CHUNK)
        except _RECEIVE_ERRORS:
            return
        except OSError as e:
            self._lose(e.strerror or "error")
            return
        if data:
            self.handler.data_received(data)
        else:
            self._eof()

    def _eof(self) -> None:
        self._ended = True
        self.pause()
        self.handler.eof_received()

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except _RECEIVE_ERRORS:
            return 0
        except OSError as e:
            self._fail(e.strerror or "error")
            return 0

    def _flush(self) -> None:
        waiting = self._waiting
        while waiting:
            data = waiting[0]
            sent = self._send(data)
            self.progress += sent
            self.buffered -= sent
            if sent < len(data):
                waiting[0] = memoryview(data)[sent:]
                break
            del waiting[0]
        if waiting:
            self._want(self._events | WRITE)
        elif not self._failed:
            self._want(self._events & ~WRITE)
            if self._closing:
                self._say_end()
                self._lose("closed")
                return
            if self._half_closed:
                self._end_sending()
        if self.was_full and self.buffered <= HIGH_WATER // 2:
            self.was_full = False
            self.handler.drained()

    def _end_sending(self) -> None:
        self._say_end()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as e:
            self._fail(e.strerror or "error")

    def _say_end(self) -> None:
        """Tell the peer, inside the stream, that nothing more comes."""

    def _lose(self, reason: str) -> None:
        if self._fd == -1:
            return
        if not self._parked:
            self._nest.forget(self._fd)
        self._fd = -1
        self._deferred = False
        self._early = b""
        self._waiting.clear()
        self.buffered = 0
        self._sock.close()
        # Each has the other: without this, both stay until cycles are sought.
        handler, self.handler = self.handler, _NOBODY
        handler.connection_lost(reason)
