"""Sealed records in a cache."""

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.errors import SessionTooLargeError
from sso_proxy.session import Session
from sso_proxy.sessions.lifetime import Lifetime
from sso_proxy.sessions.records import MOST, PURPOSE, Opener, Records
from sso_proxy.specs.session_record import write_record
from sso_proxy.testing.fakes import NOW, FakeTools, make_identity
from tests.support.caching import now

NAME, OTHER = bytes(32), bytes(31) + b"1"
SESSION = Session(
    id="one", identity=make_identity("alice"), created=NOW, used=NOW, expires=NOW + 99
)


@attrs.frozen
class Desk:
    """Records, and the cache that they are in."""

    tools: FakeTools = attrs.field(factory=FakeTools)

    @property
    def records(self) -> Records:
        sealer, clock = self.tools.sealer("session"), self.tools.clock
        return Records(self.tools.memory, sealer, Lifetime(60, 3600), clock)


def test_what_is_put_is_found() -> None:
    records = Desk().records
    now(records.put(NAME, SESSION))
    found = now(records.find(NAME))
    assert found is not None
    assert found[0] == SESSION
    assert now(records.find(OTHER)) is None


def test_what_is_stored_can_be_read_by_nobody() -> None:
    desk = Desk()
    now(desk.records.put(NAME, SESSION))
    sealed = now(desk.tools.memory.get(PURPOSE, NAME))
    assert sealed is not None
    assert b"alice" not in sealed


def test_equal_sessions_do_not_look_equal() -> None:
    desk = Desk()
    now(desk.records.put(NAME, SESSION))
    now(desk.records.put(OTHER, SESSION))
    memory = desk.tools.memory
    assert now(memory.get(PURPOSE, NAME)) != now(memory.get(PURPOSE, OTHER))


def test_a_store_that_mixes_sessions_up_gives_none() -> None:
    """Nobody becomes somebody else by it (C10)."""
    desk = Desk()
    now(desk.records.put(NAME, SESSION))
    sealed = now(desk.tools.memory.get(PURPOSE, NAME))
    assert sealed is not None
    now(desk.tools.memory.put(PURPOSE, OTHER, sealed, 60))
    assert now(desk.records.find(OTHER)) is None


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_record_with_another_bit_is_none(data: st.DataObject) -> None:
    desk = Desk()
    now(desk.records.put(NAME, SESSION))
    sealed = now(desk.tools.memory.get(PURPOSE, NAME))
    assert sealed is not None
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    now(desk.tools.memory.put(PURPOSE, NAME, bytes(changed), 60))
    assert now(desk.records.find(NAME)) is None


def test_a_record_of_another_kind_is_none() -> None:
    """A login's state is no session, wherever somebody puts it (C9)."""
    desk = Desk()
    other = desk.tools.sealer("login").seal(write_record(SESSION), NAME)
    now(desk.tools.memory.put(PURPOSE, NAME, other, 60))
    assert now(desk.records.find(NAME)) is None


def test_a_record_of_a_later_release_is_none() -> None:
    desk = Desk()
    later = write_record(SESSION).replace(b'"f":1', b'"f":3')
    sealed = desk.tools.sealer("session").seal(later, NAME)
    now(desk.tools.memory.put(PURPOSE, NAME, sealed, 60))
    assert now(desk.records.find(NAME)) is None


def test_a_store_that_keeps_what_is_over_lets_nobody_in() -> None:
    desk = Desk()
    now(desk.records.put(NAME, SESSION))
    desk.tools.clock.now += 60
    assert now(desk.records.find(NAME)) is None


def test_only_what_was_found_is_replaced() -> None:
    records = Desk().records
    now(records.put(NAME, SESSION))
    found = now(records.find(NAME))
    assert found is not None
    later = attrs.evolve(SESSION, revision=1)
    assert now(records.swap(NAME, found[1], later))
    assert not now(records.swap(NAME, found[1], SESSION))
    found = now(records.find(NAME))
    assert found is not None
    assert found[0] == later


def test_a_session_that_no_cache_takes_is_refused() -> None:
    with pytest.raises(SessionTooLargeError):
        now(Desk().records.put(NAME, attrs.evolve(SESSION, data={"x": "y" * MOST})))


def test_deleting_says_what_there_was() -> None:
    records = Desk().records
    now(records.put(NAME, SESSION))
    assert now(records.delete(NAME)) == SESSION
    assert now(records.delete(NAME)) is None


def test_what_was_opened_lately_is_not_opened_again() -> None:
    sealer = FakeTools().sealer("session")
    opener = Opener(sealer, "main", 2)
    sealed = [sealer.seal(write_record(SESSION), NAME) for _ in range(3)]
    first = opener.open(sealed[0], NAME)
    assert opener.open(sealed[0], NAME) is first
    assert opener.open(sealed[0], OTHER) is None
    opener.open(sealed[1], NAME)
    opener.open(sealed[2], NAME)
    again = opener.open(sealed[0], NAME)
    assert again == first
    assert again is not first
