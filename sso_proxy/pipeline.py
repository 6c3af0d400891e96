"""
A request's way through the proxy, top to bottom.

Every decision is made here and about one value, the canonical request.  What a phase
finds it returns; a `Response` ends the way.  The edge relays what was admitted
(`sso_proxy.edge.exchange`, phase 9) and writes the audit record (phase 10).
"""

from collections.abc import Callable
from typing import Any, assert_never

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from sso_proxy.admission import Admission, Connection, Trail, Verdict
from sso_proxy.errors import BadMessageError, UnavailableError
from sso_proxy.interfaces import IAuthenticator, IClock
from sso_proxy.model import (
    ANONYMOUS,
    DECLINED,
    REFUSED,
    Authenticated,
    Caller,
    Client,
    Decision,
    Effect,
    HeaderChallenge,
    Headers,
    Identity,
    LoginRedirect,
    NotPresented,
    Refusal,
    Rejected,
    Request,
    RequestHead,
    Response,
    Unbound,
    UserName,
)
from sso_proxy.net.tls.forwarded import ForwardedCertificates
from sso_proxy.outgoing import (
    build_block,
    build_fields,
    build_identity,
    without_credentials,
)
from sso_proxy.routing import HostRoutes, Route, RouteTable
from sso_proxy.specs.http.accept import is_navigation
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.forwarded import client_address, forwarded_proto, has_passed
from sso_proxy.specs.http.max_forwards import forwarded_once, read_max_forwards
from sso_proxy.specs.http.request import METHODS, Incoming
from sso_proxy.specs.http.target import (
    has_encoded_slash,
    has_parameters,
    strip_parameters,
)
from sso_proxy.specs.user_name import is_safe_user_name

_log = Logger()

_REUSE = 30.0
"""Seconds that a decision may be used again for the same bytes (DESIGN section 7)."""

NO_STORE = ("cache-control", "no-store")


@attrs.frozen
class Proof:
    """
    What the caller proved to hold.

    Attributes:
        kinds: Kinds of keys.
        once: The proof is good for this request only.
        answer: Field lines for the answer, serialised.
    """

    kinds: tuple[str, ...] = ()
    once: bool = False
    answer: bytes = b""


_NO_PROOF = Proof()


class Pipeline:
    """Decides one request after another; holds no state of its own."""

    def __init__(
        self,
        routes: RouteTable,
        *,
        clock: IClock,
        trusted: Callable[[str], bool],
        via: str,
        new_id: Callable[[], str],
    ) -> None:
        self._routes = routes
        self._clock = clock
        self._trusted = trusted
        self._via = via
        self._new_id = new_id
        self._certificates = ForwardedCertificates()

    async def decide(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        like: Admission | None = None,
    ) -> Verdict:
        """
        Decide on one request.  Any surprise on the way denies access.

        Args:
            incoming: Its head.
            connection: What it came over.
            trail: Takes what is found out.
            like: What was decided, over this connection and under this configuration,
                for the same head with another credential and on the same route, if it
                has `Admission.shared`.
        """
        try:
            return await self._decide(incoming, connection, trail, like)
        except CancelledError:  # an ordinary Exception in Twisted
            raise
        except BadMessageError as e:  # what trusted proxies say cannot be read
            return Response(status=e.status, reason=e.reason)
        except UnavailableError as e:
            _log.warn(
                "Request {id}: {what} is not available; denied.",
                id=_id(trail),
                what=e.what,
            )
            # When another server will be well again is not ours to tell.
            later = (("retry-after", "5"),) if e.status == 503 else ()
            return Response(status=e.status, reason="unavailable", headers=later)
        except Exception:  # noqa: BLE001
            _log.failure("Deciding on request {id} failed; denied.", id=_id(trail))
            return Response(status=503, reason="failed")

    async def _decide(  # noqa: PLR0911 - each phase may end the way
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        like: Admission | None,
    ) -> Verdict:
        if like is None:
            # 1 facts
            request = trail.request = self.facts(incoming, connection)
            if incoming.via and has_passed(incoming.via, self._via):
                return Response(status=508, reason="loop")
            # 2 route
            taken = self.route(request, connection)
            if isinstance(taken, Response):
                return taken
            routes, route, request = taken
            trail.route, trail.request = route, request
            # 3 own endpoint?
            if route.is_own(request.head.path):
                return self._admit_own(incoming, connection, trail, routes)
        else:  # all that depends on the credential follows
            request = trail.request = self._alike(like, incoming)
            routes, route = like.host_routes, like.route
            trail.route, trail.place = route, like.place
        # 4 authenticate
        found = await _authenticate(route, request)
        if isinstance(found, Response):
            return found
        authenticator, outcome = found
        identity = trail.identity = outcome.identity
        if route.consumed_parameters or route.consumed_cookies:
            request = trail.request = without_credentials(request, route)
        # 5 bind
        bound = await _bind(route, request, identity)
        if isinstance(bound, Unbound):
            return _unbound(bound, request, authenticator)
        trail.bound = bound.kinds
        # 6 map
        user = await _map(route, identity)
        if isinstance(user, Response):
            return user
        trail.user = user
        # 7 authorise
        decision = authorise(route, request, identity)
        if decision is not None:
            return _denied(decision, request, authenticator)
        # 8 equip
        return self._equip(incoming, connection, trail, routes, outcome, bound, like)

    def facts(self, incoming: Incoming, connection: Connection) -> Request:
        """Say where a request comes from; only trusted proxies may say it for us."""
        head = incoming.head
        peer, trusted = connection.peer, connection.trusted
        client = Client(address=peer, peer=peer, trusted=trusted)
        id_, tls = "", connection.tls
        if trusted and incoming.forwarded:
            fields = incoming.forwarded
            address = client_address(connection.peer, fields, self._trusted)
            client = Client(address=address, peer=connection.peer, trusted=True)
            scheme = forwarded_proto(fields)
            if scheme is not None and scheme != head.scheme:
                head = _under(scheme, head)
            id_ = _given_id(incoming)
            tls = self._certificates.read(fields, connection.forwarded_certificate, tls)
        return Request(
            id=id_ or self._new_id(),
            head=head,
            tls=tls,
            client=client,
            time=self._clock.time(),
            listener_port=connection.listener_port,
        )

    def _alike(self, like: Admission, incoming: Incoming) -> Request:
        """Give the request that differs from the one of *like* in its head."""
        other = like.caller.request  # whose path is what was asked for, and no session
        return Request(
            id=self._new_id(),
            head=incoming.head,
            tls=other.tls,
            client=other.client,
            time=self._clock.time(),
            listener_port=other.listener_port,
        )

    def route(
        self, request: Request, connection: Connection
    ) -> Response | tuple[HostRoutes, Route, Request]:
        """Find the route, and check what it says about the connection and the path."""
        head = request.head
        misdirected = connection.stale or (
            connection.tls is not None
            and connection.policy_for is not None
            and connection.policy_for(head.host) != connection.tls.policy
        )
        if misdirected:
            # Asked under a name whose callers we check otherwise (E1, E2).
            return Response(status=421, reason="misdirected")
        routes = self._routes.of_host(head.host)
        route = routes.find(head.path) if routes is not None else None
        if routes is None or route is None:
            return Response(status=404, reason="no-route")
        path = _settle_path(routes, route, head.path)
        if isinstance(path, Response):
            return path
        if path != head.path:
            stripped = attrs.evolve(head, path=path)
            request = attrs.evolve(request, head=stripped, path_asked=head.path)
        if route.methods and head.method not in route.methods:
            allow = ", ".join(sorted(route.methods))
            return Response(status=405, reason="method", headers=(("allow", allow),))
        return routes, route, request

    def _admit_own(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        routes: HostRoutes,
    ) -> Verdict:
        request, route = trail.request, trail.route
        assert request is not None  # noqa: S101
        assert route is not None  # noqa: S101
        below = request.head.path.removeprefix(route.endpoints)
        if below.partition("/")[0] not in route.own_names:
            return Response(status=404, reason="no-endpoint")
        return Admission(
            route=route,
            caller=Caller(request=request, identity=None, user=""),
            block=build_block(incoming, request, route, self._via, consumed=False),
            stable=trail.stable(connection),
            own=True,
            host_routes=routes,
        )

    def _equip(  # noqa: PLR0913, PLR0917
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        routes: HostRoutes,
        outcome: Authenticated,
        proof: Proof,
        like: Admission | None,
    ) -> Verdict:
        request, route, identity = trail.request, trail.route, trail.identity
        assert request is not None  # noqa: S101
        assert route is not None  # noqa: S101
        assert identity is not None  # noqa: S101
        forwards = read_max_forwards(request.head) if like is None else None
        if forwards == 0:
            return _final_recipient(route)
        if forwards is not None:
            head = forwarded_once(request.head, forwards)
            request = attrs.evolve(request, head=head)
        if like is not None:
            block = like.block[: like.shared]
        else:
            block = build_block(incoming, request, route, self._via, consumed=True)
        shared = len(block)
        try:
            block += build_identity(request, route, identity, trail.user)
        except ValueError as e:
            _log.warn(
                "Request {id}: an identity header cannot be sent: {why}",
                id=request.id,
                why=str(e),
            )
            return Response(status=403, reason="header-value")
        left = _REUSE
        if identity.expires is not None:
            left = min(left, identity.expires - self._clock.time())
        if outcome.until is not None:
            left = min(left, outcome.until - self._clock.time())
        if route.requirements.depends_on_time:
            came = request.time or 0.0  # decided on as of then, however long it took
            steady = route.requirements.steady_for(identity, came)
            left = min(left, came + steady - self._clock.time())
        given = connection.trusted and _given_id(incoming)
        if forwards is not None or given or proof.once or route.reads_query:
            left = 0.0
        if like is None and (
            forwards is not None
            or connection.trusted
            or request.head is not incoming.head
            or request.session is not None
            or "authorization" not in route.consumed
        ):
            shared = 0  # more than the caller is this request's alone
        trail.place = trail.place or trail.place_of(connection)
        return Admission(
            route=route,
            caller=Caller(request=request, identity=identity, user=trail.user),
            block=block,
            shared=shared,
            place=trail.place,
            stable=trail.stable(connection),
            reuse_until=self._clock.monotonic() + left,
            answer=proof.answer + build_fields(outcome.headers)
            if outcome.headers
            else proof.answer,
            host_routes=routes,
        )


def _final_recipient(route: Route) -> Response:
    """Answer OPTIONS that may go no further (RFC 9110 section 7.6.2)."""
    allow = ", ".join(sorted(route.methods or METHODS))
    return Response(status=204, reason="max-forwards", headers=(("allow", allow),))


def _under(scheme: str, head: RequestHead) -> RequestHead:
    """Give *head* as it was asked for; a host without port means the scheme's own."""
    port = head.port
    if port == DEFAULT_PORTS[head.scheme]:
        port = DEFAULT_PORTS[scheme]
    return attrs.evolve(head, scheme=scheme, port=port)


def authorise(route: Route, request: Request, identity: Identity) -> Decision | None:
    """Give the decision that keeps *identity* from *request*, or None if it may."""
    decision = route.requirements.check(identity, request)
    if decision.effect is Effect.PERMIT and not decision.obligations:
        return None
    return decision


def _denied(
    decision: Decision, request: Request, authenticator: IAuthenticator
) -> Response:
    """Answer somebody who is known and may not do this."""
    reason = decision.reasons[0] if decision.reasons else "denied"
    if decision.effect is Effect.STEP_UP:
        refusal = Refusal(
            error="insufficient_user_authentication",
            scope=decision.scope,
            acr_values=decision.acr_values,
            max_age=decision.max_age,
        )
        return _refused(401, reason, authenticator.refusal(request, refusal))
    challenge = None
    if decision.scope:
        challenge = authenticator.refusal(
            request, Refusal(error="insufficient_scope", scope=decision.scope)
        )
    return Response(status=403, reason=reason, headers=_no_store(challenge))


def _no_store(challenge: HeaderChallenge | None) -> Headers:
    if challenge is None:
        return (NO_STORE,)
    return (NO_STORE, *_fields_of(challenge))


def _fields_of(challenge: HeaderChallenge) -> Headers:
    return (
        *(("www-authenticate", value) for value in challenge.values),
        *challenge.headers,
    )


async def _authenticate(
    route: Route, request: Request
) -> tuple[IAuthenticator, Authenticated] | Response:
    """Ask the route's authenticators; the first that has an opinion decides."""
    rejected: Rejected | None = None
    kind: type | None = None
    for authenticator in route.authenticators:
        if rejected is not None and type(authenticator) is not kind:
            continue  # nobody with a bad token becomes somebody by other means
        outcome = await authenticator.authenticate(request)
        match outcome:
            case Authenticated():
                return authenticator, outcome
            case NotPresented():
                continue
            case Rejected():
                rejected, kind = rejected or outcome, type(authenticator)
                if outcome.final:
                    return _rejected(outcome, request)
            case _:
                assert_never(outcome)
    if rejected is not None:
        return _rejected(rejected, request)
    return _challenge(route, request)


def _rejected(rejected: Rejected, request: Request) -> Response:
    """Answer somebody whose credential is not good."""
    if rejected.detail:
        _log.info(
            "Request {id}: {reason}: {detail}",
            id=request.id,
            reason=rejected.reason,
            detail=rejected.detail,
        )
    return _refused(rejected.status, rejected.reason, rejected.challenge)


def _challenge(route: Route, request: Request) -> Response:
    """Tell a caller without credentials how to get in."""
    asked = [a.challenge(request) for a in route.authenticators]
    redirects = [c for c in asked if isinstance(c, LoginRedirect)]
    if redirects and is_navigation(request.head):
        return Response(
            status=302,
            reason="login",
            headers=(NO_STORE, ("location", redirects[0].location)),
        )
    headers = [
        f for c in asked if isinstance(c, HeaderChallenge) for f in _fields_of(c)
    ]
    return Response(
        status=401 if headers or redirects else 403,
        reason="no-credential",
        headers=(NO_STORE, *headers),
    )


async def _bind(route: Route, request: Request, identity: Identity) -> Proof | Unbound:
    """Check every key that the identity is bound to or the route demands."""
    wanted = {binding.kind: binding for binding in route.demanded}
    for member in identity.confirmation:
        binding = route.bindings.get(member)
        if binding is None:
            # An unknown confirmation is one that we cannot check (RFC 7800, D6).
            return Unbound(reason="unknown-confirmation", detail=member)
        wanted[binding.kind] = binding
    if not wanted:
        return _NO_PROOF
    answer = b""
    # A proof that is good once must not be used up by a request refused for another.
    for binding in sorted(wanted.values(), key=lambda binding: binding.once):
        found = await binding.check(request, identity)
        if isinstance(found, Unbound):
            return found
        if found is not None:
            answer += build_fields(found.headers)
    return Proof(tuple(wanted), any(b.once for b in wanted.values()), answer)


def _unbound(
    unbound: Unbound, request: Request, authenticator: IAuthenticator
) -> Response:
    """Answer somebody who did not prove to hold the key (RFC 8705 section 3)."""
    _log.info(
        "Request {id}: {reason}: {detail}",
        id=request.id,
        reason=unbound.reason,
        detail=unbound.detail,
    )
    challenge = unbound.challenge or authenticator.refusal(
        request, Refusal(error="invalid_token")
    )
    return _refused(unbound.status, unbound.reason, challenge)


def _refused(status: int, reason: str, challenge: HeaderChallenge | None) -> Response:
    """Refuse a credential; 401 would promise a challenge (RFC 9110 15.5.2)."""
    if status == 401 and challenge is None:
        status = 403
    return Response(status=status, reason=reason, headers=_no_store(challenge))


async def _map(route: Route, identity: Identity) -> UserName | Response:
    """Find the name that the backend knows the caller by."""
    if not route.mappers:
        # Nobody in particular must not look like a user called "anonymous".
        if identity.issuer == ANONYMOUS:
            return UserName("")
        return _named(identity.subject)
    for mapper in route.mappers:
        user = await mapper.map_user(identity)
        if user is REFUSED:
            return Response(status=403, reason="user-refused", headers=(NO_STORE,))
        if user is not DECLINED:
            return _named(str(user))
    return Response(status=403, reason="user-unmapped", headers=(NO_STORE,))


def _settle_path(routes: HostRoutes, route: Route, path: str) -> str | Response:
    """Give the path that is decided on and forwarded, or refuse it."""
    if not route.encoded_slashes and has_encoded_slash(path):
        return Response(status=400, reason="encoded-slash")
    if route.path_parameters == "keep" or not has_parameters(path):
        return path
    if route.path_parameters == "reject":
        return Response(status=400, reason="path-parameters")
    path = strip_parameters(path)
    if routes.find(path) is not route:
        # The backend would serve what is another route's to decide on (B12).
        return Response(status=400, reason="ambiguous-path")
    return path


def _named(user: str) -> UserName | Response:
    """Refuse a name that a backend might read otherwise, whoever gave it."""
    if not is_safe_user_name(user):
        return Response(status=403, reason="user-unsafe", headers=(NO_STORE,))
    return UserName(user)


def _given_id(incoming: Incoming) -> str:
    """Give the one plausible ``X-Request-Id`` that a trusted proxy sent."""
    found = [value for name, value in incoming.forwarded if name == "x-request-id"]
    if len(found) == 1 and len(found[0]) <= 128 and _ID(found[0]):
        return found[0]
    return ""


def _ID(value: str) -> bool:  # noqa: N802
    return value.isascii() and value.replace("-", "").replace("_", "").isalnum()


def _id(trail: Trail) -> Any:  # noqa: ANN401
    return trail.request.id if trail.request is not None else "?"
