"""The websockets library at both ends, and the proxy between them."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import attrs
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.support.programs import Backend, RealProxy, fields_of, read_request
from tests.support.running import eventually

if TYPE_CHECKING:
    from tests.interop.conftest import Files

MIB = 1024 * 1024

CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[[route]]
host = "localhost"
path = "/socket/"
authenticate = ["anonymous"]
upgrade = ["websocket"]
origins = ["https://friend.example"]
backend = "http://127.0.0.1:{web}"

[[route]]
host = "localhost"
path = "/short/"
authenticate = ["anonymous"]
upgrade = ["websocket"]
backend = "http://127.0.0.1:{web}"
limits = {{ upgrade_idle_timeout = 1.2 }}

[[route]]
host = "localhost"
path = "/plain/"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:{web}"

[[route]]
host = "localhost"
path = "/other/"
authenticate = ["anonymous"]
upgrade = ["toy"]
backend = "http://127.0.0.1:{toy}"
"""


class WebSocketServer(threading.Thread):
    """Echoes messages; a text that is a number is a close code."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.port = 0
        self.origins: list[str | None] = []
        self._ready = threading.Event()
        self.start()
        assert self._ready.wait(10)

    def run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        async with serve(self._echo, "127.0.0.1", 0, max_size=64 * MIB) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._ending.wait()

    async def _echo(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.origins.append(connection.request.headers.get("Origin"))
        async for message in connection:
            if isinstance(message, str) and message.isdigit():
                await connection.close(int(message), "as you like")
            else:
                await connection.send(message)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self.join(10)


def toy(sock: socket.socket, _number: int) -> None:
    """Speak another protocol: what comes goes back in capitals."""
    head = read_request(sock)
    if b"\r\nUpgrade: toy\r\n" not in head:
        sock.sendall(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
        return
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
        b"Upgrade: toy\r\n\r\nhello "
    )
    while data := sock.recv(4096):
        sock.sendall(data.upper())
    sock.sendall(b" goodbye")


@attrs.frozen(kw_only=True)
class Scene:
    """A proxy, and servers behind it."""

    proxy: RealProxy
    server: WebSocketServer
    files: "Files"

    def connect(self, path: str = "/socket/", origin: str | None = None) -> connect:
        return connect(
            f"wss://localhost:{self.proxy.port}{path}",
            ssl=self.files.client_context(),
            origin=None if origin is None else Origin(origin),
            max_size=64 * MIB,
            proxy=None,
            ping_interval=None,
        )

    def own_origin(self) -> str:
        return f"https://localhost:{self.proxy.port}"

    def run(self, talk: Callable[[ClientConnection], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(15), self.connect() as connection:
                await talk(connection)

        asyncio.run(main())


@pytest.fixture(scope="module")
def server() -> Iterator[WebSocketServer]:
    server = WebSocketServer()
    yield server
    server.close()


@contextlib.contextmanager
def proxy_before(
    files: "Files", server: WebSocketServer, **options: object
) -> Iterator[Scene]:
    with Backend(toy) as other:
        text = CONFIG.format(web=server.port, toy=other.port)
        with RealProxy(files.place(), text, **options).serve() as proxy:
            yield Scene(proxy=proxy, server=server, files=files)


@pytest.fixture(scope="module")
def scene(files: "Files", server: WebSocketServer) -> Iterator[Scene]:
    with proxy_before(files, server) as scene:
        yield scene


def test_messages_go_both_ways(scene: Scene) -> None:
    async def talk(connection: ClientConnection) -> None:
        for message in ("hello", "", "\N{SNOWMAN}", b"\x00\xff", b""):
            await connection.send(message)
            assert await connection.recv() == message

    scene.run(talk)


def test_ping_is_answered(scene: Scene) -> None:
    async def talk(connection: ClientConnection) -> None:
        latency = await (await connection.ping())
        assert latency < 5

    scene.run(talk)


def test_large_messages_go_both_ways(scene: Scene) -> None:
    async def talk(connection: ClientConnection) -> None:
        message = os.urandom(MIB) * 16
        await connection.send(message)
        assert await connection.recv() == message

    scene.run(talk)


def test_many_connections_at_once(scene: Scene) -> None:
    async def one(number: int) -> None:
        async with scene.connect() as connection:
            for _ in range(10):
                await connection.send(f"a{number}")
                assert await connection.recv() == f"a{number}"

    async def main() -> None:
        async with asyncio.timeout(15):
            await asyncio.gather(*(one(number) for number in range(20)))

    asyncio.run(main())


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_close_code_of_the_server_arrives(scene: Scene, code: int) -> None:
    async def talk(connection: ClientConnection) -> None:
        await connection.send(str(code))
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            code,
            "as you like",
        )

    scene.run(talk)


def status_of(scene: Scene, path: str, origin: str | None) -> int:
    async def main() -> int:
        async with asyncio.timeout(15):
            try:
                async with scene.connect(path, origin):
                    return 101
            except InvalidStatus as e:
                return e.response.status_code

    return asyncio.run(main())


def test_page_of_another_site_gets_in_nowhere(scene: Scene) -> None:
    before = len(scene.server.origins)
    for origin in (
        "https://evil.example",
        "http://localhost",
        "null",
        "https://x.localhost",
    ):
        assert status_of(scene, "/socket/", origin) == 403
    assert len(scene.server.origins) == before


def test_pages_of_the_site_and_its_friends_get_in(scene: Scene) -> None:
    for origin in (scene.own_origin(), "https://friend.example"):
        assert status_of(scene, "/socket/", origin) == 101
        assert scene.server.origins[-1] == origin


def test_route_that_does_not_list_it_switches_to_nothing(scene: Scene) -> None:
    """The backend sees an ordinary request, and says so."""
    assert status_of(scene, "/plain/", None) == 426


def test_silence_ends_the_tunnel(scene: Scene) -> None:
    async def main() -> float:
        async with asyncio.timeout(15), scene.connect("/short/") as connection:
            await connection.send("x")
            await connection.recv()
            began = time.monotonic()
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            return time.monotonic() - began

    assert 0.5 < asyncio.run(main()) < 5
    scene.proxy.wait_for_record('"path":"/short/","status":101')


def test_talking_keeps_the_tunnel(scene: Scene) -> None:
    async def main() -> None:
        async with asyncio.timeout(15), scene.connect("/short/") as connection:
            for _ in range(8):
                await connection.send("x")
                assert await connection.recv() == "x"
                await asyncio.sleep(0.3)

    asyncio.run(main())


def test_tunnel_survives_a_reload(files: "Files", server: WebSocketServer) -> None:
    with proxy_before(files, server) as scene:

        async def talk(connection: ClientConnection) -> None:
            await connection.send("before")
            assert await connection.recv() == "before"
            await asyncio.to_thread(scene.proxy.reload)
            await connection.send("after")
            assert await connection.recv() == "after"

        scene.run(talk)


@pytest.mark.parametrize("workers", [1, 2])
def test_tunnel_ends_with_the_process(
    files: "Files", server: WebSocketServer, workers: int
) -> None:
    options = {"workers": workers, "drain_timeout": 1.0}
    with proxy_before(files, server, **options) as scene:

        async def talk(connection: ClientConnection) -> None:
            await connection.send("before")
            assert await connection.recv() == "before"
            scene.proxy.signal(signal.SIGTERM)
            began = time.monotonic()
            await connection.send("meanwhile")
            assert await connection.recv() == "meanwhile"
            with pytest.raises(ConnectionClosed):
                await connection.recv()
            assert 0.5 < time.monotonic() - began < 4

        scene.run(talk)
        assert scene.proxy.wait() == 0


def speak(scene: Scene, path: str, protocol: str, early: bytes = b"") -> bytes:
    """Ask for *protocol*, and send *early* in the same packet."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: localhost:{scene.proxy.port}\r\n"
        f"Connection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    ).encode()
    context = scene.files.client_context()
    sock = socket.create_connection(("127.0.0.1", scene.proxy.port), 10)
    with context.wrap_socket(
        sock, server_hostname="localhost", suppress_ragged_eofs=True
    ) as tls:
        tls.sendall(request + early)
        data = tls.recv(65536)
        while b"\r\n\r\n" not in data or (early and early.upper() not in data):
            more = tls.recv(65536)
            if not more:
                break
            data += more
    return data


def test_another_protocol_is_spoken_where_it_is_listed(scene: Scene) -> None:
    data = speak(scene, "/other/", "toy", b"what i say")
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert fields_of(head.decode() + "\r\n", "Upgrade") == ["toy"]
    assert rest.startswith(b"hello WHAT I SAY")


@pytest.mark.parametrize(
    ("path", "protocol"),
    [("/other/", "toys"), ("/socket/", "toy"), ("/other/", "h2c")],
)
def test_protocol_that_is_not_listed_is_not_asked_for(
    scene: Scene, path: str, protocol: str
) -> None:
    assert speak(scene, path, protocol).startswith(b"HTTP/1.1 426 ")


def test_end_of_a_tunnel_is_recorded(scene: Scene) -> None:
    speak(scene, "/other/", "toy", b"x" * 100)
    scene.proxy.wait_for_record('"path":"/other/","status":101')
    text = scene.proxy.audit.read_text()
    eventually(lambda: '"received":100' in scene.proxy.audit.read_text(), text)
