"""Records of one purpose in one transaction."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.caches import layout
from sso_proxy.caches.layout import Record, Totals
from sso_proxy.caches.records import cost
from sso_proxy.caches.table import Table, Transaction
from sso_proxy.errors import UnavailableError

KEYS = [layout.value_key(b"%d" % number) for number in range(20)]
ROOM = 10 * cost(b"")


@pytest.fixture
def txn(tmp_path: Path) -> Iterator[Transaction]:
    with lmdb.open(str(tmp_path), sync=False) as env, env.begin(write=True) as txn:
        yield txn


def stored(txn: Transaction) -> int:
    """Count the keys, without the totals."""
    return sum(1 for key, _ in txn.cursor() if not key.endswith(layout.TOTALS))


def test_totals_follow_what_is_stored(txn: Transaction) -> None:
    table = Table(txn, "a", now=0)
    table.write(KEYS[0], Record(10, True, b"x"), ROOM)
    table.write(KEYS[1], Record(10, False, b"xyz"), ROOM)
    assert table.totals() == Totals(cost(b"x") + cost(b"xyz"), 0)
    table.write(KEYS[1], Record(20, True, b""), ROOM)
    assert table.totals() == Totals(cost(b"x") + cost(b""), 0)
    for key in (KEYS[0], KEYS[1], KEYS[2]):
        table.remove(key)
    assert table.totals() == Totals(0, 0)
    assert stored(txn) == 0


def test_expired_record_is_not_found_though_it_is_there(txn: Transaction) -> None:
    Table(txn, "a", now=0).write(KEYS[0], Record(10, True, b"x"), ROOM)
    assert Table(txn, "a", now=9).find(KEYS[0]) is not None
    late = Table(txn, "a", now=10)
    assert late.find(KEYS[0]) is None
    assert list(late.below(b"v")) == []
    assert stored(txn) == 2


def test_writes_clear_away_more_than_they_add(txn: Transaction) -> None:
    early, late = Table(txn, "a", now=0), Table(txn, "a", now=100)
    budget = 1000 * cost(b"")
    keys = [layout.value_key(b"%d" % number) for number in range(400)]
    for number, key in enumerate(keys[:200]):
        early.write(key, Record(10 + number % 80, True, b""), budget)
    for key in keys[200:]:
        late.write(key, Record(200, True, b""), budget)
    assert late.totals() == Totals(200 * cost(b""), 0)
    assert not late.has_expired()


def test_full_kind_forgets_what_has_expired_whatever_keys_are(txn: Transaction) -> None:
    """Who looks for names that clear nothing away keeps nobody out."""
    keys = [layout.value_key(b"%d" % number) for number in range(99)]
    dull = [key for key in keys if key[-1] % 16]
    early, late = Table(txn, "a", now=0), Table(txn, "a", now=100)
    for key in dull[:10]:
        early.write(key, Record(10, True, b""), ROOM)
    late.write(dull[10], Record(200, True, b""), ROOM)
    assert late.totals() == Totals(cost(b""), 0)
    assert stored(txn) == 2


def test_what_is_replaced_makes_room_for_itself(txn: Transaction) -> None:
    """It is no reason to evict another."""
    table = Table(txn, "a", now=0)
    for number in range(10):
        table.write(KEYS[number], Record(100 - number, False, b""), ROOM)
    table.write(KEYS[0], Record(300, False, b""), ROOM)
    assert all(table.find(key) for key in KEYS[:10])
    assert table.totals() == Totals(ROOM, 0)


def test_sweep_is_bounded(txn: Transaction) -> None:
    early = Table(txn, "a", now=0)
    for key in KEYS[:8]:
        early.write(key, Record(10, True, b""), ROOM)
    late = Table(txn, "a", now=100)
    assert late.has_expired()
    late.sweep(5)
    assert late.totals() == Totals(3 * cost(b""), 0)
    late.sweep(5)
    assert late.totals() == Totals(0, 0)
    assert not late.has_expired()


def test_what_may_go_goes_by_its_expiry(txn: Transaction) -> None:
    table = Table(txn, "a", now=0)
    for number in range(10):
        table.write(KEYS[number], Record(100 - number, number < 5, b""), ROOM)
    table.write(KEYS[10], Record(1000, False, b""), ROOM)
    left = [number for number in range(11) if table.find(KEYS[number])]
    assert left == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]


def test_nothing_is_evicted_for_what_has_no_room_at_all(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path), sync=False) as env:
        with env.begin(write=True) as txn:
            Table(txn, "a", now=0).write(KEYS[0], Record(9, False, b""), ROOM)
        with env.begin(write=True) as txn:
            table = Table(txn, "a", now=0)
            with pytest.raises(UnavailableError):
                table.write(KEYS[1], Record(9, False, b"x" * ROOM), ROOM)
            txn.abort()
        with env.begin() as txn:
            assert Table(txn, "a", now=0).find(KEYS[0]) is not None


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([b"va", b"vb", b"vc\x10"]),
            st.integers(1, 40),
            st.sampled_from([b"", b"x" * 100]),
            st.integers(0, 12),
        )
    )
)
def test_what_is_added_is_counted_as_what_is_found_missing_and_written(
    steps: list[tuple[bytes, int, bytes, int]],
) -> None:
    """One step does what two did, whatever is there, has expired or finds no room."""
    with TemporaryDirectory() as directory, lmdb.open(directory) as env:
        now = 0
        for key, life, value, later in steps:
            now += later
            with env.begin(write=True) as txn:
                mine, other = Table(txn, "a", now), Table(txn, "b", now)
                given_ = (key, now + life, value, 1000)
                added = _outcome(partial(mine.add, *given_))
                assert added == _outcome(partial(_find_and_write, other, *given_))
                if added is None:
                    txn.abort()
                    continue
                stored = [(k[2:], v) for k, v in txn.cursor() if k[:1] == b"a"]
                assert stored == [(k[2:], v) for k, v in txn.cursor() if k[:1] == b"b"]


def _find_and_write(
    table: Table, key: bytes, expires: int, value: bytes, budget: int
) -> bool:
    if table.find(key) is not None:
        return False
    table.write(key, Record(expires, True, value), budget)
    return True


def _outcome(act: Callable[[], bool]) -> bool | None:
    try:
        return act()
    except UnavailableError:
        return None


def test_purposes_do_not_see_each_other(txn: Transaction) -> None:
    Table(txn, "a", now=0).write(KEYS[0], Record(9, True, b""), ROOM)
    Table(txn, "a-b", now=0).write(KEYS[1], Record(9, True, b""), ROOM)
    assert Table(txn, "a-b", now=0).find(KEYS[0]) is None
    Table(txn, "a-b", now=99).sweep(9)
    assert Table(txn, "a", now=0).find(KEYS[0]) is not None


def test_messages_have_numbers_that_never_come_again(txn: Transaction) -> None:
    table = Table(txn, "a", now=0)
    table.announce(b"1", 10, ROOM)
    table.announce(b"2", 10, ROOM)
    assert table.totals().messages == 2
    late = Table(txn, "a", now=99)
    late.sweep(9)
    late.announce(b"3", 199, ROOM)
    assert late.totals() == Totals(cost(b"3"), 3)
    assert late.find(layout.message_key(2)) is None
    found = late.find(layout.message_key(3))
    assert found is not None
    assert found.value == b"3"
