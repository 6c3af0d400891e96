"""W3C Trace Context: what is well-formed, and what is taken out of a head."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import read_request
from sso_proxy.specs.trace_context import (
    begin_trace,
    join_trace,
    read_trace_context,
    take_out,
)

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
LIMITS = HeadLimits()
BARE = b"GET /a HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"


def read(data: bytes, limits: HeadLimits = LIMITS) -> Incoming:
    return read_request(
        data, scheme="https", port=443, limits=limits, managed=ManagedNames()
    )


def head(*lines: bytes) -> bytes:
    begin, _, rest = BARE.partition(b"\r\nAccept")
    return begin + b"".join(b"\r\n" + line for line in lines) + b"\r\nAccept" + rest


def test_a_context_is_passed_on_as_it_came() -> None:
    trace = read_trace_context((("traceparent", PARENT), ("tracestate", "a=1,b@c=2 3")))
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.sampled) == (TRACE, SPAN, True)
    wanted = f"traceparent: {PARENT}\r\ntracestate: a=1,b@c=2 3\r\n"
    assert trace.lines == wanted.encode()


@pytest.mark.parametrize(
    "parent",
    [
        "",
        PARENT.upper(),  # section 3.2.2.3: lower-case
        PARENT + "-",  # section 3.2.2: version 00 is exactly four fields
        PARENT + "-x",
        "ff" + PARENT[2:],  # section 3.2.2.2: "Version ff is invalid"
        f"00-{'0' * 32}-{SPAN}-01",  # section 3.2.2.3: "invalid"
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"01-{TRACE}-{SPAN}-01x",
        PARENT + "\n",
        PARENT + ", " + PARENT,
    ],
)
def test_what_is_malformed_is_dropped_with_its_state(parent: str) -> None:
    """Section 3.3: who cannot parse ``traceparent`` must not parse ``tracestate``."""
    fields = (("traceparent", parent), ("tracestate", "a=1"))
    assert read_trace_context(fields) is None


def test_a_later_version_is_passed_on() -> None:
    parent = f"01-{TRACE}-{SPAN}-00-more"
    trace = read_trace_context((("traceparent", parent),))
    assert trace is not None
    assert trace.lines == f"traceparent: {parent}\r\n".encode()
    assert not trace.sampled


def test_two_parents_are_none() -> None:
    assert (
        read_trace_context((("traceparent", PARENT), ("traceparent", PARENT))) is None
    )


@pytest.mark.parametrize(
    "state",
    ["A=1", "a", "a=", "a=1;b=2", "a=" + "x" * 257, ",".join(["a=1"] * 33), "ü=1"],
)
def test_a_malformed_state_is_dropped_alone(state: str) -> None:
    trace = read_trace_context((("traceparent", PARENT), ("tracestate", state)))
    assert trace is not None
    assert trace.state == ""


def test_several_lines_of_state_are_one() -> None:
    fields = (("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2"))
    trace = read_trace_context(fields)
    assert trace is not None
    assert trace.state == "a=1,b=2"


def test_a_trace_begins_here() -> None:
    trace = begin_trace(bytes(range(1, 25)), sampled=True)
    read_back = read_trace_context((("traceparent", trace.lines[13:-2].decode()),))
    assert read_back is not None
    assert read_back[:5] == trace[:5]
    assert (trace.span_id, trace.came_from) == (trace.parent_id, "")
    assert trace.lines[-4:-2] == b"03"  # sampled, and of random octets


def test_a_joined_trace_keeps_its_id_and_state() -> None:
    came = read_trace_context((("traceparent", PARENT), ("tracestate", "a=1")))
    assert came is not None
    joined = join_trace(came, b"12345678")
    assert joined.trace_id == came.trace_id
    assert joined.parent_id == b"12345678".hex()
    assert (joined.sampled, joined.state) == (True, "a=1")


@pytest.mark.parametrize(
    "lines",
    [
        (f"traceparent: {PARENT}".encode(),),
        (f"TraceParent:{PARENT} \t".encode(), b"TRACESTATE:  a=1"),
        (b"tracestate: a=1", f"traceparent: {PARENT}".encode()),
    ],
)
def test_a_head_without_its_context_is_left(lines: tuple[bytes, ...]) -> None:
    data = head(*lines)
    found = take_out(data, LIMITS)
    assert found is not None
    assert found == (BARE, read(data).trace)


@pytest.mark.parametrize(
    "data",
    [
        BARE,
        head(b"tracestate: a=1"),
        head(b"traceparent: " + PARENT.encode().upper()),
        head(*[b"traceparent: " + PARENT.encode()] * 2),
        head(b"traceparent: " + PARENT.encode(), b"tracestate: A"),
        head(
            b"traceparent: " + PARENT.encode(), b"tracestate: a=1", b"Tracestate: b=1"
        ),
        head(b"traceparent: " + PARENT.encode(), b"Connection: traceparent"),
        # What follows a head is another request's, whatever it looks like.
        BARE[:-2] + b"\r\ntraceparent: " + PARENT.encode() + b"\r\n",
        BARE + b"traceparent: " + PARENT.encode() + b"\r\n\r\n",
        head(b"traceparent: " + PARENT.encode()) + BARE,
        head(b"traceparent: " + PARENT.encode())[:-2],
    ],
)
def test_anything_else_is_read_as_a_whole(data: bytes) -> None:
    assert take_out(data, LIMITS) is None


def test_the_budgets_count_the_context() -> None:
    data = head(b"traceparent: " + PARENT.encode())
    assert take_out(data, HeadLimits(headers=2)) is None
    assert take_out(data, HeadLimits(header_bytes=len(data) - 1)) is None


NAMES = st.sampled_from([b"traceparent", b"TraceState", b"X", b"traceparent ", b"\n"])
BLANKS = st.sampled_from([b"", b" ", b"\t ", b"\r\n "])
VALUES = st.sampled_from(
    [
        PARENT.encode(),
        PARENT.encode() + b"\x00",
        b"a=1",
        b"a=1,,b=2",
        b"A",
        b"",
        b"\xff",
    ]
)
LINES = st.builds(
    lambda begin, name, before, value, after: (
        begin + name + b":" + before + value + after
    ),
    st.sampled_from([b"\r\n", b"\r\n", b"\n", b"\r\n\r\n"]),
    NAMES,
    BLANKS,
    VALUES,
    BLANKS,
)
ENDS = [i for i in range(len(BARE)) if BARE[i : i + 2] == b"\r\n"]
PLACES = st.sampled_from(ENDS) | st.integers(0, len(BARE))


@given(st.lists(LINES, min_size=1, max_size=3), PLACES)
def test_taken_out_and_read_is_read_and_taken_out(lines: list[bytes], at: int) -> None:
    """Where the short way takes a head, the whole reader says the same of it."""
    data = BARE[:at] + b"".join(lines) + BARE[at:]
    found = take_out(data, LIMITS)
    if found is None or found[0] != BARE:
        return  # only what is left like a head that was read counts
    whole = read(data)
    assert whole.trace == found[1]
    assert whole.head == read(BARE).head
