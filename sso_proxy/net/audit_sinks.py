"""
Where audit records go: a file, standard output, syslog, or nowhere.

Records wait in memory and are written together every few milliseconds.  What cannot be
written waits on, up to a limit; what comes then is lost, and counted.  Nothing here
waits for a reader or a full disk, and nobody is refused because of one.
"""

import errno
import os
import select
import socket
from abc import ABC, abstractmethod
from typing import Final

from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.operator_parts import AuditConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IAuditSink, IHealth

_log = Logger()

LIMIT: Final = 16384
"""Records that may wait."""


@implementer(IAuditSink, IHealth)
class Sink(ABC):
    """
    What all sinks have in common: a bounded queue, and an account of failures.

    Attributes:
        lost: Records that were lost since the start.
    """

    def __init__(self, what: str, limit: int = LIMIT) -> None:
        self._what = what
        self._limit = limit
        self._queue: list[bytes] = []
        self._problem = ""
        self._lost_before = 0
        self.lost = 0

    def record(self, line: bytes) -> None:
        """Take one line, complete with its line feed."""
        if len(self._queue) < self._limit:
            self._queue.append(line)
        else:
            self.lost += 1

    def flush(self) -> None:
        """Write what is queued, as far as it can be without waiting."""
        try:
            self._write()
        except BlockingIOError:
            if len(self._queue) >= self._limit:
                self._fail("nobody takes the records")
        except OSError as e:
            self._fail(os.strerror(e.errno) if e.errno else str(e))
        else:
            self._recover()

    def reopen(self) -> None:  # noqa: B027 - most have no file
        """Open the file anew, after it was rotated."""

    def close(self) -> None:  # noqa: B027 - some have nothing open
        """Let go of the file; what is still queued is lost."""

    def health(self) -> tuple[str, ...]:
        """Say what is wrong, one line; empty if all is well."""
        if not self._problem:
            return ()
        lost = self.lost - self._lost_before
        return (f"audit to {self._what}: {self._problem}; {lost} records lost",)

    async def probe(self) -> tuple[str, ...]:
        """Say the same as `health`."""
        return self.health()

    @abstractmethod
    def _write(self) -> None:
        """
        Write from the head of the queue, and take away what was written.

        Raises:
            BlockingIOError: The rest has to wait.
            OSError: It cannot be written.
        """

    def _fail(self, problem: str) -> None:
        if not self._problem:
            _log.error(
                "cannot write audit records to {what}: {problem}; {limit} can wait",
                what=self._what,
                problem=problem,
                limit=self._limit,
            )
        self._problem = problem

    def _recover(self) -> None:
        if self._problem:
            self._problem = ""
            _log.warn(
                "audit records are written to {what} again; {lost} were lost",
                what=self._what,
                lost=self.lost - self._lost_before,
            )
        self._lost_before = self.lost


class NullSink(Sink):
    """Keeps no records."""

    def __init__(self) -> None:
        super().__init__("nowhere")

    def record(self, line: bytes) -> None:
        """Forget *line*."""

    def _write(self) -> None:
        """Write nothing."""

    def flush(self) -> None:
        """Do nothing."""


class FileSink(Sink):
    """
    Appends to a file, or to a FIFO that somebody reads.

    Args:
        path: The file's; made if there is none, readable for its group.
        limit: Records that may wait.

    Raises:
        OSError: It cannot be opened.
    """

    _BATCH = 1024

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        super().__init__(path, limit)
        self._path = path
        self._rest = b""
        self._descriptor = self._open()

    def _open(self) -> int:
        # A FIFO that nobody reads would block; to files this means nothing.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
        return os.open(self._path, flags, 0o640)

    def _write(self) -> None:
        while self._rest or self._queue:
            # A disk that fills takes a part; the rest of that line goes first.
            batch = self._rest + b"".join(self._queue[: self._BATCH])
            written = os.write(self._descriptor, batch)
            del self._queue[: self._BATCH]
            self._rest = batch[written:]

    def reopen(self) -> None:
        """Open the file anew, after it was rotated; if it cannot be, go on as is."""
        self.flush()
        try:
            descriptor = self._open()
        except OSError as e:
            _log.error(
                "{what} cannot be opened anew: {problem}; the old one is kept",
                what=self._what,
                problem=os.strerror(e.errno or 0),
            )
            return
        os.close(self._descriptor)
        self._descriptor = descriptor
        if self._rest:  # half a line is of no use in another file
            self.lost += 1
            self._rest = self._rest.partition(b"\n")[2]

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class StdoutSink(Sink):
    """
    Writes to standard output, which may be a pipe or socket that nobody reads.

    Others share it, so it must not be made non-blocking.  One that polls as writable
    takes PIPE_BUF octets at once, and takes them in one piece.
    """

    def __init__(self, descriptor: int = 1, limit: int = LIMIT) -> None:
        super().__init__("standard output", limit)
        self._descriptor = descriptor
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def _write(self) -> None:
        while self._rest or self._queue:
            if not self._poll.poll(0):
                raise BlockingIOError
            count, batch = 0, self._rest
            if not batch:
                count, batch = self._batch()
            written = os.write(self._descriptor, batch[: select.PIPE_BUF])
            del self._queue[:count]
            self._rest = batch[written:]

    def _batch(self) -> tuple[int, bytes]:
        """Give the number of whole lines that fit into one write, and these lines."""
        size = 0
        for count, line in enumerate(self._queue):
            size += len(line)
            if size > select.PIPE_BUF and count:
                return count, b"".join(self._queue[:count])
        return len(self._queue), b"".join(self._queue)


_TOO_BIG: Final = errno.EMSGSIZE
_BUSY: Final = (errno.EAGAIN, errno.ENOBUFS)


class SyslogSink(Sink):
    """
    Sends RFC 5424 messages to a datagram socket such as ``/dev/log``.

    The time is left to the receiver (section 6.2.3 allows it); the record has its own.

    Args:
        path: The socket's.
        limit: Records that may wait.
    """

    # Facility 10 (authpriv), severity 6 (info); no time, no host, no structured data.
    _HEADER = "<86>1 - - sso-proxy {pid} audit - "

    def __init__(self, path: str, limit: int = LIMIT) -> None:
        super().__init__(path, limit)
        self._path = path
        self._header = self._HEADER.format(pid=os.getpid()).encode()
        self._socket: socket.socket | None = None

    def _write(self) -> None:
        sent = 0
        try:
            for line in self._queue:
                self._send(line)
                sent += 1
        finally:
            del self._queue[:sent]

    def _send(self, line: bytes) -> None:
        """Send one record; one that is too big for a datagram is lost."""
        try:
            self._connected().send(self._header + line.rstrip(b"\n"))
        except OSError as e:
            if e.errno in _BUSY:
                raise BlockingIOError from e
            if e.errno != _TOO_BIG:
                self.close()  # the daemon has gone; the next flush looks for it again
                raise
            self.lost += 1

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.connect(self._path)
        return self._socket

    def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def build_sink(config: AuditConfig, path: str = "server.audit") -> Sink:
    """
    Make the sink that *config*, at *path* in the configuration, describes, and open it.

    Raises:
        ConfigError: The file cannot be opened.
    """
    match config.to:
        case "none":
            return NullSink()
        case "stdout":
            return StdoutSink()
        case "syslog":
            return SyslogSink(config.syslog)
        case "file":
            pass
    if config.file is None:
        raise ConfigError(Mistake(f"{path}.file", "is missing; write the file's path"))
    try:
        return FileSink(config.file)
    except OSError as e:
        problem = f"{config.file!r} cannot be opened: {os.strerror(e.errno or 0)}"
        raise ConfigError(Mistake(f"{path}.file", problem)) from e
