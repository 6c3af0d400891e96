"""Spans of finished requests: of which, and what they say."""

from typing import Any

import attrs
import pytest

from sso_proxy.spans import Span, Spans
from sso_proxy.specs.trace_context import (
    TraceContext,
    begin_trace,
    join_trace,
    read_trace_context,
)

BEGUN = begin_trace(bytes(range(1, 25)), sampled=True)
(CAME,) = [
    read_trace_context((("traceparent", f"00-{'a' * 32}-{'b' * 16}-{flags}"),))
    for flags in ("01",)
]
assert CAME is not None


@attrs.define
class Request:
    id: str = "id-1"
    method: str = "GET"
    status: int = 200
    reason: str = ""
    upstream_status: int = 200
    trace: TraceContext | None = BEGUN


def spans_of(request: Request, ratio: float = 0.5, octet: int = 7) -> list[Span]:
    found: list[Span] = []
    spans = Spans(ratio, lambda n: bytes([octet]) * n, found.append, lambda: None)
    told: Any = {"host": "*.example.com", "route": "/orders/", "decision": "permit"}
    spans.note(request, **told, began=10.0, ended=10.5)
    return found


def test_a_span_says_what_became_of_a_request() -> None:
    (span,) = spans_of(Request())
    assert (span.name, span.began, span.ended) == ("GET /orders/", 10.0, 10.5)
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/orders/",
        "server.address": "*.example.com",
        "sso_proxy.request_id": "id-1",
        "sso_proxy.decision": "permit",
        "sso_proxy.upstream_status": 200,
    }
    assert not span.failed


@pytest.mark.parametrize(("status", "kind"), [(503, "503"), (0, "cut")])
def test_what_fails_is_an_error(status: int, kind: str) -> None:
    (span,) = spans_of(Request(status=status, reason="backend-down:x"))
    told = dict(span.attributes)
    assert span.failed
    assert (told["error.type"], told["sso_proxy.reason"]) == (kind, "backend-down")


@pytest.mark.parametrize(
    ("trace", "ids"),
    [
        (BEGUN, (BEGUN.trace_id, BEGUN.parent_id, "")),  # the backend's parent is ours
        (CAME, ("a" * 32, "07" * 8, "b" * 16)),  # the backend's is what came
        (join_trace(CAME, b"\x01" * 8), ("a" * 32, "01" * 8, "b" * 16)),
        (None, ("07" * 16, "07" * 8, "")),
    ],
)
def test_a_span_is_where_it_belongs(
    trace: TraceContext | None, ids: tuple[str, str, str]
) -> None:
    (span,) = spans_of(Request(trace=trace))
    assert span[:3] == ids


def test_what_is_not_sampled_has_no_span() -> None:
    assert spans_of(Request(trace=BEGUN._replace(sampled=False))) == []
    assert spans_of(Request(trace=None), octet=0x80) == []
    assert spans_of(Request(trace=None), ratio=0.0, octet=0) == []
    assert spans_of(Request(trace=None), ratio=1.0, octet=0xFF) != []
