"""Operators are told where a request's time goes, and nobody else."""

import re

from sso_proxy.edge.timing import REMEMBERED, describe_steps
from sso_proxy.model import NotPresented
from sso_proxy.testing.fakes import FakeAuthenticator
from tests.support.doubles import Scene, answer_ok, make_reply


def timing_of(scene: Scene) -> list[str]:
    """Give the names of what the last answer says it took."""
    head = scene.client.take().decode().partition("\r\n\r\n")[0]
    fields = re.findall("(?m)^Server-Timing: (.*)\r$", head + "\r")
    return [metric.partition(";")[0] for text in fields for metric in text.split(", ")]


def answered(scene: Scene) -> list[str]:
    scene.ask()
    answer_ok(scene.backend.exchange)
    return timing_of(scene)


def test_each_step_has_what_it_took_in_milliseconds() -> None:
    steps = [("auth", 10.002), ("policy", 10.0025), ("backend", 10.1)]
    told = describe_steps(10.0, steps, 10.1)
    wanted = "auth;dur=2.000, policy;dur=0.500, backend;dur=97.500, total;dur=100.000"
    assert told == wanted


def test_what_was_remembered_took_no_time() -> None:
    told = describe_steps(10.0, [(REMEMBERED, 10.0), ("backend", 10.1)], 10.1)
    assert told == "remembered, backend;dur=100.000, total;dur=100.000"


def test_operators_are_told() -> None:
    scene = Scene(timing=lambda address: address == "192.0.2.1")
    assert answered(scene) == ["auth", "decision", "backend", "total"]
    assert answered(scene) == ["remembered", "backend", "total"]


def test_others_are_not_told() -> None:
    """It says what is remembered, and how long it takes to refuse whom."""
    scene = Scene(timing=lambda address: address == "192.0.2.2")
    assert answered(scene) == []
    assert answered(scene) == []
    assert answered(Scene()) == []


def test_a_refusal_says_so_too() -> None:
    nobody = FakeAuthenticator(NotPresented())
    scene = Scene(timing=lambda _: True, authenticators=(nobody,)).ask()
    assert timing_of(scene) == ["decision", "total"]


def test_an_answer_that_comes_in_pieces_says_so_too() -> None:
    scene = Scene(timing=lambda _: True).ask()
    scene.backend.exchange.begin(make_reply(b"HTTP/1.1 200 OK\r\nDate: now"), b"a")
    scene.backend.exchange.finish()
    assert timing_of(scene)[-2:] == ["backend", "total"]


def test_a_backend_that_fails_has_its_time() -> None:
    scene = Scene(timing=lambda _: True).ask()
    scene.backend.exchange.fail(502, "backend-down")
    assert timing_of(scene)[-2:] == ["backend", "total"]
