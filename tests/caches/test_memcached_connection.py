"""A server's words are taken only as the answer to what it was asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from sso_proxy.caches.memcached_connection import LONGEST, Connection
from sso_proxy.errors import UnavailableError
from sso_proxy.testing import outcome_of

GOOD = {
    ("get", b"k"): (b"VALUE k 0 2\r\nv1\r\nEND\r\n", (0, b"v1")),
    ("get", b"k", True): (b"VALUE k 0 2 7\r\nv1\r\nEND\r\n", (0, b"7", b"v1")),
    ("set", b"k", b"v"): (b"STORED\r\n", True),
    ("add", b"k", b"v"): (b"NOT_STORED\r\n", False),
    ("checkAndSet", b"k", b"v", b"7"): (b"EXISTS\r\n", False),
    ("delete", b"k"): (b"DELETED\r\n", True),
    ("touch", b"k", 60): (b"TOUCHED\r\n", True),
    ("version",): (b"VERSION 1.6\r\n", b"1.6"),
    ("stats",): (b"STAT time 5\r\nSTAT a b\r\nEND\r\n", {b"time": b"5", b"a": b"b"}),
}


class Peer:
    """A connection, and what is at its other end."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport: Any = StringTransport()
        self.connection = Connection("server", self.clock)
        self.connection.makeConnection(self.transport)
        self.lost = 0
        self.connection.on_lost = self._lost

    def _lost(self) -> None:
        self.lost += 1

    def ask(self, *command: Any, within: float = 1.0) -> Deferred[Any]:  # noqa: ANN401
        return self.connection.ask(self.clock.seconds() + within, *command)

    def fails(self, answer: Deferred[Any]) -> str:
        """Give why *answer* has failed."""
        with pytest.raises(UnavailableError) as caught:
            outcome_of(answer)
        return caught.value.what

    @property
    def is_over(self) -> bool:
        ended: bool = self.transport.disconnecting
        assert ended == bool(self.connection.lost)
        assert self.lost == ended
        assert not self.clock.getDelayedCalls() or not ended
        return ended


@pytest.mark.parametrize("command", GOOD, ids=str)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_good_answers_are_understood_however_they_are_cut(
    command: tuple[Any, ...], size: int
) -> None:
    peer, (octets, expected) = Peer(), GOOD[command]
    answers = [peer.ask(*command) for _ in range(3)]
    for start in range(0, 3 * len(octets), size):
        peer.connection.dataReceived((3 * octets)[start : start + size])
    assert [outcome_of(answer) for answer in answers] == [expected] * 3
    assert not peer.is_over


@pytest.mark.parametrize("command", GOOD, ids=str)
def test_another_commands_answer_ends_the_connection(command: tuple[Any, ...]) -> None:
    right = GOOD[command][0].split()[0]
    # One more that reads the same to a client that does not know what it asked.
    fitting = {b"STORED", b"NOT_STORED", b"EXISTS", right}
    for octets, _ in GOOD.values():
        if octets.split()[0] in fitting:
            continue
        peer = Peer()
        first, second = peer.ask(*command), peer.ask("version")
        peer.connection.dataReceived(octets)
        assert "server: " in peer.fails(first)
        assert "server: " in peer.fails(second)
        assert peer.is_over


@pytest.mark.parametrize(
    "octets",
    [
        b"\xff\xfe\r\n",
        b"\r\n",
        b"5\r\n",
        b"VALUE\r\n",
        b"VALUE k\r\n",
        b"VALUE other 0 1\r\nx\r\nEND\r\n",
        b"VALUE k 0 -5\r\n12345\r\nEND\r\n",
        b"VALUE k 0 1_0\r\n1234567890\r\nEND\r\n",
        b"VALUE k x 1\r\nx\r\nEND\r\n",
        b"VALUE k 0 1\r\nxEND\r\n\r\n",
        b"VALUE k 0 1\r\nxyzEND\r\n",
        b"VALUE k 0 1\r\nx\r\nVALUE k 0 1\r\nx\r\nEND\r\n",
        b"VALUE k 0 %d\r\n" % (LONGEST + 1),
        b"END with more\r\n",
        b"lineReceived\r\n",
        b"x" * 5000,
    ],
)
def test_what_is_no_answer_ends_the_connection(octets: bytes) -> None:
    peer = Peer()
    answer = peer.ask("get", b"k")
    peer.connection.dataReceived(octets)
    assert "server: " in peer.fails(answer)
    assert peer.is_over
    peer.connection.dataReceived(b"END\r\n")  # what was under way still comes
    with pytest.raises(UnavailableError, match="server: "):
        peer.ask("get", b"k")


@given(st.lists(st.sampled_from([*b"VALUE kEND0 1\r\n\xffx"]), max_size=60))
def test_no_octets_leave_anybody_waiting_for_ever(octets: list[int]) -> None:
    peer = Peer()
    answers = [peer.ask("get", b"k"), peer.ask("set", b"k", b"v")]
    peer.connection.dataReceived(bytes(octets))
    peer.clock.advance(1)
    for answer in answers:
        assert answer.called
        answer.addErrback(lambda failure: failure.trap(UnavailableError))
    assert peer.is_over


def test_what_nobody_asked_for_ends_the_connection() -> None:
    peer = Peer()
    peer.connection.dataReceived(b"VERSION 1\r\n")
    assert peer.is_over


def test_an_answer_without_end_ends_the_connection() -> None:
    peer = Peer()
    answer = peer.ask("stats")
    for _ in range(1100):
        peer.connection.dataReceived(b"STAT a b\r\n")
    assert "without end" in peer.fails(answer)
    assert peer.is_over


def test_a_servers_own_trouble_is_that_commands_alone() -> None:
    peer = Peer()
    first, second = peer.ask("set", b"k", b"v"), peer.ask("version")
    peer.connection.dataReceived(b"SERVER_ERROR out of memory\r\nVERSION 1\r\n")
    assert "out of memory" in peer.fails(first)
    assert outcome_of(second) == b"1"
    assert not peer.is_over


@pytest.mark.parametrize("octets", [b"ERROR\r\n", b"CLIENT_ERROR bad data\r\n"])
def test_a_server_that_does_not_understand_us_is_left(octets: bytes) -> None:
    """Nobody knows where it takes the next command to begin."""
    peer = Peer()
    answer = peer.ask("set", b"k", b"v")
    peer.connection.dataReceived(octets)
    assert "ERROR" in peer.fails(answer)
    assert peer.is_over


def test_an_answer_that_is_late_ends_the_connection() -> None:
    peer = Peer()
    first, second = peer.ask("get", b"k"), peer.ask("get", b"k", within=5)
    peer.clock.advance(0.9)
    peer.connection.dataReceived(b"VALUE k 0 100\r\nx")
    assert not peer.is_over
    peer.clock.advance(0.2)
    assert "in time" in peer.fails(first)
    assert "in time" in peer.fails(second)
    assert peer.is_over


def test_answers_in_time_keep_the_connection() -> None:
    peer = Peer()
    for _ in range(20):
        answer = peer.ask("version")
        peer.clock.advance(0.3)
        peer.connection.dataReceived(b"VERSION 1\r\n")
        assert outcome_of(answer) == b"1"
    peer.clock.advance(100)
    assert not peer.is_over


def test_who_no_longer_waits_takes_nobody_elses_answer() -> None:
    peer = Peer()
    first, second = peer.ask("get", b"k"), peer.ask("version")
    first.addErrback(lambda _: None)
    first.cancel()
    peer.connection.dataReceived(b"VALUE k 0 1\r\nx\r\nEND\r\nVERSION 1\r\n")
    assert outcome_of(second) == b"1"
    assert not peer.is_over


def test_the_end_of_a_connection_is_told_to_all() -> None:
    peer = Peer()
    answers = [peer.ask("version") for _ in range(3)]
    peer.connection.connectionLost()
    assert all("ConnectionDone" in peer.fails(answer) for answer in answers)
    assert peer.lost == 1
    peer.connection.end("again")
    assert peer.lost == 1
