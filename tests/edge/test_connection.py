"""Conversations with one client, and every input in every state."""

import itertools
import math
from collections.abc import Callable
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import TestCase

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.config.model import LimitsConfig
from sso_proxy.edge.connection import State
from sso_proxy.edge.exchange import Exchange
from sso_proxy.model import (
    Authenticated,
    HeaderChallenge,
    Identity,
    LoginRedirect,
    NotPresented,
    Rejected,
)
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from tests.support.doubles import (
    HOST,
    OK,
    Scene,
    WaitingAuthenticator,
    answer_ok,
    make_reply,
    make_route,
    status_of,
)

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


# Every input in every state


def handshake() -> Scene:
    return Scene(handshake=False)


def idle() -> Scene:
    return Scene()


def used() -> Scene:
    scene = Scene().ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    return scene


def reading_head() -> Scene:
    scene = Scene()
    scene.client.receive(b"GET / HT")
    return scene


def deciding() -> Scene:
    return Scene(authenticators=(WaitingAuthenticator(),)).ask()


def deciding_with_body() -> Scene:
    scene = Scene(authenticators=(WaitingAuthenticator(),))
    scene.client.receive(POST)
    return scene


def waiting() -> Scene:
    return Scene().ask()


def uploading() -> Scene:
    scene = Scene()
    scene.client.receive(POST + b"half ")
    return scene


def answering() -> Scene:
    scene = Scene().ask()
    scene.backend.exchange.begin(make_reply(OK), b"some")
    scene.client.take()
    return scene


def answering_early() -> Scene:
    scene = uploading()
    scene.backend.exchange.begin(make_reply(OK), b"some")
    scene.client.take()
    return scene


def lingering() -> Scene:
    scene = Scene()
    scene.client.receive(b"nonsense\r\n\r\n")
    scene.client.take()
    return scene


def gone() -> Scene:
    scene = Scene()
    scene.client.lose()
    return scene


def more(scene: Scene) -> None:
    scene.client.receive(GET)


def eof(scene: Scene) -> None:
    scene.client.end()


def drained(scene: Scene) -> None:
    scene.client.drain()


def lost(scene: Scene) -> None:
    scene.client.lose()


def late(scene: Scene) -> None:
    scene.connection.timed_out()


def drain(scene: Scene) -> None:
    scene.connection.drain()


def close_if_idle(scene: Scene) -> None:
    scene.connection.close_if_idle()


def progress(scene: Scene) -> None:
    scene.connection.check_progress(monotonic())


STATES = [
    handshake,
    idle,
    used,
    reading_head,
    deciding,
    deciding_with_body,
    waiting,
    uploading,
    answering,
    answering_early,
    lingering,
    gone,
]
INPUTS = [more, eof, drained, lost, late, drain, close_if_idle, progress]
KEPT = (0, False)
# What the client is told (0: nothing) and whether its connection is gone, where that
# is not "nothing, and it stays".
EXPECTED: dict[tuple[object, object], tuple[int, bool]] = {
    **{(state, lost): (0, True) for state in STATES},
    **{(gone, what): (0, True) for what in INPUTS},
    (handshake, eof): (0, True),
    (handshake, late): (0, True),
    (idle, eof): (0, True),
    (idle, late): (0, True),
    (used, eof): (0, True),
    (used, late): (0, True),
    (used, close_if_idle): (0, True),
    (reading_head, more): (400, False),
    (reading_head, eof): (400, True),
    (reading_head, late): (408, False),
    (uploading, more): (200, False),  # it is the rest of the body, and the next one
    (uploading, eof): (400, True),
    (uploading, late): (408, False),
    (deciding_with_body, late): (408, False),
    (answering_early, eof): (0, True),
    (answering_early, late): (0, True),
    (lingering, eof): (0, True),
    (lingering, late): (0, True),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("what", INPUTS)
def test_every_input_in_every_state(
    state: Callable[[], Scene], what: Callable[[Scene], None]
) -> None:
    scene = state()
    what(scene)
    status, is_gone = EXPECTED.get((state, what), KEPT)
    if (state, what) == (uploading, more):
        answer_ok(scene.backend.asked[0][0])
    assert status_of(scene.client.take()) == status
    assert scene.client.closed == is_gone
    assert len(scene.gone) == is_gone
    assert (scene.connection in scene.site.connections) != is_gone
    scene.client.lose()
    scene.client.lose()
    assert len(scene.gone) == 1
    assert scene.connection.deadline == math.inf
    # One record for each request, however it ended.
    assert len(scene.records) == len(set(map(id, scene.records)))
    begun = {id(exchange) for exchange, _, _ in scene.backend.asked}
    assert begun <= {id(exchange) for exchange in scene.records}


@pytest.mark.parametrize("what", INPUTS)
@pytest.mark.parametrize("state", [s for s in STATES if s not in (handshake, gone)])
def test_a_drained_connection_ends_with_what_is_under_way(
    state: Callable[[], Scene], what: Callable[[Scene], None]
) -> None:
    scene = state()
    scene.site.drain()
    what(scene)
    for exchange, _, _ in [*scene.backend.asked]:
        if not exchange.over and not exchange.relaying:
            answer_ok(exchange)
        elif not exchange.over:
            exchange.finish()
    scene.client.receive(GET)
    for exchange, _, _ in [*scene.backend.asked]:
        if not exchange.over:
            answer_ok(exchange)
    scene.connection.timed_out()
    scene.connection.timed_out()
    if state not in (deciding, deciding_with_body):
        assert scene.client.closed


# Reading requests


def test_a_request_is_forwarded_and_its_answer_relayed() -> None:
    scene = Scene().ask(b"GET /a?b HTTP/1.1", b"X-Some: thing")
    assert scene.backend.head == (
        b"GET /a?b HTTP/1.1\r\nX-Request-Id: id-1\r\nHost: app.example.com\r\n"
        b"X-Some: thing\r\nVia: 1.1 proxy\r\n"
        b"Forwarded: for=192.0.2.1;host=app.example.com;proto=https\r\n"
        b"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: app.example.com\r\nX-Forwarded-Port: 443\r\n"
        b"X-Remote-User: alice\r\n\r\n"
    )
    answer_ok(scene.backend.exchange)
    assert scene.client.take() == (
        b"HTTP/1.1 200 OK\r\nDate: now\r\nVia: 1.1 proxy\r\nContent-Length: 2\r\n"
        b"X-Request-Id: id-1\r\n\r\nok"
    )
    (record,) = scene.records
    assert (record.status, record.sent, record.path) == (200, 2, "/a")


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_however_the_bytes_are_cut_the_same_exchanges_happen(
    data: st.DataObject,
) -> None:
    spoken = b"".join(
        data.draw(
            st.lists(
                st.sampled_from(
                    [
                        GET,
                        GET.replace(b"/ ", b"/other?x=1 "),
                        POST + b"0123456789",
                        CHUNKED + b"3\r\nabc\r\n0\r\n\r\n",
                        GET.replace(b"GET", b"HEAD"),
                        b"BAD\r\n\r\n",
                    ]
                ),
                min_size=1,
                max_size=5,
            )
        )
    )
    whole = _exchanges([spoken])
    places = data.draw(st.lists(st.integers(0, len(spoken)), max_size=8))
    cuts = sorted({0, len(spoken), *places})
    pieces = [spoken[a:b] for a, b in itertools.pairwise(cuts)]
    assert _exchanges([piece for piece in pieces if piece]) == whole


def _exchanges(pieces: list[bytes]) -> object:
    scene = Scene()
    for piece in pieces:
        scene.client.receive(piece)
        _settle(scene)
    _settle(scene)
    seen = []
    for exchange, outgoing, sink in scene.backend.asked:
        head, _, first = outgoing.head.partition(b"\r\n\r\n")
        line = head.partition(b"\r\n")[0]
        body = first + sink.data
        if b"chunked" in head:
            body = b"".join(body.split(b"\r\n")[1:-3:2])
        seen.append((line, body, exchange.method, exchange.path, exchange.received))
    return seen, scene.statuses(), scene.reasons()


def _settle(scene: Scene) -> None:
    """Answer whatever has come whole."""
    while True:
        open_ones = [e for e, _, _ in scene.backend.asked if not e.over]
        if not open_ones or scene.reads_body():
            return
        answer_ok(open_ones[-1], b"")


def test_pipelined_requests_are_answered_one_after_the_other() -> None:
    scene = Scene()
    scene.client.receive(GET + GET.replace(b"/ ", b"/second ") + GET)
    for asked in (1, 2, 3):
        assert len(scene.backend.asked) == asked
        answer_ok(scene.backend.exchange, b"%d" % asked)
    bodies = [part[:1] for part in scene.client.take().split(b"\r\n\r\n")[1:]]
    assert bodies == [b"1", b"2", b"3"]


def test_a_client_that_pipelines_without_end_is_not_read() -> None:
    scene = Scene().ask()
    scene.client.receive(*[GET * 500] * 10)
    assert scene.client.is_paused()
    answer_ok(scene.backend.exchange)
    assert not scene.client.is_paused()


def test_a_thousand_refused_requests_at_once_do_not_exhaust_the_stack() -> None:
    scene = Scene(limits=LimitsConfig(requests_per_connection=5000))
    scene.backend.at_once = lambda exchange: exchange.fail(502, "backend-closed")
    scene.client.receive(GET * 2000)
    assert scene.statuses() == [502] * 2000


def test_a_head_that_does_not_come_whole_is_408() -> None:
    scene = reading_head()
    assert scene.connection.deadline < monotonic() + 11
    scene.connection.timed_out()
    assert scene.reasons() == ["head-timeout"]
    assert scene.client.calls == ["half_close"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"GET /" + b"a" * 9000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40000, 431),
        (b"\x16\x03\x01", 400),
    ],
)
def test_what_cannot_be_read_is_refused_and_recorded(sent: bytes, status: int) -> None:
    scene = Scene()
    scene.client.receive(sent)
    assert status_of(scene.client.sent) == status
    assert b"\r\nConnection: close\r\n" in scene.client.sent
    (record,) = scene.records
    assert record.received == len(sent)
    assert not scene.backend.asked


def test_the_record_of_a_bad_request_shows_method_and_path_alone() -> None:
    scene = Scene()
    scene.client.receive(b"GET /x?secret HTTP/1.1\r\nno colon\r\n\r\n")
    assert (scene.records[0].method, scene.records[0].path) == ("GET", "/x")
    scene = Scene()
    scene.client.receive(b"{secret} Bearer\r\n\r\n")
    assert (scene.records[0].method, scene.records[0].path) == ("", "")


def test_the_last_request_that_a_connection_may_carry_closes_it() -> None:
    scene = Scene(limits=LimitsConfig(requests_per_connection=2)).ask()
    answer_ok(scene.backend.exchange)
    assert b"Connection: close" not in scene.client.take()
    scene.ask()
    answer_ok(scene.backend.exchange)
    assert b"Connection: close" in scene.client.take()
    assert scene.client.closed


# The second speed


def test_a_repeated_head_is_not_decided_on_again() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask(b"GET /a HTTP/1.1")
    first = scene.backend.head
    answer_ok(scene.backend.exchange)
    scene.ask(b"GET /b?c HTTP/1.1")
    assert len(authenticator.asked) == 1
    wanted = first.replace(b"/a", b"/b?c").replace(b"id-1", b"id-2")
    assert scene.backend.head == wanted
    answer_ok(scene.backend.exchange)
    assert scene.statuses() == [200, 200]
    assert scene.records[1].path == "/b"


@pytest.mark.parametrize(
    "line",
    [
        b"GET /.sso/x HTTP/1.1",
        b"GET /%61 HTTP/1.1",
        b"POST / HTTP/1.1",
        b"GET / HTTP/1.0",
    ],
)
def test_what_is_not_plainly_a_repetition_goes_the_whole_way(line: bytes) -> None:
    scene = Scene(own_names=frozenset({"x"})).ask()
    answer_ok(scene.backend.exchange)
    scene.ask(line)
    assert scene.read_whole()
    assert len(scene.backend.asked) == 2


def test_a_repetition_with_a_line_that_is_too_long_is_414() -> None:
    scene = Scene(limits=LimitsConfig(request_line=64)).ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"GET /" + b"a" * 50 + b" HTTP/1.1")
    answer_ok(scene.backend.exchange)
    assert status_of(scene.client.take()) == 200
    scene.ask(b"GET /" + b"a" * 51 + b" HTTP/1.1")
    assert status_of(scene.client.take()) == 414


def test_a_reload_makes_repetitions_be_decided_on_again() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask()
    answer_ok(scene.backend.exchange)
    scene.site.rules = scene.make_rules()
    scene.ask()
    assert len(authenticator.asked) == 2


def test_an_expired_identity_makes_repetitions_be_decided_on_again() -> None:
    authenticator = FakeAuthenticator(Authenticated(make_identity(expires=1.0)))
    scene = Scene(authenticators=(authenticator,)).ask()
    answer_ok(scene.backend.exchange)
    scene.ask()
    assert len(authenticator.asked) == 2


def test_a_repetition_is_authorised_by_its_own_method() -> None:
    condition = compile_condition("method == 'GET'", "require")
    scene = Scene(requirements=Requirements((condition,))).ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"GET /next HTTP/1.1")
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"OPTIONS / HTTP/1.1")
    assert status_of(scene.client.take()) == 403


def test_a_repetition_is_routed_by_its_own_path_and_method() -> None:
    closed = FakeAuthenticator(NotPresented())
    scene = Scene(
        routes=lambda backend: [
            make_route(backend, methods=frozenset({"GET"})),
            make_route(backend, path="/closed/", authenticators=(closed,)),
        ]
    ).ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"GET /closed/x HTTP/1.1")
    assert status_of(scene.client.take()) == 403
    scene.ask(b"HEAD / HTTP/1.1")
    assert status_of(scene.client.take()) == 405


def test_a_failed_repetition_of_head_has_no_body() -> None:
    scene = Scene().ask()
    answer_ok(scene.backend.exchange)
    scene.client.take()
    scene.ask(b"HEAD / HTTP/1.1")
    scene.backend.exchange.fail(502, "backend-closed")
    sent = scene.client.take()
    assert status_of(sent) == 502
    assert sent.endswith(b"\r\n\r\n")
    assert not scene.client.closed


# Bodies


def test_a_body_that_comes_with_its_head_is_sent_with_it() -> None:
    scene = Scene()
    scene.client.receive(POST + b"0123456789")
    assert scene.backend.head.endswith(b"Content-Length: 10\r\n\r\n0123456789")
    assert scene.backend.asked[0][1].bodyless


def test_a_chunked_body_is_framed_anew() -> None:
    scene = Scene()
    scene.client.receive(
        CHUNKED, b"1;x=y\r\na\r\n", b"1\r\nb\r\n", b"0\r\nT: t\r\n\r\n"
    )
    assert scene.backend.sink.data == b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    assert scene.backend.sink.ended == 1


def test_a_slow_backend_holds_the_client() -> None:
    scene = Scene()
    scene.backend.full = True
    scene.client.receive(POST)
    assert scene.client.is_paused()
    assert scene.connection.deadline == math.inf
    scene.backend.sink.full = False
    scene.backend.exchange.sendable()
    assert not scene.client.is_paused()
    assert scene.connection.deadline < math.inf
    scene.client.receive(b"0123456789")
    assert scene.connection.deadline == math.inf


def test_pauses_do_not_lift_the_limit_of_a_chunked_body() -> None:
    scene = Scene(body_bytes=100)
    scene.client.receive(CHUNKED)
    for _ in range(4):
        scene.client.receive(b"1e\r\n" + b"a" * 30 + b"\r\n")
        if not scene.backend.exchange.over:
            scene.backend.exchange.sendable()
    assert scene.reasons() == ["body-too-large"]
    assert status_of(scene.client.take()) == 413
    assert scene.backend.sink.abandoned == 1


def test_an_announced_body_that_is_too_large_is_413_and_not_permitted() -> None:
    scene = Scene(body_bytes=9)
    scene.client.receive(POST)
    assert scene.statuses() == [413]
    assert scene.records[0].admission is None
    assert not scene.backend.asked


def test_bad_chunks_are_400_before_anything_is_forwarded() -> None:
    scene = Scene()
    scene.client.receive(CHUNKED + b"zz\r\n")
    assert scene.reasons() == ["chunk-line"]
    assert not scene.backend.asked


def test_bad_chunks_after_the_head_abandon_the_request() -> None:
    scene = Scene()
    scene.client.receive(CHUNKED, b"zz\r\n")
    assert scene.backend.sink.abandoned == 1
    assert scene.statuses() == [400]


def test_the_client_is_told_to_continue_once_it_may() -> None:
    scene = Scene()
    scene.client.receive(POST[:-2] + b"Expect: 100-continue\r\n\r\n")
    assert scene.client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b"xpect" not in scene.backend.head


def test_a_refused_client_is_not_told_to_continue() -> None:
    scene = Scene(authenticators=(FakeAuthenticator(NotPresented()),))
    scene.client.receive(POST[:-2] + b"Expect: 100-continue\r\n\r\n")
    assert status_of(scene.client.take()) == 403
    assert scene.client.calls == ["half_close"]


def test_a_body_that_came_whole_with_a_refused_request_is_skipped() -> None:
    scene = Scene(authenticators=(FakeAuthenticator(NotPresented()),))
    scene.client.receive(POST + b"0123456789" + GET)
    assert scene.statuses() == [403, 403]
    assert not scene.client.closed


def test_a_body_that_comes_too_slowly_is_408() -> None:
    scene = uploading()
    scene.connection.check_progress(monotonic() + 29)
    assert not scene.records
    scene.connection.check_progress(monotonic() + 60)
    assert scene.reasons() == ["body-too-slow"]


def test_a_slow_decision_is_not_the_clients_slowness() -> None:
    scene = deciding_with_body()
    scene.connection.check_progress(monotonic() + 600)
    assert not scene.records


def test_an_answer_before_the_body_ended_is_the_last_and_lingers() -> None:
    scene = uploading()
    answer_ok(scene.backend.exchange)
    assert b"Connection: close" in scene.client.take()
    assert scene.client.calls == ["half_close"]
    scene.client.receive(b"the rest", GET)
    assert scene.statuses() == [200]


def test_a_client_that_sends_on_and_on_after_the_answer_is_cut() -> None:
    scene = Scene(limits=LimitsConfig(linger_bytes=100))
    scene.client.receive(b"nonsense\r\n\r\n", b"a" * 99)
    assert not scene.client.closed
    scene.client.receive(b"aa")
    assert scene.client.calls == ["half_close", "abort"]


# Answers


def test_an_answer_of_unknown_length_is_chunked() -> None:
    scene = Scene().ask()
    exchange = scene.backend.exchange
    exchange.begin(make_reply(OK), b"one")
    exchange.relay(b"two")
    exchange.finish()
    head, body = scene.client.take().split(b"\r\n\r\n", 1)
    assert b"Transfer-Encoding: chunked" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert not scene.client.closed
    assert scene.records[0].sent == 6


def test_an_answer_of_unknown_length_ends_an_old_clients_connection() -> None:
    scene = Scene().ask(b"GET / HTTP/1.0", b"Connection: keep-alive")
    exchange = scene.backend.exchange
    exchange.begin(make_reply(OK), b"one")
    exchange.finish()
    head, body = scene.client.take().split(b"\r\n\r\n", 1)
    assert b"Connection: close" in head
    assert b"chunked" not in head
    assert body == b"one"
    assert scene.client.closed


def test_an_old_client_that_asks_for_it_keeps_its_connection() -> None:
    scene = Scene().ask(b"GET / HTTP/1.0", b"Connection: keep-alive")
    answer_ok(scene.backend.exchange)
    assert b"Connection: keep-alive" in scene.client.take()
    scene.ask(b"GET / HTTP/1.0")
    answer_ok(scene.backend.exchange)
    assert b"Connection: close" in scene.client.take()
    assert scene.client.closed


def test_head_of_unknown_length_is_told_none() -> None:
    scene = Scene().ask(b"HEAD / HTTP/1.1")
    chunked = OK + b"\r\nTransfer-Encoding: chunked"
    scene.backend.exchange.whole(make_reply(chunked, "HEAD"), b"")
    assert b"Content-Length" not in scene.client.take()


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", b"200 OK", b"7"), ("GET", b"304 Not Modified", b"7")],
)
def test_the_length_of_what_is_not_sent_is_kept(
    method: str, status: bytes, length: bytes
) -> None:
    scene = Scene().ask(method.encode() + b" / HTTP/1.1")
    head = b"HTTP/1.1 %b\r\nContent-Length: %b" % (status, length)
    scene.backend.exchange.whole(make_reply(head, method), b"")
    sent = scene.client.take()
    assert sent.count(b"Content-Length: 7\r\n") == 1
    assert sent.endswith(b"\r\n\r\n")
    assert not scene.client.closed


def test_connection_close_is_honoured() -> None:
    scene = Scene().ask(b"GET / HTTP/1.1", b"Connection: close")
    answer_ok(scene.backend.exchange)
    assert b"Connection: close" in scene.client.take()
    assert scene.client.closed


def test_a_slow_client_is_waited_for_and_its_backend_told() -> None:
    scene = Scene().ask()
    scene.client.is_full = True
    assert scene.backend.exchange.full
    scene.client.drain()
    assert scene.backend.sink.resumed == 1


def test_a_client_that_takes_nothing_is_cut() -> None:
    scene = answering()
    scene.client.stuck = True
    scene.backend.exchange.relay(b"more")
    for seconds in (0, 59):
        scene.connection.check_progress(seconds)
        assert not scene.client.closed
    scene.connection.check_progress(61)
    assert scene.client.calls == ["abort"]
    assert scene.backend.sink.abandoned == 1


def test_a_cut_answer_is_not_completed() -> None:
    scene = answering()
    scene.backend.exchange.cut("backend-cut")
    assert scene.client.take() == b""
    assert scene.client.calls == ["abort"]
    assert scene.reasons() == ["backend-cut"]


def test_a_failure_after_the_answer_began_cuts_it() -> None:
    scene = answering()
    scene.connection.refuse(502, "late")
    assert scene.client.calls == ["abort"]
    assert scene.reasons() == ["late"]


def test_a_login_redirect_is_for_navigations() -> None:
    login = FakeAuthenticator(
        NotPresented(), challenge=LoginRedirect("https://login.example/")
    )
    scene = Scene(authenticators=(login,)).ask(
        b"GET / HTTP/1.1", b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: document"
    )
    sent = scene.client.take()
    assert status_of(sent) == 302
    assert b"Location: https://login.example/\r\n" in sent


# Endings


def test_a_request_given_up_while_it_is_decided_on_is_cancelled_and_recorded() -> None:
    authenticator = WaitingAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask()
    scene.client.lose()
    assert authenticator.cancelled == 1
    assert scene.reasons() == ["client-gone"]
    assert scene.statuses() == [0]
    assert not scene.backend.asked


def test_a_body_that_came_whole_while_deciding_survives_the_clients_end() -> None:
    authenticator = WaitingAuthenticator()
    scene = Scene(authenticators=(authenticator,))
    scene.client.receive(POST, b"0123456789")
    scene.client.end()
    authenticator.answer()
    assert scene.backend.head.endswith(b"0123456789")
    answer_ok(scene.backend.exchange)
    assert scene.statuses() == [200]
    assert scene.client.calls == ["close"]


def test_a_body_that_broke_off_while_deciding_is_not_forwarded() -> None:
    authenticator = WaitingAuthenticator()
    scene = Scene(authenticators=(authenticator,))
    scene.client.receive(POST, b"01234")
    scene.client.end()
    authenticator.answer()
    assert scene.reasons() == ["body-incomplete"]
    assert not scene.backend.asked
    assert scene.client.closed


def test_a_half_closed_client_gets_its_answer() -> None:
    scene = Scene().ask()
    scene.client.end()
    answer_ok(scene.backend.exchange)
    assert status_of(scene.client.take()) == 200
    assert scene.client.closed


def test_both_sides_may_be_gone_at_once() -> None:
    scene = answering()
    exchange = scene.backend.exchange
    scene.client.lose()
    assert scene.backend.sink.abandoned == 1
    exchange.relay(b"late")
    exchange.finish()
    assert scene.client.sent == b""
    assert len(scene.records) == 1


def test_a_client_gone_while_its_body_is_held_abandons_the_request() -> None:
    scene = Scene()
    scene.backend.full = True
    scene.client.receive(POST)
    scene.client.lose()
    assert scene.backend.sink.abandoned == 1
    scene.backend.exchange.sendable()
    assert scene.reasons() == ["client-gone"]


def test_requests_that_come_while_draining_are_answered_and_the_last() -> None:
    scene = Scene()
    scene.site.drain()
    scene.site.close_idle()
    assert not scene.client.closed
    assert scene.connection.deadline < monotonic() + 1.5
    scene.ask()
    answer_ok(scene.backend.exchange)
    assert b"Connection: close" in scene.client.take()
    assert scene.client.closed


def test_a_handshake_that_ends_while_draining_may_bring_one_request() -> None:
    scene = Scene(handshake=False)
    scene.site.drain()
    scene.connection.ready(scene.facts)
    scene.site.close_idle()
    assert scene.connection.deadline < monotonic() + 1.5
    assert not scene.client.closed


def test_a_repetition_while_draining_is_the_last() -> None:
    scene = used()
    scene.site.drain()
    scene.ask()
    answer_ok(scene.backend.exchange)
    assert b"Connection: close" in scene.client.take()


def test_the_site_aborts_all_that_is_left() -> None:
    scene = answering()
    scene.site.abort()
    assert scene.client.closed
    assert scene.gone == [(State.BUSY, "aborted")]


def test_a_broken_handshake_is_told_as_such() -> None:
    scene = handshake()
    scene.client.lose("no shared cipher")
    assert scene.gone == [(State.HANDSHAKE, "no shared cipher")]


class BrokenDecisionTests(TestCase):
    """What a plugin does wrong denies, and is logged."""

    def test_a_decision_that_was_cancelled_inside_denies(self) -> None:
        class Cancelled(WaitingAuthenticator):
            async def authenticate(self, request: object) -> Authenticated:
                del request
                waits: Deferred[Identity] = Deferred()
                waits.cancel()
                return Authenticated(await waits)

        scene = Scene(authenticators=(Cancelled(),)).ask()
        assert scene.reasons() == ["failed"]
        assert status_of(scene.client.take()) == 503
        assert len(self.flushLoggedErrors()) == 1

    def test_an_authenticator_that_fails_denies(self) -> None:
        scene = Scene(authenticators=(FakeAuthenticator(OSError("down")),)).ask()
        assert scene.reasons() == ["failed"]
        assert len(self.flushLoggedErrors(OSError)) == 1

    def test_an_authenticator_that_fails_late_denies(self) -> None:
        authenticator = WaitingAuthenticator()
        scene = Scene(authenticators=(authenticator,)).ask()
        authenticator.waits[0].errback(OSError("down"))
        assert scene.statuses() == [503]
        assert not scene.client.closed
        assert len(self.flushLoggedErrors(OSError)) == 1

    def test_an_upstream_that_raises_late_denies(self) -> None:
        authenticator = WaitingAuthenticator()
        scene = Scene(authenticators=(authenticator,)).ask()

        def broken(_: object) -> None:
            raise RuntimeError("bug")

        scene.backend.at_once = broken
        authenticator.answer()
        assert scene.statuses() == [503]
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def test_an_error_after_the_answer_closes_and_answers_no_second_time(self) -> None:
        authenticator = WaitingAuthenticator()
        scene = Scene(authenticators=(authenticator,)).ask()

        def broken(exchange: Exchange) -> None:
            answer_ok(exchange)
            raise RuntimeError("bug")

        scene.backend.at_once = broken
        authenticator.answer()
        assert scene.statuses() == [200]
        assert scene.client.sent.count(b"HTTP/1.1 ") == 1
        assert scene.client.closed
        assert len(self.flushLoggedErrors(RuntimeError)) == 1

    def test_a_challenge_that_is_no_field_value_is_not_sent(self) -> None:
        evil = HeaderChallenge("Basic\r\nSet-Cookie: a=b")
        authenticator = FakeAuthenticator(NotPresented(), challenge=evil)
        scene = Scene(authenticators=(authenticator,)).ask()
        assert b"Set-Cookie" not in scene.client.sent
        assert scene.reasons() == ["header-value"]
        assert len(self.flushLoggedErrors(ValueError)) == 1

    def test_a_rejection_is_relayed_with_its_challenge(self) -> None:
        rejected = Rejected(reason="token-expired", challenge='Bearer error="x"')
        scene = Scene(authenticators=(FakeAuthenticator(rejected),)).ask()
        assert b'Www-Authenticate: Bearer error="x"\r\n' in scene.client.sent
        assert scene.reasons() == ["token-expired"]

    def test_a_failed_deferred_that_has_fired_is_a_failure_like_any_other(self) -> None:
        class Failing(WaitingAuthenticator):
            async def authenticate(self, request: object) -> Authenticated:
                del request
                failed: Deferred[Identity] = fail(OSError("down"))
                return Authenticated(await failed)

        scene = Scene(authenticators=(Failing(),)).ask()
        assert scene.statuses() == [503]
        assert len(self.flushLoggedErrors(OSError)) == 1
