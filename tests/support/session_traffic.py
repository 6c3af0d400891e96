"""Browsers, a backend and real proxies: traffic of sessions, in thousands."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs

from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from tests.support.programs import RealProxy
from tests.support.sessions import Browser

CONNECTIONS = 48
HOST = "app.example.com"

CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true
{listener}

[authenticator.corp]
type = "tests.support.header_login:HeaderLogin"
calls = "{calls}"

{session}

[[route]]
host = "app.example.com"
authenticate = ["corp"]
upgrade = ["other"]
backend = "http://127.0.0.1:{backend}"
"""

TYPES = {
    "server": '[session.main]\ntype = "server"\n',
    "cookie": '[cache.shared]\ntype = "local"\n'
    '[session.main]\ntype = "cookie"\ncache = "shared"\n',
}


@attrs.frozen
class Got:
    """An answer: status, body, and the cookies that it sets."""

    status: int
    body: str
    cookies: tuple[str, ...]


class Connection:
    """A connection to the proxy, for one request after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: Any = None

    async def ask(self, browser: Browser, **fields: str) -> Got:
        """Send a request as *browser*, which takes the cookies of the answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        text = "; ".join(f"{n}={v}" for n, v in browser.cookies.items())
        lines = [f"{name.replace('_', '-')}: {v}\r\n" for name, v in fields.items()]
        lines += [f"Cookie: {text}\r\n"] if text else []
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{''.join(lines)}\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found = [line.partition(": ")[::2] for line in head[1:-2]]
        values = {name.lower(): value for name, value in found}
        body = await reader.readexactly(int(values.get("content-length", 0)))
        cookies = tuple(value for name, value in found if name == "Set-Cookie")
        for cookie in cookies:
            browser.set(cookie)
        return Got(int(head[0].split()[1]), body.decode(), cookies)

    async def switch(self, browser: Browser) -> Any:  # noqa: ANN401
        """Open a tunnel; gives its streams."""
        await self.ask(browser)
        reader, writer = self._streams
        text = "; ".join(f"{n}={v}" for n, v in browser.cookies.items())
        writer.write(
            f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
            f"Upgrade: other\r\nCookie: {text}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return reader, writer

    async def close(self) -> None:
        """End it."""
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(ConnectionError):
                await self._streams[1].wait_closed()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a backend: with the user that it is told."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            if "\r\nUpgrade: other\r\n" in head:
                writer.write(
                    b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n"
                )
                while data := await reader.read(1000):
                    writer.write(data)
                return
            assert "__Host-sso" not in head
            user = head.partition("\r\nX-Remote-User: ")[2].partition("\r\n")[0]
            length = len(user)
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{user}".encode()
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@attrs.define
class Desk:
    """
    A directory for proxies whose people log in by a header.

    Attributes:
        directory: Where their files are.
        table: Where sessions are, as the configuration has it.
        count: How many proxies there are, as on so many machines.
        terminated: Clients are trusted proxies, which say what certificates theirs have
            shown.
        proxies: Those that run.
    """

    directory: Path
    table: str
    count: int = 1
    terminated: bool = False
    proxies: list[RealProxy] = attrs.field(factory=list)
    connections: list[Connection] = attrs.field(factory=list)
    _backend: socket.socket = attrs.field(init=False)
    _running: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack)

    @property
    def calls(self) -> Path:
        """The file with a line for each renewal."""
        return self.directory / "calls"

    def __enter__(self) -> Self:
        """Start the proxies, for several conversations."""
        self._backend = socket.create_server(("127.0.0.1", 0))
        self._running.enter_context(self._backend)
        port = self._backend.getsockname()[1]
        listener, server = "", {}
        if self.terminated:
            listener = 'forwarded_certificate = "unverified"'
            server = {"trusted_proxies": ["127.0.0.1"]}
        text = CONFIG.format(
            session=self.table, backend=port, calls=self.calls, listener=listener
        )
        if self.count > 1:
            ring = self.directory / "keys.json"
            key = make_key(time.time(), os.urandom)
            write_key_ring(ring, KeyRing((key,)), replace=False)
            text += f'\n[key_ring]\nfile = "{ring}"\n'
        try:
            for number in range(self.count):
                place = self.directory / str(number) if number else self.directory
                place.mkdir(exist_ok=True)
                state = str(place / "state")
                proxy = RealProxy(place, text, workers=2, state_dir=state, **server)
                self.proxies.append(self._running.enter_context(proxy))
                proxy.serve()
        except BaseException:
            self._running.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the proxies."""
        self._running.close()
        self.proxies.clear()

    def run(self, conversation: Any) -> None:  # noqa: ANN401
        """Hold *conversation*, a coroutine function, with proxies and a backend."""
        if self.proxies:
            self.calls.unlink(missing_ok=True)
            asyncio.run(asyncio.wait_for(self._run(conversation), 100))
        else:
            with self:
                self.run(conversation)

    async def _run(self, conversation: Any) -> None:  # noqa: ANN401
        backend = await asyncio.start_server(serve, sock=self._backend.dup())
        try:
            await conversation(self)
        finally:
            for connection in self.connections:
                await connection.close()
            self.connections.clear()
            backend.close()

    def connect(self, proxy: int | None = None) -> Connection:
        """Give a new connection, to each proxy in turn unless it is said which."""
        number = len(self.connections) if proxy is None else proxy
        port = self.proxies[number % self.count].port
        self.connections.append(Connection(port))
        return self.connections[-1]


async def within(seconds: float, true: Any, what: str) -> None:  # noqa: ANN401
    """Wait until *true*, a coroutine function, says so."""
    until = time.monotonic() + seconds
    while not await true():
        assert time.monotonic() < until, f"not in time: {what}"
        await asyncio.sleep(0.05)


async def ask_all(
    desk: Desk, browsers: dict[str, Browser], work: list[tuple[str, dict[str, str]]]
) -> None:
    """Have all requests asked, over many connections at once."""
    todo = iter(work)

    async def one() -> None:
        connection = desk.connect()
        for user, fields in todo:
            got = await connection.ask(browsers[user], **fields)
            assert (got.status, got.body) == (200, user)

    workers: list[Coroutine[Any, Any, None]] = [one() for _ in range(CONNECTIONS)]
    await asyncio.gather(*workers)
