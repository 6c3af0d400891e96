"""What backends learn of the traces that their requests belong to."""

from collections.abc import Callable

from sso_proxy.config.operator_parts import TraceMode, TracesConfig
from sso_proxy.routing import Tracing
from sso_proxy.specs.trace_context import (
    OCTETS,
    TraceContext,
    begin_trace,
    join_trace,
)

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
