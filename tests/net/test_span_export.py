"""Spans reach a collector, and whether it is there is no request's concern."""

from collections.abc import Coroutine
from typing import Any, cast

import attrs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from sso_proxy.config.model import OutboundConfig
from sso_proxy.config.operator_parts import TracesConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.otlp import CONTENT_TYPE, encode_spans
from sso_proxy.net.span_export import SpanExport
from sso_proxy.spans import Span
from sso_proxy.testing.clock import SettableClock

reactor: Any = installed

SPAN = Span("a" * 32, "b" * 16, "", "GET /", 10.0, 10.5, (), failed=False)


class Collector(Resource):
    """Keeps what it gets, and answers as it is told."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.fields: list[tuple[str | None, str | None]] = []
        self.status = 200

    def render_POST(self, request: Request) -> bytes:
        content: Any = request.content
        read = ExportTraceServiceRequest.FromString(content.read())
        (group,) = read.resource_spans
        assert group.resource.attributes[0].value.string_value == "sso-proxy"
        self.batches.append(len(group.scope_spans[0].spans))
        names = ("content-type", "authorization")
        self.fields.append((request.getHeader(names[0]), request.getHeader(names[1])))
        request.setResponseCode(self.status)
        return b""


class SpanExportTests(TestCase):
    def setUp(self) -> None:
        self.collector = Collector()
        site = Site(self.collector)
        self.port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.client = HttpClient(reactor, OutboundConfig())
        self.clock = SettableClock()
        self.running: list[Deferred[None]] = []
        options = TracesConfig(
            endpoint=f"http://127.0.0.1:{self.port.getHost().port}/v1/traces",
            authorization=Secret("Bearer s3cret"),
            queue=600,
        )
        self.export = SpanExport(
            options=options,
            encode=encode_spans,
            content_type=CONTENT_TYPE,
            client=self.client,
            reactor=reactor,
            spawn=self.spawn,
            clock=self.clock,
        )
        self.events: list[LogEvent] = []
        self.observer = cast("Any", self.events.append)
        globalLogPublisher.addObserver(self.observer)

    async def tearDown(self) -> None:  # type: ignore[override]
        globalLogPublisher.removeObserver(self.observer)
        await self.client.close()
        await self.port.stopListening()

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.running.append(ensureDeferred(coroutine))

    async def send(self, spans: int) -> None:
        for _ in range(spans):
            self.export.add(SPAN)
        self.clock.advance(10)
        self.export.flush()
        while self.running:
            await self.running.pop()

    def said(self, text: str) -> int:
        formats = [str(event.get("log_format")) for event in self.events]
        return sum(text in each for each in formats)

    async def test_a_collector_gets_them(self) -> None:
        await self.send(3)
        assert self.collector.batches == [3]
        assert self.collector.fields == [("application/x-protobuf", "Bearer s3cret")]

    async def test_many_go_in_batches_and_more_than_may_wait_are_dropped(self) -> None:
        await self.send(700)
        assert self.export.dropped == 100
        await self.send(0)
        assert self.collector.batches == [512, 88]

    async def test_a_collector_that_is_down_is_logged_once(self) -> None:
        self.collector.status = 503
        for _ in range(3):
            await self.send(1)
        assert self.said("cannot be sent") == 1
        assert self.export.dropped == 3
        self.collector.status = 200
        await self.send(1)
        assert self.said("sent again") == 1
        assert "s3cret" not in str(self.events)

    async def test_nobody_there_is_no_error_of_ours(self) -> None:
        where = attrs.evolve(
            self.export.options, endpoint="http://127.0.0.1:1/v1/traces"
        )
        self.export.options = where
        await self.send(1)
        assert self.said("cannot be sent") == 1

    def test_nothing_is_sent_while_a_batch_is_under_way(self) -> None:
        self.export.add(SPAN)
        self.export.flush()
        self.export.add(SPAN)
        self.clock.advance(10)
        self.export.flush()
        assert len(self.running) == 1
        sent = self.running.pop()
        sent.addErrback(lambda failure: failure.trap(CancelledError))
        sent.cancel()
