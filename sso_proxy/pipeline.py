"""
A request's way through the proxy, top to bottom.

Every decision is made here and about one value, the canonical request.  What a phase
finds it returns; a `Response` ends the way.  The edge relays what was admitted
(`sso_proxy.edge.exchange`, phase 9) and writes the audit record (phase 10).
"""

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from sso_proxy.admission import Admission, Connection, Trail, Verdict
from sso_proxy.callers import (
    ask_at_once,
    authenticate,
    authorise,
    bind,
    judge,
    name_user,
    session_ended,
)
from sso_proxy.device_cookies import while_standing
from sso_proxy.endpoints.logins import RESTORE_OCTETS
from sso_proxy.equipment import NO_EQUIPMENT, Equipment
from sso_proxy.equipping import equip, given_id
from sso_proxy.errors import BadMessageError, UnavailableError
from sso_proxy.forward_auth import let_pass
from sso_proxy.interfaces import IAuthenticator, IClock
from sso_proxy.issuing import issue
from sso_proxy.model import (
    PERMIT,
    Caller,
    Client,
    Decision,
    Identity,
    Request,
    RequestHead,
    Response,
    Unbound,
    with_bindings,
)
from sso_proxy.net.tls.forwarded import ForwardedCertificates
from sso_proxy.outgoing import build_block, without_credentials
from sso_proxy.refusals import deny, refuse_cookies, refuse_unbound
from sso_proxy.restoring import restore
from sso_proxy.routing import HostRoutes, Route, RouteTable, settle_path
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.cors import (
    allowed_origin,
    build_cors_fields,
    build_preflight_fields,
    is_preflight,
)
from sso_proxy.specs.http.forwarded import client_address, forwarded_proto, has_passed
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.max_forwards import read_max_forwards
from sso_proxy.supplying import make_equipment, supply
from sso_proxy.telling import tell

_log = Logger()


class Pipeline:
    """Decides one request after another; holds no state of its own."""

    def __init__(  # noqa: PLR0913
        self,
        routes: RouteTable,
        *,
        clock: IClock,
        trusted: Callable[[str], bool],
        via: str,
        new_id: Callable[[], str],
        revoked: Callable[[Identity], Decision | None] = lambda _: None,
        refused: Callable[[Trail, Response], None] = lambda _trail, _answer: None,
    ) -> None:
        self._routes = routes
        self._clock = clock
        self._trusted = trusted
        self._via = via
        self._new_id = new_id
        self._revoked = revoked
        self._refused = refused
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
            verdict = await self._decide(incoming, connection, trail, like)
        except CancelledError:  # an ordinary Exception in Twisted
            raise
        except BadMessageError as e:  # what trusted proxies say cannot be read
            verdict = Response(status=e.status, reason=e.reason)
        except UnavailableError as e:
            _log.warn(
                "Request {id}: {what} is not available; denied.",
                id=_id(trail),
                what=e.what,
            )
            # When another server will be well again is not ours to tell.
            later = (("retry-after", "5"),) if e.status == 503 else ()
            verdict = Response(status=e.status, reason=e.reason, headers=later)
        except Exception:  # noqa: BLE001
            _log.failure("Deciding on request {id} failed; denied.", id=_id(trail))
            verdict = Response(status=503, reason="failed")
        if isinstance(verdict, Response):
            if verdict.status >= 400:
                self._refused(trail, verdict)
            return _readable(verdict, trail)
        return verdict

    async def _decide(  # noqa: C901, PLR0911, PLR0912 - each phase may end the way
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        like: Admission | None,
    ) -> Verdict:
        if like is None:
            # 1 facts, 2 route, 3 own endpoint?
            ours = await self._arrive(incoming, connection, trail)
            if ours is not None:
                return ours
        else:  # all that depends on the credential follows
            trail.request = self._alike(like, incoming)
            trail.routes, trail.route = like.host_routes, like.route
            trail.place = like.place
        request, route = trail.found
        if route.reads_form and trail.body is not None:
            request = trail.request = attrs.evolve(request, body=trail.body)
        # 4 authenticate
        found = await authenticate(route, request, trail.body)
        if isinstance(found, Response):
            return found
        authenticator, outcome, request = found
        trail.note("auth")
        if incoming.framing.length == RESTORE_OCTETS:
            restored = await restore(request, route, trail)
            if isinstance(restored, Response):
                return restored
            request = restored
        identity = trail.identity = outcome.identity
        presented = request
        if route.cookies is not None and route.cookies.devices is not None:
            request = await route.cookies.look(request)
            again = refuse_cookies(request)
            if again is not None:
                return again
            outcome = while_standing(request, outcome)
        request = trail.request = without_credentials(request, route)
        # 5 bind
        bound = await bind(route, request, identity)
        if isinstance(bound, Unbound):
            return refuse_unbound(bound, request, route, authenticator)
        trail.bound = bound.kinds
        # 6 map
        user = await name_user(route, identity)
        if isinstance(user, Response):
            return user
        trail.user = user
        # 7 authorise, and tokens for the backend, which may take their time
        equipment = await self._permit(presented, trail, authenticator)
        if isinstance(equipment, Response):
            return equipment
        if route.backendless:  # we give what they came for
            fields = (*outcome.headers, *equipment.answer)
            if route.ticket is None:
                return let_pass(trail, outcome, bound, equipment)
            return await issue(route.ticket, presented, trail, authenticator, fields)
        trail.note("decision")
        # 8 equip; nothing waits from here on, so that no revocation comes too late
        return equip(
            incoming,
            connection,
            trail,
            outcome=outcome,
            proof=bound,
            equipment=equipment,
            like=like,
            via=self._via,
            clock=self._clock,
        )

    async def _permit(
        self, presented: Request, trail: Trail, authenticator: IAuthenticator
    ) -> Equipment | Response:
        """
        Let a request pass, with the tokens that its backend needs, or say why not.

        Args:
            presented: The request with all credentials that it came with.
            trail: What was found out.
            authenticator: Who knows the caller.
        """
        (request, route), identity = trail.found, trail.identity
        assert identity is not None  # noqa: S101
        if route.signer is not None and trail.body is not None:
            await route.signer.read(trail.body, route.body_bytes)
        if trail.bound != request.bindings:
            request = with_bindings(request, trail.bound)
            trail.request = request
        decision = self._check(route, request, identity)
        said = None if decision else ask_at_once(route, request, identity)
        equipment = NO_EQUIPMENT
        if decision is None and (route.supplies or said is not PERMIT):
            equipment = make_equipment(trail)
            decision = await judge(route, request, identity, equipment, said)
            if decision is None:
                trail.note("policy")
                caller = Caller(request=presented, identity=identity, user=trail.user)
                refused = await supply(
                    caller, route, authenticator, trail.body, equipment
                )
                if refused is not None:
                    return refused
                trail.note("token")
                decision = self._check(route, request, identity)
        if decision is None:
            return equipment
        response = await deny(decision, request, route, authenticator, trail.body)
        if not equipment.answer:
            return response
        headers = (*response.headers, *equipment.answer)
        return attrs.evolve(response, headers=headers)

    def _check(
        self, route: Route, request: Request, identity: Identity
    ) -> Decision | None:
        """Give what keeps *identity* from *request*, or None if nothing does."""
        return (
            session_ended(request)
            or self._revoked(identity)
            or authorise(route, request, identity)
        )

    async def _arrive(
        self, incoming: Incoming, connection: Connection, trail: Trail
    ) -> Verdict | None:
        """Find out where a request is from and where to; answer it, if that is here."""
        # 1 facts
        request = trail.request = self.facts(incoming, connection)
        if incoming.via and has_passed(incoming.via, self._via):
            return Response(status=508, reason="loop")
        # 2 route
        taken = self.route(request, connection)
        if isinstance(taken, Response):
            return taken
        trail.routes, trail.route, trail.request = taken
        if trail.route.keeps_ids and (id_ := given_id(incoming)):
            trail.request = attrs.evolve(trail.request, id=id_)
        # 3 own endpoint?
        return await self._answer_ourselves(incoming, connection, trail)

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
            id_ = given_id(incoming)
            tls = self._certificates.read(fields, connection.forwarded_certificate, tls)
        return Request(
            id=id_ or self._new_id(),
            head=head,
            tls=tls,
            client=client,
            time=self._clock.time(),
            listener_port=connection.listener_port,
            minor=incoming.framing.minor,
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
        path = settle_path(routes, route, head.path)
        if isinstance(path, Response):
            return path
        if path != head.path:
            stripped = attrs.evolve(head, path=path)
            request = attrs.evolve(request, head=stripped, path_asked=head.path)
        return routes, route, request

    async def _answer_ourselves(  # noqa: C901, PLR0911 - one for each kind
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
    ) -> Verdict | None:
        """Deal with what is not for the backend, or not for this backend."""
        request, route = trail.found
        head = request.head
        if route.published is not None:
            return route.published.answer(head)
        if route.apache is not None:
            told: Response = await route.apache.answer(trail, self._revoked)
            return told
        if route.session_info is not None:
            return await tell(route.session_info, trail, self._revoked)
        if route.is_own(head.path):
            if route.logins is not None:
                asked = attrs.evolve(request, body=trail.body)
                ours = await route.logins.answer(asked)
                if ours is not None:
                    return ours
            return self._admit_own(incoming, connection, trail)
        if route.maintenance is not None:
            paused: Response | None = route.maintenance.answer(request)
            if paused is not None:
                return paused
        if route.cors is not None and is_preflight(head):
            answer = self._preflight(incoming, connection, trail)
            if answer is not None:
                return answer
        if route.methods and head.method not in route.methods:
            allow = ", ".join(sorted(route.methods))
            return Response(status=405, reason="method", headers=(("allow", allow),))
        return None

    def _preflight(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
    ) -> Verdict | None:
        """Let a browser ask what a page of a listed origin may send."""
        request, route = trail.found
        cors, framing = route.cors, incoming.framing
        if cors is None or not allowed_origin(cors, request.head):
            return None
        if cors.preflight == "answer":
            fields = build_preflight_fields(cors)
            return Response(status=204, reason="preflight", headers=fields)
        forwards = read_max_forwards(request.head)
        if framing.length != 0 or framing.upgrade or forwards is not None:
            return None  # no browser sends that
        request = trail.request = without_credentials(request, route)
        # Nobody is asked who this is, so nothing is said about it; and the same bytes
        # with another method are another request.
        return Admission(
            route=route,
            caller=Caller(request=request, identity=None, user=""),
            block=build_block(incoming, request, route, self._via, consumed=True),
            rewrite=route.rewriting(request),
            stable=trail.stable(connection),
            reuse_until=0.0,
            host_routes=trail.routes,
        )

    def _admit_own(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
    ) -> Verdict:
        request, route = trail.found
        request = attrs.evolve(request, sessions=route.sessions)
        below = request.head.path.removeprefix(route.endpoints)
        if below.partition("/")[0] not in route.own_names:
            return Response(status=404, reason="no-endpoint")
        return Admission(
            route=route,
            caller=Caller(request=request, identity=None, user=""),
            block=build_block(incoming, request, route, self._via, consumed=False),
            stable=trail.stable(connection),
            own=True,
            host_routes=trail.routes,
        )


def _readable(response: Response, trail: Trail) -> Response:
    """Let pages of listed origins read what we answer, refusals above all."""
    request, route = trail.request, trail.route
    if request is None or route is None or route.cors is None:
        return response
    fields = build_cors_fields(route.cors, request.head)
    return attrs.evolve(response, headers=(*response.headers, *fields))


def _under(scheme: str, head: RequestHead) -> RequestHead:
    """Give *head* as it was asked for; a host without port means the scheme's own."""
    port = head.port
    if port == DEFAULT_PORTS[head.scheme]:
        port = DEFAULT_PORTS[scheme]
    return attrs.evolve(head, scheme=scheme, port=port)


def _id(trail: Trail) -> Any:  # noqa: ANN401
    return trail.request.id if trail.request is not None else "?"
