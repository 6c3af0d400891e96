"""
A request's way on listeners at which another proxy only asks.

Each request there is a question about another one, which is decided on as if it had
come to us.  Nothing is forwarded, and nothing else is served: clients must never get at
such a listener, and whoever is no trusted proxy gets nothing there.
"""

from typing import Any

import attrs

from sso_proxy.admission import Admission, Connection, Trail, Verdict
from sso_proxy.forward_auth import tell
from sso_proxy.model import Response
from sso_proxy.pipeline import Pipeline
from sso_proxy.refusals import NO_STORE
from sso_proxy.routing import Route, RouteTable
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.original import Asker, read_original
from sso_proxy.specs.http.websocket import origin_allowed


class ForwardAuthPipeline(Pipeline):
    """Decides on what another proxy asks about."""

    def __init__(
        self,
        routes: RouteTable,
        *,
        asker: Asker,
        **parts: Any,  # noqa: ANN401
    ) -> None:
        """
        Take what `Pipeline` takes, and one thing more.

        Args:
            routes: As there.
            asker: The kind of proxy.
            parts: As there.
        """
        super().__init__(routes, **parts)
        self._asker = asker

    async def decide(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        like: Admission | None = None,
    ) -> Verdict:
        """Answer a question; whatever happens on the way, the answer is no."""
        verdict = await super().decide(incoming, connection, trail, like)
        if not isinstance(verdict, Response):  # nothing is forwarded from here
            verdict = _nothing_there()
        return tell(self._asker, verdict, trail.request)

    async def _decide(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        like: Admission | None,
    ) -> Verdict:
        del like  # no question is like another
        if not connection.trusted:
            return Response(status=403, reason="not-trusted", headers=(NO_STORE,))
        head = read_original(self._asker, incoming)
        # Else what the client says of itself could give it another scheme later.
        said = (*incoming.forwarded, ("x-forwarded-proto", head.scheme))
        asked = attrs.evolve(incoming, head=head, forwarded=said)
        if connection.tls is not None:  # is the proxy's own
            connection = attrs.evolve(connection, tls=None, policy_for=None)
        trail.asker = self._asker
        return await super()._decide(asked, connection, trail, None)

    async def _answer_ourselves(
        self, incoming: Incoming, connection: Connection, trail: Trail
    ) -> Verdict | None:
        """Refuse what no other proxy can forward, or must not ask about."""
        request, route = trail.found
        if route.asked is None or route.is_own(request.head.path):
            return _nothing_there()
        if any(name in route.asked for name, _ in incoming.forwarded):
            return Response(status=400, reason="field-forged")
        refused = _check_upgrade(incoming, route)
        if refused is not None:
            return refused
        return await super()._answer_ourselves(incoming, connection, trail)


def _nothing_there() -> Response:
    return Response(status=404, reason="no-route", headers=(NO_STORE,))


def _check_upgrade(incoming: Incoming, route: Route) -> Response | None:
    """Refuse another protocol than the route's, and WebSockets of foreign pages."""
    head, wanted = incoming.head, incoming.framing.upgrade
    if wanted is None and head.values("sec-websocket-key"):
        wanted = "websocket"  # all that is left of it where proxies take Upgrade off
    if wanted is None:
        return None
    origins = head.values("origin")
    origin = origins[0] if origins else None
    if wanted not in route.upgrades or not origin_allowed(
        origin, head.scheme, head.host, head.port, route.origins
    ):
        return Response(status=403, reason="origin" if origin else "upgrade")
    return None
