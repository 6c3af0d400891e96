"""Several servers of one upstream, each a real socket that does what the test says."""

import socket
from typing import Any

import attrs
from twisted.internet.task import Clock

from sso_proxy.config.upstream_parts import (
    HealthOptions,
    ServerOptions,
    UpstreamOptions,
)
from sso_proxy.grouping import Groups
from sso_proxy.model import Caller, Client
from sso_proxy.net.resolve import Resolver
from sso_proxy.net.ticker import PERIOD, Ticker
from sso_proxy.testing.clock import SettableClock
from sso_proxy.upstream.group import GroupUpstream
from sso_proxy.upstream.http import HttpUpstream
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.servers import Servers
from sso_proxy.upstream.target import Patience, Target
from sso_proxy.upstream.way import Way
from tests.support.exchanges import CALLER, FakeExchange, outgoing
from tests.support.sockets import new_nest, read_all, turn, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEADLESS = b"\r\n\r\n"


def answer(status: int, *, close: bool = False) -> bytes:
    connection = "Connection: close\r\n" if close else ""
    return f"HTTP/1.1 {status} X\r\n{connection}Content-Length: 0\r\n\r\n".encode()


def by(user: str, request: Outgoing | None = None, address: str = "") -> Outgoing:
    """Give a request of *user*, or of nobody in particular at *address*."""
    asked = attrs.evolve(CALLER.request, client=Client(address=address, peer=address))
    caller = Caller(request=asked, identity=None, user=user)
    asked_for = request or outgoing()
    asked_for.caller = caller
    return asked_for


class LabServer:
    """A listening socket and what came to it."""

    def __init__(self, lab: "Lab", port: int = 0) -> None:
        self._lab = lab
        self.sock = socket.create_server(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.port: int = self.sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.open: list[socket.socket] = []
        self.heads: list[bytes] = []

    def take(self) -> socket.socket | None:
        """Take a connection that waits, if there is one."""
        try:
            sock, _ = self.sock.accept()
        except (BlockingIOError, OSError):
            return None
        sock.setblocking(False)
        self.open.append(sock)
        return sock

    def accept(self) -> socket.socket:
        """Take the next connection."""
        found: list[socket.socket] = []

        def there() -> bool:
            if (sock := self.take()) is not None:
                found.append(sock)
            return bool(found)

        until(self._lab.nest, there)
        return found[0]

    def read(self, sock: socket.socket, end: bytes = HEADLESS) -> bytes:
        """Read until what came ends with *end*."""
        got = bytearray()

        def whole() -> bool:
            got.extend(read_all(sock))
            return got.endswith(end)

        until(self._lab.nest, whole)
        self.heads.append(bytes(got))
        return bytes(got)

    def hear(self) -> socket.socket:
        """Wait for a request on any connection, and read it."""
        found: list[socket.socket] = []

        def came() -> bool:
            self.take()
            for sock in self.open:
                if sock.fileno() != -1 and (head := read_all(sock)):
                    assert head.endswith(HEADLESS), head
                    self.heads.append(head)
                    found.append(sock)
            return bool(found)

        until(self._lab.nest, came)
        assert len(found) == 1
        return found[0]

    def serve(self, data: bytes = OK, end: bytes = HEADLESS) -> socket.socket:
        """Take a connection, read a request and answer it."""
        sock = self.accept()
        self.read(sock, end)
        sock.send(data)
        return sock

    def refuse(self) -> None:
        """Take no connections any more."""
        self.sock.close()

    def come_back(self) -> None:
        """Take connections again."""
        self.sock = socket.create_server(("127.0.0.1", self.port))
        self.sock.setblocking(False)

    def close(self) -> None:
        for sock in (self.sock, *self.open):
            sock.close()


class Lab:
    """
    Servers, and what forwards to them.

    Args:
        count: How many.
        patience: How long they may take.
        kept: What a configuration before had.
        options: Of the upstream; ``weights``, and ``health`` as a table.
    """

    def __init__(
        self,
        count: int = 2,
        patience: Patience | None = None,
        *,
        resolver: Resolver | None = None,
        hosts: tuple[str, ...] = (),
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.nest = new_nest()
        self.reactor, self.clock = Clock(), SettableClock()
        self.ticker = Ticker(self.reactor, self.clock)
        self.ticker.start()
        self.resolver = resolver or Resolver(self.reactor, self.clock)
        self.servers = [LabServer(self) for _ in range(count)]
        self.patience = patience or Patience()
        self.urls = list(hosts) or [each.url for each in self.servers]
        self.kept: dict[tuple[Any, ...], Any] = {}
        self._all: list[tuple[Groups, GroupUpstream]] = []
        self.configure(**options)

    def configure(
        self,
        weights: tuple[int, ...] = (),
        health: dict[str, Any] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> None:
        """Go by these options from now on, as after a reload."""
        shares = weights or (1,) * len(self.urls)
        written = UpstreamOptions(
            server=tuple(
                ServerOptions(url=url, weight=weight)
                for url, weight in zip(self.urls, shares, strict=True)
            ),
            health=None if health is None else HealthOptions(**health),
            **options,
        )
        targets = tuple(self._target(url) for url in self.urls)
        groups = Groups(self._share, self._pool, self.ticker)
        target = Target(
            name="upstream:shop", kind="upstream", servers=targets, options=written
        )
        self.group = groups.make(target, self.patience)
        self.end()
        self._all.append((groups, self.group))
        self.groups, self.target = groups, target
        groups.start()

    def end(self) -> None:
        """End what was configured before."""
        for groups, group in self._all[-1:]:
            groups.close()
            group.close()

    @property
    def shared(self) -> Servers:
        return self.group.servers

    def ask(self, request: Outgoing | None = None) -> FakeExchange:
        """Send a request."""
        return self.send(request)[0]

    def send(self, request: Outgoing | None = None) -> tuple[FakeExchange, Way]:
        """Send a request, and give its sink as well."""
        exchange = FakeExchange()
        return exchange, self.group.forward(exchange, request or outgoing())

    def answered(self, exchange: FakeExchange) -> FakeExchange:
        """Wait for an answer."""
        until(self.nest, lambda: exchange.over)
        return exchange

    def who_gets(self, request: Outgoing | None = None, data: bytes = OK) -> int:
        """Send a request, have it answered, and say by which server."""
        exchange = self.ask(request)
        found: list[int] = []

        def came() -> bool:
            for number, server in enumerate(self.servers):
                server.take()
                for sock in server.open:
                    if sock.fileno() != -1 and read_all(sock).endswith(HEADLESS):
                        sock.send(data)
                        found.append(number)
            return exchange.over

        until(self.nest, came)
        assert len(found) == 1, found
        return found[0]

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.reactor.advance(PERIOD)

    def states(self) -> list[str]:
        return [each["state"] for each in self.shared.state()]

    def close(self) -> None:
        self.end()
        for server in self.servers:
            server.close()
        turn(self.nest, 5)
        self.ticker.stop()
        self.nest.close()

    def _share(self, key: tuple[Any, ...], make: Any) -> Any:  # noqa: ANN401
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def _pool(self, target: Target, patience: Patience) -> HttpUpstream:
        return HttpUpstream(
            target,
            patience,
            nest=self.nest,
            resolver=self.resolver,
            ticker=self.ticker,
        )

    def _target(self, url: str) -> Target:
        host, _, port = url.removeprefix("http://").partition(":")
        return Target(name=url, host=host, port=int(port))
