"""Somebody logs out at npm oidc-provider, which tells the proxy."""

import asyncio
import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, Final, Self, TypeVar

import attrs
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.login_proxy import HOST, LoginProxy, login_proxy
from tests.support.logins_at_op import LOGIN_CLIENTS, LoginKeys
from tests.support.oidc_provider import OidcProvider
from tests.support.programs import free_port
from tests.support.running import eventually

_NAMED: Final = ("basic", "id-ps256", "id-hs256", "enc-ecdh", "enc-dir", "fapi")
_UNNAMED: Final = "post"
_SOCKET: Final = """
[[route]]
host = "{host}"
path = "/socket/"
authenticate = ["basic"]
upgrade = ["websocket"]
backend = "http://127.0.0.1:{port}"
"""
_SOON: Final = 2.0
"""Seconds in which what runs for a session is closed, on a busy machine."""

T = TypeVar("T")


class Listening:
    """
    A WebSocket over TLS, all of it in one thread.

    The client of the same library that needs no loop reads and writes in two, which
    OpenSSL does not allow for one connection: now and then it waits for ever.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, url: str, **options: Any) -> Self:  # noqa: ANN401
        """Connect."""

        async def begin() -> ClientConnection:
            return await connect(url, **options)

        return cls(_in_loop(begin(), 60))

    def send(self, text: str) -> None:
        """Send *text*."""
        _in_loop(self._connection.send(text), 10)

    def recv(self, seconds: float) -> str | bytes:
        """Wait so long for what comes."""
        return _in_loop(asyncio.wait_for(self._connection.recv(), seconds), 60)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        _in_loop(self._connection.close(), 30)


def _in_loop(work: Coroutine[Any, Any, T], seconds: float) -> T:
    return asyncio.run_coroutine_threadsafe(work, _loop()).result(seconds)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, with two workers, and the provider that all log in at."""

    gate: LoginProxy
    server: OidcProvider

    def log_in(self, user: str, *names: str) -> Browser:
        """Log *user* in at clients, one after the other."""
        browser = self.gate.browser()
        for name in names:
            page = browser.go(self.gate.url(name))
            if page.url.startswith(f"{self.server.issuer}/interaction/"):
                page = browser.submit(page, login=user)
            assert page.url == self.gate.url(name), self.story(browser)
            assert self.is_in(browser, name)
        return browser

    def log_out(self, browser: Browser, *names: str) -> None:
        """Log out at the provider, which tells *names*."""
        before = {name: self.told(name) for name in names}
        asked = browser.send("GET", f"{self.server.issuer}/session/end")
        page = browser.submit(asked, logout="yes")
        assert page.status == 200, self.story(browser)
        for name in names:
            eventually(
                lambda name=name: self.told(name) > before[name],  # type: ignore[misc]
                f"the message about {name}",
            )

    def listen(self, browser: Browser) -> Listening:
        """Open a WebSocket with the browser's session."""
        port = self.gate.proxy.port
        cookies = browser.cookies_for(HOST, "/socket/")
        return Listening.open(
            f"wss://{HOST}:{port}/socket/",
            sock=socket.create_connection(("127.0.0.1", port), 10),
            ssl=ssl.create_default_context(cafile=str(self.gate.ca)),
            additional_headers={"Cookie": cookies},
            open_timeout=30,
            proxy=None,
        )

    def told(self, name: str) -> int:
        """Say how often the proxy has said 200."""
        return self.server.requests(f"TOLD {name}\n")

    def is_in(self, browser: Browser, name: str) -> bool:
        """Say whether the browser gets through."""
        return browser.fetch(self.gate.url(name)).status == 200

    def story(self, browser: Browser) -> str:
        """Tell what happened."""
        trail = "\n".join(map(str, browser.trail))
        log, said = self.gate.proxy.log(), self.server.log()
        return f"{trail}\n{log[-3000:]}\n{said[-2000:]}"


def _told_of(name: str, port: int) -> Mapping[str, object]:
    """Give what the provider has to know of a client besides."""
    return {
        "backchannel_logout_uri": (
            f"https://{HOST}:{port}/.sso/logout/backchannel/{name}"
        ),
        "backchannel_logout_session_required": name != _UNNAMED,
    }


@contextlib.contextmanager
def _echoing() -> Iterator[int]:
    """Serve WebSockets that send back what comes; gives the port."""

    def echo(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # cut off
            for message in connection:
                connection.send(message)

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run both."""
    directory = tmp_path_factory.mktemp("logouts")
    keys, port = LoginKeys(pki), free_port()
    clients = {name: LOGIN_CLIENTS[name] for name in (*_NAMED, _UNNAMED)}
    known = [
        {**keys.registration(name, client, port), **_told_of(name, port)}
        for name, client in clients.items()
    ]
    keys.write(directory)
    with _echoing() as echo, OidcProvider(pki, known) as server:
        sites = {name: each.site(name, server.issuer) for name, each in clients.items()}
        route = _SOCKET.format(host=HOST, port=echo)
        sites["basic"] = attrs.evolve(sites["basic"], route=route)
        with login_proxy(directory, pki, sites, port, workers=2) as gate:
            yield Scene(gate=gate, server=server)


@pytest.mark.parametrize("name", _NAMED)
def test_who_logs_out_there_is_logged_out_here(scene: Scene, name: str) -> None:
    """Signed and encrypted as ID tokens are."""
    browser, other = scene.log_in("alice", name), scene.log_in("alice", name)
    scene.log_out(browser, name)
    for _ in range(8):  # in both workers
        assert not scene.is_in(browser, name), scene.story(browser)
        assert scene.is_in(other, name), "another session at the provider"


def test_without_a_name_all_sessions_of_the_user_end(scene: Scene) -> None:
    browser, other = scene.log_in("bob", _UNNAMED), scene.log_in("bob", _UNNAMED)
    alice = scene.log_in("alice", _UNNAMED)
    scene.log_out(browser, _UNNAMED)
    for _ in range(8):
        assert not scene.is_in(browser, _UNNAMED), scene.story(browser)
        assert not scene.is_in(other, _UNNAMED), scene.story(other)
        assert scene.is_in(alice, _UNNAMED)
    scene.log_in("bob", _UNNAMED)


def test_what_is_open_for_a_session_is_closed(scene: Scene) -> None:
    """In whichever worker a WebSocket is; others stay."""
    browser, other = scene.log_in("alice", "basic"), scene.log_in("bob", "basic")
    with contextlib.ExitStack() as stack:
        ours = [stack.enter_context(scene.listen(browser)) for _ in range(6)]
        others = [stack.enter_context(scene.listen(other)) for _ in range(6)]
        scene.log_out(browser, "basic")
        for each in ours:
            with pytest.raises(ConnectionClosed):
                each.recv(_SOON)
        for each in others:
            each.send("here")
            assert each.recv(10) == "here"
