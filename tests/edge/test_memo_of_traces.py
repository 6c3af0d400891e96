"""Heads that differ in their trace context, which decides nothing."""

import pytest

from sso_proxy.model import RequestHead
from sso_proxy.specs.trace_context import TraceContext, read_trace_context
from sso_proxy.testing.fakes import FakeAuthenticator
from tests.support.doubles import Scene, answer_ok
from tests.support.repeating import scene_by_token

SPAN = "00f067aa0ba902b7"
READ = [
    read_trace_context((("traceparent", f"00-{str(n) * 32}-{SPAN}-01"),))
    for n in range(1, 5)
]
TRACES = [trace for trace in READ if trace is not None]
LINES = [trace.lines[:-2] for trace in TRACES]
BAD = LINES[0].replace(b": 00", b": ff")


def ask(scene: Scene, line: bytes, *fields: bytes) -> bytes:
    scene.ask(line, *fields)
    answer_ok(scene.backend.exchange)
    return scene.backend.head


def test_heads_that_differ_in_their_trace_are_decided_on_once() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,))
    for i, line in enumerate(LINES):
        head = ask(scene, b"GET /%d HTTP/1.1" % i, b"Accept: a", line)
        assert head.count(line + b"\r\n") == 1
        assert head.lower().count(b"traceparent") == 1
    assert len(authenticator.asked) == 1
    assert [each.trace for each in scene.records] == TRACES


def test_one_head_with_a_trace_is_repeated_with_it() -> None:
    scene = Scene()
    heads = [ask(scene, b"GET / HTTP/1.1", LINES[0]) for _ in range(3)]
    assert all(LINES[0] in head for head in heads)
    assert [each.trace for each in scene.records] == TRACES[:1] * 3


def test_the_trace_may_stand_first() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,))
    for line in LINES:
        scene.client.receive(
            b"GET / HTTP/1.1\r\n" + line + b"\r\nHost: app.example.com\r\n\r\n"
        )
        answer_ok(scene.backend.exchange)
        assert line in scene.backend.head
    assert len(authenticator.asked) == 1


def test_heads_with_and_without_a_trace_are_alike() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,))
    assert b"traceparent" not in ask(scene, b"GET / HTTP/1.1")
    assert LINES[0] in ask(scene, b"GET / HTTP/1.1", LINES[0])
    assert b"traceparent" not in ask(scene, b"GET / HTTP/1.1")
    assert LINES[1] in ask(scene, b"GET / HTTP/1.1", LINES[1])
    assert b"traceparent" not in ask(scene, b"GET / HTTP/1.1")
    assert len(authenticator.asked) == 2


@pytest.mark.parametrize("first", [LINES[0], BAD])
def test_a_malformed_trace_is_dropped_on_either_way(first: bytes) -> None:
    scene = Scene()
    ask(scene, b"GET / HTTP/1.1", first)
    for _ in range(2):
        head = ask(scene, b"GET / HTTP/1.1", BAD, b"tracestate: a=1")
        assert b"trace" not in head.lower()
    assert scene.records[-1].trace is None
    assert scene.statuses() == [200] * 3


def test_another_credential_with_another_trace_is_read_as_alike() -> None:
    scene = scene_by_token()
    for i, line in enumerate(LINES):
        head = ask(scene, b"GET / HTTP/1.1", b"Authorization: Bearer t%d" % i, line)
        assert line in head
    assert [each.trace for each in scene.records] == TRACES


@pytest.mark.parametrize("name", [b"Trace_Parent", b"traceparent_", b"trace.state"])
def test_names_that_are_read_as_these_are_the_backends(name: bytes) -> None:
    head = ask(Scene(), b"GET / HTTP/1.1", name + b": x")
    assert b": x\r\n" in head


def test_nobody_who_decides_sees_a_trace() -> None:
    authenticator = FakeAuthenticator()
    scene = Scene(authenticators=(authenticator,))
    ask(scene, b"GET / HTTP/1.1", LINES[0])
    seen: RequestHead = authenticator.asked[0].head
    assert not any(name.startswith("trace") for name, _ in seen.headers)


def test_a_trace_begins_with_each_request_where_the_route_says_so() -> None:
    rest = iter(TRACES)

    def tracing(came: TraceContext | None) -> TraceContext:
        return came or next(rest)

    scene = Scene(tracing=tracing)
    assert LINES[0] in ask(scene, b"GET / HTTP/1.1")
    assert LINES[1] in ask(scene, b"GET / HTTP/1.1")
    assert LINES[3] in ask(scene, b"GET / HTTP/1.1", LINES[3])
    assert [each.trace for each in scene.records] == [TRACES[0], TRACES[1], TRACES[3]]


def test_a_refused_request_has_its_trace_in_the_record() -> None:
    scene = Scene(methods=frozenset({"POST"}))
    scene.ask(b"GET / HTTP/1.1", LINES[0])
    assert scene.records[0].trace == TRACES[0]
