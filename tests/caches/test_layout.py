"""Records as octets, in order."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.caches import layout
from sso_proxy.caches.layout import Record, Totals

TIMES = st.integers(min_value=0, max_value=2**64 - 1)
RECORDS = st.builds(Record, TIMES, st.booleans(), st.binary())


@given(RECORDS)
def test_record_is_read_as_it_was_written(record: Record) -> None:
    assert layout.read_record(record.pack()) == record


@given(TIMES, TIMES)
def test_totals_are_read_as_they_were_written(octets: int, messages: int) -> None:
    totals = Totals(octets, messages)
    assert layout.read_totals(totals.pack()) == totals


def test_nothing_is_counted_at_first() -> None:
    assert layout.read_totals(None) == Totals(0, 0)


@given(RECORDS, RECORDS, st.binary())
def test_what_expires_earlier_comes_first(a: Record, b: Record, name: bytes) -> None:
    key = layout.value_key(name)
    first, second = layout.due_key(a, key), layout.due_key(b, key)
    if a.kept == b.kept and a.expires < b.expires:
        assert first < second
    assert layout.read_due(first) == (a.expires, key)
    assert first.startswith(layout.due_start(a.kept))


@given(st.binary(), st.binary(), st.binary())
def test_names_indexes_and_members_do_not_run_into_each_other(
    name: bytes, index: bytes, member: bytes
) -> None:
    keys = {
        layout.value_key(name),
        layout.index_key(name),
        layout.member_key(index, member),
        layout.message_key(1),
        layout.TOTALS,
    }
    assert len(keys) == 5
    assert layout.member_key(index, member).startswith(layout.index_key(index))


@given(st.sampled_from(["a", "a-b", "ab", "b", "z" * 32, "0"]))
def test_keys_of_a_purpose_are_together(purpose: str) -> None:
    prefix = layout.prefix_of(purpose)
    assert layout.META < prefix < prefix + b"\xff" * 200 < layout.after(prefix)
    others = {"a", "a-b", "ab", "b", "z" * 32, "0"} - {purpose}
    for other in map(layout.prefix_of, others):
        assert not prefix <= other < layout.after(prefix)


def test_longest_key_is_one_that_lmdb_takes() -> None:
    record = Record(1, True, b"")
    due = layout.due_key(record, layout.member_key(b"i" * 99999, b"m" * 99999))
    assert len(layout.prefix_of("a" * 32) + due) < 511


def test_numbers_of_messages_are_in_order() -> None:
    keys = [layout.message_key(number) for number in (1, 255, 256, 2**40)]
    assert keys == sorted(keys)
