"""What a collector reads, by OpenTelemetry's own classes."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from sso_proxy.net.otlp import encode_spans
from sso_proxy.spans import Span

SPAN = Span(
    "a" * 32,
    "b" * 16,
    "",
    "GET /",
    10.25,
    10.5,
    (("http.request.method", "GET"), ("http.response.status_code", 503)),
    failed=True,
)


def test_a_collector_reads_what_was_meant() -> None:
    read = ExportTraceServiceRequest.FromString(
        encode_spans(
            [SPAN, SPAN._replace(parent_id="c" * 16, failed=False)], {"k": "v"}
        )
    )
    (group,) = read.resource_spans
    assert group.resource.attributes[0].value.string_value == "v"
    first, second = group.scope_spans[0].spans
    assert (first.trace_id, first.span_id) == (b"\xaa" * 16, b"\xbb" * 8)
    assert (first.parent_span_id, second.parent_span_id) == (b"", b"\xcc" * 8)
    assert (first.kind, first.name) == (Message.SPAN_KIND_SERVER, "GET /")
    times = (first.start_time_unix_nano, first.end_time_unix_nano)
    assert times == (10_250_000_000, 10_500_000_000)
    told = {each.key: each.value for each in first.attributes}
    assert told["http.request.method"].string_value == "GET"
    assert told["http.response.status_code"].int_value == 503
    assert first.status.code == Status.STATUS_CODE_ERROR
    assert second.status.code == Status.STATUS_CODE_UNSET
