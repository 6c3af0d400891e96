"""Conversations with one backend connection, and every input in every state."""

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.specs.http.websocket import accept_for
from sso_proxy.upstream import Exchange
from sso_proxy.upstream.connection import BackendConnection
from sso_proxy.upstream.request import Outgoing
from tests.support.doubles import FakeStream
from tests.support.exchanges import KEY, FakeExchange, outgoing

SWITCH = (
    b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept_for(KEY).encode()
)


class FakePool:
    """Keeps what is told about connections."""

    name = "http://127.0.0.1:8080"
    response_timeout = 60.0

    def __init__(self) -> None:
        self.time = 1000.0
        self.released: list[BackendConnection] = []
        self.lost: list[BackendConnection] = []
        self.replayed: list[BackendConnection] = []

    def now(self) -> float:
        return self.time

    def release(self, connection: BackendConnection) -> None:
        self.released.append(connection)

    def dropped(self, connection: BackendConnection) -> None:
        self.lost.append(connection)

    def replay(self, exchange: Exchange, outgoing: Outgoing) -> BackendConnection:
        again = BackendConnection(self)
        again.start(exchange, outgoing)
        self.replayed.append(again)
        return again


class Talk:
    """One backend connection under test."""

    def __init__(
        self,
        asked: Outgoing | None = None,
        *,
        connected: bool = True,
        reused: bool = False,
    ) -> None:
        self.pool = FakePool()
        self.connection = BackendConnection(self.pool)
        self.stream = FakeStream(self.connection)
        self.exchange = FakeExchange()
        self.connection.reused = reused
        self.connection.start(self.exchange, asked or outgoing())
        if connected:
            self.connection.connected(self.stream)

    def hear(self, *pieces: bytes) -> FakeExchange:
        self.stream.receive(*pieces)
        return self.exchange

    def is_full(self) -> bool:
        return self.connection.full

    @property
    def kept(self) -> bool:
        return self.pool.released == [self.connection] and not self.stream.closed


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TO_CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"


# Every input in every state


def connecting() -> Talk:
    return Talk(connected=False)


def waiting() -> Talk:
    return Talk()


def waiting_reused() -> Talk:
    return Talk(reused=True)


def sending() -> Talk:
    return Talk(outgoing("POST", body=True))


def in_head() -> Talk:
    talk = Talk(reused=True)
    talk.hear(b"HTTP/1.1 2")
    return talk


def in_length() -> Talk:
    talk = Talk()
    talk.hear(LENGTH + b"ab")
    return talk


def in_chunks() -> Talk:
    talk = Talk()
    talk.hear(CHUNKED + b"2\r\nab\r\n")
    return talk


def until_close() -> Talk:
    talk = Talk()
    talk.hear(TO_CLOSE + b"ab")
    return talk


def idle() -> Talk:
    talk = Talk()
    talk.hear(LENGTH + b"abcde")
    return talk


def gone() -> Talk:
    talk = idle()
    talk.stream.lose()
    return talk


def garbage(talk: Talk) -> None:
    talk.stream.receive(b"\x00\r\n\r\n")


def eof(talk: Talk) -> None:
    talk.stream.end()


def drained(talk: Talk) -> None:
    talk.stream.drain()


def lost(talk: Talk) -> None:
    talk.stream.lose()


def expire(talk: Talk) -> None:
    talk.connection.expire()


def abandon(talk: Talk) -> None:
    talk.connection.abandon()


def resume(talk: Talk) -> None:
    talk.connection.resume()


def abort(talk: Talk) -> None:
    talk.connection.abort()


STATES = [
    *(connecting, waiting, waiting_reused, sending, in_head, in_length, in_chunks),
    *(until_close, idle, gone),
]
INPUTS = [garbage, eof, drained, lost, expire, abandon, resume, abort]
UNDER_WAY = [in_length, in_chunks, until_close]
BEFORE = [waiting, waiting_reused, sending, in_head]
# The last that the exchange is told, where that is anything new.
EXPECTED: dict[tuple[object, object], str] = {
    **{(state, lost): "cut" for state in UNDER_WAY},
    **{(state, abort): "cut" for state in UNDER_WAY},
    **{(state, expire): "cut" for state in UNDER_WAY},
    **{(state, eof): "cut" for state in UNDER_WAY},
    **{(state, garbage): "fail" for state in BEFORE},
    **{(state, lost): "fail" for state in BEFORE},
    **{(state, abort): "fail" for state in BEFORE},
    **{(state, expire): "fail" for state in BEFORE},
    **{(state, eof): "fail" for state in BEFORE},
    **{(waiting_reused, what): "replay" for what in (eof, lost, abort)},
    (until_close, eof): "finish",
    (until_close, garbage): "relay",
    (in_length, garbage): "finish",
    (in_chunks, garbage): "cut",
    (connecting, expire): "fail",
    (sending, drained): "sendable",
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("what", INPUTS)
def test_every_input_in_every_state(
    state: Callable[[], Talk], what: Callable[[Talk], None]
) -> None:
    talk = state()
    if state is connecting and what in (garbage, eof, drained, lost):
        return  # there is no stream
    before = [*talk.exchange.said]
    what(talk)
    wanted = EXPECTED.get((state, what))
    if wanted == "replay":
        assert talk.exchange.said == before
        assert len(talk.pool.replayed) == 1
    elif wanted is None:
        assert talk.exchange.said == before
    else:
        assert talk.exchange.said[-1] == wanted
        assert talk.exchange.said[: len(before)] == before
    if talk.exchange.said[-1:] in (["cut"], ["fail"]):
        assert talk.connection in talk.pool.lost
        assert talk.stream.closed or state is connecting
    # Whatever comes now, nobody hears twice of an end (`FakeExchange` asserts it).
    for then in INPUTS:
        then(talk)
    assert talk.pool.released in ([], [talk.connection])


# Answers


@pytest.mark.parametrize(
    "answer",
    [LENGTH + b"abcde", CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"],
)
@given(data=st.data())
@settings(deadline=None, max_examples=25)
def test_however_it_is_cut_an_answer_is_the_same(
    answer: bytes, data: st.DataObject
) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    spoken = data.draw(st.sampled_from([b"", interim, interim * 3])) + answer
    cuts = data.draw(st.lists(st.integers(0, len(spoken)), max_size=5))
    places = sorted({0, len(spoken), *cuts})
    talk = Talk()
    for begin, end in itertools.pairwise(places):
        talk.hear(spoken[begin:end])
    assert talk.exchange.over
    assert (talk.exchange.status, talk.exchange.body) == (200, b"abcde")
    assert talk.kept
    assert talk.connection.deadline == math.inf


def test_a_whole_answer_is_relayed_at_once() -> None:
    assert Talk().hear(LENGTH + b"abcde").said == ["whole"]


def test_the_same_head_again_is_not_read_again() -> None:
    talk = Talk()
    talk.hear(LENGTH + b"abcde")
    for _ in range(2):
        exchange = talk.exchange = FakeExchange()
        talk.connection.start(exchange, outgoing())
        assert talk.hear(LENGTH + b"fghij").body == b"fghij"


def test_a_known_head_says_nothing_about_an_answer_to_head() -> None:
    talk = Talk()
    talk.hear(LENGTH + b"abcde")
    exchange = talk.exchange = FakeExchange()
    talk.connection.start(exchange, outgoing("HEAD"))
    assert talk.hear(LENGTH).said == ["whole"]
    assert exchange.body == b""
    exchange = talk.exchange = FakeExchange()
    talk.connection.start(exchange, outgoing())
    assert talk.hear(LENGTH + b"abcde").body == b"abcde"


def test_more_than_was_announced_is_cut_off_and_the_connection_not_reused() -> None:
    talk = Talk()
    assert talk.hear(LENGTH + b"abcdeSURPLUS").body == b"abcde"
    assert not talk.kept
    talk = Talk()
    assert talk.hear(LENGTH, b"abc", b"deSURPLUS").body == b"abcde"
    assert not talk.kept
    talk = Talk()
    assert talk.hear(CHUNKED + b"5\r\nabcde\r\n0\r\n\r\nSURPLUS").body == b"abcde"
    assert not talk.kept


def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    talk = Talk()
    talk.hear(TO_CLOSE + b"abc", b"de")
    talk.stream.end()
    assert talk.exchange.said == ["begin", "relay", "finish"]
    assert talk.exchange.body == b"abcde"
    assert talk.stream.closed


def test_connection_close_is_honoured() -> None:
    talk = Talk()
    talk.hear(LENGTH.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n") + b"abcde")
    assert talk.exchange.said == ["whole"]
    assert not talk.kept


@pytest.mark.parametrize("status", [100, 102, 103])
def test_interim_answers_go_no_further(status: int) -> None:
    talk = Talk()
    exchange = talk.hear(b"HTTP/1.1 %d X\r\n\r\n" % status, LENGTH + b"abcde")
    assert exchange.said == ["whole"]
    assert exchange.status == 200


@pytest.mark.parametrize("together", [True, False])
def test_interim_answers_without_end_are_refused(together: bool) -> None:  # noqa: FBT001
    talk = Talk()
    hint = b"HTTP/1.1 100 Continue\r\n\r\n"
    talk.hear(*([hint * 2600] if together else [hint] * 2600))
    assert talk.exchange.reason == "too-many-interim-answers"


def test_what_nobody_asked_for_closes() -> None:
    talk = idle()
    talk.hear(LENGTH + b"abcde")
    assert talk.stream.closed
    assert talk.exchange.said == ["whole"]


@pytest.mark.parametrize("begun", [b"", LENGTH + b"a"])
def test_what_takes_too_long_ends(begun: bytes) -> None:
    talk = Talk()
    talk.hear(*([begun] if begun else []))
    assert talk.connection.deadline == 1060.0
    talk.connection.expire()
    assert talk.exchange.reason == ("backend-stalled" if begun else "backend-timeout")


# Back-pressure


def test_a_slow_client_holds_the_backend_without_a_deadline() -> None:
    talk = Talk()
    talk.exchange.full = True
    talk.hear(LENGTH + b"ab")
    assert talk.stream.is_paused()
    assert talk.connection.deadline == math.inf
    talk.pool.time += 3600
    talk.connection.resume()
    assert not talk.stream.is_paused()
    assert talk.connection.deadline == talk.pool.time + 60
    talk.exchange.full = False
    assert talk.hear(b"cde").said == ["begin", "relay", "finish"]


def test_a_slow_client_holds_chunks_too() -> None:
    talk = Talk()
    talk.exchange.full = True
    talk.hear(CHUNKED + b"2\r\nab\r\n")
    assert talk.stream.is_paused()


def test_a_body_waits_for_the_connection_and_then_goes_on() -> None:
    talk = Talk(outgoing("POST", body=True), connected=False)
    talk.connection.write(b"x" * 65535)
    assert not talk.is_full()
    talk.connection.write(b"yz")
    assert talk.is_full()
    talk.connection.connected(talk.stream)
    assert talk.stream.sent.endswith(b"\r\n\r\n" + b"x" * 65535 + b"yz")
    assert talk.exchange.said == ["sendable"]
    talk.stream.is_full = True
    assert talk.is_full()
    talk.stream.drain()
    assert talk.exchange.said == ["sendable", "sendable"]
    talk.connection.end()
    talk.stream.drain()
    assert talk.exchange.said == ["sendable", "sendable"]


def test_each_part_of_a_body_gives_the_backend_time() -> None:
    talk = sending()
    talk.pool.time += 50
    talk.connection.write(b"more")
    assert talk.connection.deadline == talk.pool.time + 60


def test_an_answer_before_the_request_ended_is_the_last_there() -> None:
    talk = sending()
    assert talk.hear(LENGTH + b"abcde").said[-1] == "whole"
    assert talk.stream.closed


def test_an_answer_after_the_request_ended_keeps_the_connection() -> None:
    talk = sending()
    talk.connection.write(b"body")
    talk.connection.end()
    talk.hear(LENGTH + b"abcde")
    assert talk.kept


def test_an_answer_before_the_request_is_out_is_the_last_there() -> None:
    """The rest of it would arrive in front of the next request."""
    talk = sending()
    talk.stream.stuck = True
    talk.connection.write(b"abcde")
    talk.connection.end()
    assert talk.hear(LENGTH + b"abcde").said[-1] == "whole"
    assert not talk.kept
    assert talk.stream.calls[-1] == "abort"


def test_a_backend_that_ends_while_the_body_waits_is_answered_for_at_once() -> None:
    talk = sending()
    talk.stream.stuck = True
    talk.connection.write(b"body")
    talk.stream.end()
    assert talk.exchange.reason == "backend-closed"


# Before the connection stands


def test_what_was_given_up_is_never_sent() -> None:
    talk = Talk(connected=False)
    talk.connection.abandon()
    assert talk.connection in talk.pool.lost
    talk.connection.connected(talk.stream)
    assert talk.stream.sent == b""
    assert talk.stream.closed


def test_what_took_too_long_to_reach_is_never_sent() -> None:
    talk = Talk(connected=False)
    talk.connection.expire()
    assert talk.exchange.reason == "backend-connect-timeout"
    assert talk.connection in talk.pool.lost
    talk.connection.connected(talk.stream)
    assert talk.stream.sent == b""


def test_giving_up_drops_the_attempt_to_connect() -> None:
    talk = Talk(connected=False)
    dropped = []
    talk.connection.drop_connector = lambda: dropped.append(1)
    talk.connection.abandon()
    talk.connection.abort()
    assert dropped == [1]


def test_a_failed_handshake_is_told_as_such() -> None:
    talk = Talk(connected=False)
    talk.stream.lose("no shared cipher")
    assert talk.exchange.reason == "backend-tls: no shared cipher"
    assert talk.exchange.status == 502


def test_an_unreachable_backend_is_told() -> None:
    talk = Talk(connected=False)
    talk.connection.unreachable(502, "backend-unreachable: x")
    assert talk.exchange.reason == "backend-unreachable: x"


# Sent again


def test_a_stale_connection_is_replaced_and_the_sink_goes_on_there() -> None:
    talk = waiting_reused()
    talk.stream.lose()
    (again,) = talk.pool.replayed
    stream = FakeStream(again)
    talk.connection.write(b"more")
    talk.connection.end()
    again.connected(stream)
    assert stream.sent.endswith(b"more")
    assert not talk.is_full()
    stream.is_full = True
    assert talk.is_full()
    talk.exchange.full = True
    stream.receive(LENGTH + b"ab")
    assert stream.is_paused()
    talk.connection.resume()
    assert not stream.is_paused()
    talk.connection.abandon()
    assert stream.closed
    assert len(talk.pool.replayed) == 1


def test_what_is_good_once_is_made_anew() -> None:
    """A signature's nonce, which the backend may have seen already."""
    asked = outgoing()
    asked.renew = lambda: b"GET /anew HTTP/1.1\r\n\r\n"
    talk = Talk(asked, reused=True)
    assert talk.stream.sent == b"GET / HTTP/1.1\r\n\r\n"
    talk.stream.lose()
    (again,) = talk.pool.replayed
    stream = FakeStream(again)
    again.connected(stream)
    assert stream.sent == b"GET /anew HTTP/1.1\r\n\r\n"


def test_what_must_not_be_made_twice_is_not_sent_again() -> None:
    talk = Talk(outgoing("POST"), reused=True)
    talk.stream.lose()
    assert talk.exchange.reason == "backend-closed"
    assert not talk.pool.replayed


def test_what_was_answered_in_part_is_not_sent_again() -> None:
    talk = in_head()
    talk.stream.lose()
    assert talk.exchange.said == ["fail"]
    assert not talk.pool.replayed


# Idle


def test_an_idle_connection_with_news_is_stale() -> None:
    talk = idle()
    assert not talk.connection.is_stale()
    talk.stream.has_news = True
    assert talk.connection.is_stale()
    assert connecting().connection.is_stale()


def test_an_idle_connection_retires() -> None:
    talk = idle()
    talk.connection.retire()
    assert talk.stream.calls == ["close"]
    Talk(connected=False).connection.retire()


# Upgrades


def test_a_switch_becomes_a_tunnel_with_what_came_first() -> None:
    talk = Talk(outgoing(upgrade="websocket"))
    talk.hear(SWITCH + b"frame")
    assert talk.exchange.switched == [(talk.stream, b"frame")]
    assert talk.connection in talk.pool.lost
    assert not talk.stream.closed


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("", SWITCH),
        ("h2c", SWITCH),
        ("websocket", SWITCH.replace(accept_for(KEY).encode(), b"AAAA")),
        ("websocket", SWITCH.replace(b"Upgrade: websocket\r\n", b"")),
    ],
)
def test_a_switch_that_was_not_asked_for_is_502(asked: str, answer: bytes) -> None:
    talk = Talk(outgoing(upgrade=asked))
    talk.hear(answer)
    assert talk.exchange.said == ["fail"]
    assert talk.exchange.status == 502
    assert talk.stream.closed


def test_a_refused_switch_is_an_answer_like_any_other() -> None:
    talk = Talk(outgoing(upgrade="websocket"))
    assert talk.hear(LENGTH + b"abcde").said == ["whole"]
    assert talk.kept
