"""Outcomes are remembered for as long as they hold, and no longer."""

from sso_proxy.authn.memory import Memory
from sso_proxy.model import Authenticated, Rejected
from sso_proxy.testing.fakes import make_identity

GOOD = Authenticated(make_identity())
BAD = Rejected(reason="token-expired")


def test_an_outcome_is_kept_until_its_time_is_over() -> None:
    memory = Memory(2)
    memory.put(b"a", GOOD, 10.0)
    memory.put(b"b", BAD, 10.0)
    assert memory.get(b"a", 9.9) is GOOD
    assert memory.get(b"b", 9.9) is BAD
    assert memory.get(b"a", 10.0) is None
    assert memory.get(b"b", 10.0) is None
    assert memory.get(b"a", 9.9) is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    memory = Memory(2)
    memory.put(b"a", GOOD, 10.0)
    memory.put(b"b", GOOD, 10.0)
    memory.get(b"a", 0.0)
    memory.put(b"c", GOOD, 10.0)
    assert memory.get(b"a", 0.0) is GOOD
    assert memory.get(b"b", 0.0) is None


def test_refused_ones_displace_no_good_ones() -> None:
    memory = Memory(1)
    memory.put(b"a", GOOD, 10.0)
    for number in range(5):
        memory.put(bytes([number]), BAD, 10.0)
    assert memory.get(b"a", 0.0) is GOOD
    assert memory.get(b"\4", 0.0) is BAD
    assert memory.get(b"\3", 0.0) is None


def test_nothing_need_be_kept() -> None:
    memory = Memory(0)
    memory.put(b"a", GOOD, 10.0)
    assert memory.get(b"a", 0.0) is None


def test_either_kind_is_forgotten_alone() -> None:
    memory = Memory(2)
    memory.put(b"a", GOOD, 10.0)
    memory.put(b"b", BAD, 10.0)
    memory.forget_bad()
    assert (memory.get(b"a", 0.0), memory.get(b"b", 0.0)) == (GOOD, None)
    memory.put(b"b", BAD, 10.0)
    memory.forget_good()
    assert (memory.get(b"a", 0.0), memory.get(b"b", 0.0)) == (None, BAD)
