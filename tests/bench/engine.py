"""The loop that drives a fleet's connections: one thread, one epoll."""

import errno
import gc
import heapq
import json
import random
import select
import signal
import socket
import ssl
import sys
import time
from collections import deque
from enum import Enum, auto
from pathlib import Path

import attrs

from tests.bench.client import read_head, request, tls_context
from tests.bench.fleet import Failure, FleetOptions, FleetResult
from tests.bench.procs import BenchError

_RETRY = 0.05
_SWEEP = 0.25
_LONGEST_FAILURE_LIST = 200000


class _State(Enum):
    CONNECTING = auto()
    SHAKING = auto()
    IDLE = auto()
    BUSY = auto()


class _Connection:
    """One connection and the request that it carries."""

    def __init__(self, left: int, now: float) -> None:
        self.state = _State.CONNECTING
        self.left = left
        self.since = now
        self.intended = now
        self.head = b""
        self.missing = -1
        self.body = 0
        self.status = 0
        self.raw = socket.socket()
        self.raw.setblocking(False)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls: ssl.SSLSocket | None = None

    def fileno(self) -> int:
        return (self.tls or self.raw).fileno()

    def close(self) -> None:
        (self.tls or self.raw).close()


class Fleet:
    """All connections of one load, driven by one epoll."""

    def __init__(self, options: FleetOptions) -> None:
        self._options = options
        self._context = tls_context(Path(options.ca), None, None)
        self._request = request(options.path, token=options.token)
        self._random = random.Random(options.seed)
        self._epoll = select.epoll()
        self._connections: dict[int, _Connection] = {}
        self._idle: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._reopen: list[float] = []
        self._latencies: list[float] = []
        self._lags: list[float] = []
        self._failures: list[Failure] = []
        self._opened = 0
        self._closed_idle = 0
        self._stopping = False
        self._end = float("inf")

    def stop(self, *_: object) -> None:
        """End early; what is under way is still waited for."""
        self._end = 0.0

    def run(self) -> FleetResult:
        """Open all connections, send, wait for the last answers."""
        gc.disable()
        self._establish()
        begin = time.monotonic()
        self._end = min(self._end, begin + self._options.seconds)
        next_time = begin
        sweep = begin + _SWEEP
        while (now := time.monotonic()) < self._end:
            next_time = self._schedule(next_time, now)
            self._dispatch(now)
            if now > sweep:
                self._sweep(now)
                sweep = now + _SWEEP
            self._turn(self._pause(now, next_time))
        self._stopping = True
        self._finish()
        return self._result(time.monotonic() - begin)

    def _establish(self) -> None:
        """Open all connections before the clock starts."""
        for _ in range(self._options.connections):
            self._open(time.monotonic())
        deadline = time.monotonic() + self._options.timeout
        while len(self._idle) < self._options.connections:
            if self._failures or time.monotonic() > deadline:
                kinds = [failure.kind for failure in self._failures]
                raise BenchError(f"cannot connect to begin with: {kinds}")
            self._turn(0.1)

    def _schedule(self, next_time: float, now: float) -> float:
        """Make the requests due whose intended time has come; give the next time."""
        rate = self._options.rate
        if not rate:
            self._due.extend([now] * (len(self._idle) - len(self._due)))
            return now + 1.0
        while next_time <= now:
            self._lags.append(now - next_time)
            self._due.append(next_time)
            next_time += self._random.expovariate(rate)
        return next_time

    def _dispatch(self, now: float) -> None:
        """Give due requests to idle connections; reopen what is due for it."""
        while self._reopen and self._reopen[0] <= now:
            heapq.heappop(self._reopen)
            self._open(now)
        while self._due and self._idle:
            connection = self._idle.popleft()
            if self._connections.get(connection.fileno()) is connection:
                self._send(connection, self._due.popleft(), now)

    def _pause(self, now: float, next_time: float) -> float:
        """Say how long to wait for descriptors, in seconds."""
        times = [next_time, now + _SWEEP]
        if self._reopen:
            times.append(self._reopen[0])
        return max(0.0, min(times) - now)

    def _turn(self, pause: float) -> None:
        # epoll's timeout counts whole milliseconds; select's does not
        if select.select([self._epoll], (), (), pause)[0]:
            for descriptor, _ in self._epoll.poll(0):
                connection = self._connections.get(descriptor)
                if connection is not None:
                    self._advance(connection)

    def _finish(self) -> None:
        """Wait for the answers that are still out, and close everything."""
        deadline = time.monotonic() + self._options.timeout
        while time.monotonic() < deadline and any(
            c.state is _State.BUSY for c in self._connections.values()
        ):
            self._turn(_SWEEP)
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if connection.state is _State.BUSY:
                self._fail(connection, "timeout", now)
            else:
                self._drop(connection)

    def _open(self, now: float) -> None:
        chosen = self._options.requests_per_connection
        left = self._random.randint(1, 2 * chosen - 1) if chosen else sys.maxsize
        connection = _Connection(left, now)
        self._opened += 1
        code = connection.raw.connect_ex(("127.0.0.1", self._options.port))
        self._connections[connection.fileno()] = connection
        self._epoll.register(connection.fileno(), select.EPOLLOUT | select.EPOLLIN)
        if code not in (0, errno.EINPROGRESS):
            self._fail(connection, "refused", now)

    def _drop(self, connection: _Connection) -> None:
        descriptor = connection.fileno()
        del self._connections[descriptor]
        self._epoll.unregister(descriptor)
        connection.close()

    def _fail(self, connection: _Connection, kind: str, now: float) -> None:
        self._failures.append(Failure(connection.since, now, kind))
        if len(self._failures) > _LONGEST_FAILURE_LIST:
            raise BenchError(f"too many failures, the last: {kind}")
        self._drop(connection)
        if not self._stopping:
            heapq.heappush(self._reopen, now + _RETRY)

    def _replace(self, connection: _Connection, now: float) -> None:
        self._drop(connection)
        if not self._stopping:
            self._open(now)

    def _advance(self, connection: _Connection) -> None:
        """Go on with *connection*, about which epoll has news."""
        now = time.monotonic()
        try:
            if connection.state is _State.CONNECTING:
                self._begin_tls(connection)
            if connection.state is _State.SHAKING:
                self._shake(connection)
            elif connection.state is _State.BUSY:
                self._read(connection, now)
            elif connection.state is _State.IDLE:
                self._read_idle(connection, now)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._break(connection, error, now)

    def _begin_tls(self, connection: _Connection) -> None:
        code = connection.raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "connect")
        connection.tls = self._context.wrap_socket(
            connection.raw, server_hostname="localhost", do_handshake_on_connect=False
        )
        connection.state = _State.SHAKING

    def _shake(self, connection: _Connection) -> None:
        assert connection.tls is not None
        self._epoll.modify(connection.fileno(), select.EPOLLIN)
        connection.tls.do_handshake()
        connection.state = _State.IDLE
        self._idle.append(connection)

    def _send(self, connection: _Connection, intended: float, now: float) -> None:
        assert connection.tls is not None
        connection.state = _State.BUSY
        connection.intended = intended
        connection.since = now
        connection.left -= 1
        connection.head = b""
        connection.missing = -1
        connection.body = 0
        try:
            connection.tls.send(self._request)
        except OSError as error:
            self._break(connection, error, now)

    def _read(self, connection: _Connection, now: float) -> None:
        """Take in what has come; finish the request if that is all."""
        assert connection.tls is not None
        while True:
            data = connection.tls.recv(65536)
            if not data:
                kind = "truncated" if connection.head else "closed"
                self._fail(connection, kind, now)
                return
            if connection.missing < 0:
                connection.head += data
                if b"\r\n\r\n" not in connection.head:
                    continue
                connection.head, _, data = connection.head.partition(b"\r\n\r\n")
                connection.status, connection.missing = read_head(connection.head)
            connection.body += len(data)
            connection.missing -= len(data)
            if connection.missing <= 0:
                self._complete(connection, now)
                return

    def _complete(self, connection: _Connection, now: float) -> None:
        closing = b"connection: close" in connection.head.lower()
        if connection.status != 200:
            self._fail(connection, f"status {connection.status}", now)
        elif connection.missing or connection.body != self._options.expect_length:
            self._fail(connection, "length", now)
        else:
            self._latencies.append(now - connection.intended)
            if closing or connection.left <= 0:
                self._replace(connection, now)
            else:
                connection.state = _State.IDLE
                self._idle.append(connection)

    def _read_idle(self, connection: _Connection, now: float) -> None:
        """Take in session tickets, or the end of a connection that waits."""
        assert connection.tls is not None
        if connection.tls.recv(1):
            self._fail(connection, "octets nobody asked for", now)
            return
        self._closed_idle += 1
        self._replace(connection, now)

    def _break(self, connection: _Connection, error: OSError, now: float) -> None:
        """Say what an error of the socket means for the request."""
        if connection.state is _State.IDLE:
            self._closed_idle += 1
            self._replace(connection, now)
        elif error.errno == errno.ECONNREFUSED:
            self._fail(connection, "refused", now)
        elif connection.head:
            self._fail(connection, "truncated", now)
        elif isinstance(error, ssl.SSLEOFError | ConnectionError):
            self._fail(connection, "reset", now)
        else:
            self._fail(connection, "tls", now)

    def _sweep(self, now: float) -> None:
        """Give up requests and handshakes that take too long."""
        for connection in list(self._connections.values()):
            late = now - connection.since > self._options.timeout
            if late and connection.state is not _State.IDLE:
                self._fail(connection, "timeout", now)

    def _result(self, seconds: float) -> FleetResult:
        return FleetResult(
            answered=len(self._latencies),
            rate=len(self._latencies) / seconds,
            p50=_percentile_ms(self._latencies, 0.5),
            p99=_percentile_ms(self._latencies, 0.99),
            p999=_percentile_ms(self._latencies, 0.999),
            lag_p99=_percentile_ms(self._lags, 0.99),
            opened=self._opened,
            closed_idle=self._closed_idle,
            failures=self._failures,
        )


def _percentile_ms(seconds: list[float], part: float) -> float:
    if not seconds:
        return float("nan")
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000


if __name__ == "__main__":
    _fleet = Fleet(FleetOptions(**json.loads(sys.argv[1])))
    signal.signal(signal.SIGTERM, _fleet.stop)
    sys.stdout.write(json.dumps(attrs.asdict(_fleet.run())))
