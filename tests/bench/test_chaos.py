"""Each fault once, and all that comes of it is explained."""

import pytest

from tests.bench.chaos import BROKEN, FAULTS, FULL_STATE, Outcome, Window, judge, run


def outcome(kind: str, result: str, sent: float, ended: float) -> Outcome:
    return Outcome(kind=kind, result=result, sent=sent, ended=ended)


def test_only_what_a_fault_does_while_it_is_there_is_explained() -> None:
    fault = next(each for each in FAULTS if each.name == "provider down")
    window = Window(fault=fault, begin=100.0, end=101.0)
    good = [outcome("asked", "200", 100.0, 100.1), outcome("asked", "503", 99.9, 100.1)]
    bad = [
        outcome("asked", "503", 90.0, 90.1),
        outcome("asked", "503", 110.0, 110.1),
        outcome("asked", "401", 100.5, 100.6),
        outcome("signed", "503", 100.5, 100.6),
        outcome("asked", BROKEN, 100.5, 100.6),
    ]
    answered, explained, unexplained = judge([*good, *bad], [window])
    assert answered == 1
    assert explained == {("provider down", "asked", "503"): 1}
    assert unexplained.total() == len(bad)


def test_what_was_remembered_is_explained_for_longer() -> None:
    fault = next(each for each in FAULTS if each.name == "Redis killed")
    window = Window(fault=fault, begin=100.0, end=101.0)
    assert window.explains(outcome("session", "503", 103.0, 103.1))
    assert not window.explains(outcome("session", "503", 110.0, 110.1))
    assert window.explains(outcome("session", "401", 130.0, 130.1))
    assert not window.explains(outcome("session", "401", 140.0, 140.1))


@pytest.mark.alone
def test_each_fault_explains_what_comes_of_it() -> None:
    # Health speaks of a full state directory for half a minute: `make chaos` waits.
    faults = [each for each in FAULTS if each is not FULL_STATE]
    report = run(faults, rounds=1, pause=0.2)
    assert not report.unexplained
    assert report.is_good, report
    assert report.answered > 1000
    hit = {fault for fault, _, _ in report.explained}
    assert {"provider slow", "provider down", "upstream flapping"} <= hit
