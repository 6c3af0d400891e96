"""A login server of tickets, and browsers that have logged in."""

from typing import Any
from urllib.parse import quote

from zope.interface import implementer

from sso_proxy.endpoints.tickets import TicketDesk
from sso_proxy.interfaces import ITicketSource
from sso_proxy.net.clock import SystemClock
from sso_proxy.pages import default_pages
from sso_proxy.specs.http.back_target import read_pattern
from sso_proxy.specs.http.domain_cookie import DomainCookie
from sso_proxy.testing.fakes import FakeTokenSource
from tests.support.doubles import HOST, FakeUpstream, Scene, make_route
from tests.support.login_scene import PAGE, Seen

BACK = "https://site.example.com/x?a=1"
ASK = f"/login?back={quote(BACK, safe='')}"
TICKET = "auth_pubtkt=t0ken; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax"


@implementer(ITicketSource)
class FakeTicketSource(FakeTokenSource):
    """Gives what it is told to, as a ticket."""

    cookie = "auth_pubtkt"


def make_desk(source: ITicketSource, back: str = "site.example.com") -> TicketDesk:
    """Make what gives tickets at ``/login``, for a site."""
    return TicketDesk(
        source=source,
        cookie=DomainCookie(name=source.cookie, domain="example.com"),
        back=(read_pattern(back),),
        argument="back",
        back_cookie=DomainCookie(name="back_to", domain="example.com"),
        path="/login",
        logout="/.sso/logout",
        pages=default_pages(),
        clock=SystemClock(),
    )


class TicketScene:
    """A login server, and a browser that has logged in."""

    def __init__(self, *answers: Any, **route: Any) -> None:  # noqa: ANN401
        self.source = FakeTicketSource(*answers)
        route.setdefault("ticket", make_desk(self.source))
        self.scene = Scene(routes=lambda backend: [self._make(backend, route)])
        self.cookies: dict[str, str] = {}

    def _make(self, backend: FakeUpstream, options: dict[str, Any]) -> Any:  # noqa: ANN401
        return make_route(backend, path="/login", **options)

    def ask(
        self, target: str, *fields: bytes, method: str = "GET", version: str = "1.1"
    ) -> Seen:
        """Send a request, and read the answer."""
        client, _ = self.scene.connect()
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines = [f"{method} {target} HTTP/{version}".encode(), HOST.strip()]
        lines += [*PAGE, *fields, *([f"Cookie: {cookies}".encode()] if cookies else [])]
        client.receive(b"\r\n".join([*lines, b"", b""]))
        head, _, content = client.take().decode().partition("\r\n\r\n")
        line, *rest = head.split("\r\n")
        pairs = (each.partition(": ") for each in rest)
        headers = tuple((name.lower(), value) for name, _, value in pairs)
        for name, value in headers:
            if name == "set-cookie":
                called, _, text = value.partition(";")[0].partition("=")
                self.cookies[called] = text
        assert not self.scene.backend.asked
        return Seen(int(line.split(" ")[1]), headers, content)

    @property
    def reason(self) -> str:
        return self.scene.reasons()[-1]


def given(seen: Seen) -> list[str]:
    return [
        value
        for name, value in seen.headers
        if name == "set-cookie" and value.startswith("auth_pubtkt=")
    ]
