"""Requests that differ in a cookie that is a credential."""

from typing import Any

import pytest
from zope.interface import implementer

from sso_proxy.edge import connection
from sso_proxy.interfaces import IAuthenticator
from sso_proxy.model import Authenticated, Outcome, Refusal, Rejected, Request
from sso_proxy.routing import Route, Supply
from sso_proxy.specs.http.parameters import read_cookie
from sso_proxy.specs.http.request import Incoming, read_request
from sso_proxy.testing.fakes import FakeTokenSource, make_identity
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.delivery import CookieDelivery
from tests.support.doubles import HOST, FakeUpstream, Scene, answer_ok, make_route


@pytest.fixture
def read_whole(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Give the heads that are read as a whole, as they are."""
    heads: list[bytes] = []

    def read(raw: bytes, **options: Any) -> Incoming:  # noqa: ANN401
        heads.append(raw)
        return read_request(raw, **options)

    monkeypatch.setattr(connection, "read_request", read)
    return heads


@implementer(IAuthenticator)
class ByCookie:
    """The cookie ``t`` is the subject's name; ``bad`` is none."""

    consumes = ("cookie:t",)

    async def authenticate(self, request: Request) -> Outcome:
        (field,) = request.head.values("cookie")
        (name,) = read_cookie(field, "t")
        if name == "bad":
            return Rejected(reason="token-invalid")
        return Authenticated(make_identity(name))

    def challenge(self, request: Request) -> None: ...

    def refusal(self, request: Request, refusal: Refusal) -> None: ...


def with_cookie(name: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    cookie = b"Cookie: a=b; t=" + name + b"; __Host-sso=secret; c=d\r\n"
    return line + b"\r\n" + HOST + b"Accept: */*\r\n" + cookie + b"\r\n"


def scene_by_cookie(**route: Any) -> Scene:  # noqa: ANN401
    return Scene(authenticators=(ByCookie(),), **{"consumed_cookies": ("t",), **route})


def test_who_differs_in_the_cookie_gets_what_a_fresh_connection_gets(
    read_whole: list[bytes],
) -> None:
    requests = [
        with_cookie(b"alice"),
        with_cookie(b"bob", b"GET /b?c HTTP/1.1"),
        with_cookie(b"bob", b"GET /d HTTP/1.1"),
        with_cookie(b"carol%2E", b"HEAD / HTTP/1.1"),
        with_cookie(b"alice"),
    ]
    kept = scene_by_cookie()
    for number, request in enumerate(requests):
        kept.client.receive(request)
        fresh = scene_by_cookie()
        fresh.client.receive(request)
        mine, wanted = kept.backend.exchange, fresh.backend.exchange
        assert kept.backend.head == fresh.backend.head.replace(
            b"id-1\r", b"id-%d\r" % (number + 1)
        )
        assert b"\r\nCookie: a=b; c=d\r\n" in kept.backend.head
        assert mine.admission is not None
        assert wanted.admission is not None
        assert mine.admission.stable == wanted.admission.stable
        seen, right = mine.admission.caller.request, wanted.admission.caller.request
        assert seen.head.headers == right.head.headers
        assert mine.admission.caller.identity == wanted.admission.caller.identity
        answer_ok(mine)
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
    read_whole: list[bytes], taken: tuple[str, ...]
) -> None:
    scene = scene_by_cookie(consumed_cookies=taken)
    for name in (b"alice", b"bob", b"alice"):
        scene.client.receive(with_cookie(name))
        assert b"t=" + name + b"; c=d" in scene.backend.head
        answer_ok(scene.backend.exchange)
    assert len(read_whole) == 3


def test_a_cookie_that_one_backend_gets_is_never_another_s(
    read_whole: list[bytes],
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
    read_whole: list[bytes],
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
