"""Requests that are repetitions, and requests that only look like it."""

import pytest

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.config.model import LimitsConfig
from sso_proxy.model import (
    Authenticated,
    NotPresented,
)
from sso_proxy.testing.fakes import FakeAuthenticator, make_identity
from tests.support.doubles import (
    HOST,
    Scene,
    answer_ok,
    make_route,
    status_of,
)

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"


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


@pytest.mark.parametrize(
    "name", [b"access_token", b"access%5ftoken", b"%61ccess_token"]
)
def test_a_repetition_with_a_token_in_its_query_goes_the_whole_way(name: bytes) -> None:
    """It is one more than the one that was decided on (RFC 6750 section 2)."""
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,)).ask()
    answer_ok(scene.backend.exchange)
    scene.ask(b"GET /?a=1&" + name + b"=t HTTP/1.1")
    assert len(authenticator.asked) == 2


def test_nothing_is_a_repetition_where_the_query_says_who_calls() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,), reads_query=True).ask()
    answer_ok(scene.backend.exchange)
    scene.ask(b"GET /b HTTP/1.1")
    assert len(authenticator.asked) == 2


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
