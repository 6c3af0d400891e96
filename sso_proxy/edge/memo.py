"""
The second speed: what was decided for a head's bytes is used again for the same bytes.

Browsers and API clients send the same header section with every request of a
connection.  The path differs; it is canonical by its form, and it is routed and
authorised each time.  Proxies before us send the same but for the credential: then all
is decided anew that depends on who calls, and nothing else.
"""

from collections.abc import Callable
from typing import NamedTuple

import attrs

from sso_proxy.admission import Admission
from sso_proxy.callers import still_permits
from sso_proxy.edge.site import Rules
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.session import Session
from sso_proxy.specs.http.repeat import (
    Pattern,
    find_pattern,
    read_like,
    read_repeat_line,
)
from sso_proxy.specs.http.request import Incoming
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

    __slots__ = (
        "_admissions",
        "_alike",
        "_incoming",
        "_last",
        "_last_line",
        "_next",
        "_pattern",
        "_routes",
        "rest",
        "rules",
    )

    def __init__(
        self, rules: Rules, rest: bytes, incoming: Incoming, routes: HostRoutes
    ) -> None:
        self.rules = rules
        self.rest = rest
        self._incoming = incoming
        self._routes = routes
        self._pattern: Pattern | None = None
        self._admissions: dict[Route, Admission] = {}
        self._alike: dict[Route, Admission] = {}
        self._next = b""
        self._last_line = b""
        self._last: Repeated | None = None

    def add(self, admission: Admission) -> None:
        """Keep what was decided for one route."""
        self._admissions[admission.route] = self._alike[admission.route] = admission
        self._last_line = b""

    def is_for(self, ended: Callable[[Session], bool]) -> bool:
        """Say whether any of it was decided for a session that has *ended*."""
        return any(each.is_for(ended) for each in self._admissions.values())

    def fits(self, rest: bytes, rules: Rules) -> bool:
        """
        Say whether a head that ends with *rest* can be kept here.

        If its credential is another, what was decided for the last one is only kept
        for being alike.
        """
        if self.rules is not rules:
            return False
        if self.rest == rest:
            return True
        if self._next != rest:
            return False
        self.rest = rest
        self._admissions.clear()
        return True

    def read_like(self, data: bytes) -> tuple[Incoming, Admission] | None:
        """
        Read *data*, which does not end with `rest`, as differing in its credential.

        Gives the head, and what was decided for another credential on its route.
        """
        if self._pattern is None:
            cookies = {name for route in self._alike for name in route.consumed_cookies}
            self._pattern = find_pattern(self.rest, self._incoming, cookies)
            if self._pattern is None:
                return None
        incoming = read_like(data, self._pattern, self.rules.head_limits)
        if incoming is None:
            return None
        head = incoming.head
        route = self._routes.find(head.path)
        like = self._alike.get(route) if route is not None else None
        if route is None or like is None or not like.shared or route.is_own(head.path):
            return None
        cookie = self._pattern.holes[0].cookie
        if cookie and cookie not in route.consumed_cookies:
            return None  # this backend gets it
        if self._is_refused(head.method, route):
            return None
        self._next = data[data.index(b"\r\n") :]
        return incoming, like

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
        line = data[:end]
        if line != self._last_line:
            self._last_line, self._last = line, self._read_line(line)
        return self._last

    def _read_line(self, line: bytes) -> Repeated | None:
        match = read_repeat_line(line)
        if match is None or (match[3] and octets_name_parameter(match[3])):
            return None  # the latter has a token besides the one that was decided on
        path = match[2].decode("ascii")
        route = self._routes.find(path)
        admission = self._admissions.get(route) if route is not None else None
        if route is None or admission is None or route.is_own(path):
            return None
        method = match[1].decode("ascii")
        if self._is_refused(method, route):
            return None
        repeated = Repeated(method, path, line[:-_VERSION], admission)
        if route.depends_on_request and not _permitted(repeated, match[3]):
            return None
        return repeated

    def _is_refused(self, method: str, route: Route) -> bool:
        """Say whether *method* may not pass, or has to count its steps."""
        if route.methods and method not in route.methods:
            return True
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
    return still_permits(admission.route, request, caller.identity)
