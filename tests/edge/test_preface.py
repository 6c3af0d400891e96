"""The PROXY protocol header, before all else."""

import socket
import struct
from collections.abc import Callable
from time import monotonic

import pytest

from tests.support.doubles import status_of
from tests.support.listening import GET, Place, answer_from
from tests.support.sockets import turn, until

Make = Callable[..., Place]
LINE = b"PROXY TCP4 192.0.2.7 192.0.2.8 1000 443\r\n"


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@pytest.fixture
def proxied(make: Make) -> Place:
    return make(speaks_proxy=lambda _: True)


def peers(place: Place) -> list[str]:
    return [
        connection.facts.peer
        for connection in place.site.connections
        if hasattr(connection, "facts")
    ]


@pytest.mark.parametrize(
    "pieces", [[LINE + GET], [LINE, GET], [LINE[:9], LINE[9:] + GET]]
)
def test_the_clients_address_comes_first(proxied: Place, pieces: list[bytes]) -> None:
    client = proxied.connect()
    for piece in pieces:
        client.send(piece)
        turn(proxied.nest, 3)
    assert status_of(answer_from(proxied.nest, client)) == 200
    assert peers(proxied) == ["192.0.2.7"]


def test_a_check_by_the_proxy_itself_has_its_own_address(proxied: Place) -> None:
    client = proxied.connect()
    client.send(b"PROXY UNKNOWN\r\n")
    until(proxied.nest, lambda: peers(proxied) == ["127.0.0.1"])


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 nonsense\r\n"]
)
def test_something_else_instead_is_closed(proxied: Place, data: bytes) -> None:
    client = proxied.connect()
    client.send(data)
    until(proxied.nest, lambda: ended(client))
    assert proxied.open() == 0


def test_a_peer_that_leaves_before_its_header_is_whole_is_forgotten(
    proxied: Place,
) -> None:
    for sent in (b"", LINE[:9]):
        client = proxied.connect()
        client.send(sent)
        until(proxied.nest, lambda: proxied.open() == 1)
        turn(proxied.nest, 2)
        client.close()
        until(proxied.nest, lambda: proxied.open() == 0)


def test_half_a_header_keeps_nobody_busy(proxied: Place) -> None:
    client = proxied.connect()
    client.send(LINE[:9])
    until(proxied.nest, lambda: proxied.open() == 1)
    turn(proxied.nest, 3)
    (preface,) = proxied.site.connections
    events: list[int] = []
    told = getattr(preface, "on_event")  # noqa: B009
    proxied.nest._descriptors[_fd(proxied)] = _Spy(events, told)  # noqa: SLF001
    turn(proxied.nest, 5)
    assert events == []


def _fd(place: Place) -> int:
    return max(place.nest._descriptors)  # noqa: SLF001


class _Spy:
    def __init__(self, events: list[int], told: Callable[[int], None]) -> None:
        self.events, self.told = events, told

    def take_in(self) -> bool:
        return False

    def deliver(self) -> None:
        raise AssertionError("nothing was taken in")

    def on_event(self, events: int) -> None:
        self.events.append(events)
        self.told(events)

    def abort(self) -> None:
        pass


def test_a_reset_before_the_header_is_forgotten(proxied: Place) -> None:
    client = proxied.connect()
    until(proxied.nest, lambda: proxied.open() == 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    until(proxied.nest, lambda: proxied.open() == 0)


def test_silence_before_the_header_has_an_end(proxied: Place) -> None:
    proxied.connect()
    until(proxied.nest, lambda: proxied.open() == 1)
    proxied.site.drain()
    proxied.site.end_sessions(lambda _: True)
    proxied.site.close_idle()
    proxied.site.sweep(monotonic() + 9)
    assert proxied.open() == 1
    proxied.site.sweep(monotonic() + 11)
    assert proxied.open() == 0
