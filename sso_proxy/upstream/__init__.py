"""
Backends: what the edge hands over, and what it hears back.

An exchange is one request on its way.  The edge calls `IUpstream.forward` with it and
a `request.Outgoing`, and gets a `Sink` for the request's body.  The upstream then calls
the exchange: `begin` and any number of `relay`, then `finish`; or `fail` instead of
`begin`; or `cut` at any time after `begin`; or `switch` instead of `begin` for a
tunnel.  `fail` may come from within ``forward``; nothing comes after `Sink.abandon`.
"""

from typing import Protocol

from sso_proxy.net.stream import Stream
from sso_proxy.specs.http.answer import Answer


class Reply:
    """
    An answer's head, with what the edge made of it.

    Backends repeat themselves: an answer whose head is octet for octet the one before
    it on the same connection is not read again.

    Attributes:
        answer: The head as read.
        to_head: It answers HEAD: a length that it does not tell is not 0.
        made_for: For whom *block* was serialised, or None.
        block: The status line and fields for the client.
    """

    __slots__ = ("answer", "block", "made_for", "to_head")

    def __init__(self, answer: Answer, *, to_head: bool = False) -> None:
        self.answer = answer
        self.to_head = to_head
        self.made_for: object = None
        self.block = b""


class Exchange(Protocol):
    """What an upstream tells the edge."""

    @property
    def full(self) -> bool:
        """Whether the client is slow; asking promises `Sink.resume`."""

    def whole(self, reply: Reply, body: bytes) -> None:
        """Relay an answer that came in one piece: `begin` and `finish` at once."""

    def begin(self, reply: Reply, body: bytes) -> None:
        """Relay an answer's head and the first of its body."""

    def relay(self, body: bytes) -> None:
        """Relay more of the body, without the backend's framing."""

    def finish(self) -> None:
        """End the answer."""

    def fail(self, status: int, reason: str) -> None:
        """Answer *status* ourselves: nothing of the backend's has been relayed."""

    def cut(self, reason: str) -> None:
        """Break off: a truncated answer must not look complete."""

    def switch(self, reply: Reply, stream: Stream, first: bytes) -> None:
        """Become a tunnel: the backend accepted the upgrade."""

    def sendable(self) -> None:
        """Hear that a full `Sink` has room again."""


class Sink(Protocol):
    """Where the edge puts the request's body."""

    @property
    def full(self) -> bool:
        """Whether to wait for `Exchange.sendable`."""

    def write(self, data: bytes) -> None:
        """Send octets of the body, framed as the head said."""

    def end(self) -> None:
        """Say that the request is complete."""

    def resume(self) -> None:
        """Go on relaying: the client has room again."""

    def abandon(self) -> None:
        """Drop the request: nobody waits for the answer."""
