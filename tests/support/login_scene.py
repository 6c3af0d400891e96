"""A site where people log in, and a browser of one of them."""

import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import attrs

from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.endpoints.desks import BrowserEndpoints, Desk
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.logins import Logins
from sso_proxy.endpoints.logouts import Logouts
from sso_proxy.endpoints.session_iframes import SessionFrames
from sso_proxy.model import Headers, RequestHead
from sso_proxy.pages import default_pages
from sso_proxy.routing import build_own_route
from tests.support.doubles import FakeUpstream, Scene, answer_ok, make_route
from tests.support.fake_login import FakeLogin
from tests.support.sessions import (
    MAKERS,
    BrokenCache,
    Browser,
    SessionTools,
    Store,
)

PAGE = (
    b"Accept: text/html",
    b"Sec-Fetch-Mode: navigate",
    b"Sec-Fetch-Dest: document",
)
FORM = b"Content-Type: application/x-www-form-urlencoded"
OWN_PAGE = (*PAGE, b"Sec-Fetch-Site: same-origin", b"Origin: https://app.example.com")


@attrs.frozen
class Seen:
    """
    An answer as the browser sees it.

    Attributes:
        status: The status code.
        headers: Fields, in order.
        body: The body.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def location(self) -> str:
        """Give where it leads, or an empty text."""
        return dict(self.headers).get("location", "")


class LoginScene:
    """
    A route whose people log in with their browser.

    Attributes:
        logins: The ways to do so.
        browser: Keeps cookies.
        scene: The site.
    """

    def __init__(
        self,
        kind: str = "server",
        *names: str,
        per_minute: int = 300,
        options: dict[str, Any] | None = None,
        **route: Any,  # noqa: ANN401
    ) -> None:
        self.tools = SessionTools()
        self.tools.clock.now = time.time()
        self.tools.memory = self.cache = BrokenCache(
            MemoryCacheConfig(), self.tools.clock
        )
        self.store: Store = MAKERS[kind](self.tools, **(options or {}))
        self.logins = {name: self.make_login(name) for name in names or ("corp",)}
        desks = {
            name: Desk(name=name, login=login, sessions=self.store)
            for name, login in self.logins.items()
        }
        logins = Logins(
            "/.sso/",
            desks,
            pages=default_pages(),
            limit=AddressLimit(self.tools.clock, per_minute),
            clock=self.tools.clock,
        )
        logouts = Logouts("/.sso/", desks, default_pages(), self.clear, self.stores)
        self.begins, self.ends = logins, logouts
        frames = SessionFrames("/.sso/", desks)
        parts = [logins, logouts, frames, *self.make_parts(desks)]
        self.desk = BrowserEndpoints("/.sso/", logins, parts)
        asked = (*self.logins.values(), *self.make_others())
        route.setdefault("authenticators", asked)

        def routes(backend: FakeUpstream) -> list[Any]:
            main = make_route(
                backend,
                sessions=self.store,
                logins=self.desk,
                login_names=tuple(self.logins),
                **route,
            )
            return [main, build_own_route("app.example.com", "/.sso/", self.desk)]

        self.scene = Scene(routes=routes)
        self.browser = Browser()

    def make_login(self, name: str) -> Any:  # noqa: ANN401
        """Make a way to log in."""
        return FakeLogin(name=name)

    def make_parts(self, desks: Mapping[str, Desk]) -> tuple[Any, ...]:  # noqa: ARG002
        """Make other endpoints that there are."""
        return ()

    def stores(self) -> list[Store]:
        """Give all sessions that there are."""
        return [self.store]

    def clear(self, head: RequestHead) -> Headers:  # noqa: ARG002
        """Give what takes away cookies for other sites."""
        return ()

    def make_others(self) -> tuple[Any, ...]:
        """Make the authenticators that the route has besides."""
        return ()

    def send(
        self, path: str, fields: tuple[bytes, ...], method: str, body: bytes | None
    ) -> None:
        """Send a request as the browser."""
        cookies = self.browser.cookies
        if cookies:
            text = "; ".join(f"{name}={value}" for name, value in cookies.items())
            fields = (*fields, b"Cookie: " + text.encode())
        scene = self.scene
        if scene.client.closed:
            scene.client, scene.connection = scene.connect()
        scene.client.take()
        if body is not None:
            fields = (*fields, b"Content-Length: %d" % len(body))
        line = f"{method} {path} HTTP/1.1".encode()
        lines = b"".join(field + b"\r\n" for field in fields)
        head = line + b"\r\nHost: app.example.com\r\n" + lines + b"\r\n"
        scene.client.receive(head, *([body] if body else []))

    def ask(
        self,
        path: str = "/",
        *fields: bytes,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Seen:
        """Send a request as the browser; a backend that gets it answers at once."""
        scene, asked = self.scene, len(self.scene.backend.asked)
        self.send(path, fields, method, body)
        if len(scene.backend.asked) > asked:
            answer_ok(scene.backend.exchange)
        return self.read(scene.client.take())

    def page(self, path: str = "/") -> Seen:
        """Look at a page."""
        return self.ask(path, *PAGE)

    def read(self, sent: bytes) -> Seen:
        """Do as an answer says."""
        head, _, body = sent.decode(errors="replace").partition("\r\n\r\n")
        line, *lines = head.split("\r\n")
        pairs = (each.partition(": ") for each in lines)
        headers = tuple((name.lower(), value) for name, _, value in pairs)
        for name, value in headers:
            if name == "set-cookie":
                self.browser.set(value)
        return Seen(int(line.split(" ")[1]), headers, body)

    def come_back(self, away: Seen, user: str = "alice", name: str = "corp") -> Seen:
        """Let the provider send the browser back that was sent *away*."""
        query = urlsplit(away.location).query
        return self.page(f"/.sso/callback/{name}?{query}&user={quote(user)}")

    def log_in(self, path: str = "/", user: str = "alice") -> Seen:
        """Look at a page, and log in."""
        return self.come_back(self.page(path), user)

    @property
    def reason(self) -> str:
        """Give the last reason that was recorded."""
        return self.scene.reasons()[-1]


def form_of(page: Seen) -> tuple[str, bytes]:
    """Give where the form of *page* goes, and what it sends."""
    action = re.search(r'action="([^"]*)"', page.body)
    fields = re.findall(r'name="([^"]*)"\s+value="([^"]*)"', page.body)
    assert action is not None
    text = "&".join(f"{name}={value}" for name, value in fields)
    return action[1].replace("&amp;", "&"), text.encode()
