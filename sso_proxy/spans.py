"""
Spans: what operators' tracing is told of finished requests.

Made when records are, of some requests only, and without anything that says who called
or what was asked for: no subject, address, path, query or field.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from sso_proxy.audit import DecisionMember
from sso_proxy.specs.trace_context import OCTETS, TraceContext

_SPAN: Final = 8
_FAILED: Final = 500


class Span(NamedTuple):
    """
    A request, as a span of the kind ``SERVER``.

    Attributes:
        trace_id: Its trace, 32 hexadecimal digits.
        span_id: Its own id, 16 of them.
        parent_id: The span it was sent from; empty if the trace begins with it.
        name: Method and route.
        began: Seconds since the epoch.
        ended: Seconds since the epoch.
        attributes: By the names of OpenTelemetry's conventions.
        failed: Whether it is an error of a server.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    began: float
    ended: float
    attributes: tuple[tuple[str, str | int], ...]
    failed: bool


class Finished(Protocol):
    """A request whose answer is out, as its record has it."""

    id: str
    method: str
    status: int
    reason: str
    upstream_status: int
    trace: TraceContext | None


class Spans:
    """Makes spans of those requests that are sampled."""

    def __init__(
        self,
        ratio: float,
        random: Callable[[int], bytes],
        add: Callable[[Span], None],
        flush: Callable[[], None],
    ) -> None:
        """
        Give spans to *add*.

        Args:
            ratio: Share of the requests without a trace that are sampled; of those with
                one, it says so itself.
            random: Gives so many random octets.
            add: Takes each span; must neither wait nor raise.
            flush: Is called several times a second, to send what it took.
        """
        self._limit = int(ratio * (1 << 56))
        self._random = random
        self._add = add
        self.flush = flush

    def note(  # noqa: PLR0913
        self,
        exchange: Finished,
        *,
        host: str,
        route: str,
        decision: DecisionMember,
        began: float,
        ended: float,
    ) -> None:
        """
        Make a span of *exchange*, if it is sampled.

        Args:
            exchange: The request.
            host: The route's host pattern; empty if it came to none.
            route: The route's path pattern; empty if it came to none.
            decision: What was decided.
            began: When its head was complete, seconds since the epoch.
            ended: When its answer was, likewise.
        """
        trace = exchange.trace
        if trace is None:
            octets = self._random(OCTETS)
            if int.from_bytes(octets[9:16]) >= self._limit:
                return
            ids = octets[:16].hex(), octets[16:].hex(), ""
        elif not trace.sampled:
            return
        else:
            own = trace.span_id or self._random(_SPAN).hex()
            ids = trace.trace_id, own, trace.came_from
        status = exchange.status
        told: list[tuple[str, str | int]] = [
            ("http.request.method", exchange.method),
            ("http.response.status_code", status),
            ("sso_proxy.request_id", exchange.id),
            ("sso_proxy.decision", decision),
        ]
        if route:
            told += [("http.route", route), ("server.address", host)]
        if exchange.reason:
            told.append(("sso_proxy.reason", exchange.reason.partition(":")[0]))
        if exchange.upstream_status:
            told.append(("sso_proxy.upstream_status", exchange.upstream_status))
        failed = status >= _FAILED or not status
        if failed:
            told.append(("error.type", str(status) if status else "cut"))
        name = f"{exchange.method} {route}" if route else exchange.method or "HTTP"
        self._add(Span(*ids, name, began, ended, tuple(told), failed))
