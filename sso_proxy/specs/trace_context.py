"""
Trace context: the fields ``traceparent`` and ``tracestate``.

W3C Trace Context, level 1 with the random flag of level 2.  Clients write them, so they
are data for whoever looks at traces, and nothing is decided by them.
"""

import re
from typing import Final, NamedTuple

from sso_proxy.model import Headers
from sso_proxy.specs.http.limits import HeadLimits

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"

OCTETS: Final = 24
"""Octets of randomness in a trace that begins: 16 of its id, 8 of the parent's."""

_SAMPLED: Final = 0x01
_RANDOM: Final = 0x02

_ids = r"(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_parent = re.compile(rf"00-{_ids}|(?!00|ff)[0-9a-f]{{2}}-{_ids}(?:-[!-~]*+)?").fullmatch
"""Section 3.2: version 00 is exactly this; later ones may have more after a dash."""

_member = r"[a-z0-9][a-z0-9_*/@-]{0,255}+=[ -+\--<>-~]{1,256}+"
_state = re.compile(
    rf"(?:{_member})?+(?:[ \t]*+,[ \t]*+(?:{_member})?+){{0,31}}+"
).fullmatch
"""Section 3.3: at most 32 members, some of them perhaps empty."""


class TraceContext(NamedTuple):
    """
    Where a request belongs in a trace.

    Attributes:
        trace_id: The trace, 32 hexadecimal digits.
        parent_id: The span that the request was sent from, 16 of them.
        sampled: Whether that was recorded.
        state: ``tracestate``, empty if there is none.
        lines: Both field lines, serialised.
        span_id: Our own span, if it has an id already; else empty.
        came_from: The parent of our own span; empty if the trace begins with it.
    """

    trace_id: str
    parent_id: str
    sampled: bool
    state: str
    lines: bytes
    span_id: str = ""
    came_from: str = ""


def read_trace_context(fields: Headers) -> TraceContext | None:
    """
    Read the two fields as they came; malformed ones count as if they were not there.

    A ``tracestate`` is nothing without a ``traceparent`` (section 3.3), and two of the
    latter are none.

    Args:
        fields: All fields of the two names, in lower case.
    """
    parents = [value for name, value in fields if name == TRACEPARENT]
    if len(parents) != 1 or _parent(parents[0]) is None:
        return None
    parent = parents[0]
    state = ",".join([value for name, value in fields if name == TRACESTATE])
    if _state(state) is None:
        state = ""
    return TraceContext(
        trace_id=parent[3:35],
        parent_id=parent[36:52],
        sampled=bool(int(parent[53:55], 16) & _SAMPLED),
        state=state,
        lines=_lines(parent, state),
        came_from=parent[36:52],
    )


def begin_trace(octets: bytes, *, sampled: bool) -> TraceContext:
    """Begin a trace from `OCTETS` random *octets*; our own span is the first."""
    digits = octets.hex()
    flags = _RANDOM | (_SAMPLED if sampled else 0)
    parent = f"00-{digits[:32]}-{digits[32:]}-{flags:02x}"
    return TraceContext(
        trace_id=digits[:32],
        parent_id=digits[32:],
        sampled=sampled,
        state="",
        lines=_lines(parent, ""),
        span_id=digits[32:],
    )


def join_trace(trace: TraceContext, octets: bytes) -> TraceContext:
    """Make our own span, whose id are these 8 random *octets*, the parent."""
    own = octets.hex()
    flags = _SAMPLED if trace.sampled else 0
    parent = f"00-{trace.trace_id}-{own}-{flags:02x}"
    return trace._replace(
        parent_id=own,
        lines=_lines(parent, trace.state),
        span_id=own,
    )


def _lines(parent: str, state: str) -> bytes:
    lines = f"{TRACEPARENT}: {parent}\r\n"
    if state:
        lines += f"{TRACESTATE}: {state}\r\n"
    return lines.encode("ascii")


def take_out(data: bytes, limits: HeadLimits) -> tuple[bytes, TraceContext] | None:
    """
    Take the trace context out of a request head.

    What is left is what the same client sends again and again.

    Args:
        data: All that came.
        limits: The budgets; they hold with these fields, too.

    Returns:
        The head without the field lines, and what they say; None if this is anything
        but exactly one head with one readable context, which has to be read as a whole.
    """
    if data.find(b"\r\n\r\n") != len(data) - 4:
        return None
    if len(data) > limits.header_bytes or data.count(b"\r\n") - 2 > limits.headers:
        return None
    parent = _take_line(data, b"\r\ntraceparent:")
    if parent is None:
        return None
    rest, value = parent
    fields = [(TRACEPARENT, value)]
    if b"\r\ntracestate:" in rest.lower():
        state = _take_line(rest, b"\r\ntracestate:")
        if state is None or _state(state[1]) is None:
            return None
        rest, value = state
        fields.append((TRACESTATE, value))
    if _is_hop_by_hop(rest.lower()):
        return None
    trace = read_trace_context(tuple(fields))
    return None if trace is None else (rest, trace)


def _is_hop_by_hop(lowered: bytes) -> bool:
    """Say whether ``Connection`` may name the fields, which then go no further."""
    at = lowered.find(b"\r\nconnection:")
    return at >= 0 and b"trace" in lowered[at:]


def _take_line(data: bytes, begin: bytes) -> tuple[bytes, str] | None:
    """Take the one line out that begins so, in any case; None unless there is one."""
    lowered = data.lower()
    at = lowered.find(begin)
    if at < 0 or lowered.find(begin, at + 1) >= 0:
        return None
    start = at + len(begin)
    end = data.find(b"\r\n", start)
    return data[:at] + data[end:], data[start:end].decode("latin-1").strip(" \t")
