"""A server that is down costs little, and is missed when it is back by nobody."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.net.circuit import FAILURES, PAUSE, Circuit
from sso_proxy.testing.clock import SettableClock


def down(clock: SettableClock) -> Circuit:
    circuit = Circuit(clock)
    for _ in range(FAILURES):
        assert circuit.admit()
        circuit.failed()
    return circuit


def test_a_single_failure_changes_nothing() -> None:
    circuit = Circuit(SettableClock())
    for _ in range(5):
        circuit.failed()
        assert circuit.admit()
        circuit.succeeded()
    circuit.failed()
    circuit.failed()
    assert circuit.admit()
    assert not circuit.is_open


def test_one_attempt_a_second_goes_through_to_what_is_down() -> None:
    clock = SettableClock()
    circuit = down(clock)
    assert circuit.is_open
    assert not circuit.admit()
    for _ in range(3):
        clock.advance(PAUSE)
        assert [circuit.admit() for _ in range(5)] == [True] + [False] * 4
        circuit.failed()


def test_an_attempt_that_is_never_reported_blocks_nobody_for_long() -> None:
    clock = SettableClock()
    circuit = down(clock)
    clock.advance(PAUSE)
    assert circuit.admit()
    clock.advance(PAUSE)
    assert circuit.admit()


def test_the_first_success_lets_everybody_through() -> None:
    clock = SettableClock()
    circuit = down(clock)
    clock.advance(PAUSE)
    assert circuit.admit()
    circuit.succeeded()
    assert all(circuit.admit() for _ in range(10))


@given(st.lists(st.sampled_from(["ask", "fail", "succeed", "wait"]), max_size=60))
def test_nobody_is_kept_out_longer_than_a_second(steps: list[str]) -> None:
    clock = SettableClock()
    circuit = Circuit(clock)
    act: dict[str, Callable[[], object]] = {
        "ask": circuit.admit,
        "fail": circuit.failed,
        "succeed": circuit.succeeded,
        "wait": lambda: clock.advance(0.3),
    }
    for step in steps:
        act[step]()
    clock.advance(PAUSE)
    assert circuit.admit()
