"""Requests that repeat others, but for a credential, and who decides on them."""

from collections.abc import Callable
from typing import Any

import attrs
from zope.interface import implementer

from sso_proxy.admission import Admission
from sso_proxy.edge.exchange import Exchange
from sso_proxy.interfaces import IAuthenticator
from sso_proxy.model import Authenticated, Outcome, Refusal, Rejected, Request
from sso_proxy.specs.http.parameters import read_cookie
from sso_proxy.testing.fakes import make_identity
from tests.support.doubles import HOST, FakeStream, Scene, answer_ok

BROWSER = b"Accept: */*\r\nCookie: a=b; __Host-sso=secret\r\nVia: 1.1 x\r\n"


@implementer(IAuthenticator)
class ByToken:
    """The token is the subject's name; ``bad`` is no token."""

    consumes: tuple[str, ...] = ("authorization",)

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def authenticate(self, request: Request) -> Outcome:
        name = self.read(request)
        self.asked.append(name)
        if name == "bad":
            return Rejected(reason="token-invalid")
        return Authenticated(make_identity(name))

    def read(self, request: Request) -> str:
        (value,) = request.head.values("authorization")
        return value.removeprefix("Bearer ")

    def challenge(self, request: Request) -> None: ...

    def refusal(self, request: Request, refusal: Refusal) -> None: ...


class ByCookie(ByToken):
    """The cookie ``t`` is the subject's name; ``bad`` is none."""

    consumes = ("cookie:t",)

    def read(self, request: Request) -> str:
        (field,) = request.head.values("cookie")
        (name,) = read_cookie(field, "t")
        return name


def request_of(name: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    """Give a request with the token *name*."""
    credential = b"Authorization: Bearer " + name + b"\r\n"
    return line + b"\r\n" + HOST + credential + BROWSER + b"\r\n"


def with_cookie(name: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    """Give a request with the cookie *name*."""
    cookie = b"Cookie: a=b; t=" + name + b"; __Host-sso=secret; c=d\r\n"
    return line + b"\r\n" + HOST + b"Accept: */*\r\n" + cookie + b"\r\n"


def scene_by_token(**route: Any) -> Scene:  # noqa: ANN401
    """Make a scene whose route goes by tokens."""
    taken = {"consumed": frozenset({"authorization", "dpop"})}
    return Scene(**{"authenticators": (ByToken(),), **taken, **route})


def scene_by_cookie(**route: Any) -> Scene:  # noqa: ANN401
    """Make a scene whose route goes by cookies."""
    taken = {"consumed_cookies": ("t",)}
    return Scene(**{"authenticators": (ByCookie(),), **taken, **route})


def check_as_fresh(
    scene: Scene, make: Callable[[], Scene], request: bytes, client: FakeStream
) -> Exchange | None:
    """
    Send *request*, and check that its backend gets what it would get of a new scene.

    Args:
        scene: Where something went on before.
        make: Makes one where nothing did.
        request: One request without a body.
        client: Sends it.

    Returns:
        The exchange at the backend, to be answered; None if it was refused, as there.
    """
    fresh, asked = make(), len(scene.backend.asked)
    fresh.client.receive(request)
    client.take()
    client.receive(request)
    if not fresh.backend.asked:
        assert len(scene.backend.asked) == asked
        assert client.take()[9:12] == fresh.client.take()[9:12]
        assert scene.reasons()[-1] == fresh.reasons()[-1]
        return None
    assert len(scene.backend.asked) == asked + 1
    mine, wanted = scene.backend.exchange, fresh.backend.exchange
    if not wanted.id.startswith("id-"):  # whoever gave it wants to find it again
        assert mine.id == wanted.id
    ours, right = (b"-Id: " + each.id.encode() + b"\r" for each in (mine, wanted))
    assert scene.backend.head == fresh.backend.head.replace(right, ours)
    assert (mine.path, mine.method) == (wanted.path, wanted.method)
    assert mine.admission is not None
    assert wanted.admission is not None
    assert mine.admission.stable == wanted.admission.stable
    assert mine.admission.answer == wanted.admission.answer
    caller, rightful = mine.admission.caller, wanted.admission.caller
    assert (caller.identity, caller.user) == (rightful.identity, rightful.user)
    assert caller.request.head.headers == rightful.request.head.headers
    return mine


def begin(scene: Scene, *names: bytes) -> FakeStream:
    """Let a client connect, and ask with each of *names*."""
    client, _ = scene.connect()
    for name in names:
        send(scene, client, request_of(name))
    return client


def send(scene: Scene, client: FakeStream, request: bytes) -> None:
    """Send *request*; its backend answers."""
    asked = len(scene.backend.asked)
    client.receive(request)
    if len(scene.backend.asked) > asked:
        answer_ok(scene.backend.exchange)


def asked_about(scene: Scene) -> list[str]:
    """Give the tokens that were looked at."""
    routes = scene.routes.of_host("app.example.com")
    route = routes.find("/") if routes is not None else None
    assert route is not None
    (authenticator,) = route.authenticators
    assert isinstance(authenticator, ByToken)
    return authenticator.asked


def admitted(**changes: Any) -> Admission:  # noqa: ANN401
    """Give what is decided for a request of Alice's, with *changes*."""
    scene = scene_by_token()
    scene.client.receive(request_of(b"alice"))
    admission = scene.backend.exchange.admission
    assert admission is not None
    return attrs.evolve(admission, **changes)
