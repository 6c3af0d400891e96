"""
What Chromium makes of each answer to a proof of its device.

Our endpoints rely on it: a status that is wrong by one ends sessions of people who have
done nothing, or makes their browsers try for ever.
"""

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Final

import attrs
import pytest

from sso_proxy.specs.dbsc.fields import (
    CHALLENGE,
    REGISTRATION,
    RESPONSE,
    SESSION_ID,
    SKIPPED,
    build_challenge,
    build_registration,
    read_session_id,
)
from sso_proxy.specs.dbsc.instructions import Rule, build_end, build_instructions
from sso_proxy.testing.pki import Pki
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.device_tab import WITHOUT_QUOTA, DeviceTab

HOST: Final = "app.example.com"
BOUND: Final = "__Host-bound"
SESSION: Final = "__Host-session"
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"
_SESSION: Final = "session-of-alice"

_PAGE: Final = b"<!DOCTYPE html><title>page</title><link rel=icon href='data:,'>"
"""Asks for nothing else, so that each request is one that a test makes."""

Fields = dict[str, str]
Given = tuple[int, Fields, bytes]


@attrs.define
class Site:
    """
    A site with device-bound sessions, whose answers are scripted.

    Attributes:
        refusals: Answers to the next refreshes; then they are as they should be.
        rules: What browsers are told to leave out.
        initiators: Who else may have a proof made.
        asked: Path and fields of all that arrived.
    """

    port: int = 0
    refusals: list[int | str] = attrs.field(factory=list)
    rules: tuple[Rule, ...] = ()
    initiators: tuple[str, ...] = ()
    asked: list[tuple[str, Fields]] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=lambda: count(1))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{HOST}:{self.port}"

    def answer(self, path: str, fields: Fields) -> Given | None:
        """Say what is answered; nothing hangs up."""
        self.asked.append((path, fields))
        if path == "/login":
            value = build_registration("/register", self._new())
            cookie = f"{SESSION}=x; {_ATTRIBUTES}"
            return 200, {REGISTRATION: value, "Set-Cookie": cookie}, _PAGE
        if path == "/register":
            return self._instruct()
        if path == "/refresh":
            return self._refresh(fields)
        return 200, {}, _PAGE

    def _refresh(self, fields: Fields) -> Given | None:
        assert read_session_id(fields[SESSION_ID.lower()]) == _SESSION
        challenge = {CHALLENGE: build_challenge(self._new(), _SESSION)}
        refusal = self.refusals[0] if self.refusals else ""
        if refusal == "hang up":  # again and again: browsers repeat it by themselves
            return None
        del self.refusals[:1]
        if isinstance(refusal, int):
            return refusal, {}, b""
        if refusal == "end":
            return 200, {}, build_end(_SESSION)
        if refusal == "ask" or RESPONSE.lower() not in fields:
            return 403, challenge, b""
        return self._instruct()

    def _instruct(self) -> Given:
        body = build_instructions(
            session_id=_SESSION,
            refresh_url="/refresh",
            origin=self.url,
            rules=self.rules,
            cookies=((BOUND, _ATTRIBUTES),),
        )
        if self.initiators:
            told = json.loads(body) | {"allowed_refresh_initiators": self.initiators}
            body = json.dumps(told).encode()
        return 200, {"Set-Cookie": f"{BOUND}=x; Max-Age=600; {_ATTRIBUTES}"}, body

    def _new(self) -> str:
        return f"challenge-{next(self._numbers)}"

    def paths(self) -> list[str]:
        """Give what was asked for."""
        return [path for path, _ in self.asked]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[str, Fields], Given | None]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        fields = {name.lower(): value for name, value in self.headers.items()}
        given = self.server.answer(self.path, fields)
        if given is None:
            self.close_connection = True
            return
        status, headers, body = given
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Chromium]]:
    directory: Path = tmp_path_factory.mktemp("site")
    issued = Pki.create().issue(HOST, dns=[HOST], server=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issued.write(directory, "server"))
    server = _Server(("127.0.0.1", 0), _Handler)
    # The thread that accepts must not wait for a handshake.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    site = Site(server.server_port)
    server.answer = site.answer
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    try:
        trusted = key_hash(issued.cert_pem)
        with Chromium(trusted, features=WITHOUT_QUOTA) as browser:
            yield site, browser
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def registered(place: tuple[Site, Chromium]) -> Iterator[tuple[Site, Tab, DeviceTab]]:
    """Give a tab of a new profile that has registered its device."""
    site, browser = place
    with browser.tab() as tab:
        device = DeviceTab.watch(tab)
        tab.go(f"{site.url}/login")
        device.wait_for("creation", "Success")
        device.expire(site.url, BOUND)
        site.asked.clear()
        yield site, tab, device


def fetch(tab: Tab, path: str) -> None:
    tab.value(f"fetch({path!r}).then(r => r.text())")


def fields_of(site: Site, path: str) -> Fields:
    return next(fields for asked, fields in site.asked if asked == path)


@pytest.mark.parametrize(
    ("answer", "result", "skipped"),
    [
        (503, "ServerError", "server_error"),
        ("hang up", "Unreachable", "unreachable"),
    ],
)
def test_what_fails_for_a_while_is_tried_again(
    place: tuple[Site, Chromium], answer: int | str, result: str, skipped: str
) -> None:
    with registered(place) as (site, tab, device):
        site.refusals = [answer]
        fetch(tab, "/first")
        device.wait_for("refresh", result)
        site.refusals = []
        device.expire(site.url, BOUND)
        fetch(tab, "/second")
        device.wait_for("refresh", "Refreshed")
        told = fields_of(site, "/first")[SKIPPED.lower()]
        assert told == f'{skipped};session_identifier="{_SESSION}"'
        assert BOUND in fields_of(site, "/second")["cookie"]


@pytest.mark.parametrize("answer", [302, 401, 403])
def test_what_says_no_ends_it_at_once(
    place: tuple[Site, Chromium], answer: int
) -> None:
    """Not even a challenge that is missing beside 403 is forgiven."""
    with registered(place) as (site, tab, device):
        site.refusals = [answer]
        fetch(tab, "/first")
        device.wait_for("termination", "RefreshFatalError")
        fetch(tab, "/second")
        assert site.paths() == ["/refresh", "/first", "/second"]
        assert not any(SKIPPED.lower() in fields for _, fields in site.asked)


def test_a_session_that_is_over_is_given_up(place: tuple[Site, Chromium]) -> None:
    with registered(place) as (site, tab, device):
        site.refusals = ["end"]
        fetch(tab, "/first")
        device.wait_for("termination", "ServerRequested")
        fetch(tab, "/second")
        assert site.paths() == ["/refresh", "/first", "/second"]


def test_another_challenge_is_answered_and_a_fifth_is_not(
    place: tuple[Site, Chromium],
) -> None:
    with registered(place) as (site, tab, device):
        site.refusals = ["ask"] * 4
        fetch(tab, "/first")
        device.wait_for("refresh", "Refreshed")
        assert BOUND in fields_of(site, "/first")["cookie"]
        device.expire(site.url, BOUND)
        site.refusals = ["ask"] * 5
        fetch(tab, "/second")
        device.wait_for("termination", "RefreshFatalError")


def test_the_narrowest_rule_decides(place: tuple[Site, Chromium]) -> None:
    site, _ = place
    site.rules = (
        Rule("include", "*", "/app"),
        Rule("exclude", "*", "/"),
        Rule("exclude", "*", "/app/static"),
    )
    try:
        with registered(place) as (site, tab, device):
            for path in ("/outside", "/application", "/app/static/x"):
                fetch(tab, path)
            assert "/refresh" not in site.paths()
            for path in ("/app", "/app/page", "/app/statics"):
                device.expire(site.url, BOUND)
                fetch(tab, path)
                assert BOUND in fields_of(site, path)["cookie"], path
    finally:
        site.rules = ()


@pytest.mark.parametrize("initiators", [(), ("*",)])
def test_links_elsewhere_lead_here_without_a_proof_of_the_session(
    place: tuple[Site, Chromium], initiators: tuple[str, ...]
) -> None:
    """Either there is no proof, or it comes without the cookie that it is for."""
    site, _ = place
    site.initiators = initiators
    try:
        with registered(place) as (site, tab, _):
            tab.go("data:text/html,elsewhere")
            tab.run(f"location.href = '{site.url}/linked'; 0")
            tab.wait("document.title == 'page'")
            linked = fields_of(site, "/linked")
            assert SESSION in linked["cookie"]
            assert (BOUND in linked["cookie"]) is bool(initiators)
            assert SKIPPED.lower() not in linked
            if initiators:
                assert SESSION not in fields_of(site, "/refresh").get("cookie", "")
    finally:
        site.initiators = ()
