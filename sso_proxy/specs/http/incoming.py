"""What has been read of one request head (RFC 9112)."""

import attrs

from sso_proxy.model import Headers, RequestHead
from sso_proxy.specs.trace_context import TraceContext


@attrs.frozen(kw_only=True)
class Framing:
    """
    Where a request ends, and what its connection is to do.

    Attributes:
        length: Octets of the body, 0 if there is none; None if it is chunked.
        chunked: The body is chunked.
        keep_alive: The client takes a further request's answer on this connection.
        expect_continue: The client waits for ``100 Continue`` before its body.
        upgrade: The ``Upgrade`` field in lower case, if ``Connection`` lists it and
            this is HTTP/1.1.
        minor: 0 or 1, of HTTP/1.0 or HTTP/1.1.
    """

    length: int | None = 0
    chunked: bool = False
    keep_alive: bool = True
    expect_continue: bool = False
    upgrade: str | None = None
    minor: int = 1


@attrs.frozen(kw_only=True)
class Incoming:
    """
    A request head with what belongs to this hop, apart from each other.

    Attributes:
        head: What decisions read and the backend gets.
        framing: Where the request ends.
        forwarded: What proxies before us say about the client, in the order
            received.  To be used only if the peer is a trusted proxy.
        via: The members of ``Via``, for finding loops.
        trace: Where the request belongs in a trace, or None.
        dropped: Lower-case names of fields that clients may not send, and nobody gets.
        path_sent: The path as it came, before it was made canonical.
    """

    head: RequestHead
    framing: Framing
    forwarded: Headers = attrs.field(default=(), repr=False)
    via: tuple[str, ...] = ()
    trace: TraceContext | None = None
    dropped: tuple[str, ...] = ()
    path_sent: str = attrs.field(default="", repr=False, eq=False)
