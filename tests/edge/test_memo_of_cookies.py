"""Requests that differ in a cookie that is a credential."""

import pytest

from sso_proxy.routing import Route, Supply
from sso_proxy.testing.fakes import FakeTokenSource
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.delivery import CookieDelivery
from tests.support.doubles import FakeUpstream, Scene, answer_ok, make_route
from tests.support.repeating import (
    ByCookie,
    check_as_fresh,
    scene_by_cookie,
    with_cookie,
)


def test_who_differs_in_the_cookie_gets_what_a_fresh_connection_gets(
    read_whole: list[str],
) -> None:
    requests = [
        with_cookie(b"alice"),
        with_cookie(b"bob", b"GET /b?c HTTP/1.1"),
        with_cookie(b"bob", b"GET /d HTTP/1.1"),
        with_cookie(b"carol%2E", b"HEAD / HTTP/1.1"),
        with_cookie(b"alice"),
    ]
    kept = scene_by_cookie()
    for request in requests:
        exchange = check_as_fresh(kept, scene_by_cookie, request, kept.client)
        assert exchange is not None
        assert b"\r\nCookie: a=b; c=d\r\n" in kept.backend.head
        answer_ok(exchange)
    assert len(read_whole) == len(requests) + 1


def test_a_bad_cookie_after_a_good_one_is_refused() -> None:
    scene = scene_by_cookie()
    for name in (b"alice", b"bad", b"bob", b"bad"):
        asked = len(scene.backend.asked)
        scene.client.receive(with_cookie(name))
        if len(scene.backend.asked) > asked:
            answer_ok(scene.backend.exchange)
    assert scene.statuses() == [200, 403, 200, 403]


@pytest.mark.parametrize("taken", [(), ("a",)])
def test_a_cookie_that_the_backend_gets_is_never_another_s(
    read_whole: list[str], taken: tuple[str, ...]
) -> None:
    scene = scene_by_cookie(consumed_cookies=taken)
    for name in (b"alice", b"bob", b"carol"):
        scene.client.receive(with_cookie(name))
        assert b"t=" + name + b"; c=d" in scene.backend.head
        answer_ok(scene.backend.exchange)
    assert len(read_whole) == 3


def test_a_cookie_that_one_backend_gets_is_never_another_s(
    read_whole: list[str],
) -> None:
    """One route takes it, the other does not, on one connection."""

    def routes(backend: FakeUpstream) -> list[Route]:
        by = (ByCookie(),)
        taking = make_route(backend, authenticators=by, consumed_cookies=("t",))
        others = frozenset({"authorization", "dpop"})
        giving = make_route(backend, path="/own/", authenticators=by, consumed=others)
        return [taking, giving]

    scene = Scene(routes=routes)
    for name in (b"alice", b"bob", b"carol"):
        for path in (b"/own/", b"/", b"/own/"):
            scene.client.receive(with_cookie(name, b"GET " + path + b" HTTP/1.1"))
            given = b"; t=" + name + b";" in scene.backend.head
            assert given == (path == b"/own/")
            assert given or b"; t=" not in scene.backend.head
            assert b"X-Remote-User: " + name + b"\r\n" in scene.backend.head
            answer_ok(scene.backend.exchange)
    assert len(read_whole) >= 2


def test_a_field_that_differs_besides_goes_the_whole_way(
    read_whole: list[str],
) -> None:
    scene = scene_by_cookie()
    for accept in (b"*/*", b"text/html", b"image/png"):
        scene.client.receive(with_cookie(b"alice").replace(b"*/*", accept))
        assert b"Accept: " + accept in scene.backend.head
        answer_ok(scene.backend.exchange)
    assert len(read_whole) == 3


def test_what_one_backend_request_gets_alone_is_not_lost() -> None:
    """Alice has no token for the backend; Bob has one, in a cookie."""
    scene = scene_by_cookie(
        supplies=(
            Supply(
                name="portal",
                source=FakeTokenSource(
                    NotIssued(reason="token-none"), Token(value="x")
                ),
                audience=Audience(),
                delivery=CookieDelivery("portal"),
                required=False,
            ),
        )
    )
    for name, cookies in ((b"alice", b"a=b; c=d"), (b"bob", b"a=b; c=d; portal=x")):
        scene.client.receive(with_cookie(name))
        assert b"\r\nCookie: " + cookies + b"\r\n" in scene.backend.head
        answer_ok(scene.backend.exchange)
