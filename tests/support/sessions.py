"""Sessions for tests: stores of both types, and browsers that keep cookies."""

from collections.abc import Callable, Coroutine
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sso_proxy.caches.memory import MemoryCache
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Headers, Request
from sso_proxy.session import Opened
from sso_proxy.sessions.cookie import CookieSessionConfig, CookieSessions
from sso_proxy.sessions.server import ServerSessionConfig, ServerSessions
from sso_proxy.testing.fakes import FakeTools, make_request

Store = ServerSessions | CookieSessions


@attrs.define(kw_only=True)
class SessionTools(FakeTools):
    """Tools that run what they are given."""

    name: str = "main"
    reactor: Clock = attrs.field(factory=Clock)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run *coroutine*."""
        Deferred.fromCoroutine(coroutine)

    def sealer(self, kind: str) -> Any:  # noqa: ANN401
        """Give what seals, with keys that a test may have changed."""
        return FakeTools.sealer(self, kind)

    def another(self) -> "SessionTools":
        """Give the tools of another process that has the same cache."""
        return attrs.evolve(self)


def server_sessions(tools: SessionTools, **options: Any) -> ServerSessions:  # noqa: ANN401
    """Make ``server`` sessions."""
    return ServerSessions.from_config(ServerSessionConfig(**options), tools)


def cookie_sessions(tools: SessionTools, **options: Any) -> CookieSessions:  # noqa: ANN401
    """Make ``cookie`` sessions whose ends are listed."""
    options.setdefault("cache", "test")
    return CookieSessions.from_config(CookieSessionConfig(**options), tools)


MAKERS: dict[str, Callable[..., Store]] = {
    "server": server_sessions,
    "cookie": cookie_sessions,
}


class Browser:
    """
    Keeps cookies by what answers say.

    Attributes:
        cookies: Values by name.
    """

    def __init__(self, **cookies: str) -> None:
        self.cookies = dict(cookies)

    def request(self, **fields: str) -> Request:
        """Make a request with all cookies."""
        headers = dict(fields)
        if self.cookies:
            headers["cookie"] = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        return make_request(headers=headers)

    def take(self, answer: Headers | Opened) -> None:
        """Do as an answer says."""
        headers = answer.headers if isinstance(answer, Opened) else answer
        for name, value in headers:
            if name == "set-cookie":
                self.set(value)

    def set(self, value: str) -> None:
        """Do as a ``Set-Cookie`` field says."""
        pair, *attributes = value.split("; ")
        cookie, _, text = pair.partition("=")
        if "Max-Age=0" in attributes:
            self.cookies.pop(cookie, None)
        else:
            self.cookies[cookie] = text


class BrokenCache(MemoryCache):
    """
    A cache that fails when it is told to.

    Attributes:
        broken: Names of methods that raise.
    """

    broken: frozenset[str] = frozenset()

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401
        if name in object.__getattribute__(self, "broken"):
            raise UnavailableError("the cache of this test")
        return object.__getattribute__(self, name)
