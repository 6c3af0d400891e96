"""The key ring, as components use it."""

from zope.interface.verify import verifyObject

from sso_proxy.config.key_ring import KeyRing, make_key, rotate
from sso_proxy.interfaces import ISealer
from sso_proxy.sealing import RingSealer
from sso_proxy.testing.clock import SettableClock


def ring(number: int) -> KeyRing:
    return KeyRing((make_key(number, lambda count: bytes([number]) * count),))


def test_it_is_a_sealer() -> None:
    assert verifyObject(ISealer, RingSealer("x", ring(1)))


def test_key_that_was_rotated_still_opens_until_it_is_dropped() -> None:
    old = ring(1)
    (key,) = ring(2).keys
    sealed = RingSealer("x", old).seal(b"data")
    assert RingSealer("x", rotate(old, key, keep=1)).open(sealed) == b"data"
    assert RingSealer("x", rotate(old, key, keep=0)).open(sealed) is None


def test_newest_key_seals() -> None:
    (key,) = ring(2).keys
    both = rotate(ring(1), key, keep=1)
    sealed = RingSealer("x", both).seal(b"data")
    assert RingSealer("x", KeyRing((key,))).open(sealed) == b"data"
    assert RingSealer("x", ring(1)).open(sealed) is None


def test_new_key_seals_when_all_processes_have_it() -> None:
    """One that seals is always one that every process has read (it has a minute)."""
    clock = SettableClock()
    old = ring(1)
    key = make_key(clock.time(), lambda count: b"\2" * count, seals_after=60)
    both = rotate(old, key, keep=1)
    behind = RingSealer("x", old, clock.time)
    ahead, other = (RingSealer("x", both, clock.time) for _ in range(2))
    assert behind.open(ahead.seal(b"data")) == b"data"
    assert ahead.open(behind.seal(b"data")) == b"data"
    clock.now += 59
    before = ahead.seal(b"data")
    assert behind.open(before) == b"data"
    clock.now += 1
    sealed = ahead.seal(b"data")
    assert behind.open(sealed) is None
    assert other.open(sealed) == other.open(before) == b"data"


def test_same_data_never_look_the_same() -> None:
    sealer = RingSealer("x", ring(1))
    assert len({sealer.seal(b"data") for _ in range(100)}) == 100
