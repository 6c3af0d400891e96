"""What backends and collectors learn of the traces that requests belong to."""

from collections.abc import Callable

from sso_proxy.config.operator_parts import TraceMode, TracesConfig
from sso_proxy.net.span_export import SpanExport, load_encoder
from sso_proxy.routing import Tracing
from sso_proxy.spans import Spans
from sso_proxy.specs.trace_context import (
    OCTETS,
    TraceContext,
    begin_trace,
    join_trace,
)
from sso_proxy.tools import Tools

_SPAN = 8
"""Octets of a span's id."""


def make_tracing(
    mode: TraceMode, options: TracesConfig, random: Callable[[int], bytes]
) -> Tracing | None:
    """
    Give what says where a request belongs, from what came with it; None: just there.

    Args:
        mode: As the route says.
        options: Say how many of the traces begun here are marked as sampled.
        random: Gives so many random octets.
    """

    def begin() -> TraceContext:
        octets = random(OCTETS)
        share = int.from_bytes(octets[9:16]) / (1 << 56)
        return begin_trace(octets, sampled=share < options.ratio)

    match mode:
        case "pass":
            return None
        case "begin":
            return lambda came: came or begin()
        case "join":
            return lambda came: join_trace(came, random(_SPAN)) if came else begin()
        case "restart":
            return lambda _: begin()


def open_spans(
    options: TracesConfig, tools: Tools, random: Callable[[int], bytes]
) -> Spans | None:
    """
    Give what makes spans and sends them, or None where no collector is named.

    Raises:
        ConfigError: What it needs is not installed.
    """
    if options.endpoint is None:
        return None
    encoder = load_encoder("server.traces.endpoint")

    def make() -> SpanExport:
        return SpanExport(
            options=options,
            encode=encoder.encode_spans,
            content_type=encoder.CONTENT_TYPE,
            client=tools.http_client,
            reactor=tools.reactor,
            spawn=tools.spawn,
            clock=tools.clock,
        )

    export: SpanExport = tools.shared(("spans", options), make)
    return Spans(options.ratio, random, export.add, export.flush)
