"""One address after the other, until one answers."""

import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_proxy.net.connect import Address, Connector
from sso_proxy.net.nest import Nest
from tests.support.sockets import new_nest, turn, until


@pytest.fixture
def nest() -> Iterator[Nest]:
    nest = new_nest()
    yield nest
    nest.close()


class Outcome:
    """What a connector told."""

    def __init__(self, nest: Nest, *addresses: Address) -> None:
        self.sockets: list[socket.socket] = []
        self.reasons: list[str] = []
        self.connector = Connector(
            nest, addresses, self.sockets.append, self.reasons.append
        )

    def __bool__(self) -> bool:
        return bool(self.sockets or self.reasons)


def closed_port() -> Address:
    """Give an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.AF_INET, server.getsockname()[:2]


def test_it_connects(nest: Nest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = Outcome(nest, (socket.AF_INET, server.getsockname()))
        outcome.connector.start()
        assert not outcome
        until(nest, lambda: outcome)
        (sock,) = outcome.sockets
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        sock.close()


def test_the_next_address_is_tried(nest: Nest) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        good = (socket.AF_INET, server.getsockname())
        outcome = Outcome(nest, closed_port(), good)
        outcome.connector.start()
        until(nest, lambda: outcome)
        assert outcome.sockets[0].getpeername() == server.getsockname()
        outcome.sockets[0].close()


def test_when_none_answers_the_last_reason_is_told(nest: Nest) -> None:
    outcome = Outcome(nest, closed_port(), closed_port())
    outcome.connector.start()
    until(nest, lambda: outcome)
    assert outcome.reasons == ["Connection refused"]


def test_no_address_is_a_reason(nest: Nest) -> None:
    outcome = Outcome(nest)
    outcome.connector.start()
    assert outcome.reasons == ["no address"]


def test_a_unix_socket_that_is_not_there_is_a_reason(
    nest: Nest, tmp_path: Path
) -> None:
    outcome = Outcome(nest, (socket.AF_UNIX, str(tmp_path / "none")))
    outcome.connector.start()
    assert outcome.reasons == ["No such file or directory"]


def test_a_unix_socket_connects(nest: Nest, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        outcome = Outcome(nest, (socket.AF_UNIX, path))
        outcome.connector.start()
        until(nest, lambda: outcome)
        outcome.sockets[0].close()


def test_giving_up_tells_nobody(nest: Nest) -> None:
    outcome = Outcome(nest, closed_port())
    outcome.connector.start()
    outcome.connector.abort()
    outcome.connector.abort()
    turn(nest, 3)
    outcome.connector.on_event(0)
    assert not outcome


def test_without_descriptors_left_it_fails_and_does_not_raise(nest: Nest) -> None:
    address = closed_port()
    outcome = Outcome(nest, address)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as last:
        used = last.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    try:
        outcome.connector.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert outcome.reasons == ["Too many open files"]
