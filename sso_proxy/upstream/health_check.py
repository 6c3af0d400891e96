"""Ask servers whether they are well."""

import math
from collections.abc import Callable
from typing import Final

from sso_proxy.config.upstream_parts import HealthOptions
from sso_proxy.model import Caller, Client, Request, RequestHead
from sso_proxy.net.stream import Stream
from sso_proxy.net.ticker import Ticker
from sso_proxy.upstream import Reply
from sso_proxy.upstream.connection import BackendConnection
from sso_proxy.upstream.http import HttpUpstream
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.servers import Member, Servers
from sso_proxy.upstream.target import Patience, Target

MakePool = Callable[[Target, Patience], HttpUpstream]


def _caller() -> Caller:
    head = RequestHead(method="GET", scheme="http", host="", port=0, path="/")
    client = Client(address="", peer="")
    request = Request(id="", head=head, tls=None, client=client)
    return Caller(request=request, identity=None, user="")


_NOBODY: Final = _caller()


class HealthChecks:
    """
    Asks each server of an upstream time and again, over a connection of its own.

    Args:
        servers: The servers; they are told what came of it.
        options: What is asked, and how often.
        make_pool: Makes connections to a server, with its TLS options.
        ticker: Calls `tick`.
    """

    def __init__(
        self,
        servers: Servers,
        options: HealthOptions,
        make_pool: MakePool,
        ticker: Ticker,
    ) -> None:
        patience = Patience(
            connect_timeout=options.timeout, response_timeout=options.timeout, idle=0
        )
        self._ticker = ticker
        self._asked = [
            _Asked(servers, member, options, make_pool(member.target, patience))
            for member in servers.members
        ]
        step = options.interval / len(self._asked)
        for number, asked in enumerate(self._asked, 1):
            asked.again_at = ticker.now() + number * step  # not all at once
        ticker.call_each(self.tick)

    def start(self) -> None:
        """Ask all of them now."""
        for asked in self._asked:
            asked.ask(self._ticker.now())

    def tick(self, now: float) -> None:
        """Ask those whose time it is."""
        for asked in self._asked:
            asked.tick(now)

    def close(self) -> None:
        """Ask no more."""
        self._ticker.forget(self.tick)
        for asked in self._asked:
            asked.close()


class _Asked:
    """One server that is asked."""

    def __init__(
        self,
        servers: Servers,
        member: Member,
        options: HealthOptions,
        pool: HttpUpstream,
    ) -> None:
        self._servers = servers
        self._member = member
        self._options = options
        self._pool = pool
        self._check: _Check | None = None
        self._until = math.inf
        self.again_at = 0.0
        host = options.host or _host_of(member.target)
        head = f"GET {options.path} HTTP/1.1\r\nHost: {host}\r\n"
        more = "User-Agent: sso-proxy (health check)\r\nAccept: */*\r\n"
        self._head = f"{head}{more}Connection: close\r\n\r\n".encode("ascii")

    def tick(self, now: float) -> None:
        """Ask if it is time, or give up."""
        if self._check is not None and self._until <= now:
            self.heard(self._check, 0, "it did not answer a check in time")
        if self._check is None and self.again_at <= now:
            self.again_at = now + self._options.interval
            self.ask(now)

    def ask(self, now: float) -> None:
        """Ask."""
        self._until = now + self._options.timeout
        check = self._check = _Check(self)
        outgoing = Outgoing(
            head=self._head, method="GET", caller=_NOBODY, replayable=False
        )
        check.sink = self._pool.forward(check, outgoing)

    def heard(self, check: "_Check", status: int, why: str) -> None:
        """Learn the answer's status, or *why* there is none."""
        if self._check is not check:
            return
        self._check = None
        if check.sink is not None:
            check.sink.abandon()
        if not why and status not in self._options.status:
            why = f"it answers a check with {status}"
        self._servers.checked(self._member, why)

    def close(self) -> None:
        """Ask no more."""
        check, self._check = self._check, None
        if check is not None and check.sink is not None:
            check.sink.abandon()
        self._pool.close()


class _Check:
    """One question; all that counts of the answer is its status."""

    full = False

    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self.sink: BackendConnection | None = None

    def whole(self, reply: Reply, body: bytes) -> None:  # noqa: ARG002
        """Hear a whole answer."""
        self._asked.heard(self, reply.answer.status, "")

    begin = whole

    def relay(self, body: bytes) -> None:
        """Hear nothing more."""

    def finish(self) -> None:
        """Hear nothing more."""

    def fail(self, status: int, reason: str) -> None:  # noqa: ARG002
        """Hear that there is no answer."""
        self._asked.heard(self, 0, reason)

    def cut(self, reason: str) -> None:
        """Hear nothing more."""

    def switch(self, reply: Reply, stream: Stream, first: bytes) -> None:  # noqa: ARG002
        """Close what nobody asked for."""
        stream.abort()

    def sendable(self) -> None:
        """Have nothing to send."""


def _host_of(target: Target) -> str:
    """Give the ``Host`` of a server."""
    if not target.host:
        return "localhost"
    host = f"[{target.host}]" if ":" in target.host else target.host
    default = 443 if target.kind == "https" else 80
    return host if target.port == default else f"{host}:{target.port}"
