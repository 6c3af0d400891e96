"""Where there is no epoll, any reactor serves."""

import contextlib
import http.client
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import TestCase

from sso_proxy.net.connect import Connector
from sso_proxy.net.dispatch import ONCE, READ, WRITE
from sso_proxy.net.nest import Nest
from sso_proxy.net.reactor_nest import ReactorNest, open_nest
from sso_proxy.net.stream import SocketStream
from sso_proxy.testing.pki import Pki
from tests.support.programs import Backend, RealProxy, read_request

PROGRAM = (str(Path(__file__).parents[1] / "support" / "without_epoll.py"),)
LARGE = 8 * 1024 * 1024


class Told:
    """A descriptor that remembers what it was told."""

    def __init__(self, act: Callable[[int], None] | None = None) -> None:
        self.events: list[int] = []
        self.aborted = 0
        self._act = act

    def take_in(self) -> bool:
        return False

    def deliver(self) -> None:
        raise AssertionError("nothing was taken in")

    def on_event(self, events: int) -> None:
        self.events.append(events)
        if self._act is not None:
            self._act(events)

    def abort(self) -> None:
        self.aborted += 1


class Kept:
    """A stream's handler that keeps all it hears."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False
        self.drains = 0
        self.lost = ""

    def data_received(self, data: bytes) -> None:
        self.data += data

    def eof_received(self) -> None:
        self.ended = True

    def drained(self) -> None:
        self.drains += 1

    def connection_lost(self, reason: str) -> None:
        self.lost = reason


@attrs.frozen
class Place:
    """A reactor of the test's own, with a nest and both ends of a connection."""

    reactor: Any
    nest: ReactorNest
    ours: socket.socket
    theirs: socket.socket

    def turn(self, times: int = 3) -> None:
        """Let the reactor look at everything a few times."""
        for _ in range(times):
            self.reactor.iterate(0)

    def until(self, true: Callable[[], bool]) -> None:
        """Let the reactor run until *true* says so."""
        end = time.monotonic() + 5
        while not true():
            assert time.monotonic() < end
            self.reactor.iterate(0.01)

    def watch(self, events: int, act: Callable[[int], None] | None = None) -> Told:
        """Watch our end."""
        told = Told(act)
        self.nest.watch(self.ours.fileno(), events, told)
        return told


def _tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    ours.setblocking(False)
    return ours, theirs


@contextlib.contextmanager
def _running(reactor: Any) -> Iterator[Any]:  # noqa: ANN401
    """Give *reactor* as if it ran, beside the tests' own."""
    reactor.startRunning(installSignalHandlers=False)
    yield reactor
    for reader in list(reactor._internalReaders):  # noqa: SLF001 - as Twisted's tests
        reactor.removeReader(reader)
        reader.connectionLost(None)


@pytest.fixture(params=[PollReactor, SelectReactor])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    ours, theirs = _tcp_pair()
    with ours, theirs, _running(request.param()) as reactor:
        nest = ReactorNest(reactor)
        yield Place(reactor, nest, ours, theirs)
        nest.close()


def test_what_can_be_read_is_told_until_it_is_read(place: Place) -> None:
    told = place.watch(READ)
    place.turn()
    assert told.events == []
    place.theirs.send(b"x")
    place.until(lambda: len(told.events) > 1)
    assert set(told.events) == {READ}


def test_room_to_write_is_told_only_when_it_is_asked_for(place: Place) -> None:
    told = place.watch(READ)
    place.turn()
    place.nest.change(place.ours.fileno(), READ | WRITE)
    place.until(lambda: told.events != [])
    place.nest.change(place.ours.fileno(), READ)
    told.events.clear()
    place.turn()
    assert told.events == []


def test_a_change_before_the_first_turn_counts(place: Place) -> None:
    told = place.watch(WRITE)
    place.nest.change(place.ours.fileno(), READ)
    place.turn()
    assert told.events == []


def test_nothing_is_told_about_a_forgotten_descriptor(place: Place) -> None:
    told = place.watch(READ | WRITE)
    place.nest.forget(place.ours.fileno())
    place.turn()
    other = place.watch(READ)
    place.turn()
    place.nest.forget(place.ours.fileno())
    place.theirs.send(b"x")
    place.turn()
    assert told.events == other.events == []


def test_forgetting_within_an_event_ends_the_events(place: Place) -> None:
    """Readable and writable in one turn: the second is not told any more."""
    place.theirs.send(b"x")
    told = place.watch(READ | WRITE, lambda _: place.nest.forget(place.ours.fileno()))
    place.until(lambda: told.events != [])
    place.turn()
    assert len(told.events) == 1


def test_a_new_descriptor_hears_nothing_of_the_old_with_its_number(
    place: Place,
) -> None:
    """Both are ready in one turn; the first puts another in the second's place."""
    ours, theirs = _tcp_pair()
    place.theirs.send(b"x")
    theirs.send(b"x")
    fresh = Told()
    old: dict[int, Told] = {}
    quiet, _other_end = _tcp_pair()

    def replace(number: int) -> None:
        [second] = old.keys() - {number}
        for fd in (number, second):
            place.nest.forget(fd)
        os.dup2(quiet.fileno(), second)
        place.nest.watch(second, READ, fresh)

    for sock in (place.ours, ours):
        fd = sock.fileno()
        old[fd] = Told(lambda _, fd=fd: replace(fd))  # type: ignore[misc]
        place.nest.watch(fd, READ, old[fd])
    place.until(lambda: any(told.events for told in old.values()))
    place.turn()
    assert sum(len(told.events) for told in old.values()) == 1
    assert fresh.events == []
    for sock in (ours, theirs, quiet, _other_end):
        sock.close()


def test_what_is_told_once_is_told_again_only_after_a_pause(place: Place) -> None:
    """Taking a look leaves the data there, and must not make the reactor spin."""
    place.theirs.send(b"x")
    told = place.watch(READ | ONCE)
    place.until(lambda: told.events != [])
    place.turn(20)
    assert len(told.events) == 1
    place.until(lambda: len(told.events) == 2)
    place.nest.forget(place.ours.fileno())
    place.reactor.iterate(0.1)
    place.turn()
    assert len(told.events) == 2


def test_a_reset_is_told_as_what_is_wanted(place: Place) -> None:
    told = place.watch(WRITE)
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    place.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    place.theirs.close()
    place.until(lambda: len(told.events) > 1)
    assert set(told.events) == {WRITE}


def test_a_refused_connection_is_told_to_whoever_connects(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    failed: list[str] = []
    address = (socket.AF_INET, ("127.0.0.1", port))
    Connector(place.nest, [address], lambda _: None, failed.append).start()
    place.until(lambda: failed != [])
    assert failed == ["Connection refused"]


def test_a_stream_carries_more_than_the_sockets_hold(place: Place) -> None:
    sender, receiver = Kept(), Kept()
    data = os.urandom(LARGE)
    place.theirs.setblocking(False)
    into = SocketStream(place.nest, place.theirs, receiver)
    out = SocketStream(place.nest, place.ours, sender)
    out.write(data)
    assert out.full
    out.close()
    place.until(lambda: receiver.ended)
    assert receiver.data == data
    assert sender.lost == "closed"
    assert sender.drains == 0
    into.abort()


def test_a_paused_stream_keeps_what_came_before_the_end(place: Place) -> None:
    kept = Kept()
    stream = SocketStream(place.nest, place.ours, kept)
    stream.pause()
    place.theirs.send(b"last words")
    place.theirs.close()
    place.turn()
    assert (kept.data, kept.lost) == (b"", "")
    stream.resume()
    place.until(lambda: kept.ended)
    assert kept.data == b"last words"
    stream.abort()


def test_a_stream_that_was_reset_is_lost_when_it_writes(place: Place) -> None:
    kept = Kept()
    stream = SocketStream(place.nest, place.ours, kept)
    stream.pause()
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    place.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    place.theirs.close()
    place.turn()
    assert kept.lost == ""
    stream.write(b"x")
    place.until(lambda: kept.lost != "")
    assert stream.closed


def test_this_system_has_its_epoll_used() -> None:
    with _running(PollReactor()) as reactor:
        nest = open_nest(reactor)
        assert isinstance(nest, Nest)
        nest.close()


class FailingDescriptorTests(TestCase):
    def test_a_descriptor_that_raises_is_aborted(self) -> None:
        def fail(_: int) -> None:
            raise ValueError("ours")

        told = Told(fail)
        ours, theirs = _tcp_pair()
        with ours, theirs, _running(SelectReactor()) as reactor:
            nest = ReactorNest(reactor)
            nest.watch(ours.fileno(), WRITE, told)
            for _ in range(3):
                reactor.iterate(0)
            nest.close()
        assert told.aborted == len(self.flushLoggedErrors(ValueError)) > 0


CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"
proxy_protocol = ["127.0.0.2"]

[[route]]
host = "*"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:{port}"
"""


def _echo(sock: socket.socket, _number: int) -> None:
    """Answer each request with what it brought."""
    while request := read_request(sock):
        body = request.partition(b"\r\n\r\n")[2]
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        sock.sendall(body)


@pytest.fixture(scope="module", params=["poll", "select"])
def proxy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealProxy]:
    directory = tmp_path_factory.mktemp(request.param)
    pki = Pki.create()
    pki.write(directory)
    pki.issue("localhost", dns=["localhost"]).write(directory, "server")
    with (
        Backend(_echo) as backend,
        RealProxy(directory, CONFIG.format(port=backend.port)) as proxy,
    ):
        options = (f"--reactor={request.param}", "--nodaemon", "--pidfile=")
        proxy.start(*options, program=PROGRAM).wait_until_serving()
        yield proxy


def _connect(proxy: RealProxy, scheme: str) -> http.client.HTTPConnection:
    plain, secure = proxy.ports
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", plain, timeout=10)
    context = ssl.create_default_context(cafile=str(proxy.directory / "ca.crt"))
    return http.client.HTTPSConnection("localhost", secure, timeout=10, context=context)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_requests_of_all_sizes_are_served(proxy: RealProxy, scheme: str) -> None:
    connection = _connect(proxy, scheme)
    for size in (0, 1, 70_000, LARGE):
        body = os.urandom(size)
        connection.request("POST", "/", body=body)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.read() == body
    connection.close()


def test_an_address_in_pieces_is_read_before_tls(proxy: RealProxy) -> None:
    _, port = proxy.ports
    context = ssl.create_default_context(cafile=str(proxy.directory / "ca.crt"))
    sock = socket.create_connection(
        ("127.0.0.1", port), timeout=10, source_address=("127.0.0.2", 0)
    )
    sock.sendall(b"PROXY TCP4 192.0.2.7 ")
    time.sleep(0.1)
    sock.sendall(b"127.0.0.1 1 2\r\n")
    with context.wrap_socket(sock, server_hostname="localhost") as secure:
        secure.sendall(b"GET /piece HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert secure.recv(15) == b"HTTP/1.1 200 OK"
    proxy.wait_for_record("192.0.2.7")


def test_there_is_no_epoll_in_it(proxy: RealProxy) -> None:
    files = Path(f"/proc/{proxy.pid}/fd").iterdir()
    assert not [file for file in files if "eventpoll" in str(file.readlink())]
