"""What the chaos run torments: a proxy, and all that it needs of others."""

import asyncio
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import RealProxy
from tests.support.redis_servers import RedisServer
from tests.support.running import REAL, eventually
from tests.support.small_disk import SmallDisk, on_small_disk

MAY_MOUNT = os.geteuid() == 0

ISSUER = "https://login.example.com"
AUDIENCE = "https://api.example.com"

CONFIG = """
[server.audit]
to = "file"
file = "{audit}"

[server.revocations]
cache = "default"

[cache.default]
type = "redis"
server = "{redis}"
timeout = 1.0

[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[authenticator.signed]
type = "bearer"
issuer = "{issuer}"
audience = ["{audience}"]
jwk_file = "key.json"

[authenticator.asked]
type = "bearer"
issuer = "{issuer}"
audience = ["{audience}"]

[authenticator.asked.introspection]
endpoint = "http://127.0.0.1:{provider}/introspect"
client_id = "proxy"
client_secret_file = "secret"
timeout = 1.0

[authenticator.people]
type = "tests.support.header_login:HeaderLogin"

[cache.here]
type = "local"

[session.main]
type = "server"

[session.here]
type = "server"
cache = "here"
"""
ROUTE = """
[[route]]
host = "localhost"
path = "/{path}/"
{people}
backend = "http://127.0.0.1:{upstream}"
"""
ROUTES = {
    "plain": 'authenticate = ["anonymous"]',
    "signed": 'authenticate = ["signed"]',
    "asked": 'authenticate = ["asked"]',
    "session": 'authenticate = ["people"]\nsession = "main"',
    "kept": 'authenticate = ["people"]\nsession = "here"',
}

Answer: TypeAlias = Callable[[str], Coroutine[Any, Any, bytes]]


class Server:
    """An HTTP server that can be away: nobody listens, and all connections end."""

    def __init__(self, answer: Answer) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self._answer = answer
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True
        )

    def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in [*self._writers]:
            writer.transport.abort()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Be away for the block."""
        self.stop()
        try:
            yield
        finally:
            await self.start()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(
                    line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2]
                )
                await reader.readexactly(int(fields.get("content-length", 0)))
                body = await self._answer(head)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                )
        except (OSError, EOFError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


class Scene:
    """
    A proxy with two workers, Redis, an authorization server, and an upstream.

    Attributes:
        directory: Where files are.
        redis: The store.
        proxy: The proxy.
        state: Its state directory, on a disk of its own if we may mount one.
        provider_delay: Seconds that the authorization server takes.
        token: A token that the proxy checks by itself.
    """

    def __init__(self, directory: Path, redis: RedisServer) -> None:
        self.directory = directory
        self.redis = redis
        self.state = directory / "state"
        self.provider_delay = 0.0
        self.provider = Server(self._introspect)
        self.upstream = Server(_say_hello)
        self._pki = Pki.create()
        self.client_tls = ssl.create_default_context(cadata=self._pki.ca_pem.decode())
        key = TokenSigner.create()
        (directory / "key.json").write_text(json.dumps(key.public_jwk()))
        (directory / "secret").write_text("secret-of-the-proxy")
        (directory / "secret").chmod(0o600)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice"}
        self.token = key.sign({**claims, "exp": int(time.time()) + 3600})
        self.write_certificate()
        self.proxy = RealProxy(directory, "", workers=2)
        self.write_config()

    @property
    def process(self) -> Any:  # noqa: ANN401
        """The main process."""
        assert self.proxy.process is not None
        return self.proxy.process

    def start(self) -> None:
        """Start the proxy."""
        prelude = on_small_disk(self.state) if MAY_MOUNT else ""
        self.proxy.start(program=REAL, prelude=prelude).wait_until_serving()

    @property
    def disk(self) -> SmallDisk:
        """The disk with the state directory."""
        return SmallDisk(self.process.pid, self.state)

    def write_config(self, *, audit: str = "") -> None:
        """Write the configuration."""
        text = CONFIG.format(
            audit=audit or self.directory / "records.log",
            redis=self.redis.address,
            issuer=ISSUER,
            audience=AUDIENCE,
            provider=self.provider.port,
        )
        for path, people in ROUTES.items():
            text += ROUTE.format(path=path, people=people, upstream=self.upstream.port)
        head = (
            f'[server]\nname = "chaos"\nworkers = 2\n'
            f'state_dir = "{self.state}"\n'
            f'admin = {{ address = "unix:{self.proxy.admin_socket}" }}\n'
        )
        new = self.proxy.config.with_suffix(".new")
        new.write_text(head + text)
        new.replace(self.proxy.config)

    def write_certificate(self) -> None:
        """Write a new certificate."""
        issued = self._pki.issue("server", dns=["localhost"], server=True)
        issued.write(self.directory, "server")

    def certificate(self) -> bytes:
        """Give the certificate that a new connection is shown."""
        with (
            socket.create_connection(("127.0.0.1", self.proxy.port), 10) as sock,
            self.client_tls.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            return tls.getpeercert(binary_form=True) or b""

    async def kill_worker(self) -> None:
        """Kill a worker, and wait until another one serves in its place."""
        before = set(self.proxy.workers())
        killed = min(before)
        os.kill(killed, signal.SIGKILL)

        def is_replaced() -> bool:
            now = set(self.proxy.workers())
            alive = self.proxy.ask_admin("/health/live")[0] == 200
            return len(now) == len(before) and killed not in now and alive

        await asyncio.to_thread(eventually, is_replaced, "a new worker")

    def missing(self) -> str:
        """Give what health says that there is not; nothing if all is well."""
        status, told = self.proxy.ask_admin("/health/ready")[:2]
        return "" if status == 200 else told

    def wait_until_missing(self, what: str) -> None:
        """Wait until health says that this is missing."""

        def is_missing() -> bool:
            told: str = self.proxy.ask_admin("/health/ready")[1]
            return what in told

        eventually(is_missing, what)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Have the others answer, for the block."""
        await self.provider.start()
        await self.upstream.start()
        try:
            yield
        finally:
            self.provider.stop()
            self.upstream.stop()
            await asyncio.sleep(0.1)

    async def _introspect(self, _head: str) -> bytes:
        await asyncio.sleep(self.provider_delay)
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "bob", "token_type": "Bearer"}
        until = int(time.time()) + 600
        return json.dumps({"active": True, **claims, "exp": until}).encode()


async def _say_hello(_head: str) -> bytes:
    return b"{}"


@contextmanager
def running_scene(directory: Path) -> Iterator[Scene]:
    """Run it all but what `Scene.serving` runs."""
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(directory))
        scene = Scene(directory, redis)
        stack.enter_context(scene.proxy)
        scene.start()
        yield scene
