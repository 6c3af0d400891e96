"""The values that a request's way is made of, from connection to verdict."""

from collections.abc import Callable
from time import monotonic
from typing import Any

import attrs

from sso_proxy.audit import caller_part, place_part
from sso_proxy.body import Body
from sso_proxy.config.model import ForwardedCertificate
from sso_proxy.model import Caller, Identity, Request, Response, TlsFacts
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.session import Session


@attrs.frozen(kw_only=True)
class Connection:
    """
    What holds for all requests of one client connection.

    Attributes:
        listener: The listener's name, for logs.
        scheme: ``https`` or ``http``.
        port: What a ``Host`` without port means.
        listener_port: The port that the listener has, 0 on a unix socket.
        peer: The IP address at the other end.
        trusted: The peer is a trusted proxy.
        forwarded_certificate: What a trusted proxy's ``Client-Cert`` counts.
        tls: TLS facts, or None.
        policy_for: Names the client-certificate rules of a host, or None without TLS.
        stale: The rules for client certificates have changed since the handshake.
    """

    listener: str
    scheme: str
    port: int
    peer: str
    trusted: bool
    forwarded_certificate: ForwardedCertificate = "ignore"
    tls: TlsFacts | None = None
    policy_for: Callable[[str], str] | None = None
    stale: bool = False
    listener_port: int = 0

    def proved(
        self,
        tls: TlsFacts,
        policy_for: Callable[[str], str] | None,
        *,
        stale: bool,
    ) -> "Connection":
        """Give the same connection after its handshake."""
        return Connection(  # attrs.evolve takes four times as long
            listener=self.listener,
            scheme=self.scheme,
            port=self.port,
            peer=self.peer,
            trusted=self.trusted,
            forwarded_certificate=self.forwarded_certificate,
            tls=tls,
            policy_for=policy_for,
            stale=stale,
            listener_port=self.listener_port,
        )


class Trail:
    """
    What has been found out about one request so far, for its audit record.

    Attributes:
        request: The request, or None if it could not be read.
        route: Its route.
        identity: Who called.
        user: The user name for the backend.
        bound: Kinds of keys the caller proved to hold.
        body: Reads the request's body before it is decided on, if it has one.
        place: The record's part for this client and route, if it is known.
        routes: The routes of its host, where its route was found.
        steps: What was done, and the monotonic time then; None: nobody wants to know.
        asker: The kind of proxy that only asks about it; empty if it came to us itself.
    """

    __slots__ = (
        "asker",
        "body",
        "bound",
        "identity",
        "place",
        "request",
        "route",
        "routes",
        "steps",
        "user",
    )

    def __init__(self) -> None:
        self.request: Request | None = None
        self.route: Route | None = None
        self.routes: Any = None
        self.identity: Identity | None = None
        self.user = ""
        self.bound: tuple[str, ...] = ()
        self.body: Body | None = None
        self.place = ""
        self.asker = ""
        self.steps: list[tuple[str, float]] | None = None

    def note(self, step: str) -> None:
        """Note that *step* is done, if anybody wants to know when."""
        if self.steps is not None:
            self.steps.append((step, monotonic()))

    @property
    def found(self) -> tuple[Request, Route]:
        """Give request and route, which are known once the route is."""
        assert self.request is not None  # noqa: S101
        assert self.route is not None  # noqa: S101
        return self.request, self.route

    def stable(self, connection: Connection) -> str:
        """Give the part of the audit record that holds for all equal requests."""
        identity = self.identity
        session = self.request.session if self.request else None
        return (self.place or self.place_of(connection)) + caller_part(
            authenticator=identity.authenticator if identity else "",
            issuer=identity.issuer if identity else "",
            subject=identity.subject if identity else "",
            user=self.user,
            bindings=self.bound,
            session=session.id if session else "",
        )

    def place_of(self, connection: Connection) -> str:
        """Give the part of it that holds for all callers."""
        request = self.request
        return place_part(
            listener=connection.listener,
            peer=connection.peer,
            client=request.client.address if request else connection.peer,
            tls=request.tls if request else connection.tls,
            host=request.head.host if request else "",
            route=self.route.name if self.route else "",
        )


@attrs.frozen(kw_only=True, eq=False)
class Admission:
    """
    A request that may pass, and what its backend gets.

    Attributes:
        route: The route taken.
        caller: The request decided on, and who makes it.
        block: The backend's header fields, serialised, without request line, request
            id, framing and the empty line.
        shared: Octets of the block that are the same for a request whose head differs
            in its credential only; 0 if there may be more to it.
        stable: The audit record's part for this caller and route.
        place: The part of that which is the same for such a request.
        reuse_until: Monotonic time until which the same bytes may be answered alike.
        body: What the backend gets for a body, if it was read already.
        own: The path is one of ours: served by the route's resource tree.
        asserted: The fields of the block that say who calls or hold tokens, if they
            are to be signed.
        answer: Field lines that the answer gets besides the backend's, serialised.
        rewrite: Changes the backend's fields of the answer: takes out those of which
            there are others in *answer*, seals cookies; None leaves them as they are.
        host_routes: Where to look for the route of a repeated request's path.
    """

    route: Route
    caller: Caller
    block: bytes = attrs.field(repr=False)
    stable: str
    shared: int = 0
    place: str = ""
    reuse_until: float = 0.0
    body: bytes | None = attrs.field(default=None, repr=False)
    asserted: tuple[str, ...] = ()
    answer: bytes = b""
    rewrite: Callable[[bytes], bytes] | None = None
    own: bool = False
    host_routes: HostRoutes

    def is_for(self, ended: Callable[[Session], bool]) -> bool:
        """Say whether this was decided for a session that has *ended*."""
        session = self.caller.request.session
        return session is not None and ended(session)


Verdict = Admission | Response
