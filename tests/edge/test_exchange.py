"""Answers: relayed as they are, in the framing that the client understands."""

import pytest

from sso_proxy.model import (
    LoginRedirect,
    NotPresented,
)
from sso_proxy.testing.fakes import FakeAuthenticator
from tests.support.doubles import (
    HOST,
    OK,
    Scene,
    answer_ok,
    make_reply,
    status_of,
)

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


def answering() -> Scene:
    scene = Scene().ask()
    scene.backend.exchange.begin(make_reply(OK), b"some")
    scene.client.take()
    return scene


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
