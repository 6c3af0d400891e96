"""Browser sessions of the real proxy, with two workers, in thousands."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.programs import RealProxy
from tests.support.running import eventually, is_alive
from tests.support.sessions import Browser

SESSIONS = 2000
CONNECTIONS = 48
HOST = "app.example.com"

CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[authenticator.corp]
type = "tests.support.header_login:HeaderLogin"

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
    A directory for a proxy whose people log in by a header.

    Attributes:
        proxy: The proxy that runs.
    """

    directory: Path
    table: str
    proxy: RealProxy | None = None
    connections: list[Connection] = attrs.field(factory=list)

    def run(self, conversation: Any) -> None:  # noqa: ANN401
        """Hold *conversation*, a coroutine function, with a proxy and its backend."""
        asyncio.run(asyncio.wait_for(self._run(conversation), 100))

    async def _run(self, conversation: Any) -> None:  # noqa: ANN401
        backend = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = backend.sockets[0].getsockname()[1]
        text = CONFIG.format(session=self.table, backend=port)
        state = str(self.directory / "state")
        self.proxy = RealProxy(self.directory, text, workers=2, state_dir=state)
        with self.proxy:
            await asyncio.to_thread(self.proxy.serve)
            try:
                await conversation(self)
            finally:
                for connection in self.connections:
                    await connection.close()
        backend.close()

    def connect(self) -> Connection:
        assert self.proxy is not None
        self.connections.append(Connection(self.proxy.port))
        return self.connections[-1]


@pytest.fixture(params=sorted(TYPES))
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, TYPES[request.param])


async def within(seconds: float, true: Any, what: str) -> None:  # noqa: ANN401
    """Wait until *true*, a coroutine function, says so."""
    until = time.monotonic() + seconds
    while not await true():
        assert time.monotonic() < until, f"not in time: {what}"
        await asyncio.sleep(0.05)


def test_two_thousand_sessions_never_cross(desk: Desk) -> None:
    """Whoever asks, over whichever connection, in whatever order (C10)."""

    async def conversation(desk: Desk) -> None:
        browsers = {f"user{n}": Browser() for n in range(SESSIONS)}
        work = [(user, {"X_Login": user}) for user in browsers]
        await ask_all(desk, browsers, work)
        again = [(user, dict[str, str]()) for user in browsers] * 2
        random.Random(1).shuffle(again)  # noqa: S311
        await ask_all(desk, browsers, again)
        seen = {browser.cookies["__Host-sso"] for browser in browsers.values()}
        assert len(seen) == SESSIONS

    desk.run(conversation)


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


def test_the_end_of_a_session_is_known_everywhere_within_a_second(desk: Desk) -> None:
    """In both workers, to repeated requests and to open tunnels."""

    async def conversation(desk: Desk) -> None:
        browser, other = Browser(), Browser()
        connections = [desk.connect() for _ in range(12)]
        await connections[0].ask(browser, X_Login="alice")
        await connections[0].ask(other, X_Login="bob")
        for connection in connections * 3:
            assert (await connection.ask(browser)).body == "alice"
        tunnels = [await desk.connect().switch(browser) for _ in range(6)]
        others = [await desk.connect().switch(other) for _ in range(6)]
        copy = Browser(**browser.cookies)
        assert (await desk.connect().ask(browser, X_Logout="1")).status == 401
        assert browser.cookies == {}

        async def refused() -> bool:
            answers = [await each.ask(Browser(**copy.cookies)) for each in connections]
            return all(got.status == 401 for got in answers)

        ends = [asyncio.wait_for(reader.read(1), 1.0) for reader, _ in tunnels]
        await within(1.0, refused, "the end of the session")
        for end in await asyncio.gather(*ends, return_exceptions=True):
            assert end == b"" or isinstance(end, ConnectionError)
        for reader, writer in others:
            writer.write(b"x")
            assert await asyncio.wait_for(reader.read(1), 1.0) == b"x"

    desk.run(conversation)


def test_a_hundred_requests_at_once_renew_once(desk: Desk) -> None:
    """In both workers together; all go on with what came of it (C31)."""

    async def conversation(desk: Desk) -> None:
        browser = Browser()
        await desk.connect().ask(browser, X_Login="alice")
        cookies = dict(browser.cookies)
        connections = [desk.connect() for _ in range(30)]
        await asyncio.gather(*(each.ask(Browser(**cookies)) for each in connections))
        late = [Browser(**cookies) for _ in connections]
        answers = await asyncio.gather(
            *(
                connection.ask(each, X_Renew="1")
                for connection, each in zip(connections, late, strict=True)
            )
        )
        assert {got.status for got in answers} == {200}
        for each in late:
            assert (await connections[0].ask(each)).body == "alice"

    desk.run(conversation)


def test_sessions_outlive_the_processes(desk: Desk) -> None:
    async def conversation(desk: Desk) -> None:
        assert desk.proxy is not None
        browser = Browser()
        await desk.connect().ask(browser, X_Login="alice")
        workers = desk.proxy.workers()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        gone = lambda: not any(map(is_alive, workers))  # noqa: E731
        await asyncio.to_thread(eventually, gone, "the end of the workers")

        async def known() -> bool:
            try:
                return (await desk.connect().ask(browser)).body == "alice"
            except (ConnectionError, asyncio.IncompleteReadError):
                return False

        await within(20.0, known, "a session after a crash")

    desk.run(conversation)


def test_sessions_in_browsers_need_no_store(tmp_path: Path) -> None:
    desk = Desk(tmp_path, '[session.main]\ntype = "cookie"\n')

    async def conversation(desk: Desk) -> None:
        browser = Browser()
        connections = [desk.connect() for _ in range(6)]
        await connections[0].ask(browser, X_Login="alice")
        for connection in connections:
            assert (await connection.ask(browser)).body == "alice"
        await connections[1].ask(browser, X_Logout="1")
        assert (await connections[2].ask(browser)).status == 401

    desk.run(conversation)
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["keys.json"]
