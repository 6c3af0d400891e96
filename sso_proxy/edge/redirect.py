"""A plain listener's only answer: the same address under https."""

from sso_proxy.admission import Admission, Connection, Trail, Verdict
from sso_proxy.model import Client, Request, Response
from sso_proxy.outgoing import authority
from sso_proxy.routing import RouteTable
from sso_proxy.specs.http.incoming import Incoming


class RedirectOnly:
    """Decides like a pipeline, and always the same."""

    def __init__(self, routes: RouteTable, port: int, new_id: object) -> None:
        self._routes = routes
        self._port = port
        self._new_id = new_id

    async def decide(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        like: Admission | None = None,  # noqa: ARG002 - nothing is ever admitted
    ) -> Verdict:
        """Send the client to https; hosts that are not ours are not sent anywhere."""
        head = incoming.head
        id_ = str(self._new_id()) if callable(self._new_id) else ""
        client = Client(address=connection.peer, peer=connection.peer)
        trail.request = Request(id=id_, head=head, tls=None, client=client)
        if self._routes.of_host(head.host) is None or head.path == "*":
            return Response(status=404, reason="no-route")
        query = "" if head.query is None else f"?{head.query}"
        place = authority(head.host, self._port, "https")
        location = f"https://{place}{head.path}{query}"
        # 308 keeps method and body; old clients know 301, which is as good for GET.
        status = 301 if head.method in {"GET", "HEAD"} else 308
        return Response(
            status=status, reason="to-https", headers=(("location", location),)
        )
