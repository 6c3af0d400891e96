"""Registrations with a provider that a test tells what to say."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from twisted.internet.task import Clock

from sso_proxy.authn.oidc_registrar import Registrar, Wish
from sso_proxy.net.http_client import HttpReply
from sso_proxy.testing.clock import SettableClock

ISSUER: Final = "https://login.example.com"


class FakeHttp:
    """
    Says what it is told to.

    Attributes:
        replies: Answers, or what is raised, in turn.
        asked: Methods, URLs, members and header fields.
    """

    def __init__(self, *replies: HttpReply | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[tuple[str, str, Any, Mapping[str, str]]] = []

    async def send_json(
        self,
        method: str,
        url: str,
        members: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        tls: object = None,
    ) -> HttpReply:
        del tls
        self.asked.append((method, url, dict(members), headers))
        return self._next()

    async def get(self, url: str, headers: Mapping[str, str], **_: object) -> HttpReply:
        self.asked.append(("GET", url, None, headers))
        return self._next()

    def _next(self) -> HttpReply:
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def guarded(self, guard: object) -> "FakeHttp":
        """Give itself."""
        del guard
        return self


def registered(status: int = 201, **changes: Any) -> HttpReply:  # noqa: ANN401
    """Answer with a registration."""
    members = {
        "client_id": "us",
        "client_secret": "secret-1",
        "client_secret_expires_at": 0,
        "registration_access_token": "token-1",
        "registration_client_uri": f"{ISSUER}/register/us",
        **changes,
    }
    kept = {name: value for name, value in members.items() if value is not None}
    return HttpReply(status=status, body=json.dumps(kept).encode())


class RegisteringScene:
    """A registrar and its provider."""

    def __init__(self, directory: Path) -> None:
        self.clock = SettableClock()
        self.reactor = Clock()
        self.http = FakeHttp()
        self.directory = directory / "clients"
        self.registrar = self.another()

    def another(self) -> Registrar:
        """Give the registrar of another process."""
        return Registrar("people", self.directory, self.clock, self.reactor, 3600.0)

    def wish(self, token: str | None = None, **members: Any) -> Wish:  # noqa: ANN401
        """Make a wish."""

        async def endpoint() -> str:
            return f"{ISSUER}/register"

        http: Any = self.http
        return Wish(
            issuer=ISSUER,
            members={"token_endpoint_auth_method": "client_secret_basic", **members},
            endpoint=endpoint,
            token=token,
            http_client=http,
        )
