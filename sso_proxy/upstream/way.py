"""One request on its way to one of several servers, or to a second if that is safe."""

import errno
import os
from typing import TYPE_CHECKING, Final

from sso_proxy.net.stream import HIGH_WATER, Stream
from sso_proxy.upstream import Exchange, Reply
from sso_proxy.upstream.connection import BackendConnection
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.servers import Member, Servers

if TYPE_CHECKING:
    from sso_proxy.upstream.group import GroupUpstream

_KINDS: Final = {
    "backend-unreachable": "connect",
    "backend-connect-timeout": "connect",
    "backend-tls": "connect",
    "backend-timeout": "timeout",
    "backend-stalled": "timeout",
    "backend-closed": "closed",
    "backend-cut": "closed",
}
"""What is wrong with a server, by what stands before the colon in a reason.  With
``connect``, nothing of the request has been sent."""

_OURS: Final = frozenset(
    os.strerror(code)
    for code in (
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EADDRNOTAVAIL,
    )
)
"""What is wrong here when no connection can be made; no server can help it."""

_ANSWERLESS: Final = frozenset({"closed", "status"})
"""After these, a request that changes nothing may be one for another server."""


class Way:
    """
    The sink of a request, whichever server it goes to; also what waits for one.

    Attributes:
        exchange: The edge's.
        outgoing: The request.
        tried: The servers that had it.
    """

    __slots__ = (
        "_attempt",
        "_ended",
        "_group",
        "_kept",
        "_over",
        "_queued",
        "_sink",
        "exchange",
        "outgoing",
        "tried",
    )

    def __init__(
        self, group: "GroupUpstream", exchange: Exchange, outgoing: Outgoing
    ) -> None:
        self._group = group
        self.exchange = exchange
        self.outgoing = outgoing
        self.tried: list[Member] = []
        self._attempt: Attempt | None = None
        self._sink: BackendConnection | None = None
        # What may have to be sent again; None once it is too late for that.
        self._kept: list[bytes] | None = [] if not outgoing.bodyless else None
        self._queued = 0
        self._ended = outgoing.bodyless
        self._over = False

    @property
    def key(self) -> bytes:
        """Who makes the request; nobody in particular is known by their address."""
        caller = self.outgoing.caller
        if caller.user:
            return b"user:" + caller.user.encode()
        return b"address:" + caller.request.client.address.encode()

    @property
    def backend(self) -> str:
        """Name the server that has it, for its record."""
        if not self.tried:
            return self._group.name
        return f"{self._group.name} {self.tried[-1].server.name}"

    # What `Servers` say

    def go_to(self, member: Member) -> None:
        """Send it to *member*."""
        if self.tried and self.outgoing.replayable:  # of others, nothing was sent
            self.outgoing = self.outgoing.again()
        self.tried.append(member)
        attempt = self._attempt = Attempt(self, self._group.servers, member)
        sink = self._group.pool(member).forward(attempt, self.outgoing)
        if self._attempt is not attempt or self._over:  # it has failed already
            return
        self._sink = sink
        for data in self._kept or ():
            sink.write(data)
        if self._ended and not self.outgoing.bodyless:
            sink.end()
        elif self._queued >= HIGH_WATER and not sink.full:
            self.exchange.sendable()  # it was told to wait, and this connection stands
        if self._kept is not None and not sink.unsent:
            self._kept = None

    def give_up(self, status: int, reason: str) -> None:
        """Answer that nobody can have it."""
        self._over = True
        self.exchange.fail(status, reason)

    # The edge's sink

    @property
    def full(self) -> bool:
        """Whether to wait for `Exchange.sendable`."""
        return self._queued >= HIGH_WATER if self._sink is None else self._sink.full

    def write(self, data: bytes) -> None:
        """Send octets of the body; keep them for as long as nothing was sent."""
        sink = self._sink
        if self._kept is not None:
            if sink is None or sink.unsent:
                self._kept.append(data)
                self._queued += len(data)
            else:
                self._kept = None
        if sink is not None:
            sink.write(data)

    def end(self) -> None:
        """Say that the request is complete."""
        self._ended = True
        if self._sink is not None:
            self._sink.end()

    def resume(self) -> None:
        """Go on relaying."""
        if self._sink is not None:
            self._sink.resume()

    def abandon(self) -> None:
        """Drop the request."""
        if self._over:
            return
        self._over = True
        attempt, self._attempt = self._attempt, None
        servers = self._group.servers
        if attempt is None:
            servers.forget(self)
            return
        if self._sink is not None:
            self._sink.abandon()
        servers.dropped(attempt.member, tried=attempt.end_try())

    # What an attempt says

    def has_failed(
        self, attempt: "Attempt", status: int, reason: str, kind: str
    ) -> None:
        """Go on to another server if that is safe, or answer *status*."""
        if self._attempt is not attempt:
            return
        self._attempt = self._sink = None
        servers, outgoing = self._group.servers, self.outgoing
        if kind == "connect":
            safe = outgoing.bodyless or self._kept is not None
        else:
            safe = outgoing.replayable and kind in _ANSWERLESS
        again = safe and servers.another(self)
        if again:
            servers.place(self)
        servers.free(attempt.member)
        if not again:
            self.give_up(status, reason)

    def ask_another(self, attempt: "Attempt") -> bool:
        """Go on to another server instead of relaying a bad answer, if that is safe."""
        if not (self.outgoing.replayable and self._group.servers.another(self)):
            return False
        if self._sink is not None:
            self._sink.abandon()
        self.has_failed(attempt, 502, "backend-status", "status")
        return True

    def is_sent(self) -> None:
        """Learn that it is too late to send the body again."""
        self._kept = None

    def has_ended(self, attempt: "Attempt", *, free: bool = True) -> None:
        """Let go of the server: it has answered."""
        if self._attempt is attempt:
            self._over = True
            self._attempt = None
            if free:
                self._group.servers.free(attempt.member)


class Attempt:
    """
    What one server hears of as its exchange.

    Attributes:
        member: The server.
    """

    __slots__ = ("_bad", "_servers", "_tries", "_way", "member")

    def __init__(self, way: Way, servers: Servers, member: Member) -> None:
        self._way = way
        self._servers = servers
        self._bad = False
        self._tries = not member.server.standing.up
        self.member = member

    @property
    def full(self) -> bool:
        """Whether the client is slow."""
        return self._way.exchange.full

    def whole(self, reply: Reply, body: bytes) -> None:
        """Relay an answer that came in one piece, or ask another server."""
        if self._is_bad(reply):
            if self._way.ask_another(self):
                return
        else:
            self._succeeded()
        self._way.has_ended(self)
        self._way.exchange.whole(reply, body)

    def begin(self, reply: Reply, body: bytes) -> None:
        """Relay an answer's head and the first of its body, or ask another server."""
        self._bad = self._is_bad(reply)
        if self._bad:
            if self._way.ask_another(self):
                return
        elif self._tries:
            self._succeeded()  # its end may be far
        self._way.exchange.begin(reply, body)

    def relay(self, body: bytes) -> None:
        """Relay more of the body."""
        self._way.exchange.relay(body)

    def finish(self) -> None:
        """End the answer."""
        if not self._bad:
            self._succeeded()
        self._way.has_ended(self)
        self._way.exchange.finish()

    def fail(self, status: int, reason: str) -> None:
        """Ask another server, or answer *status*."""
        kind = _kind_of(reason)
        self._failed(kind, reason)
        self._way.has_failed(self, status, reason, kind)

    def cut(self, reason: str) -> None:
        """Break off."""
        self._failed(_kind_of(reason), reason)
        self._way.has_ended(self)
        self._way.exchange.cut(reason)

    def switch(self, reply: Reply, stream: Stream, first: bytes) -> None:
        """Become a tunnel, which counts as a request for as long as it lasts."""
        self._succeeded()
        self._servers.keep(self.member, stream)
        self._way.has_ended(self, free=False)
        self._way.exchange.switch(reply, stream, first)

    def sendable(self) -> None:
        """Let the request's body go on."""
        self._way.is_sent()
        self._way.exchange.sendable()

    def _is_bad(self, reply: Reply) -> bool:
        status = reply.answer.status
        if status not in self._servers.rules.failure_status:
            return False
        self._failed("status", f"it answers {status}")
        return True

    def end_try(self) -> bool:
        """Say whether this tries out a server that was down; it does no longer."""
        tries, self._tries = self._tries, False
        return tries

    def _succeeded(self) -> None:
        self._servers.succeeded(self.member, tried=self.end_try())

    def _failed(self, kind: str, why: str) -> None:
        self._servers.failed(self.member, kind, why, tried=self.end_try())


def _kind_of(reason: str) -> str:
    begin, _, rest = reason.partition(": ")
    if rest in _OURS:
        return "local"
    return _KINDS.get(begin, "answer")
