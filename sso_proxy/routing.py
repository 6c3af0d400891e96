"""Which route a request takes: the host first, then the longest path."""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from sso_proxy.authz.conditions import Requirements
from sso_proxy.authz.obligations import Obligations
from sso_proxy.authz.policies import Policies
from sso_proxy.bound_cookies import BoundCookies
from sso_proxy.endpoints.desks import BrowserEndpoints
from sso_proxy.endpoints.device_documents import DeviceDocument
from sso_proxy.endpoints.protected_resource import ProtectedResource, PublishedResources
from sso_proxy.endpoints.session_info import SessionInfo
from sso_proxy.endpoints.tickets import TicketDesk
from sso_proxy.interfaces import (
    IAuthenticator,
    IBinding,
    IDelivery,
    ISessionStore,
    ITokenSource,
    IUserMapper,
)
from sso_proxy.login import Wishes
from sso_proxy.model import Refusal, Request, Response
from sso_proxy.session import Session
from sso_proxy.signing import RequestSigner
from sso_proxy.specs.apache_fields import ApacheFields
from sso_proxy.specs.http.cors import CorsRules
from sso_proxy.specs.http.target import (
    has_encoded_slash,
    has_parameters,
    matching_path,
    readings,
    strip_parameters,
)
from sso_proxy.specs.oauth.offer import NOTHING, Offer
from sso_proxy.specs.oauth.protected_resource import WELL_KNOWN
from sso_proxy.specs.trace_context import TraceContext
from sso_proxy.token import Audience

LoginCheck: TypeAlias = Callable[[Session], Refusal | None]
"""Says which other login a session needs for a route, or None."""

Tracing: TypeAlias = Callable[[TraceContext | None], TraceContext]
"""Says where a request belongs in a trace, from what came with it."""

CALLBACK_OCTETS = 65536
"""Octets of what a provider has a browser post to us."""

_NAMED = re.compile(r"\{\w+\}")


@attrs.frozen(kw_only=True)
class RouteHeaders:
    """
    What a route's backend is told.

    Attributes:
        user: Header field for the user name, as it is sent; empty for none.
        claims: Claim name and header field.
        tokens: Name of a token in the session's data, and header field.
        client_certificate: Whether to send ``Client-Cert`` (RFC 9440).
        token_binding: What to send of the keys that the client has proved to hold.
        of_connection: Whether any of that, which the connection proves, is sent.
        apache: The fields that Apache's mod_auth_openidc sends; None: none.
    """

    user: str = "X-Remote-User"
    claims: tuple[tuple[str, str], ...] = ()
    tokens: tuple[tuple[str, str], ...] = ()
    client_certificate: bool = False
    token_binding: tuple[str, ...] = ()
    apache: ApacheFields | None = None
    of_connection: bool = attrs.field(init=False)

    @of_connection.default
    def _is_any_sent(self) -> bool:
        return self.client_certificate or bool(self.token_binding)


@attrs.frozen(kw_only=True)
class Supply:
    """
    A token that a route's backend gets.

    Attributes:
        name: What the configuration calls its source, for the log.
        source: Gives it.
        audience: Whom it is for.
        delivery: Puts it where the backend looks for it.
        required: Without it, the request is refused.
    """

    name: str
    source: ITokenSource
    audience: Audience
    delivery: IDelivery
    required: bool = True

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name what of the client's request no backend gets."""
        return (*self.source.consumes, *self.delivery.consumes)


@attrs.frozen(kw_only=True, eq=False)
class Route:
    """
    One entry of ``[[route]]``, with everything built that it names.

    Attributes:
        name: Host and path as configured, for logs.
        host: The host pattern.
        path: The path pattern.
        authenticators: Asked in this order.
        bindings: Every binding there is, by the ``cnf`` member it answers for.
        cookies: Binds cookies of the application; None if none are bound.
        demanded: Bindings that the route requires.
        sessions: What keeps its browser sessions, if it has authenticators that go by
            them.
        mappers: Asked in this order; none: the user is the subject.
        requirements: What the route demands of identity and request.
        policies: What has to permit a request besides; None if nothing has to.
        obligations: Carries out what these oblige us to.
        settable: Lower-case names of header fields that these may set.
        consumed: Header fields that held a credential and go no further.
        removed: Folded names of fields that go no further, whatever they hold.
        consumed_parameters: Query parameters likewise.
        consumed_cookies: Cookies likewise.
        consumed_fields: Fields of forms likewise.
        reads_form: Whether who calls may depend on a form in the body.
        reads_query: Whether who calls depends on the query: then what was decided is
            never used again for another request line.
        headers: What the backend is told.
        supplies: Tokens that it gets.
        posts_tokens: Whether one of them is put into forms.
        upstream: The backend.
        tracing: Says where a request belongs in a trace, from what came; None: there.
        keeps_ids: Whether clients may name their requests: answers have the
            ``X-Request-Id`` of the request.
        prefix: Changes paths for the backend, and back; None: they are the same.
        maintenance: Answers for the backend while it is worked on; None: never.
        upstream_host: ``Host`` for the backend, or None for the client's.
        signer: Signs the requests to it, or None.
        methods: Allowed methods; empty: all.
        encoded_slashes: Whether ``%2F`` and ``%5C`` may stand in the path.
        path_parameters: ``reject``, ``strip`` or ``keep``.
        upgrades: Protocols that may be switched to, lower-case.
        origins: Origins whose pages may open WebSockets, besides our own.
        endpoints: Prefix of our own paths.
        logins: Has people log in, and answers at the endpoints for that; None if
            nobody can.
        login_names: The ways to log in that this route has, in its order.
        wishes: What logins that begin here are asked for, or None.
        login_checks: Say whether a session is enough for that, by the name of the
            authenticator that began it; nothing where all its sessions are.
        refresh_failed: What becomes of a session that gets no new tokens; empty: what
            its login says.
        own: Serves them, as a backend would.
        own_names: The first segments that there are below *endpoints*.
        cors: What pages of other origins may do, or None for nothing.
        offer: What our challenges say of this route.
        session_info: What pages learn of their user's session; then this is no route
            to a backend.
        ticket: Gives tickets to who gets through; then this is no route to a backend.
        asked: Lower-case names of fields that a backend gets from us which another
            proxy has, and which only asks us; None if we forward ourselves.
        backendless: Whether this is no route to a backend of ours, and who gets through
            gets something else.
        apache: Answers at an exact path what Apache's mod_auth_openidc does there; then
            this is no route to a backend.
        published: Documents at exact paths; then this is no route to a backend.
        body_bytes: Octets of a request body at most.
        upgrade_idle_timeout: Seconds of silence in a tunnel.
        request_timeout: Seconds for the whole of a request and its answer; None: no
            limit.
    """

    name: str
    host: str
    path: str
    authenticators: tuple[IAuthenticator, ...]
    bindings: dict[str, IBinding]
    cookies: BoundCookies | None = None
    demanded: tuple[IBinding, ...] = ()
    sessions: ISessionStore | None = None
    mappers: tuple[IUserMapper, ...] = ()
    requirements: Requirements
    policies: Policies | None = None
    obligations: Obligations = attrs.field(factory=Obligations)
    settable: frozenset[str] = frozenset()
    consumed: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    consumed_parameters: tuple[str, ...] = ()
    consumed_cookies: tuple[str, ...] = ()
    consumed_fields: tuple[str, ...] = ()
    reads_form: bool = False
    reads_query: bool = False
    headers: RouteHeaders
    supplies: tuple[Supply, ...] = ()
    posts_tokens: bool = False
    upstream: Any
    tracing: Tracing | None = None
    keeps_ids: bool = False
    prefix: Any = None
    maintenance: Any = None
    upstream_host: str | None = None
    signer: RequestSigner | None = None
    methods: frozenset[str] = frozenset()
    encoded_slashes: bool = False
    path_parameters: str = "reject"
    upgrades: frozenset[str] = frozenset()
    origins: tuple[str, ...] = ()
    endpoints: str = "/.sso/"
    logins: BrowserEndpoints | None = None
    login_names: tuple[str, ...] = ()
    wishes: Wishes | None = None
    login_checks: Mapping[str, LoginCheck] = attrs.field(factory=dict)
    refresh_failed: str = ""
    own: Any = None
    own_names: frozenset[str] = frozenset()
    cors: CorsRules | None = None
    offer: Offer = NOTHING
    session_info: SessionInfo | None = None
    apache: Any = None
    ticket: TicketDesk | None = None
    asked: frozenset[str] | None = None
    published: PublishedResources | DeviceDocument | None = None
    body_bytes: int
    upgrade_idle_timeout: float
    request_timeout: float | None = None
    backendless: bool = attrs.field(init=False)

    @backendless.default
    def _is_without(self) -> bool:
        return self.ticket is not None or self.asked is not None

    @property
    def depends_on_request(self) -> bool:
        """Whether method, path or query decide on who may."""
        if self.requirements.depends_on_request:
            return True
        return self.policies is not None and self.policies.depends_on_request

    def rewriting(self, request: Request) -> Callable[[bytes], bytes] | None:
        """Give what changes the backend's fields of the answer to *request*."""
        sealing = None if self.cookies is None else self.cookies.sealing(request)
        if self.prefix is None:
            return sealing
        found: Callable[[bytes], bytes] = self.prefix.rewriting(request, sealing)
        return found

    def is_own(self, path: str) -> bool:
        """Say whether a canonical path is ours, as any backend might read it."""
        if "%" in path:
            path = path.replace("%2F", "/").replace("%5C", "/")
        return path.startswith(self.endpoints) or path + "/" == self.endpoints


class HostRoutes:
    """
    The routes of one host pattern, the longest path first.

    Attributes:
        every: All of them.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        ordered = sorted(routes, key=_rank, reverse=True)
        self.every = tuple(ordered)
        self._entries = [_entry(route) for route in ordered]

    def find(self, path: str) -> Route | None:
        """Give the route for the canonical *path*, ``/@a`` and ``/%40a`` alike."""
        if "%" in path:
            path = matching_path(path)
        for below, exact, pattern, route in self._entries:
            if pattern is not None:
                if pattern(path) is not None:
                    return route
            elif path.startswith(below) or path == exact:
                return route
        return None


def build_own_route(host: str, endpoints: str, logins: BrowserEndpoints) -> Route:
    """
    Make the entry for endpoints at which browsers log in, whatever routes there are.

    Args:
        host: The pattern of their hosts.
        endpoints: Where they are.
        logins: What answers there.
    """
    return Route(
        name=host + endpoints,
        host=host,
        path=endpoints,
        authenticators=(),
        bindings={},
        requirements=Requirements(()),
        headers=RouteHeaders(),
        upstream=None,
        endpoints=endpoints,
        logins=logins,
        body_bytes=CALLBACK_OCTETS,
        upgrade_idle_timeout=0.0,
    )


class RouteTable:
    """All routes."""

    def __init__(
        self, routes: Sequence[Route], resources: Sequence[ProtectedResource] = ()
    ) -> None:
        by_host: dict[str, list[Route]] = {}
        for route in routes:
            by_host.setdefault(route.host, []).append(route)
        published: dict[str, list[ProtectedResource]] = {}
        for resource in resources:
            pattern = _pattern_of(resource.identifier.host, by_host)
            published.setdefault(pattern, []).append(resource)
        for pattern, found in published.items():
            documents = PublishedResources(found)
            by_host[pattern].append(
                build_document_route(pattern, WELL_KNOWN, documents)
            )
        self._hosts = {host: HostRoutes(found) for host, found in by_host.items()}

    def of_host(self, host: str) -> HostRoutes | None:
        """
        Give the routes of *host*: its own, else ``*.`` its parent's, else ``*``.

        The most specific pattern alone counts: a path that it does not have is not
        looked for elsewhere.
        """
        hosts = self._hosts
        found = hosts.get(host)
        if found is None:
            found = hosts.get("*." + host.partition(".")[2])
        if found is None:
            found = hosts.get("*")
        return found


def settle_path(routes: HostRoutes, route: Route, path: str) -> str | Response:
    """
    Give the path that is decided on and forwarded, or refuse it.

    Raises:
        BadMessageError: 400: it can be read as one that nobody may ask for.
    """
    slashes = has_encoded_slash(path)
    if slashes and not route.encoded_slashes:
        return Response(status=400, reason="encoded-slash")
    if has_parameters(path) and route.path_parameters != "keep":
        if route.path_parameters == "reject":
            return Response(status=400, reason="path-parameters")
        path = strip_parameters(path)
    elif not slashes:
        return path
    if any(routes.find(each) is not route for each in readings(path)):
        # The backend would serve what is another route's to decide on (B12).
        return Response(status=400, reason="ambiguous-path")
    return path


def _pattern_of(host: str, patterns: Container[str]) -> str:
    """Give the pattern whose routes serve *host*, as `RouteTable.of_host` does."""
    for pattern in (host, "*." + host.partition(".")[2]):
        if pattern in patterns:
            return pattern
    return "*"


def build_document_route(
    host: str, path: str, published: PublishedResources | DeviceDocument
) -> Route:
    """
    Make the entry for documents at exact paths.

    Args:
        host: The pattern of their hosts.
        path: Where they are, or where their paths begin.
        published: The documents.
    """
    return Route(
        name=host + path,
        host=host,
        path=path,
        authenticators=(),
        bindings={},
        requirements=Requirements(()),
        headers=RouteHeaders(),
        upstream=None,
        encoded_slashes=True,
        path_parameters="keep",
        published=published,
        body_bytes=0,
        upgrade_idle_timeout=0.0,
    )


def _rank(route: Route) -> tuple[bool, int, int]:
    """Rank routes: exact paths first, then by their paths."""
    exact = route.published is not None or route.apache is not None
    return (exact, *_weight(route.path))


def _weight(path: str) -> tuple[int, int]:
    """Rank paths: more segments first, then more literal text."""
    trimmed = path.rstrip("/")
    return trimmed.count("/"), len(_NAMED.sub("", trimmed))


def _entry(route: Route) -> tuple[str, str, Any, Route]:
    if route.published is not None:
        return "", "", route.published.get, route
    exact = matching_path(route.path)
    if route.apache is not None:
        return "", "", re.compile(re.escape(exact)).fullmatch, route
    trimmed = exact.rstrip("/")
    if "{" not in trimmed:
        # "/orders/" is itself and all below; "/orders" is that and itself.
        return trimmed + "/", exact, None, route
    parts = [
        "[^/]+" if _NAMED.fullmatch(part) else re.escape(part)
        for part in trimmed.split("/")
    ]
    end = "/.*" if exact.endswith("/") else "(?:/.*)?"
    return "", "", re.compile("/".join(parts) + end, re.DOTALL).fullmatch, route
