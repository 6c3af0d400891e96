"""What backends learn of traces, as routes say."""

import itertools
from typing import Any

import pytest

from sso_proxy.config.operator_parts import TraceMode, TracesConfig
from sso_proxy.specs.trace_context import begin_trace
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.tracing import make_tracing, open_spans

CAME = begin_trace(bytes(range(1, 25)), sampled=True)


def digits(count: int) -> bytes:
    return b"\x77" * count


@pytest.mark.parametrize("mode", ["begin", "join", "restart"])
def test_a_trace_begins_where_none_came(mode: TraceMode) -> None:
    tracing = make_tracing(mode, TracesConfig(ratio=1.0), digits)
    assert tracing is not None
    assert tracing(None) == begin_trace(digits(24), sampled=True)


def test_nothing_is_done_by_default() -> None:
    assert make_tracing("pass", TracesConfig(), digits) is None


def test_what_came_is_passed_on_joined_or_replaced() -> None:
    modes: list[TraceMode] = ["begin", "join", "restart"]
    made = [make_tracing(mode, TracesConfig(), digits) for mode in modes]
    begin, join, restart = [tracing(CAME) for tracing in made if tracing is not None]
    assert begin == CAME
    assert (join.trace_id, join.parent_id) == (CAME.trace_id, "77" * 8)
    assert restart.trace_id == "77" * 16


def test_spans_are_made_where_a_collector_is_named() -> None:
    tools: Any = FakeTools()
    assert open_spans(TracesConfig(), tools, digits) is None
    options = TracesConfig(endpoint="https://collector.example/v1/traces")
    assert open_spans(options, tools, digits) is not None


def test_so_many_are_sampled() -> None:
    count = itertools.count()

    def spread(octets: int) -> bytes:
        return bytes([next(count)]) * octets

    tracing = make_tracing("begin", TracesConfig(ratio=0.25), spread)
    assert tracing is not None
    sampled = sum(tracing(None).sampled for _ in range(256))
    assert sampled == 64
