"""The values that travel along a request's path.  They hold facts and do nothing."""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NewType

import attrs

from sso_proxy.tls_facts import CertificateFacts as CertificateFacts  # noqa: PLC0414
from sso_proxy.tls_facts import TlsFacts as TlsFacts  # noqa: PLC0414
from sso_proxy.tls_facts import TokenBindings as TokenBindings  # noqa: PLC0414

if TYPE_CHECKING:
    from sso_proxy.body import Body
    from sso_proxy.session import Session

Headers = tuple[tuple[str, str], ...]
"""Header fields in the order received: lower-case name, value without blanks around
it, octets above 127 as the Latin-1 characters of the same number."""

UserName = NewType("UserName", str)
"""A name the backend knows the user by."""


class MapperVerdict(Enum):
    """What a user mapper says when it does not say a name."""

    DECLINED = "declined"
    """Not one of mine: ask the next mapper."""
    REFUSED = "refused"
    """This one must not get in, whatever later mappers would say."""


DECLINED: Final = MapperVerdict.DECLINED
REFUSED: Final = MapperVerdict.REFUSED


@attrs.frozen(kw_only=True)
class RequestHead:
    """
    The one canonical reading of a request's line and header section.

    Every decision reads this value, and what a backend gets is serialised from it.

    Attributes:
        method: As received; case-sensitive (RFC 9110 section 9.1).
        scheme: ``https`` or ``http``, of the connection that the client used.
        host: Lower-case, without port and trailing dot; IPv6 in brackets.
        port: The port the client addressed, the scheme's default if it named none.
        path: Percent-encoded, begins with ``/``; unreserved characters decoded, the
            remaining escapes upper-cased, dot segments and duplicate slashes
            resolved.  ``*`` for a server-wide OPTIONS.
        query: After the ``?``, as received; None without a ``?``.
        headers: Without framing, hop-by-hop and managed fields.
    """

    method: str
    scheme: str
    host: str
    port: int
    path: str
    query: str | None = attrs.field(default=None, repr=False)
    headers: Headers = attrs.field(default=(), repr=False)

    def values(self, name: str) -> list[str]:
        """Give the values of every field called *name*, which is lower-case."""
        return [value for field, value in self.headers if field == name]


@attrs.frozen(kw_only=True)
class Client:
    """
    Where a request comes from.

    Attributes:
        address: The client's IP address: the peer's, or what trusted proxies
            say (the right-most address that is not a trusted proxy's).
        peer: The IP address at the other end of our connection (after the PROXY
            protocol), or ``unix``.
        trusted: *peer* is one of ``trusted_proxies``.
    """

    address: str
    peer: str
    trusted: bool = False


@attrs.frozen(kw_only=True)
class Request:
    """
    One request, with everything a decision may depend on.

    Attributes:
        id: The request id, also in logs, on error pages and at the backend.
        head: The canonical head.
        tls: Facts of the client's TLS connection; None on a plain listener.
        client: Where it comes from.
        session: The browser session that its cookies name, if somebody was asked who
            goes by it (``reads_session``); else None.
        sessions: What keeps the sessions of its route, an `ISessionStore`; None if
            the route has none.
        time: Seconds since the epoch when it came; None if nobody looked: then no
            condition about time holds.
        listener_port: The port of ours that it came in at, 0 on a unix socket.
        path_asked: The canonical path with the parameters that its route takes off,
            which the client asked for; empty if none were.
        body: Its body, for who decides by what it says; None if there is none, or the
            route has nobody who does.
        bindings: Kinds of keys that the caller has proved to hold.
        refresh_failed: What its route has become of a session that gets no new tokens;
            empty: what the login that began it says.
        passive: Whether this is no use of the session, which lasts no longer for it:
            a page asks how long it lasts.
        minor: 0 if it came as HTTP/1.0, else 1.
        token_binding: Keys that the client has proved to hold with it (RFC 8473); None
            without Token Binding.  Whoever asks may have some key: this says nothing
            until something is bound to it.
        cookie_stand: How the application's cookies stand with the key of the browser's
            device; None if nobody has looked.
    """

    id: str
    head: RequestHead
    tls: TlsFacts | None
    client: Client
    session: "Session | None" = None
    sessions: Any = attrs.field(default=None, repr=False, eq=False)
    time: float | None = attrs.field(default=None, eq=False)
    listener_port: int = 0
    path_asked: str = ""
    body: "Body | None" = attrs.field(default=None, repr=False, eq=False)
    bindings: tuple[str, ...] = ()
    refresh_failed: str = attrs.field(default="", eq=False)
    passive: bool = False
    minor: int = attrs.field(default=1, eq=False)
    token_binding: TokenBindings | None = None
    cookie_stand: Any = attrs.field(default=None, repr=False, eq=False)


def with_bindings(request: Request, kinds: tuple[str, ...]) -> Request:
    """Give *request* with the kinds of keys that its caller has proved to hold."""
    told = request.session, request.sessions, request.refresh_failed
    return with_login(request, *told, kinds)


def with_login(
    request: Request,
    session: "Session | None",
    sessions: Any,  # noqa: ANN401
    refresh_failed: str,
    kinds: tuple[str, ...],
) -> Request:
    """
    Give *request* with what is known of its session, and *kinds* of keys proved for it.

    The other arguments are as the attributes of `Request` are.
    """
    return Request(  # attrs.evolve takes four times as long, and this is in each proof
        id=request.id,
        head=request.head,
        tls=request.tls,
        client=request.client,
        session=session,
        sessions=sessions,
        time=request.time,
        listener_port=request.listener_port,
        path_asked=request.path_asked,
        body=request.body,
        bindings=kinds,
        refresh_failed=refresh_failed,
        passive=request.passive,
        minor=request.minor,
        token_binding=request.token_binding,
        cookie_stand=request.cookie_stand,
    )


@attrs.frozen(kw_only=True)
class Identity:
    """
    Somebody, as one issuer vouches for them.

    Attributes:
        issuer: Who vouches: an issuer URL, or ``mtls``, ``anonymous``.
        subject: Unique within *issuer*.
        authenticator: The configured name of the authenticator that found it.
        claims: Verified claims, by name.
        scopes: Scopes of the access token.
        confirmation: The ``cnf`` claim: keys the caller must prove to hold
            (RFC 7800).  Every member must be satisfied.
        expires: Seconds since the epoch when this stops being true, or None.
        token: The access token that said so, for bindings to compare proofs with;
            empty if there was none.  A secret: it goes to nobody but who makes other
            tokens of it, neither to a backend nor into a log or record.
        token_type: What *token* is: ``access_token`` or ``ticket``.
        sources: What *claims* were merged from: verified claims by name, by source
            (``id_token``, ``userinfo``, ``token``: an access token).
    """

    issuer: str
    subject: str
    authenticator: str
    claims: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    scopes: frozenset[str] = frozenset()
    confirmation: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    expires: float | None = None
    token: str = attrs.field(default="", repr=False, eq=False)
    token_type: str = "access_token"  # noqa: S105 - no secret
    sources: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Caller:
    """
    What is told about the caller to whoever serves inside this process.

    Attributes:
        request: The request that was admitted.
        identity: Who calls; None for paths of our own.
        user: The name the backend knows the caller by; empty for nobody in particular.
        environ: What a WSGI application finds in its environ besides: tokens.
    """

    request: Request
    identity: Identity | None
    user: str
    environ: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)


WARNING: Final = "warning: "
"""How a line about health begins that is no reason to send requests elsewhere."""

ANONYMOUS: Final = "anonymous"
"""The issuer of those who are nobody in particular."""


@attrs.frozen
class Authenticated:
    """
    The authenticator knows who this is.

    Attributes:
        identity: Who.
        until: Seconds since the epoch when it has to be asked again, or None; the
            identity's expiry counts in any case.
        headers: Fields for the answer, such as ``cache-control``.
        session: The request's session as it is now, if asking has changed it; else
            None.
        backend: Fields for the backend, such as credentials that it takes; a token of
            the route in the same field goes before it.  The client's own are only
            removed if the authenticator ``consumes`` them.
    """

    identity: Identity
    until: float | None = attrs.field(default=None, kw_only=True)
    headers: Headers = attrs.field(default=(), kw_only=True)
    session: "Session | None" = attrs.field(default=None, kw_only=True, repr=False)
    backend: Headers = attrs.field(default=(), kw_only=True, repr=False)


@attrs.frozen
class NotPresented:
    """The request carries no credential of this authenticator's kind; ask the next."""


@attrs.frozen
class LoginRedirect:
    """
    Send the browser to log in.

    Attributes:
        location: Where.
        status: How (RFC 9110 section 15.4).
        always: Also what looks like no navigation: the clients of this authenticator
            have to be browsers.
        headers: Further fields, such as cookies.
    """

    location: str
    status: int = 302
    always: bool = False
    headers: Headers = attrs.field(default=(), repr=False)


@attrs.frozen
class HeaderChallenge:
    """
    What a 401 or 403 tells the client.

    Attributes:
        values: Whole ``WWW-Authenticate`` values; each gets a field line of its own.
        headers: Further fields, such as ``dpop-nonce``.
    """

    values: tuple[str, ...]
    headers: Headers = ()


@attrs.frozen(kw_only=True)
class Rejected:
    """
    A credential was presented and is not good.

    Attributes:
        status: 400, 401 or 403; 429 with ``retry-after`` in *challenge*; 500 for what
            its issuer, who has signed it, has to put right.
        reason: A short code for the log and the audit record: ``token-expired``.
        detail: More for the log; never sent to the client, never a secret.
        challenge: What to tell the client, or None.
        redirect: Where browsers go instead, or None.
        final: Nobody else is asked.  False for a credential that another
            authenticator of the same kind may know, such as another issuer's token:
            if none does, this is the answer.
    """

    status: int = 401
    reason: str
    detail: str = ""
    challenge: HeaderChallenge | None = None
    redirect: LoginRedirect | None = None
    final: bool = True


Outcome = Authenticated | NotPresented | Rejected


@attrs.frozen(kw_only=True)
class Refusal:
    """
    Why a good credential is not enough, in the words of OAuth.

    Attributes:
        error: ``invalid_token`` (the caller does not hold the key that it is bound
            to), ``insufficient_scope`` (RFC 6750 section 3.1), or
            ``insufficient_user_authentication`` (RFC 9470 section 3).
        scope: Scopes that would be enough.
        acr_values: Authentication contexts that would be enough, the best first.
        max_age: Seconds that may have passed since the user authenticated, if too
            many have.
    """

    error: str
    scope: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None


@attrs.frozen(kw_only=True)
class Unbound:
    """
    The caller did not prove to hold the key that the identity is bound to.

    Attributes:
        status: 400 or 401.
        reason: A short code for the log and the audit record.
        detail: More for the log.
        challenge: What to tell the client; None has the authenticator say that the
            token is not valid here.
    """

    status: int = 401
    reason: str
    detail: str = ""
    challenge: HeaderChallenge | None = None


@attrs.frozen
class Bound:
    """
    The caller proved to hold the key, and hears something with the answer.

    Attributes:
        headers: Fields for the answer, such as ``dpop-nonce``.
        proved: False: it has not, and may pass all the same; nothing counts as proved.
    """

    headers: Headers
    proved: bool = attrs.field(default=True, kw_only=True)


class Effect(Enum):
    """What a policy says."""

    PERMIT = "permit"
    DENY = "deny"
    STEP_UP = "step-up"
    """Another login of the same user would be enough."""
    REVOKED = "revoked"
    """The credential is not good any more, whatever it is good for."""


@attrs.frozen(kw_only=True)
class Decision:
    """
    A policy's answer.

    Attributes:
        effect: Whether the request may pass.
        obligations: Names and parameters of what has to be done as well; one that
            nobody understands denies.
        reasons: Short codes, most specific first.
        scope: Scopes that would have been enough (RFC 6750 section 3), if that is
            what is missing.
        acr_values: For STEP_UP: authentication contexts that would be enough.
        max_age: For STEP_UP: seconds that may have passed since the user
            authenticated, if too many have.
    """

    effect: Effect
    obligations: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    reasons: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None


PERMIT: Final = Decision(effect=Effect.PERMIT)


@attrs.frozen(kw_only=True)
class Response:
    """
    A whole answer of our own.

    Attributes:
        status: The HTTP status code.
        reason: A short code for the log and the audit record.
        headers: Without framing fields.
        body: Octets; empty has a page made for status and reason.
        again: Path and query on the same host where that page lets people try again.
    """

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = attrs.field(default=b"", repr=False)
    again: str = ""
