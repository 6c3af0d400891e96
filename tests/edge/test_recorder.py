"""What the records say."""

import json
from time import monotonic
from typing import Any

from zope.interface import implementer

from sso_proxy.edge.recorder import Recorder
from sso_proxy.interfaces import IAuditSink
from sso_proxy.model import NotPresented
from sso_proxy.specs.trace_context import begin_trace
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeAuthenticator
from tests.support.doubles import (
    Scene,
    WaitingAuthenticator,
    answer_ok,
    make_reply,
)


@implementer(IAuditSink)
class FakeSink:
    """Keeps lines."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.flushed = 0

    def record(self, line: bytes) -> None:
        self.lines.append(line)

    def flush(self) -> None:
        self.flushed += 1

    def reopen(self) -> None:
        pass


class Recorded:
    """A recorder and what it wrote about a scene."""

    def __init__(self, scene: Scene) -> None:
        self.json, self.combined = FakeSink(), FakeSink()
        self.recorder = Recorder(
            json=[self.json], combined=[self.combined], clock=SettableClock()
        )
        for exchange in scene.records:
            self.recorder.record(exchange)
        self.recorder.flush()

    @property
    def record(self) -> dict[str, Any]:
        (line,) = self.json.lines
        found: dict[str, Any] = json.loads(line)
        return found

    @property
    def line(self) -> str:
        (line,) = self.combined.lines
        return line.decode()


def answered(line: bytes = b"GET /a?b HTTP/1.1") -> Scene:
    scene = Scene().ask(line, b"User-Agent: curl", b"Referer: https://x.example/?s")
    scene.backend.exchange.started = monotonic() - 2
    answer_ok(scene.backend.exchange)
    return scene


def test_a_permitted_request() -> None:
    record = Recorded(answered()).record
    assert record["decision"] == "permit"
    assert (record["path"], record["status"], record["sent"]) == ("/a", 200, 2)
    assert record["upstream"] == "http://backend.example"
    assert record["upstream_status"] == 200
    assert (record["subject"], record["user"]) == ("alice", "alice")
    assert record["reason"] == ""


def test_a_trace_is_named_by_its_id() -> None:
    trace = begin_trace(bytes(range(1, 25)), sampled=True)
    scene = Scene().ask(b"GET /a HTTP/1.1", trace.lines[:-2])
    answer_ok(scene.backend.exchange)
    assert Recorded(scene).record["trace"] == trace.trace_id
    assert "trace" not in Recorded(answered()).record


def test_what_is_recorded_is_counted_for_who_watches() -> None:
    recorder = Recorded(answered()).recorder
    (slot,) = recorder.traffic.document(NOW)
    (route, kind, count) = slot["answers"][0]
    assert (kind, count) == (2, 1)
    assert sum(recorder.traffic.durations[route].counts) == 1
    assert recorder.traffic.decisions == {}
    (shown,) = recorder.decisions.document()
    assert (shown["decision"], shown["status"], shown["route"]) == (
        "permit",
        200,
        route,
    )
    assert "/a" not in str(shown)
    assert "alice" not in str(shown)


def test_a_refusal_is_kept_with_its_reason() -> None:
    scene = Scene(authenticators=(FakeAuthenticator(NotPresented()),)).ask()
    recorder = Recorded(scene).recorder
    (shown,) = recorder.decisions.document()
    assert (shown["decision"], shown["status"]) == ("deny", 403)
    assert shown["reason"]
    assert recorder.traffic.decisions["deny", shown["reason"]] == 1


def test_the_time_is_when_the_head_was_complete() -> None:
    record = Recorded(answered()).record
    assert 2 <= record["duration"] < 3
    assert abs(record["time"] + record["duration"] - NOW) < 0.001


def test_the_combined_form() -> None:
    line = Recorded(answered(b"GET /a?b HTTP/1.0")).line
    assert line.startswith("192.0.2.1 - alice [15/Jan/2027:07:59:5")
    assert line.endswith('"GET /a HTTP/1.0" 200 2 "https://x.example/" "curl"\n')


def test_a_denied_request() -> None:
    scene = Scene(authenticators=(FakeAuthenticator(NotPresented()),)).ask()
    recorded = Recorded(scene)
    assert recorded.record["decision"] == "deny"
    assert recorded.record["reason"] == "no-credential"
    assert recorded.record["route"] == "app.example.com/"
    assert recorded.record["upstream_status"] is None
    assert " - - [" in recorded.line


def test_a_request_that_could_not_be_read() -> None:
    scene = Scene()
    scene.client.receive(b"GET /a?b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    record = Recorded(scene).record
    assert record["decision"] == "error"
    assert record["reason"] == "host-repeated"
    assert (record["method"], record["path"]) == ("GET", "/a")
    assert record["received"] == 39
    assert record["time"] == NOW
    assert record["host"] == ""
    assert record["peer"] == "192.0.2.1"


def test_a_head_that_took_long_says_so() -> None:
    scene = Scene()
    scene.client.receive(b"GET /")
    scene.connection.timed_out()
    scene.records[0].started -= 10
    assert 10 <= Recorded(scene).record["duration"] < 11


def test_a_client_that_is_gone_before_a_decision() -> None:
    scene = Scene(authenticators=(WaitingAuthenticator(),)).ask()
    scene.client.lose()
    record = Recorded(scene).record
    assert (record["status"], record["decision"]) == (0, "error")


def test_a_permitted_request_without_an_answer_is_permitted() -> None:
    scene = Scene().ask()
    scene.backend.exchange.fail(502, "backend-tls: no shared cipher")
    recorded = Recorded(scene)
    assert recorded.record["decision"] == "permit"
    assert recorded.record["reason"] == "backend-tls: no shared cipher"
    assert recorded.recorder.counts == {(502, "backend-tls"): 1}


def repeated(*answers: bytes | str) -> Scene:
    """Send a request again and again, over one connection; a text is a failure."""
    scene = Scene().ask()
    answer_ok(scene.backend.exchange)
    for answer in answers:
        scene.ask()
        exchange = scene.backend.exchange
        if isinstance(answer, str):
            exchange.fail(502, answer)
        else:
            exchange.whole(make_reply(answer + b"\r\nContent-Length: 0"), b"")
    assert all(exchange.repeated for exchange in scene.records[1:])
    return scene


def same_of(line: bytes) -> dict[str, Any]:
    """Read a record, without what differs in each."""
    found: dict[str, Any] = json.loads(line)
    return {k: v for k, v in found.items() if k not in {"id", "time", "duration"}}


def test_repeated_requests_are_recorded_as_if_each_were_the_first() -> None:
    ok, gone = b"HTTP/1.1 200 OK", b"HTTP/1.1 410 Gone"
    scene = repeated(ok, ok, gone, "backend-closed", 'backend: "}', ok)
    at_once = Recorded(scene).json.lines
    for exchange in scene.records:
        exchange.repeated = None
    assert [*map(same_of, at_once)] == [*map(same_of, Recorded(scene).json.lines)]
    assert [json.loads(line)["id"] for line in at_once] == [
        exchange.id for exchange in scene.records
    ]


def test_a_repeated_request_that_is_traced_names_its_trace() -> None:
    scene = repeated(b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK")
    trace = begin_trace(bytes(range(1, 25)), sampled=True)
    scene.records[1].trace = trace
    _, traced, other = map(json.loads, Recorded(scene).json.lines)
    assert traced["trace"] == trace.trace_id
    assert "trace" not in other


def test_an_id_that_needs_escaping_is_escaped_in_repetitions_too() -> None:
    scene = repeated(b"HTTP/1.1 200 OK")
    scene.records[1].id = 'x","status":418,"y":"'
    record = json.loads(Recorded(scene).json.lines[1])
    assert (record["id"], record["status"]) == (scene.records[1].id, 200)


def test_our_own_paths_have_no_backend() -> None:
    scene = Scene(own_names=frozenset({"x"})).ask(b"GET /.sso/x HTTP/1.1")
    answer_ok(scene.backend.exchange)
    assert Recorded(scene).record["upstream"] == ""


def test_lines_are_made_some_at_a_time_so_that_no_request_waits_for_many() -> None:
    sink = FakeSink()
    recorder = Recorder(json=[sink], combined=[], clock=SettableClock())
    (exchange,) = answered().records
    counts = []
    for _ in range(130):
        recorder.record(exchange)
        counts.append(len(sink.lines))
    assert counts[62:64] == [0, 64]
    assert (counts[-1], sink.flushed) == (128, 0)


def test_many_records_at_once_are_written_before_they_are_too_many() -> None:
    sink = FakeSink()
    recorder = Recorder(json=[sink], combined=[], clock=SettableClock())
    (exchange,) = answered().records
    for _ in range(5000):
        recorder.record(exchange)
    assert sink.flushed == 1
    recorder.flush()
    assert len(sink.lines) == 5000
