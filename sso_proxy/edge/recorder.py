"""Audit records of finished exchanges: phase 10 of a request's path."""

from collections.abc import Sequence
from time import monotonic

from sso_proxy.admission import Admission, Trail
from sso_proxy.audit import (
    DecisionMember,
    audit_line,
    combined_line,
    decision_of,
    frame_of,
    framed_line,
    is_plain,
    refused_line,
)
from sso_proxy.edge.exchange import Exchange
from sso_proxy.edge.known import Repeated
from sso_proxy.interfaces import IAuditSink, IClock
from sso_proxy.recent_decisions import Decided, RecentDecisions
from sso_proxy.spans import Spans
from sso_proxy.traffic import Traffic

_IN_A_ROW = 64
"""Exchanges whose lines are made together: quick enough to keep no request waiting."""

_NONE: tuple[str, ...] = ()

_FAILED = 500
"""An answer of a backend, or instead of it, that operators want to see."""

_MOST_WAITING = 4096
"""Lines that may wait for `Recorder.flush`; then they are written at once."""


class Recorder:
    """
    Writes a line for each exchange to each stream, and counts.

    Lines are made many in a row: that costs a third of making each between two
    requests.

    Attributes:
        json: Streams of audit records.
        combined: Streams in the form of Apache's combined log.
        clock: The time.
        counts: Requests by status and reason.
        traffic: What was answered lately.
        decisions: Some of the last decisions.
        spans: Makes spans of some requests; None: of none.
    """

    __slots__ = (
        "_made",
        "_waiting",
        "clock",
        "combined",
        "counts",
        "decisions",
        "json",
        "spans",
        "traffic",
    )

    def __init__(  # noqa: PLR0913
        self,
        *,
        json: Sequence[IAuditSink],
        combined: Sequence[IAuditSink],
        clock: IClock,
        counts: dict[tuple[int, str], int] | None = None,
        traffic: Traffic | None = None,
        decisions: RecentDecisions | None = None,
        spans: Spans | None = None,
    ) -> None:
        self.json = json
        self.combined = combined
        self.clock = clock
        self.counts = {} if counts is None else counts
        self.traffic = Traffic() if traffic is None else traffic
        self.decisions = RecentDecisions() if decisions is None else decisions
        self.spans = spans
        self._waiting: list[tuple[Exchange, float, float]] = []
        self._made = 0

    def record(self, exchange: Exchange) -> None:
        """Record *exchange*, which is over and does not change any more."""
        waiting = self._waiting
        waiting.append((exchange, self.clock.time(), monotonic() - exchange.started))
        if len(waiting) < _IN_A_ROW:
            return
        self._made += len(waiting)
        self._make_lines()
        if self._made >= _MOST_WAITING:
            # The streams hold a bounded number of lines: none may be lost only because
            # the next flush is far.
            self._made = 0
            for sink in (*self.json, *self.combined):
                sink.flush()

    def flush(self) -> None:
        """Give the streams what was recorded since the last time."""
        self._made = 0
        self._make_lines()
        if self.spans is not None:
            self.spans.flush()

    def _make_lines(self) -> None:
        waiting = self._waiting[:]
        self._waiting.clear()
        for exchange, now, took in waiting:
            self._write(exchange, now, took)

    def _write(self, exchange: Exchange, now: float, took: float) -> None:
        reason = exchange.reason
        if ":" in reason:  # what follows is for the record: a label too many
            reason = reason.partition(":")[0]
        kind = exchange.status, reason
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self._observe(exchange, reason, now, took)
        if self.spans is not None:
            self._trace(self.spans, exchange, now, took)
        line = self._line(exchange, now, took)
        for sink in self.json:
            sink.record(line)
        for sink in self.combined:
            sink.record(_combined(exchange, now - took))

    def _observe(
        self, exchange: Exchange, reason: str, now: float, took: float
    ) -> None:
        """Count *exchange* for those who watch."""
        admission, trail = exchange.admission, exchange.trail
        decision: DecisionMember = "permit"
        name, bindings = "", _NONE
        if exchange.repeated is not None:
            name, bindings = exchange.repeated.route, exchange.repeated.bindings
        elif admission is not None:
            name, bindings = admission.route.name, admission.caller.request.bindings
        else:
            decision = decision_of(exchange.status)
            if trail is not None and trail.route is not None:
                name = trail.route.name
        traffic, status = self.traffic, exchange.status
        first = traffic.note(name, status, took, now)
        if reason or decision != "permit":
            met = decision, reason
            traffic.decisions[met] = traffic.decisions.get(met, 0) + 1
        for key in bindings:
            traffic.bindings[key] = traffic.bindings.get(key, 0) + 1
        if first or decision != "permit" or status >= _FAILED:
            identity = trail.identity if trail is not None else None
            if admission is not None:
                identity = admission.caller.identity
            self.decisions.keep(
                Decided(
                    id=exchange.id,
                    time=now,
                    route=name,
                    method=exchange.method,
                    decision=decision,
                    status=exchange.status,
                    reason=reason,
                    seconds=took,
                    authenticator=identity.authenticator if identity else "",
                )
            )

    def _trace(self, spans: Spans, exchange: Exchange, now: float, took: float) -> None:
        """Make a span of *exchange*."""
        admission, trail = exchange.admission, exchange.trail
        route = trail.route if trail is not None else None
        if admission is not None:
            route = admission.route
        spans.note(
            exchange,
            host=route.host if route is not None else "",
            route=route.path if route is not None else "",
            decision="permit" if admission else decision_of(exchange.status),
            began=now - took,
            ended=now,
        )

    def _line(self, exchange: Exchange, now: float, took: float) -> bytes:
        admission, trail = exchange.admission, exchange.trail
        decision: DecisionMember
        if admission is not None:
            backend = "" if admission.own else _backend_of(exchange, admission)
            if exchange.repeated is not None and exchange.trace is None:
                line = _repeated_line(exchange, exchange.repeated, backend, now, took)
                if line is not None:
                    return line
            stable, decision = admission.stable, "permit"
        elif trail is not None and trail.request is not None:
            stable = trail.stable(exchange.connection.facts)
            decision = decision_of(exchange.status)
            backend = ""
        else:
            return refused_line(
                Trail().stable(exchange.connection.facts),
                time=now,
                id=exchange.id,
                status=exchange.status,
                reason=exchange.reason,
                sent=exchange.sent,
                received=exchange.received,
                duration=took,
                method=exchange.method,
                path=exchange.path,
            )
        if exchange.trace is not None:
            stable = f'"trace":"{exchange.trace.trace_id}",{stable}'
        return audit_line(
            stable,
            time=now - took,
            id=exchange.id,
            method=exchange.method,
            path=exchange.path,
            status=exchange.status,
            reason=exchange.reason,
            sent=exchange.sent,
            received=exchange.received,
            duration=took,
            upstream_status=exchange.upstream_status or None,
            upstream=backend,
            decision=decision,
        )


def _backend_of(exchange: Exchange, admission: Admission) -> str:
    """Name the backend; of several servers, the one that had the request."""
    # Every backend of ours says it; to look for what is not there would take longer.
    name: str | None = getattr(exchange.sink, "backend", None)
    return admission.route.upstream.name if name is None else name


def _repeated_line(
    exchange: Exchange, repeated: Repeated, backend: str, now: float, took: float
) -> bytes | None:
    """Make a line out of what is the same in all of them; None if it is not so easy."""
    status, upstream_status = exchange.status, exchange.upstream_status
    answered = status, exchange.reason, upstream_status, backend
    frame = repeated.frame
    if frame is None or repeated.answered != answered:
        frame = frame_of(
            method=repeated.method,
            path=repeated.path,
            status=status,
            reason=exchange.reason,
            upstream_status=upstream_status or None,
            upstream=backend,
        )
        repeated.frame, repeated.answered = frame, answered
    if frame is None or not is_plain(exchange.id):
        return None
    return framed_line(
        frame,
        repeated.stable,
        time=now - took,
        id=exchange.id,
        sent=exchange.sent,
        received=exchange.received,
        duration=took,
    )


def _combined(exchange: Exchange, began: float) -> bytes:
    admission, trail = exchange.admission, exchange.trail
    request = admission.caller.request if admission is not None else None
    if request is None and trail is not None:
        request = trail.request
    head = request.head if request is not None else None
    user = admission.caller.user if admission is not None else ""
    return combined_line(
        time=began,
        client=request.client.address if request else exchange.connection.facts.peer,
        user=user,
        method=exchange.method,
        path=exchange.path,
        status=exchange.status,
        sent=exchange.sent,
        minor=exchange.minor,
        referer=_first(head.values("referer")) if head else "",
        agent=_first(head.values("user-agent")) if head else "",
    )


def _first(values: list[str]) -> str:
    return values[0] if values else ""
