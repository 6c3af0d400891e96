"""A configuration that serves in this process, and the servers that it names."""

import socket
from pathlib import Path
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from sso_proxy.assembly import Gateway
from sso_proxy.config.load import parse_config
from sso_proxy.net.nest import Nest
from sso_proxy.testing.clock import SettableClock
from tests.support.listening import answer_from
from tests.support.sockets import StillReactor, read_all, turn, until
from tests.support.upstream_lab import LabServer

_LISTENER = """
[server]
audit = {{ to = "file", file = "{audit}", flush_interval = 1.0 }}
[[listener]]
address = "127.0.0.1"
port = 8080
tls = false
allow_plaintext = true
"""
HOST = "app.example.com"


class Reactor(Clock, StillReactor):
    """Time and readers, both moved by hand."""

    def __init__(self) -> None:
        Clock.__init__(self)
        StillReactor.__init__(self)


class UpstreamScene:
    """
    A proxy and its servers; *text* has ``{N}`` for the URL of each of them.

    Args:
        directory: Has the audit file.
        count: How many servers.
        text: Routes and upstreams.
    """

    def __init__(self, directory: Path, text: str, count: int = 2) -> None:
        self.directory = directory
        self.audit = directory / "audit"
        self.servers = [LabServer(self) for _ in range(count)]  # type: ignore[arg-type]
        self.reactor, self.clock = Reactor(), SettableClock()
        self.clock.advance(monotonic())  # by which what is remembered is still good
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.setblocking(False)
        self.clients: list[socket.socket] = []
        self.gateway = Gateway(self.reactor, self._config(text), [self.sock])
        self.gateway.clock = self.clock
        self.gateway.start()

    def _config(self, text: str) -> Any:  # noqa: ANN401
        ports = [each.port for each in self.servers]
        filled = text.format(*(each.url for each in self.servers), ports=ports)
        head = _LISTENER.format(audit=self.audit)
        return parse_config(head + filled, self.directory / "sso-proxy.toml")

    @property
    def nest(self) -> Nest:
        nest: Any = self.gateway.nest
        return nest  # type: ignore[no-any-return]

    def connect(self) -> socket.socket:
        client = socket.create_connection(self.sock.getsockname())
        client.setblocking(False)
        self.clients.append(client)
        return client

    def send(
        self,
        target: str = "/",
        *fields: str,
        method: str = "GET",
        client: socket.socket | None = None,
        body: bytes = b"",
    ) -> socket.socket:
        """Send a request, over a connection of its own if none is given."""
        client = client or self.connect()
        lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        client.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return client

    def answer(self, client: socket.socket) -> bytes:
        """Wait for what comes first."""
        return answer_from(self.nest, client)

    def whole(self, client: socket.socket, end: bytes) -> bytes:
        """Wait for what comes until *end*."""
        got = bytearray()

        def there() -> bool:
            got.extend(read_all(client))
            return got.endswith(end)

        until(self.nest, there)
        return bytes(got)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.reactor.advance(max(seconds, 0.25))
        turn(self.nest, 3)

    def reload(self, text: str) -> None:
        assert self.done(self.gateway.reload(self._config(text))) == [None]

    def done(self, coroutine: Any) -> list[object]:  # noqa: ANN401
        ended: list[object] = []
        deferred: Deferred[object] = ensureDeferred(coroutine)
        deferred.addBoth(ended.append)
        return ended

    def records(self) -> str:
        self.gateway._flush()  # noqa: SLF001
        return self.audit.read_text()

    def close(self) -> None:
        for client in self.clients:
            client.close()
        done = self.done(self.gateway.drain())
        self.clock.advance(60.0)
        self.reactor.pump([1.0] * 10)
        assert done == [None]
        for server in self.servers:
            server.close()
        self.sock.close()
