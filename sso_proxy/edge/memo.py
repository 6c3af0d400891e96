"""
The second speed: what was decided for a head's bytes is used again for the same bytes.

Browsers and API clients send the same header section with every request of a
connection.  The path differs; it is canonical by its form, and it is routed and
authorised each time.  Proxies before us send the same but for the credential: then all
is decided anew that depends on who calls, and nothing else.
"""

from collections.abc import Callable
from time import monotonic

import attrs

from sso_proxy.admission import Admission
from sso_proxy.callers import is_known_to_permit, still_permits
from sso_proxy.edge.known import (
    LONGEST_LINE,
    Known,
    Repeated,
    holds_elsewhere,
)
from sso_proxy.edge.place import Place
from sso_proxy.edge.site import Rules
from sso_proxy.errors import BadMessageError
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.session import Session
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.pattern import Pattern
from sso_proxy.specs.http.repeat import find_pattern, read_like, read_repeat_line
from sso_proxy.specs.oauth.presentation import octets_name_parameter
from sso_proxy.specs.trace_context import take_out

_VERSION = len(" HTTP/1.1")


class Memo:
    """
    The last head on a connection, and what was decided for its bytes.

    The first head stays, for those that differ from it in their credential.

    Attributes:
        rules: The configuration it was decided under.
        rest: All after the request line, without a trace context.
        traced: Some head had one, and others may be alike but for it.
    """

    __slots__ = (
        "_alike",
        "_first",
        "_incoming",
        "_keep_alive",
        "_known",
        "_next",
        "_pattern",
        "_recalled",
        "_routes",
        "rest",
        "rules",
        "traced",
    )

    def __init__(
        self,
        rules: Rules,
        rest: bytes,
        incoming: Incoming | None,
        routes: HostRoutes,
        place: Place,
    ) -> None:
        self.rules = rules
        self.rest = self._first = rest
        self._incoming = incoming
        self._routes = routes
        self._pattern: Pattern | None = None
        self._keep_alive = incoming is not None and incoming.framing.keep_alive
        self._known = self._find_or_make(rest, place)
        self._alike: dict[Route, Admission] = {}
        self._recalled = incoming is None
        self._next = b""
        self.traced = False

    def add(self, admission: Admission) -> None:
        """Keep what was decided for one route."""
        elsewhere = holds_elsewhere(admission)
        known = self._known
        if not elsewhere and not known.alone:
            if known.admissions:  # others may have this one
                known = self._known = known.copy()
            known.alone = True
        known.add(admission)
        if admission.shared:
            self._alike[admission.route] = admission
        else:
            self._alike.pop(admission.route, None)
        if elsewhere:
            self.rules.known.add(known)

    def is_for(self, ended: Callable[[Session], bool]) -> bool:
        """Say whether any of it was decided for a session that has *ended*."""
        return any(each.is_for(ended) for each in self._known.admissions.values())

    def is_like(self, rest: bytes, rules: Rules) -> bool:
        """Say whether *rest* was the last to be read as differing in its credential."""
        return self.rules is rules and self._next == rest

    def fits(self, rest: bytes, rules: Rules) -> bool:
        """
        Say whether a head that ends with *rest* can be kept here.

        If its credential is another, what was decided for the last one is only kept
        for being alike.
        """
        if self.rules is not rules:
            return False
        if self.rest == rest and not self._recalled:
            return True
        if self._next != rest:
            return False
        self.rest, self._recalled = rest, False
        self._known = self._find_or_make(rest, self._known.place)
        return True

    @property
    def keep_alive(self) -> bool:
        """Whether the connection takes a further request after the last head."""
        return self._known.keep_alive

    def _find_or_make(self, rest: bytes, place: Place) -> Known:
        """Give what is known of *rest*, which is the first head's or like that."""
        return self.rules.known.find(rest, place) or Known(
            rest, place, self._routes, keep_alive=self._keep_alive
        )

    def recall(self, data: bytes, rules: Rules) -> bool:
        """
        Say whether *data*, which does not end with `rest`, may be read as a repetition.

        It may if what was decided for all after its request line, by this connection
        or one that is alike, still holds; that is then the last head here.
        """
        if self.rules is not rules or (self._pattern and self._pattern.once):
            return False
        known = _find(data, rules, self._known.place)
        if known is None:
            return False
        self.rest, self._known, self._recalled = known.rest, known, True
        return True

    def read_like(self, data: bytes) -> tuple[Incoming, Admission] | None:
        """
        Read *data*, which does not end with `rest`, as differing in its credential.

        Gives the head, and what was decided for another credential on its route.
        """
        # With sessions nothing is alike, and to look for a pattern takes long.
        if self._pattern is None and self._alike:
            self._pattern = self._find_pattern()
        if self._pattern is None:
            return None
        incoming = read_like(data, self._pattern, self.rules.head_limits)
        if incoming is None:
            return None
        head = incoming.head
        route = self._routes.find(head.path)
        like = self._alike.get(route) if route is not None else None
        if route is None or like is None or route.is_own(head.path):
            return None
        cookie = self._pattern.holes[0].cookie
        if cookie and cookie not in route.consumed_cookies:
            return None  # this backend gets it
        if self._is_refused(head.method, route):
            return None
        self._next = data[data.index(b"\r\n") :]
        return incoming, like

    def _find_pattern(self) -> Pattern | None:
        """Give what others may be like; nothing if all heads here were recalled."""
        if self._incoming is None:
            return None
        cookies = {name for route in self._alike for name in route.consumed_cookies}
        return find_pattern(self._first, self._incoming, cookies)

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
        line, known = data[:end], self._known
        if line == known.line:
            return known.repeated
        repeated = self._read_line(line)
        if len(line) <= LONGEST_LINE:
            known.line, known.repeated = line, repeated
        return repeated

    def _read_line(self, line: bytes) -> Repeated | None:
        match = read_repeat_line(line)
        if match is None or (match[3] and octets_name_parameter(match[3])):
            return None  # the latter has a token besides the one that was decided on
        path = match[2].decode("ascii")
        route = self._known.routes.find(path)
        admission = self._known.admissions.get(route) if route is not None else None
        if route is None or admission is None or route.is_own(path):
            return None
        method = match[1].decode("ascii")
        if self._is_refused(method, route):
            return None
        target = line[:-_VERSION]
        if route.prefix is not None:
            sent = _sent(route, path)
            if sent is None:
                return None
            target = b"%b %b%b" % (match[1], sent, match[3] or b"")
        repeated = Repeated(method, path, target, admission)
        if route.depends_on_request and not self._permitted(repeated, match[3]):
            return None
        return repeated

    def _permitted(self, repeated: Repeated, query: bytes | None) -> bool:
        """Authorise anew what may depend on method and path."""
        if not _still_permitted(repeated, query):
            return False
        # Who had a look at the connection saw that of the first who sent this.
        tls = repeated.admission.caller.request.tls
        return tls is None or not tls.exported or self._known.alone

    def _is_refused(self, method: str, route: Route) -> bool:
        """Say whether *method* may not pass, or has to count its steps."""
        if route.methods and method not in route.methods:
            return True
        return method == "OPTIONS" and b"max-forwards" in self.rest.lower()


def kept_of(raw: bytes, incoming: Incoming, rules: Rules) -> tuple[bytes, Rules] | None:
    """
    Give what heads like *raw* are remembered by, or None if they are not.

    The trace context differs in each request, so it is left out.
    """
    if incoming.trace is not None and b"\r\ntrace" in raw.lower():
        found = take_out(raw, rules.head_limits)
        if found is None or found[1] != incoming.trace:
            return None
        raw = found[0]
    return raw[raw.index(b"\r\n") :], rules


def recall_first(data: bytes, rules: Rules, place: Place) -> Memo | None:
    """Give what is known elsewhere of the first head on a connection, *data*."""
    known = _find(data, rules, place)
    if known is None:
        return None
    return Memo(rules, known.rest, None, known.routes, place)


def _find(data: bytes, rules: Rules, place: Place) -> Known | None:
    """Give what still holds of what was decided for all after the request line."""
    end = data.find(b"\r\n", 0, rules.head_limits.request_line + 2)
    known = rules.known.find(data[end:], place) if end >= 0 else None
    return None if known is None or known.until <= monotonic() else known


def _sent(route: Route, path: str) -> bytes | None:
    """Give the backend's form of *path*; None if it has to be refused."""
    try:
        sent: str = route.prefix.to_backend(path)
    except BadMessageError:
        return None
    return sent.encode("ascii")


def _still_permitted(repeated: Repeated, query: bytes | None) -> bool:
    """Ask conditions and policies about the request line."""
    admission, caller = repeated.admission, repeated.admission.caller
    if is_known_to_permit(admission.route, caller, repeated.method, repeated.path):
        return True
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
