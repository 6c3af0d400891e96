"""Bodies: framed anew, counted, and no faster than the backend takes them."""

import math
from time import monotonic

from sso_proxy.config.limits import LimitsConfig
from sso_proxy.model import (
    NotPresented,
)
from sso_proxy.testing.fakes import FakeAuthenticator
from tests.support.doubles import (
    HOST,
    Scene,
    WaitingAuthenticator,
    answer_ok,
    status_of,
)

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def uploading() -> Scene:
    scene = Scene()
    scene.client.receive(POST + b"half ")
    return scene


def deciding_with_body() -> Scene:
    scene = Scene(authenticators=(WaitingAuthenticator(),))
    scene.client.receive(POST)
    return scene


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
