"""Streams on real sockets."""

import contextlib
import itertools
import select
import socket
import struct
import weakref
from collections.abc import Callable, Iterator

import pytest

from sso_proxy.net.dispatch import READ, WRITE
from sso_proxy.net.nest import Nest
from sso_proxy.net.stream import HIGH_WATER, SocketStream
from tests.support.sockets import (
    Heard,
    new_nest,
    read_all,
    tcp_pair,
    turn,
    unix_pair,
    until,
)

BIG = b"x" * (1 << 23)


class Ends:
    """A stream of ours and the peer's socket."""

    def __init__(self, kind: str) -> None:
        self.nest: Nest = new_nest()
        near, self.far = tcp_pair() if kind == "tcp" else unix_pair()
        self.heard = Heard()
        self.stream = SocketStream(self.nest, near, self.heard)
        self.near = near

    def turn(self, times: int = 3) -> None:
        turn(self.nest, times)

    def reset(self) -> None:
        """Let the peer reset the connection."""
        linger = struct.pack("ii", 1, 0)
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.far.close()


@pytest.fixture(params=["tcp", "unix"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    ends = Ends(request.param)
    yield ends
    ends.stream.abort()
    ends.far.close()
    ends.nest.close()


def test_what_arrives_is_told(ends: Ends) -> None:
    ends.far.send(b"hello")
    until(ends.nest, lambda: ends.heard.data)
    assert ends.heard.data == b"hello"


def test_what_is_written_is_sent_at_once(ends: Ends) -> None:
    ends.stream.write(b"hello")
    assert read_all(ends.far) == b"hello"
    assert ends.stream.progress == 5
    assert ends.stream.buffered == 0


def test_what_the_peer_does_not_take_waits_and_drained_is_said_once(
    ends: Ends,
) -> None:
    ends.stream.write(BIG)
    ends.stream.write(b"end")
    assert ends.stream.full
    waiting = ends.stream.buffered
    assert HIGH_WATER < waiting < len(BIG) + 3
    got = bytearray()

    def taken() -> bool:
        got.extend(read_all(ends.far))
        return len(got) == len(BIG) + 3

    until(ends.nest, taken)
    assert bytes(got) == BIG + b"end"
    ends.turn()
    assert ends.heard.said == ["drained"]
    assert ends.stream.buffered == 0
    assert ends.stream.progress == len(BIG) + 3


def test_drained_is_not_said_to_whom_did_not_ask(ends: Ends) -> None:
    ends.stream.write(BIG)
    until(ends.nest, lambda: (read_all(ends.far), not ends.stream.buffered)[1])
    ends.turn()
    assert ends.heard.said == []


def test_a_paused_stream_reads_nothing(ends: Ends) -> None:
    ends.stream.pause()
    ends.stream.pause()
    ends.far.send(b"hello")
    ends.turn()
    assert ends.heard.said == []
    ends.stream.resume()
    ends.stream.resume()
    until(ends.nest, lambda: ends.heard.data)


def test_the_end_is_told_once_even_if_read_on(ends: Ends) -> None:
    ends.far.shutdown(socket.SHUT_WR)
    until(ends.nest, lambda: ends.heard.said)
    assert ends.stream.ended
    ends.stream.resume()
    ends.turn()
    assert ends.heard.said == ["eof"]
    ends.stream.write(b"still here")
    assert read_all(ends.far) == b"still here"


def test_what_a_peer_said_last_is_read_although_it_is_gone(ends: Ends) -> None:
    """A unix socket's hang-up is told at once, with octets before it unread."""
    ends.stream.pause()
    ends.stream.half_close()
    ends.far.send(b"last words")
    ends.far.close()
    ends.turn(5)
    assert ends.heard.said == []
    ends.stream.resume()
    until(ends.nest, lambda: "eof" in ends.heard.said)
    assert ends.heard.data == b"last words"
    until(ends.nest, lambda: ends.heard.reason)


def test_a_parked_stream_costs_nothing_and_can_be_closed(ends: Ends) -> None:
    ends.stream.pause()
    ends.stream.half_close()
    ends.far.close()
    ends.turn(2)
    assert select.select([ends.nest], [], [], 0)[0] == []
    ends.stream.pause()
    ends.stream.close()
    assert ends.heard.said == ["lost"]


def test_writing_to_a_parked_stream_finds_out(ends: Ends) -> None:
    ends.stream.pause()
    ends.far.close()
    ends.turn(2)
    ends.stream.write(b"x")
    ends.stream.write(b"x")
    assert ends.heard.said == []
    until(ends.nest, lambda: ends.heard.reason)
    assert ends.heard.said == ["lost"]


def test_a_failed_write_is_told_later_and_once(ends: Ends) -> None:
    ends.stream.pause()
    ends.far.close()
    for _ in range(5):
        ends.stream.write(BIG[:100000])
    assert ends.heard.said == []
    until(ends.nest, lambda: ends.heard.reason)
    ends.turn()
    assert ends.heard.said == ["lost"]
    ends.stream.write(b"nothing happens")
    ends.stream.close()
    ends.stream.abort()
    assert ends.heard.said == ["lost"]


def test_a_failed_stream_counts_as_readable(ends: Ends) -> None:
    assert not ends.stream.readable_now()
    ends.far.send(b"x")
    assert ends.stream.readable_now()
    until(ends.nest, lambda: ends.heard.data)
    assert not ends.stream.readable_now()
    ends.far.close()
    assert ends.stream.readable_now()
    ends.stream.abort()
    assert ends.stream.readable_now()


def test_a_reset_is_told(ends: Ends) -> None:
    ends.stream.write(b"unread")
    ends.reset()
    until(ends.nest, lambda: ends.heard.said)
    if "lost" not in ends.heard.said:  # a unix socket only ends
        assert ends.heard.said == ["eof"]


def test_a_reset_is_told_while_paused() -> None:
    ends = Ends("tcp")
    ends.stream.pause()
    ends.reset()
    until(ends.nest, lambda: ends.heard.reason)
    assert ends.heard.said == ["lost"]
    ends.nest.close()


def test_closing_sends_what_waits_first(ends: Ends) -> None:
    ends.stream.write(BIG)
    ends.stream.close()
    ends.stream.resume()
    ends.far.send(b"not read any more")
    got = bytearray()

    def closed() -> bool:
        with contextlib.suppress(ConnectionResetError):
            got.extend(read_all(ends.far))
        return ends.stream.closed

    until(ends.nest, closed)
    with contextlib.suppress(ConnectionResetError):
        got.extend(read_all(ends.far))
    assert len(got) > len(BIG) - (1 << 20) * 8
    assert ends.heard.said == ["lost"]
    assert ends.heard.reason == "closed"


def test_closing_with_nothing_to_send_is_at_once(ends: Ends) -> None:
    ends.stream.close()
    assert ends.heard.reason == "closed"
    assert ends.far.recv(1) == b""


def test_half_closing_sends_what_waits_and_reads_on(ends: Ends) -> None:
    ends.stream.write(BIG)
    ends.stream.half_close()
    ends.stream.half_close()
    ends.far.send(b"still read")
    got = bytearray()

    def at_end() -> bool:
        try:
            piece = ends.far.recv(1 << 20)
        except BlockingIOError:
            return False
        got.extend(piece)
        return not piece

    until(ends.nest, at_end)
    assert bytes(got) == BIG
    until(ends.nest, lambda: ends.heard.data)
    assert ends.heard.data == b"still read"
    ends.stream.abort()
    assert ends.heard.reason == "aborted"


def test_half_closing_what_is_reset_is_told_later() -> None:
    ends = Ends("tcp")
    ends.reset()
    ends.stream.half_close()
    assert ends.heard.said == []
    until(ends.nest, lambda: ends.heard.reason)
    ends.nest.close()


def test_aborting_resets() -> None:
    ends = Ends("tcp")
    ends.stream.write(BIG)
    ends.stream.abort()
    assert ends.heard.said == ["lost"]
    with pytest.raises(ConnectionResetError):
        read_all(ends.far)
    ends.far.close()
    ends.nest.close()


def test_a_handler_may_close_from_within_its_callbacks(ends: Ends) -> None:
    ends.heard.on_data = lambda _: ends.stream.close()
    ends.far.send(b"x")
    until(ends.nest, lambda: ends.heard.reason)
    assert ends.heard.said == ["data", "lost"]


def peek(sock: socket.socket) -> bytes:
    """Give what has arrived at *sock*, without waiting."""
    sock.setblocking(False)
    try:
        return sock.recv(1 << 20, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


def test_what_is_small_and_written_in_an_event_is_sent_after_the_batch(
    ends: Ends,
) -> None:
    seen = []

    def answer(_: bytes) -> None:
        ends.stream.write(b"one ")
        ends.stream.write(b"two")
        seen.append(peek(ends.far))
        assert ends.stream.buffered == 7

    ends.heard.on_data = answer
    ends.far.send(b"x")
    until(ends.nest, lambda: ends.heard.data)
    assert seen == [b""]
    assert peek(ends.far) == b"one two"
    assert (ends.stream.buffered, ends.stream.progress) == (0, 7)


@pytest.mark.parametrize("pieces", [(20000,), (9000, 9000)])
def test_what_is_large_is_sent_at_once(ends: Ends, pieces: tuple[int, ...]) -> None:
    left = []

    def answer(_: bytes) -> None:
        for size in pieces:
            ends.stream.write(b"x" * size)
        left.append(ends.stream.buffered)

    ends.heard.on_data = answer
    ends.far.send(b"x")
    until(ends.nest, lambda: ends.heard.data)
    assert left == [0]
    assert ends.stream.progress == sum(pieces)


@pytest.mark.parametrize("end", ["close", "abort", "half_close"])
def test_what_was_written_before_an_end_in_the_same_event_is_sent(
    ends: Ends, end: str
) -> None:
    def answer(_: bytes) -> None:
        ends.stream.write(b"last")
        getattr(ends.stream, end)()

    ends.heard.on_data = answer
    ends.far.send(b"x")
    until(ends.nest, lambda: ends.heard.data)
    ends.far.settimeout(5)
    assert ends.stream.progress == 4 or end == "abort"
    if end != "abort":  # a reset may overtake it
        assert read_all(ends.far) == b"last"
        assert ends.far.recv(1) == b""


def test_what_the_peer_does_not_take_after_a_batch_is_sent_later(ends: Ends) -> None:
    ends.stream.write(BIG)
    size = ends.stream.buffered
    ends.heard.on_data = lambda _: ends.stream.write(b"end")
    ends.far.send(b"x")
    until(ends.nest, lambda: ends.heard.data)
    assert ends.stream.buffered == size + 3


def test_a_stream_that_is_gone_lets_go_of_its_handler(ends: Ends) -> None:
    """Who has the stream is freed at once, not when cycles are sought."""
    ends.stream.abort()
    assert ends.heard.said == ["lost"]
    gone = weakref.ref(ends.heard)
    del ends.heard
    assert gone() is None
    ends.stream.abort()


class Two:
    """Two streams of one nest, whose peers have both sent something."""

    def __init__(self) -> None:
        self.nest = new_nest()
        self.pairs = [unix_pair() for _ in range(2)]
        self.heard = [Heard(), Heard()]
        self.streams = [
            SocketStream(self.nest, near, heard)
            for (near, _), heard in zip(self.pairs, self.heard, strict=True)
        ]
        for _, far in self.pairs:
            far.send(b"x")

    def first_tells(self, act: Callable[[SocketStream], None]) -> Heard:
        """Let whoever hears first *act* on the other; give the other's handler."""
        told: list[int] = []

        def hear(mine: int) -> None:
            told.append(mine)
            if len(told) == 1:
                act(self.streams[1 - mine])

        self.heard[0].on_data = lambda _: hear(0)
        self.heard[1].on_data = lambda _: hear(1)
        self.nest.doRead()
        return self.heard[1 - told[0]]

    def close(self) -> None:
        for stream in self.streams:
            stream.abort()
        for _, far in self.pairs:
            far.close()
        self.nest.close()


@pytest.fixture
def two() -> Iterator[Two]:
    two = Two()
    yield two
    two.close()


def test_what_was_taken_in_is_told_after_a_pause(two: Two) -> None:
    assert two.first_tells(lambda other: other.pause()).data == b"x"


@pytest.mark.parametrize("end", [SocketStream.close, SocketStream.abort])
def test_what_was_taken_in_is_not_told_after_an_end(
    two: Two, end: Callable[[SocketStream], None]
) -> None:
    other = two.first_tells(end)
    assert (other.data, other.said) == (b"", ["lost"])


def test_what_was_taken_in_is_news(two: Two) -> None:
    seen = []

    def look(other: SocketStream) -> None:
        seen.append((other.unheard, other.readable_now()))

    two.first_tells(look)
    assert seen == [(True, True)]
    assert not any(stream.unheard for stream in two.streams)


def test_events_that_mean_nothing_do_nothing(ends: Ends) -> None:
    ends.stream.on_event(READ)
    ends.stream.on_event(WRITE)
    assert ends.heard.said == []


OPERATIONS = ("write", "big", "pause", "resume", "half_close", "peer", "peer_end")


@pytest.mark.parametrize("last", ["close", "abort", "peer_close"])
@pytest.mark.parametrize("first", list(itertools.permutations(OPERATIONS, 2)))
def test_whatever_happens_the_end_is_told_once(
    ends: Ends, first: tuple[str, ...], last: str
) -> None:
    for operation in (*first, last):
        match operation:
            case "write":
                ends.stream.write(b"x")
            case "big":
                ends.stream.write(BIG)
            case "peer":
                with contextlib.suppress(OSError):
                    ends.far.send(b"y")
            case "peer_end":
                with contextlib.suppress(OSError):
                    ends.far.shutdown(socket.SHUT_WR)
            case "peer_close":
                ends.far.close()
                ends.stream.resume()
            case _:
                getattr(ends.stream, operation)()
        ends.turn(2)
    if ends.far.fileno() >= 0:
        ends.far.close()
    ends.turn(2)
    if not ends.stream.closed:
        ends.stream.abort()
    assert ends.heard.said.count("lost") == 1
    assert ends.heard.said[-1] == "lost"
    assert ends.heard.said.count("eof") <= 1
    assert ends.stream.buffered == 0


def test_a_hang_up_after_the_end_was_read_is_the_end(ends: Ends) -> None:
    ends.far.shutdown(socket.SHUT_WR)
    until(ends.nest, lambda: ends.heard.said)
    ends.stream.half_close()
    ends.far.close()
    until(ends.nest, lambda: ends.heard.reason)
    assert ends.heard.said == ["eof", "lost"]


def test_gone_while_something_waits_to_be_written_is_found_by_the_write(
    ends: Ends,
) -> None:
    ends.stream.pause()
    ends.stream.write(BIG)
    ends.far.close()
    until(ends.nest, lambda: ends.heard.reason)
    assert ends.heard.said == ["lost"]
