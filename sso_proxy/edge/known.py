"""
What was decided for heads, for all connections of a listener that are alike.

Browsers have several connections, and proxies before us spread the requests of many
users over theirs: the same octets come here and there.  What was decided for them on
one connection holds on each other of which the very same is known (`Connection`).
"""

from collections import OrderedDict
from time import monotonic
from typing import Final, final

from sso_proxy.admission import Admission
from sso_proxy.audit import Frame
from sso_proxy.edge.place import Place
from sso_proxy.model import ANONYMOUS
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.upstream.request import Outgoing

MOST_HEADS: Final = 16_384
"""Heads that are remembered at once, those that were decided on last."""

MOST_OCTETS: Final = 96 << 20
"""Octets of memory that all these may take, with what was decided for them."""

MOST_OF_NOBODY: Final = 1024
"""Of these heads, those besides that are about nobody in particular."""

MOST_OCTETS_OF_NOBODY: Final = 8 << 20
"""Octets of memory that those may take."""

LONGEST: Final = 8192
"""Octets of a head that is remembered."""

LONGEST_LINE: Final = 256
"""Octets of a request line that is remembered with it, and with its records."""

_EACH: Final = 1024
"""Octets that anything remembered takes, about."""

_FIELD: Final = 144
"""Octets that a header field takes besides its value, about."""


@final
class Repeated:
    """
    A request that differs from an admitted one in its request line only.

    Attributes:
        method: Its method.
        path: Its path, canonical.
        line: Method and target, as they stand in the request line.
        admission: What was decided for the same caller on the same route.
        route: The route's name.
        bindings: What the caller has proved.
        stable: The audit record's part for this caller and route.
        frame: What its last audit record had in common with others of it.
        answered: What it was answered then: status, reason, backend's status, backend.
    """

    __slots__ = (
        "admission",
        "answered",
        "bindings",
        "frame",
        "line",
        "method",
        "path",
        "route",
        "stable",
    )

    def __init__(
        self, method: str, path: str, line: bytes, admission: Admission
    ) -> None:
        self.method: Final = method
        self.path: Final = path
        self.line: Final = line
        self.admission: Final = admission
        self.route: Final[str] = admission.route.name
        self.bindings: Final = admission.caller.request.bindings
        self.stable: Final = admission.stable
        self.frame: Frame | None = None
        self.answered: tuple[int, str, int, str] | None = None

    def outgoing(self, request_id: str, trace: bytes = b"") -> Outgoing:
        """Serialise it for the backend, with the field lines *trace*."""
        admission = self.admission
        id_ = request_id.encode("ascii")
        return Outgoing(
            head=b"%b HTTP/1.1\r\nX-Request-Id: %b\r\n%b%b\r\n"
            % (self.line, id_, trace, admission.block),
            method=self.method,
            caller=admission.caller,
            replayable=True,
        )


class Known:
    """
    A head without its request line, and what was decided for its octets.

    Attributes:
        rest: All after the request line.
        place: Where it may come from.
        routes: The routes of its host.
        keep_alive: Whether its connection takes a further request.
        admissions: What was decided, by route.
        until: Monotonic time at which the last of it is over.
        octets: Memory that all of this takes, about.
        alone: Some of it holds on the connection alone that it was decided for.
        somebody: Some of it is about somebody in particular.
        line: The last request line that was read with it.
        repeated: As what; None if that request has to go the whole way.
    """

    __slots__ = (
        "admissions",
        "alone",
        "keep_alive",
        "line",
        "octets",
        "place",
        "repeated",
        "rest",
        "routes",
        "somebody",
        "until",
    )

    def __init__(
        self, rest: bytes, place: Place, routes: HostRoutes, *, keep_alive: bool = True
    ) -> None:
        self.rest = rest
        self.place = place
        self.routes = routes
        self.keep_alive = keep_alive
        self.admissions: dict[Route, Admission] = {}
        self.until = 0.0
        self.octets = _EACH + 2 * LONGEST_LINE + len(rest)
        self.alone = self.somebody = False
        self.line = b""
        self.repeated: Repeated | None = None

    def add(self, admission: Admission) -> None:
        """Keep what was decided for one route."""
        before = self.admissions.get(admission.route)
        if before is not None:
            self.octets -= self._octets_of(before)
        self.octets += self._octets_of(admission)
        self.admissions[admission.route] = admission
        self.until = max(self.until, admission.reuse_until)
        identity = admission.caller.identity
        self.somebody |= identity is not None and identity.issuer != ANONYMOUS
        self.line, self.repeated = b"", None

    def copy(self) -> "Known":
        """Give another with the same in it, to be changed for one connection alone."""
        known = Known(self.rest, self.place, self.routes, keep_alive=self.keep_alive)
        known.admissions.update(self.admissions)
        known.until, known.somebody = self.until, self.somebody
        known.octets = self.octets
        return known

    def _octets_of(self, admission: Admission) -> int:
        """Say what *admission* takes: of the first head, it has all there is."""
        head = admission.caller.request.head
        texts = len(head.path) + len(head.query or "") + len(admission.stable)
        fields = len(self.rest) + _FIELD * len(head.headers)
        return _EACH + texts + fields + len(admission.block) + len(admission.answer)


class _Heads:
    """So many heads at most; who was decided on longest ago goes first."""

    __slots__ = ("_by_rest", "_most", "_octets", "_octets_at_most")

    def __init__(self, most: int, octets: int) -> None:
        self._by_rest: OrderedDict[bytes, tuple[Known, int]] = OrderedDict()
        self._octets = 0
        self._most, self._octets_at_most = most, octets

    def __len__(self) -> int:
        """Count them."""
        return len(self._by_rest)

    def get(self, rest: bytes) -> Known | None:
        """Give what is known of *rest*."""
        found = self._by_rest.get(rest)
        return None if found is None else found[0]

    def add(self, known: Known) -> None:
        """Keep *known*, in the place of what is there."""
        rest = known.rest
        self.drop(rest)
        # The last: oldest decisions are to go first.  It grows if more is added to it,
        # and comes here again then.
        self._by_rest[rest] = known, known.octets
        self._octets += known.octets
        while len(self._by_rest) > self._most or self._octets > self._octets_at_most:
            self._drop_first()

    def drop(self, rest: bytes) -> None:
        """Forget *rest*."""
        found = self._by_rest.pop(rest, None)
        if found is not None:
            self._octets -= found[1]

    def drop_old(self, now: float) -> None:
        """Forget what is over, as far as it is first."""
        while self._by_rest and next(iter(self._by_rest.values()))[0].until < now:
            self._drop_first()

    def _drop_first(self) -> None:
        _, (_, octets) = self._by_rest.popitem(last=False)
        self._octets -= octets


class KnownHeads:
    """
    Finds what connections that are alike have decided, for as long as it holds.

    Bounded, those of nobody in particular by themselves: anybody can send these.
    Everything goes with the configuration that it was decided under, and at a
    revocation (`Rules`).
    """

    __slots__ = ("_nobodys", "_somebodys")

    def __init__(self) -> None:
        self._somebodys = _Heads(MOST_HEADS, MOST_OCTETS)
        self._nobodys = _Heads(MOST_OF_NOBODY, MOST_OCTETS_OF_NOBODY)

    def __len__(self) -> int:
        """Count them."""
        return len(self._somebodys) + len(self._nobodys)

    def find(self, rest: bytes, place: Place) -> Known | None:
        """Give what was decided for *rest*, which comes from *place*."""
        known = self._somebodys.get(rest) or self._nobodys.get(rest)
        return known if known is not None and known.place is place else None

    def add(self, known: Known) -> None:
        """Let others find *known*, if it is one for others."""
        if known.alone or len(known.rest) > LONGEST or known.until <= monotonic():
            return
        if known.somebody:
            self._nobodys.drop(known.rest)
            self._somebodys.add(known)
        else:
            self._nobodys.add(known)

    def forget_old(self, now: float) -> None:
        """Forget what is over at the monotonic time *now*."""
        self._somebodys.drop_old(now)
        self._nobodys.drop_old(now)

    def close(self) -> None:
        """
        Forget everything, and keep nothing any more: other rules hold now.

        Connections that have nothing to do know of them only when they have.
        """
        self._somebodys = self._nobodys = _Heads(0, 0)


def holds_elsewhere(admission: Admission) -> bool:
    """
    Say whether what was decided holds on every connection that is alike.

    Not if somebody looked at what no two connections share, or the backend may, since
    it serves inside this process; nor for sessions, whose end has to be heard of.
    """
    caller = admission.caller
    request = caller.request
    return (
        caller.identity is not None
        and request.session is None
        and (request.tls is None or not request.tls.exported)
        and not getattr(admission.route.upstream, "inside", True)
    )
