"""
Spans in the encoding of OTLP, the protocol of OpenTelemetry's collectors.

The one module that knows OpenTelemetry: the extra ``otel``.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from sso_proxy.spans import Span

CONTENT_TYPE: Final = "application/x-protobuf"

_NANO: Final = 1_000_000_000


def encode_spans(spans: Sequence[Span], resource: Mapping[str, str]) -> bytes:
    """
    Encode *spans* for ``POST /v1/traces``.

    Takes some 50 microseconds for each, so it is done in a thread.

    Args:
        spans: The spans.
        resource: What is said of ourselves, such as ``service.name``.
    """
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(_pair(*each) for each in resource.items())
    scope = group.scope_spans.add()
    scope.scope.name = "sso-proxy"
    scope.spans.extend(map(_message, spans))
    encoded: bytes = request.SerializeToString()
    return encoded


def _message(span: Span) -> Message:
    message = Message(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_id),
        name=span.name,
        kind=Message.SPAN_KIND_SERVER,
        start_time_unix_nano=int(span.began * _NANO),
        end_time_unix_nano=int(span.ended * _NANO),
        attributes=[_pair(*each) for each in span.attributes],
    )
    if span.failed:
        message.status.code = Status.STATUS_CODE_ERROR
    return message


def _pair(name: str, value: str | int) -> KeyValue:
    if isinstance(value, int):
        return KeyValue(key=name, value=AnyValue(int_value=value))
    return KeyValue(key=name, value=AnyValue(string_value=value))
