"""An application with cookies of its own, behind what binds them to devices."""

import re
from collections.abc import Callable
from typing import Any, Final

import attrs

from sso_proxy.bound_cookies import BoundCookies
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import (
    BindingConfig,
    CookieBindingConfig,
    CookieDeviceConfig,
)
from sso_proxy.device_scope import DevicePlaces
from sso_proxy.errors import UnavailableError
from sso_proxy.key_places import KeyPlaces
from sso_proxy.model import Request, Response
from sso_proxy.route_cookies import RouteCookies
from sso_proxy.routing import Route
from sso_proxy.testing.fakes import NOW, make_request
from tests.support.caching import now
from tests.support.device_browser import Answer, DeviceBrowser, Sent
from tests.support.sessions import SessionTools

GRACE: Final = 60
LIFETIME: Final = 300

Serve = Callable[[Sent, dict[str, str]], list[str]]
"""What an application does: gives the cookies that it sets."""


def serve(sent: Sent, cookies: dict[str, str]) -> list[str]:
    """Do what most do: a session for everybody, and another one after the login."""
    path = sent.path
    if path == "/login":
        return [f"JSESSIONID=alice-{len(sent.body or b'')}; Path=/; HttpOnly"]
    if path == "/logout":
        return ["JSESSIONID=; Path=/; Max-Age=0"]
    if path == "/" and "JSESSIONID" not in cookies:
        return ["JSESSIONID=nobody; Path=/; HttpOnly"]
    return []


class Application:
    """
    One route to an application, as a server for `DeviceBrowser`.

    Args:
        tools: What is shared with other instances.
        do: What the application does.
        host: The route's.
        config: What the route says of cookies.

    Attributes:
        seen: The cookies that each request had for the application.
        asked: The last request, as it was decided on.
    """

    def __init__(
        self,
        tools: SessionTools | None = None,
        do: Serve = serve,
        host: str = "app.example.com",
        **config: Any,  # noqa: ANN401
    ) -> None:
        self.tools = tools or SessionTools()
        self.seen: list[dict[str, str]] = []
        self.host = host
        self.asked: Request | None = None
        self._do = do
        self.cookies, self._own = build(self.tools, host, **config)

    def browser(self, **options: Any) -> DeviceBrowser:  # noqa: ANN401
        """Give a browser that knows nothing yet."""
        return DeviceBrowser(self, self.tools.clock.time, self.host, **options)

    def who(self, browser: DeviceBrowser) -> str:
        """Have *browser* ask, and give what the application gets for its session."""
        assert browser.visit("/who").status == 200
        return self.seen[-1].get("JSESSIONID", "")

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.tools.clock.advance(seconds)

    def __call__(self, sent: Sent) -> Answer:
        """Answer a request."""
        request = read(sent, self.host, self.tools.clock.time())
        for own in self._own:
            if request.head.path.startswith(own.path):
                return _answer(now(own.logins.answer(request)))  # type: ignore[union-attr]
        try:
            request = now(self.cookies.look(request))
        except UnavailableError as e:
            return Answer(status=e.status)
        self.asked = request
        opened = self.cookies.open(request)
        field = "; ".join(opened.head.values("cookie"))
        pairs = (pair.partition("=") for pair in field.split("; ") if pair)
        cookies = {name: value for name, _, value in pairs}
        self.seen.append({n: v for n, v in cookies.items() if "-sso" not in n})
        return self.reply(request, *self._do(sent, cookies))

    def reply(self, request: Request, *lines: str) -> Answer:
        """Give what the client gets of an answer with these cookies."""
        fields = "".join(f"Set-Cookie: {line}\r\n" for line in lines)
        block = f"HTTP/1.1 200 OK\r\n{fields}".encode("latin-1")
        text = self.cookies.sealing(request)(block).decode("latin-1")
        found = re.findall(r"(?m)^([A-Za-z-]+): ([^\r]*)\r$", text)
        return Answer(status=200, fields=tuple((n.lower(), v) for n, v in found))


def build(
    tools: SessionTools,
    host: str = "app.example.com",
    **config: Any,  # noqa: ANN401
) -> tuple[BoundCookies, list[Route]]:
    """Make what binds cookies, and the routes to its endpoints."""
    places = DevicePlaces()
    made = RouteCookies(places)
    cookies = made.find("route[0]", route_of(host, **config), tools)
    assert cookies is not None
    own = places.routes((), KeyPlaces())
    places.settle(own)
    return cookies, own


def route_of(host: str = "app.example.com", **config: Any) -> RouteConfig:  # noqa: ANN401
    """Give a route as it is configured."""
    options = config.pop("device_options", {})
    return RouteConfig(
        host=host,
        authenticate=("anonymous",),
        backend="http://127.0.0.1:9",
        binding=BindingConfig(
            cookies=CookieBindingConfig(
                names=config.pop("names", ("JSESSIONID",)),
                device=config.pop("device", "require"),
                device_options=CookieDeviceConfig(**options),
                **config,
            )
        ),
    )


def read(sent: Sent, host: str, time: float = NOW) -> Request:
    """Give a request as it is decided on."""
    request = make_request(sent.method, sent.path, host=host, time=time)
    headers = tuple((name.lower(), value) for name, value in sent.fields)
    head = attrs.evolve(request.head, headers=headers)
    return attrs.evolve(request, head=head)


def _answer(response: Response | None) -> Answer:
    assert response is not None
    return Answer(
        status=response.status, fields=tuple(response.headers), body=response.body
    )
