"""What the connections of one listener share."""

import math
import time
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

import attrs
from twisted.logger import Logger

from sso_proxy.admission import Admission, Connection, Trail, Verdict
from sso_proxy.config.limits import LimitsConfig
from sso_proxy.edge.known import KnownHeads
from sso_proxy.edge.place import Place
from sso_proxy.edge.timing import Told
from sso_proxy.interfaces import IClock
from sso_proxy.pages import Pages, default_pages
from sso_proxy.session import Session
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames

if TYPE_CHECKING:
    from sso_proxy.edge.exchange import Exchange


_log = Logger()


class Decider(Protocol):
    """A pipeline, or what answers instead of one."""

    def decide(
        self,
        incoming: Incoming,
        connection: Connection,
        trail: Trail,
        like: Admission | None = None,
    ) -> Coroutine[Any, Any, Verdict]:
        """Decide on one request, which may be *like* an admitted one."""


class Swept(Protocol):
    """A connection, as its site sees it."""

    deadline: float

    def timed_out(self) -> None:
        """React to the deadline."""

    def check_progress(self, now: float) -> None:
        """Cut a client that takes nothing of its answer."""

    def drain(self) -> None:
        """Let the next answer be the last."""

    def close_if_idle(self) -> None:
        """Close if nothing is under way."""

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        """Stop what goes on for sessions that have *ended*."""

    def abort(self) -> None:
        """Close at once."""


@attrs.frozen(kw_only=True, eq=False)
class Rules:
    """
    What one configuration says to a listener's connections.

    A reload replaces it; whatever was decided under the old one is decided again.

    Attributes:
        pipeline: Decides.
        limits: What one client may cost.
        head_limits: The same for header sections.
        managed: Header fields that clients may not send.
        via: Our name in ``Via``.
        hsts: The whole ``Strict-Transport-Security`` line, or empty.
        record: Takes each finished exchange.
        new_id: Makes request ids.
        pages: What people see of us.
        timing: Says who is told where the time goes, by address; None: nobody is.
        known: What was decided under it, for all connections.
    """

    pipeline: Decider
    limits: LimitsConfig
    head_limits: HeadLimits
    managed: ManagedNames
    via: str
    hsts: bytes
    record: Callable[["Exchange"], None]
    new_id: Callable[[], str]
    pages: Pages = attrs.field(factory=default_pages)
    timing: Told | None = None
    known: KnownHeads = attrs.field(factory=KnownHeads, init=False, repr=False)


class Site:
    """
    One listener in one process.

    Attributes:
        name: For logs: the listener's address.
        rules: Of the current configuration.
        connections: All that are open.
        draining: No connection is kept open after the answer under way.
    """

    def __init__(self, name: str, rules: Rules, clock: IClock) -> None:
        self.name = name
        self.rules = rules
        self.clock = clock
        self.connections: set[Swept] = set()
        self.draining = False
        self.now = clock.monotonic()
        self._places: WeakValueDictionary[Connection, Place] = WeakValueDictionary()
        self._date_until = -math.inf
        self._date = b""

    def place_of(self, facts: Connection) -> Place:
        """Give one and the same place to all connections of which *facts* is known."""
        place = self._places.get(facts)
        if place is None:
            place = Place(facts)
            self._places[place.facts] = place
        return place

    def sweep(self, now: float) -> None:
        """End what has taken too long."""
        self.now = now
        self.rules.known.forget_old(now)
        for connection in [*self.connections]:
            try:
                if connection.deadline < now:
                    connection.timed_out()
                else:
                    connection.check_progress(now)
            except Exception:  # noqa: BLE001
                # The others must still be swept, and this one not for ever.
                _log.failure("Looking after a connection failed; it is closed.")
                self.connections.discard(connection)
                connection.abort()

    def adopt(self, rules: Rules) -> None:
        """Go by *rules* from now on; what was decided by those before is forgotten."""
        if rules is not self.rules:
            self.rules.known.close()
            self.rules = rules

    def decide_anew(self) -> None:
        """Forget what was decided for the heads that connections repeat."""
        self.adopt(attrs.evolve(self.rules))  # compared by identity

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        """Forget what was decided for sessions that have *ended*, and what runs."""
        for connection in [*self.connections]:
            connection.end_sessions(ended)

    def drain(self) -> None:
        """Close connections as they fall idle."""
        self.draining = True
        for connection in [*self.connections]:
            connection.drain()

    def close_idle(self) -> None:
        """Close connections that have nothing under way."""
        for connection in [*self.connections]:
            connection.close_if_idle()

    def abort(self) -> None:
        """Close all connections at once."""
        for connection in [*self.connections]:
            connection.abort()

    def date(self) -> bytes:
        """Give the ``Date`` of now (RFC 9110 section 5.6.7)."""
        if self.now >= self._date_until:
            self._date = formatdate(time.time(), usegmt=True).encode("ascii")
            self._date_until = self.now + 0.5
        return self._date
