"""Somebody logs out at Debian's glewlwyd, which tells the proxy."""

import base64
import contextlib
import hashlib
import html
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.glewlwyd import Glewlwyd
from tests.support.login_proxy import HOST, LoginProxy, Site, login_proxy, write_secret
from tests.support.programs import free_port
from tests.support.running import eventually

NAME: Final = "basic"
SECRET: Final = "0123456789abcdef0123456789abcdef"
_OPTIONS: Final = 'client_secret_file = "client.secret"\nscope = ["openid", "email"]'
_INFO: Final = '[route.session_info]\nshow = ["id_token"]'


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, the provider, and what the provider was answered."""

    gate: LoginProxy
    server: Glewlwyd
    told: list[int]

    def log_in(self, user: str) -> tuple[Browser, str]:
        """Log *user* in; gives the browser and the name of the provider's session."""
        browser = self.gate.browser()
        page = browser.go(self.gate.url(NAME))
        page = self.server.log_in(browser, page, NAME, user)
        story = self.gate.story(browser, page) + self.server.log()[-3000:]
        assert page.status == 200, story
        info = json.loads(browser.fetch(f"{self.gate.origin}/.sso/session").text)
        return browser, info["id_token"]["sid"]

    def is_in(self, browser: Browser) -> bool:
        """Say whether the browser gets through."""
        return browser.fetch(self.gate.url(NAME)).status == 200


@contextlib.contextmanager
def _relay(ca: Path, url: str, told: list[int]) -> Iterator[str]:
    """Pass on what is posted here: the provider finds no made-up host by its name."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kind = {"Content-Type": self.headers["content-type"]}
            page = Browser(ca).send("POST", url, body=body.decode(), headers=kind)
            told.append(page.status)
            self.send_response(page.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run both."""
    directory, port = tmp_path_factory.mktemp("glewlwyd"), free_port()
    write_secret(directory, "client.secret", SECRET)
    site, told = f"https://{HOST}:{port}", list[int]()
    notices = f"{site}/.sso/logout"
    with _relay(pki.write(directory), f"{notices}/backchannel/{NAME}", told) as relay:
        known: dict[str, Any] = {
            "client_id": NAME,
            "name": NAME,
            "enabled": True,
            "confidential": True,
            "password": SECRET,
            "redirect_uri": [f"{site}/.sso/callback/{NAME}"],
            "authorization_type": ["code", "refresh_token"],
            "token_endpoint_auth_method": ["client_secret_basic"],
            "backchannel_logout_uri": relay,
            "frontchannel_logout_uri": f"{notices}/frontchannel/{NAME}",
            "scope": [],
        }
        with Glewlwyd(pki, [known]) as server:
            sites = {
                NAME: Site(
                    issuer=server.issuer, client_id=NAME, options=_OPTIONS, route=_INFO
                )
            }
            with login_proxy(directory, pki, sites, port) as gate:
                yield Scene(gate=gate, server=server, told=told)


def test_the_back_channel_ends_the_sessions_of_the_user(scene: Scene) -> None:
    """It names none: its clients cannot say that they require that."""
    browser, sid = scene.log_in("alice")
    other, _ = scene.log_in("alice")
    bob, _ = scene.log_in("bob")
    page = browser.send("DELETE", f"{scene.server.issuer}/session/{sid}/", headers={})
    assert page.status == 200, scene.server.log()[-3000:]
    eventually(lambda: bool(scene.told), "the message")
    assert scene.told == [200], scene.gate.proxy.log()[-3000:]
    assert not scene.is_in(browser)
    assert not scene.is_in(other)
    assert scene.is_in(bob)


def test_the_frame_that_it_shows_ends_the_session_that_it_names(scene: Scene) -> None:
    browser, sid = scene.log_in("bob")
    place = f"{scene.server.issuer}/session/{sid}/{NAME}"
    listed = json.loads(browser.send("GET", place, headers={}).text)
    (client,) = listed["client"]
    frame = client["frontchannel_logout_uri"]
    names = {name: listed[name] for name in ("iss", "sid")}
    for query in ("", f"?{urlencode({**names, 'sid': 'other'})}"):
        assert browser.send("GET", frame + query, headers={}).status == 200
        assert scene.is_in(browser)
    page = browser.send("GET", f"{frame}?{urlencode(names)}", headers={})
    assert page.status == 200
    assert not scene.is_in(browser)


def test_its_frame_can_be_asked(scene: Scene) -> None:
    """By the ``session_state`` that it computes in the browser."""
    browser, _ = scene.log_in("bob")
    page = browser.send("GET", f"{scene.gate.origin}/.sso/iframe/rp/{NAME}", headers={})
    assert f'src="{scene.server.issuer}/check_session_iframe"' in page.text
    state = page.text.partition('data-state="')[2].partition('"')[0]
    salt = state.partition(".")[2]
    text = f"{NAME} {scene.gate.origin} bob {salt}"
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert html.unescape(state) == f"{digest}.{salt}"
