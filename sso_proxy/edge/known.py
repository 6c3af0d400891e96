"""
What was decided for heads, for all connections of a listener that are alike.

Browsers have several connections, and proxies before us spread the requests of many
users over theirs: the same octets come here and there.  What was decided for them on
one connection holds on each other of which the very same is known (`Connection`).
"""

from collections import OrderedDict
from time import monotonic
from typing import Final, NamedTuple

import attrs

from sso_proxy.admission import Admission, Connection
from sso_proxy.model import ANONYMOUS
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.upstream import Outgoing

MOST_HEADS: Final = 16_384
"""Heads that are remembered at once, those that were decided on last."""

MOST_OCTETS: Final = 24 << 20
"""Octets of all these heads.  With what was decided for them they take about four times
as much."""

LONGEST: Final = 8192
"""Octets of a head that is remembered."""


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


class Place:
    """
    Where requests come from: it is the same for connections that are alike.

    Attributes:
        facts: What is known of them.
    """

    __slots__ = ("__weakref__", "facts")

    def __init__(self, facts: Connection) -> None:
        if facts.tls is not None:  # not even the means to tell them apart
            facts = attrs.evolve(facts, tls=attrs.evolve(facts.tls, exporter=None))
        self.facts = facts


class Known:
    """
    A head without its request line, and what was decided for its octets.

    Attributes:
        rest: All after the request line.
        place: Where it may come from.
        routes: The routes of its host.
        admissions: What was decided, by route.
        until: Monotonic time at which the last of it is over.
        alone: Some of it holds on the connection alone that it was decided for.
        line: The last request line that was read with it.
        repeated: As what; None if that request has to go the whole way.
    """

    __slots__ = (
        "admissions",
        "alone",
        "line",
        "place",
        "repeated",
        "rest",
        "routes",
        "until",
    )

    def __init__(self, rest: bytes, place: Place, routes: HostRoutes) -> None:
        self.rest = rest
        self.place = place
        self.routes = routes
        self.admissions: dict[Route, Admission] = {}
        self.until = 0.0
        self.alone = False
        self.line = b""
        self.repeated: Repeated | None = None

    def add(self, admission: Admission) -> None:
        """Keep what was decided for one route."""
        self.admissions[admission.route] = admission
        self.until = max(self.until, admission.reuse_until)
        self.line, self.repeated = b"", None

    def copy(self) -> "Known":
        """Give another with the same in it, to be changed for one connection alone."""
        known = Known(self.rest, self.place, self.routes)
        known.admissions.update(self.admissions)
        known.until = self.until
        return known


class KnownHeads:
    """
    Finds what connections that are alike have decided, for as long as it holds.

    Bounded; who comes in longest ago goes first, and everything goes with the
    configuration that it was decided under, and at a revocation (`Rules`).
    """

    __slots__ = ("_heads", "_octets")

    def __init__(self) -> None:
        self._heads: OrderedDict[bytes, Known] = OrderedDict()
        self._octets = 0

    def __len__(self) -> int:
        """Count them."""
        return len(self._heads)

    def find(self, rest: bytes, place: Place) -> Known | None:
        """Give what was decided for *rest*, which comes from *place*."""
        known = self._heads.get(rest)
        return known if known is not None and known.place is place else None

    def add(self, known: Known) -> None:
        """Let others find *known*, if it is one for others."""
        rest = known.rest
        if known.alone or len(rest) > LONGEST or known.until <= monotonic():
            return
        if self._heads.pop(rest, None) is None:
            self._octets += len(rest)
        self._heads[rest] = known  # the last: oldest decisions are to go first
        while len(self._heads) > MOST_HEADS or self._octets > MOST_OCTETS:
            self._forget_first()

    def forget_old(self, now: float) -> None:
        """Forget what is over at the monotonic time *now*, as far as it is first."""
        heads = self._heads
        while heads and next(iter(heads.values())).until < now:
            self._forget_first()

    def _forget_first(self) -> None:
        rest, _ = self._heads.popitem(last=False)
        self._octets -= len(rest)


def holds_elsewhere(admission: Admission) -> bool:
    """
    Say whether what was decided holds on every connection that is alike.

    Not if somebody looked at what no two connections share, or the backend may, since
    it serves inside this process; nor for sessions, whose end has to be heard of; and
    nobody who is unknown takes room from others.
    """
    caller = admission.caller
    request, identity = caller.request, caller.identity
    return (
        identity is not None
        and identity.issuer != ANONYMOUS
        and request.session is None
        and (request.tls is None or not request.tls.exported)
        and not getattr(admission.route.upstream, "inside", True)
    )
