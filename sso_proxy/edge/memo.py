"""
The second speed: what was decided for a head's bytes is used again for the same bytes.

Browsers and API clients send the same header section with every request of a
connection.  The path differs; it is canonical by its form, and it is routed and
authorised each time.
"""

from typing import NamedTuple

import attrs

from sso_proxy.admission import Admission
from sso_proxy.edge.site import Rules
from sso_proxy.pipeline import authorise
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.specs.http.repeat import read_repeat_line
from sso_proxy.specs.oauth.presentation import octets_name_parameter
from sso_proxy.upstream import Outgoing

_VERSION = len(" HTTP/1.1")


class Repeated(NamedTuple):
    """
    A request that differs from an admitted one in its request line only.

    Attributes:
        method: Its method.
        path: Its path, canonical.
        line: Method and target, as they stand in the request line.
        admission: What was decided for the same caller on the same route.
    """

    method: str
    path: str
    line: bytes
    admission: Admission

    def outgoing(self, request_id: str) -> Outgoing:
        """Serialise it for the backend."""
        admission = self.admission
        id_ = request_id.encode("ascii")
        return Outgoing(
            head=b"%b HTTP/1.1\r\nX-Request-Id: %b\r\n%b\r\n"
            % (self.line, id_, admission.block),
            method=self.method,
            caller=admission.caller,
            replayable=True,
        )


class Memo:
    """
    The last head on a connection, and what was decided for its bytes.

    Attributes:
        rules: The configuration it was decided under.
        rest: All after the request line.
    """

    __slots__ = ("_admissions", "_routes", "rest", "rules")

    def __init__(self, rules: Rules, rest: bytes, routes: HostRoutes) -> None:
        self.rules = rules
        self.rest = rest
        self._routes = routes
        self._admissions: dict[Route, Admission] = {}

    def add(self, admission: Admission) -> None:
        """Keep what was decided for one route."""
        self._admissions[admission.route] = admission

    def read(self, data: bytes, rules: Rules) -> Repeated | None:
        """
        Read *data*, which ends with `rest`, as a repetition.

        Gives None unless all of it is one, and the way may be cut short: the request
        line has a form that leaves nothing to interpret, this route was decided on,
        and what depends on the request line still permits it.
        """
        end = len(data) - len(self.rest)
        if end > rules.head_limits.request_line or self.rules is not rules:
            return None
        match = read_repeat_line(data, 0, end)
        if match is None or (match[3] and octets_name_parameter(match[3])):
            return None  # the latter has a token besides the one that was decided on
        path = match[2].decode("ascii")
        route = self._routes.find(path)
        admission = self._admissions.get(route) if route is not None else None
        if route is None or admission is None or route.is_own(path):
            return None
        method = match[1].decode("ascii")
        if (route.methods and method not in route.methods) or self._counts(method):
            return None
        repeated = Repeated(method, path, data[: end - _VERSION], admission)
        if route.requirements.depends_on_request and not _permitted(repeated, match[3]):
            return None
        return repeated

    def _counts(self, method: str) -> bool:
        """Say whether the request counts its steps, which only OPTIONS does."""
        return method == "OPTIONS" and b"max-forwards" in self.rest.lower()


def _permitted(repeated: Repeated, query: bytes | None) -> bool:
    """Authorise anew what may depend on method and path."""
    admission, caller = repeated.admission, repeated.admission.caller
    if caller.identity is None:
        return False
    head = attrs.evolve(
        caller.request.head,
        method=repeated.method,
        path=repeated.path,
        query=None if query is None else query[1:].decode("ascii"),
    )
    request = attrs.evolve(caller.request, head=head)
    return authorise(admission.route, request, caller.identity) is None
