"""Conversations with one client, and every input in every state."""

import itertools
import math
import re
from collections.abc import Callable
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import TestCase

from sso_proxy.config.limits import LimitsConfig
from sso_proxy.edge.exchange import Exchange
from sso_proxy.edge.uplink import State
from sso_proxy.model import (
    Authenticated,
    HeaderChallenge,
    Identity,
    NotPresented,
    Rejected,
)
from sso_proxy.testing.fakes import FakeAuthenticator
from tests.support.doubles import (
    HOST,
    OK,
    Scene,
    WaitingAuthenticator,
    answer_ok,
    make_reply,
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


def test_a_405_says_what_is_allowed() -> None:
    scene = Scene()
    scene.client.receive(b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n")
    (allow,) = re.findall(rb"\r\nAllow: ([^\r]*)\r\n", scene.client.sent)
    assert b"GET" in allow.split(b", ")
    assert b"TRACE" not in allow.split(b", ")


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
        evil = HeaderChallenge(("Basic\r\nSet-Cookie: a=b",))
        authenticator = FakeAuthenticator(NotPresented(), challenge=evil)
        scene = Scene(authenticators=(authenticator,)).ask()
        assert b"Set-Cookie" not in scene.client.sent
        assert scene.reasons() == ["header-value"]
        assert len(self.flushLoggedErrors(ValueError)) == 1

    def test_a_rejection_is_relayed_with_its_challenge(self) -> None:
        rejected = Rejected(
            reason="token-expired", challenge=HeaderChallenge(('Bearer error="x"',))
        )
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
