"""Debian's mod_auth_tkt takes the tickets that are made here."""

import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.model import Caller
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.auth_tkt import AuthTktSource
from sso_proxy.tokens.auth_tkt_config import AuthTktTokenConfig
from tests.support.auth_tkt_apache import auth_tkt_apache
from tests.support.auth_tkt_desk import SECRET, TIMEOUT
from tests.support.programs import free_port
from tests.support.recorder import Recorder
from tests.support.running import PATIENCE
from tests.support.ticket_scene import TicketScene, make_desk

ELSEWHERE = "/ignoreip"
"""Where tickets are good from any address."""


@attrs.frozen
class Sites:
    """
    Apache, with a backend.

    Attributes:
        port: Where it listens.
        backend: What is behind it.
    """

    port: int
    backend: Recorder

    def ask(self, ticket: str, path: str, host: str = "app.test") -> dict[str, str]:
        """Show a ticket, and give the fields of the answer."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host}", f"Cookie: auth_tkt={ticket}"]
        octets = "\r\n".join([*lines, "Connection: close", "", ""]).encode()
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.sendall(octets)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        line, *fields = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
        named = dict(field.split(": ", 1) for field in fields)
        return {"status": line.split(" ")[1], **named}

    def show(self, ticket: str, path: str = "/x", host: str = "app.test") -> str:
        """Show a ticket, and give where that leads to: nowhere, or to the backend."""
        before = len(self.backend.seen)
        answer = self.ask(ticket, path, host)
        if len(self.backend.seen) == before:
            return answer["status"]
        last = self.backend.seen[-1]
        fields = ("X-Env-User", "X-Env-Tokens", "X-Env-Data")
        said = "|".join("".join(last.values(field)) for field in fields)
        return said.replace("(null)", "").encode("latin-1").decode()


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """Run Apache."""
    with tempfile.TemporaryDirectory() as name, Recorder() as backend:
        directory, port = Path(name), free_port()
        directory.chmod(0o755)
        with auth_tkt_apache(directory, port, backend.port):
            yield Sites(port, backend)


def make_source(ago: float = 0, **options: Any) -> AuthTktSource:  # noqa: ANN401
    """Make what makes tickets, so many seconds *ago*."""
    given: dict[str, Any] = {
        "lifetime": TIMEOUT,
        "cip": True,
        "tokens": ("groups",),
        "udata": "m",
    }
    config = AuthTktTokenConfig(secret=Secret(SECRET), **given | options)
    clock = SettableClock()
    clock.now = time.time() - ago
    return AuthTktSource.from_config(config, FakeTools(clock=clock))


def made(
    *,
    user: str = "alice",
    client: str = "127.0.0.1",
    left: float | None = None,
    ago: float = 0,
    claims: dict[str, Any] | None = None,
    **options: Any,  # noqa: ANN401
) -> str:
    """
    Have a ticket made.

    Args:
        user: For whom.
        client: Their address.
        left: What their session has left of its time; None: enough.
        ago: How long ago that was.
        claims: What is known about them.
        options: How.
    """
    source = make_source(ago, **options)
    expires = None if left is None else time.time() - ago + left
    caller = Caller(
        request=make_request(client=client),
        identity=make_identity(claims=claims or {}, expires=expires),
        user=user,
    )
    token = outcome_of(source.token_for(caller, Audience()))
    assert isinstance(token, Token)
    return token.value


@pytest.mark.parametrize(
    ("digest", "host"),
    [("md5", "app.test"), ("sha256", "sha256.test"), ("sha512", "sha512.test")],
)
@pytest.mark.parametrize("wrapped", ["base64", "url"])
def test_each_digest_is_taken(
    digest: str, host: str, wrapped: str, sites: Sites
) -> None:
    claims = {"groups": ["staff", "admin"], "m": "a!b \u00e9"}
    ticket = made(digest=digest, wrapped=wrapped, claims=claims)
    assert sites.show(ticket, host=host) == "alice|admin,staff|a!b \u00e9"


@pytest.mark.parametrize(
    ("claims", "said"),
    [({}, "alice||"), ({"m": "data"}, "alice||data"), ({"m": "a!b"}, "alice||a!b")],
)
def test_so_is_one_without_tokens(
    claims: dict[str, Any], said: str, sites: Sites
) -> None:
    assert sites.show(made(claims=claims)) == said


def test_one_as_it_is_may_stand_in_the_cookie(sites: Sites) -> None:
    assert sites.show(made(wrapped="none")) == "alice||"


def test_it_is_good_from_its_address_alone(sites: Sites) -> None:
    ticket = made(client="192.0.2.1")
    assert sites.show(ticket) == sites.show(ticket, ELSEWHERE) == "307"


def test_without_an_address_it_is_good_at_sites_that_look_at_none(sites: Sites) -> None:
    ticket = made(cip=False)
    assert sites.show(ticket, ELSEWHERE) == "alice||"
    assert sites.show(ticket) == "307"


def test_tokens_open_what_they_should(sites: Sites) -> None:
    assert sites.show(made(claims={"groups": ["admin"]}), "/tok") == "alice|admin|"
    assert sites.show(made(claims={"groups": ["guests"]}), "/tok") == "307"


def test_it_ends_with_its_users_session(sites: Sites) -> None:
    """The site counts from the time in it, and knows nothing of sessions."""
    for left, ago, said in ((None, 90, "alice||"), (60, 0, "alice||"), (60, 90, "307")):
        assert sites.show(made(left=left, ago=ago), "/norefresh") == said


@pytest.mark.parametrize(
    ("age", "path", "why"),
    [
        (None, "/x?a=1&b=%C3%A9+%26", ""),
        (TIMEOUT + 30, "/x", "timeout=1;"),
        (None, "/amp", ""),
        (None, "/backcookie", None),
    ],
)
def test_sites_and_login_server_pass_a_user_on(
    age: float | None, path: str, why: str | None, sites: Sites
) -> None:
    """From the site to the login server with what it says, and back with a ticket."""
    old = "" if age is None else made(ago=age)
    answer = sites.ask(old, path)
    assert answer["status"] == "307"
    login = answer["Location"].removeprefix("http://sso.test")
    assert login == "/login" if why is None else login.startswith(f"/login?{why}back=")

    desk = make_desk(make_source(cip=False), "http://app.test")
    scene = TicketScene(ticket=desk)
    name, _, value = answer.get("Set-Cookie", "").partition(";")[0].partition("=")
    scene.cookies = {name: value} if name else {}
    seen = scene.ask(login)
    assert (seen.status, seen.location) == (303, f"http://app.test{path}")
    assert sites.show(scene.cookies["auth_tkt"], ELSEWHERE) == "alice||"


def test_a_site_says_who_may_not_use_it(sites: Sites) -> None:
    login = sites.ask(made(claims={"groups": ["guests"]}), "/tok")["Location"]
    desk = make_desk(make_source(), "http://app.test")
    scene = TicketScene(ticket=desk)
    seen = scene.ask(login.removeprefix("http://sso.test"))
    assert (seen.status, scene.reason) == (403, "ticket-unauth")
    assert "auth_tkt" not in scene.cookies
