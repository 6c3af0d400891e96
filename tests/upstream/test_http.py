"""A pool of connections to a real socket that says what the test says."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from sso_proxy.net.connect import Address
from sso_proxy.net.resolve import Resolver
from sso_proxy.net.stream import SocketStream
from sso_proxy.net.ticker import PERIOD, Ticker
from sso_proxy.net.tls.client import build_client_context
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.upstream.http import HttpUpstream
from sso_proxy.upstream.target import Patience, Target
from tests.support.exchanges import FakeExchange, outgoing
from tests.support.sockets import Heard, new_nest, read_all, turn, unix_pair, until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class FakeResolver(Resolver):
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Callable[[list[Address]], None]] = []

    def lookup(
        self,
        host: str,  # noqa: ARG002
        port: int,  # noqa: ARG002
        done: Callable[[list[Address]], None],
    ) -> None:
        self.asked.append(done)


class Backend:
    """A pool, and the socket that its connections come to."""

    def __init__(
        self,
        patience: Patience | None = None,
        resolver: Resolver | None = None,
        unix: Path | None = None,
        **target: Any,  # noqa: ANN401
    ) -> None:
        self.nest = new_nest()
        self.reactor, self.clock = Clock(), SettableClock()
        self.ticker = Ticker(self.reactor, self.clock)
        self.ticker.start()
        if unix is not None:
            self.server = socket.socket(socket.AF_UNIX)
            self.server.bind(str(unix))
            self.server.listen()
            where: dict[str, Any] = {"kind": "unix", "path": str(unix)}
        else:
            self.server = socket.create_server(("127.0.0.1", 0))
            host, port = self.server.getsockname()
            where = {"host": host, "port": port}
        self.server.setblocking(False)
        self.pool = HttpUpstream(
            Target(name="http://backend", **(where | target)),
            patience or Patience(),
            nest=self.nest,
            resolver=resolver or Resolver(self.reactor, self.clock),
            ticker=self.ticker,
        )
        self.accepted: list[socket.socket] = []

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.reactor.advance(PERIOD)

    def ask(self, method: str = "GET") -> FakeExchange:
        exchange = FakeExchange()
        self.pool.forward(exchange, outgoing(method))
        return exchange

    def accept(self) -> socket.socket:
        """Take the next connection."""

        def there() -> bool:
            try:
                sock, _ = self.server.accept()
            except BlockingIOError:
                return False
            sock.setblocking(False)
            self.accepted.append(sock)
            return True

        until(self.nest, there)
        return self.accepted[-1]

    def serve(self, sock: socket.socket, answer: bytes = ANSWER) -> bytes:
        """Read a request and answer it."""
        got = bytearray()

        def whole() -> bool:
            got.extend(read_all(sock))
            return got.endswith(b"\r\n\r\n")

        until(self.nest, whole)
        sock.send(answer)
        return bytes(got)

    def answered(self, exchange: FakeExchange) -> FakeExchange:
        until(self.nest, lambda: exchange.over)
        return exchange

    def close(self) -> None:
        self.pool.close()
        for sock in (self.server, *self.accepted):
            sock.close()
        turn(self.nest, 5)
        self.ticker.stop()
        self.nest.close()


@pytest.fixture
def make() -> Iterator[Callable[..., Backend]]:
    made = []

    def backend(**options: Any) -> Backend:  # noqa: ANN401
        made.append(Backend(**options))
        return made[-1]

    yield backend
    for each in made:
        each.close()


Make = Callable[..., Backend]


def test_requests_share_a_connection_one_after_the_other(make: Make) -> None:
    backend = make()
    first = backend.ask()
    sock = backend.accept()
    backend.serve(sock)
    assert backend.answered(first).body == b"ok"
    assert backend.pool.counts() == (0, 1)
    second = backend.ask()
    assert backend.pool.counts() == (1, 0)
    backend.serve(sock)
    assert backend.answered(second).body == b"ok"
    assert len(backend.accepted) == 1


def test_requests_at_once_have_connections_of_their_own(make: Make) -> None:
    backend = make()
    exchanges = [backend.ask(), backend.ask()]
    for _ in exchanges:
        backend.serve(backend.accept())
    for exchange in exchanges:
        backend.answered(exchange)
    assert backend.pool.counts() == (0, 2)


def test_a_stale_connection_is_replaced_for_what_may_be_sent_again(
    make: Make,
) -> None:
    backend = make()
    first = backend.ask()
    sock = backend.accept()
    backend.serve(sock)
    backend.answered(first)
    sock.close()
    second = backend.ask()
    backend.serve(backend.accept())
    assert backend.answered(second).body == b"ok"


def test_what_must_not_be_made_twice_is_not_sent_on_a_stale_connection(
    make: Make,
) -> None:
    backend = make()
    first = backend.ask()
    sock = backend.accept()
    backend.serve(sock)
    backend.answered(first)
    sock.close()
    second = backend.ask("POST")
    backend.serve(backend.accept())
    assert backend.answered(second).body == b"ok"


def test_an_answer_taken_in_before_the_request_is_nobody_s(make: Make) -> None:
    backend = make()
    first = backend.ask()
    sock = backend.accept()
    backend.serve(sock)
    backend.answered(first)
    near, far = unix_pair()
    asked, heard = [], Heard()
    heard.on_data = lambda _: asked.append(backend.ask())
    client = SocketStream(backend.nest, near, heard)
    far.send(b"x")  # the first of a batch, and then comes:
    sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
    backend.nest.doRead()
    backend.serve(backend.accept())
    assert backend.answered(asked[0]).body == b"ok"
    client.abort()
    far.close()


def test_an_idle_connection_that_the_backend_closes_is_forgotten(make: Make) -> None:
    backend = make()
    first = backend.ask()
    sock = backend.accept()
    backend.serve(sock)
    backend.answered(first)
    sock.close()
    until(backend.nest, lambda: backend.pool.counts() == (0, 0))


def test_idle_connections_are_kept_for_so_long(make: Make) -> None:
    backend = make(patience=Patience(idle_timeout=30.0))
    first = backend.ask()
    backend.serve(backend.accept())
    backend.answered(first)
    backend.pass_time(29)
    assert backend.pool.counts() == (0, 1)
    backend.pass_time(2)
    assert backend.pool.counts() == (0, 0)


def test_so_many_idle_connections_are_kept(make: Make) -> None:
    backend = make(patience=Patience(idle=1))
    exchanges = [backend.ask(), backend.ask()]
    for _ in exchanges:
        backend.serve(backend.accept())
    for exchange in exchanges:
        backend.answered(exchange)
    assert backend.pool.counts() == (0, 1)


def test_an_answer_that_does_not_come_is_504(make: Make) -> None:
    backend = make()
    exchange = backend.ask()
    backend.accept()
    until(backend.nest, lambda: read_all(backend.accepted[0]))
    backend.pass_time(59)
    assert not exchange.over
    backend.pass_time(2)
    assert (exchange.status, exchange.reason) == (504, "backend-timeout")
    assert backend.pool.counts() == (0, 0)


def test_a_long_download_to_a_slow_client_is_not_the_backends_slowness(
    make: Make,
) -> None:
    backend = make()
    exchange = FakeExchange()
    exchange.full = True
    sink = backend.pool.forward(exchange, outgoing())
    backend.serve(backend.accept(), b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
    until(backend.nest, lambda: exchange.said)
    backend.pass_time(3600)
    assert exchange.said == ["begin"]
    sink.resume()
    backend.accepted[0].send(b"cd")
    backend.answered(exchange)
    assert exchange.body == b"abcd"


def test_a_name_that_is_not_found_in_time_is_504_and_nothing_is_sent(
    make: Make,
) -> None:
    names = FakeResolver()
    backend = make(resolver=names)
    exchange = backend.ask()
    backend.pass_time(6)
    assert (exchange.status, exchange.reason) == (504, "backend-connect-timeout")
    assert backend.pool.counts() == (0, 0)
    names.asked[0]([(socket.AF_INET, backend.server.getsockname())])
    turn(backend.nest, 5)
    with pytest.raises(BlockingIOError):
        backend.server.accept()


@pytest.mark.parametrize("when", ["looking up", "connecting"])
def test_a_client_that_is_gone_makes_no_request(make: Make, when: str) -> None:
    names = FakeResolver()
    backend = make(resolver=names)
    sink = backend.pool.forward(FakeExchange(), outgoing("POST"))
    if when == "connecting":
        names.asked[0]([(socket.AF_INET, backend.server.getsockname())])
    sink.abandon()
    assert backend.pool.counts() == (0, 0)
    if when == "looking up":
        names.asked[0]([(socket.AF_INET, backend.server.getsockname())])
    turn(backend.nest, 5)
    try:
        sock, _ = backend.server.accept()
    except BlockingIOError:
        return
    with sock:
        assert sock.recv(100) == b""


def test_a_backend_that_is_not_there_is_502(make: Make) -> None:
    backend = make()
    backend.server.close()
    exchange = backend.answered(backend.ask())
    assert exchange.reason == "backend-unreachable: Connection refused"
    assert backend.pool.counts() == (0, 0)


def test_a_name_that_is_unknown_is_502(make: Make) -> None:
    names = FakeResolver()
    backend = make(resolver=names)
    exchange = backend.ask()
    names.asked[0]([])
    assert (exchange.status, exchange.reason) == (
        502,
        "backend-unreachable: no address",
    )


def test_a_unix_socket_is_a_backend(make: Make, tmp_path: Path) -> None:
    backend = make(unix=tmp_path / "backend")
    exchange = backend.ask()
    backend.serve(backend.accept())
    assert backend.answered(exchange).body == b"ok"


def test_what_a_unix_backend_said_before_it_left_reaches_a_slow_client(
    make: Make, tmp_path: Path
) -> None:
    backend = make(unix=tmp_path / "backend")
    exchange = FakeExchange()
    exchange.full = True
    sink = backend.pool.forward(exchange, outgoing())
    sock = backend.accept()
    backend.serve(sock, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    until(backend.nest, lambda: exchange.said)
    sent = 0
    while sent < 100000:
        sent += sock.send(b"x" * (100000 - sent))
    sock.close()
    turn(backend.nest, 5)
    while not exchange.over:
        sink.resume()
        turn(backend.nest)
    assert exchange.said[-1] == "finish"
    assert len(exchange.body) == 100000


def test_closing_drops_idle_connections_and_the_others_as_they_end(
    make: Make,
) -> None:
    backend = make()
    idle, busy = backend.ask(), backend.ask()
    first, second = backend.accept(), backend.accept()
    backend.serve(first)
    backend.answered(idle)
    backend.pool.close()
    assert backend.pool.counts() == (1, 0)
    backend.serve(second)
    backend.answered(busy)
    assert backend.pool.counts() == (0, 0)
    backend.pass_time(1)


PKI = Pki.create()


def test_a_backend_that_speaks_no_tls_is_502(make: Make) -> None:
    context = build_client_context(ca=PKI.ca_pem)
    backend = make(kind="https", tls=context, server_name="backend.example")
    exchange = backend.ask()
    sock = backend.accept()
    until(backend.nest, lambda: read_all(sock))
    sock.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert backend.answered(exchange).reason.startswith("backend-tls: ")
    assert backend.pool.counts() == (0, 0)


def test_a_handshake_counts_as_connecting(make: Make) -> None:
    context = build_client_context(ca=PKI.ca_pem)
    backend = make(kind="https", tls=context, server_name="backend.example")
    exchange = backend.ask()
    sock = backend.accept()
    until(backend.nest, lambda: read_all(sock))
    backend.pass_time(6)
    assert exchange.reason == "backend-connect-timeout"
    assert backend.pool.counts() == (0, 0)
