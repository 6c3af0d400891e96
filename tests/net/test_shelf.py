"""What one process keeps is bounded."""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.net.shelf import OCTETS, Shelf


@attrs.frozen
class Thing:
    octets: int
    name: str = ""


def test_what_is_used_stays() -> None:
    shelf: Shelf[Thing] = Shelf(10)
    shelf.put(b"used", Thing(1))
    for number in range(1000):
        shelf.put(b"%d" % number, Thing(1))
        assert shelf.find(b"used") == Thing(1)
    assert shelf.find(b"0") is None
    assert len(shelf) <= 10


def test_what_is_too_large_is_not_kept_and_takes_no_others_place() -> None:
    shelf: Shelf[Thing] = Shelf(10)
    shelf.put(b"small", Thing(1))
    shelf.put(b"large", Thing(1, "old"))
    shelf.put(b"large", Thing(OCTETS + 1))
    assert shelf.find(b"large") is None
    assert shelf.find(b"small") == Thing(1)


def test_what_is_replaced_counts_no_more() -> None:
    shelf: Shelf[Thing] = Shelf(10)
    shelf.put(b"other", Thing(1))
    for _ in range(100):
        shelf.put(b"changing", Thing(OCTETS // 3))
    assert shelf.find(b"other") == Thing(1)


def test_large_entries_have_no_more_room_than_many() -> None:
    shelf: Shelf[Thing] = Shelf(1000)
    for number in range(100):
        shelf.put(b"%d" % number, Thing(OCTETS // 2))
    assert len(shelf) <= 4


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "find", "drop"]),
            st.integers(0, 30),
            st.integers(0, OCTETS + 1),
        ),
        max_size=200,
    )
)
def test_it_never_has_more_than_it_may_nor_what_was_replaced(
    steps: list[tuple[str, int, int]],
) -> None:
    shelf, newest = Shelf[Thing](8), dict[bytes, Thing]()
    for act, number, octets in steps:
        key = b"%d" % number
        if act == "put":
            newest[key] = Thing(octets)
            shelf.put(key, newest[key])
        elif act == "drop":
            newest.pop(key, None)
            shelf.drop(key)
        else:
            found = shelf.find(key)
            assert found is None or found is newest[key]
        assert len(shelf) <= 8
    kept = [shelf.find(b"%d" % number) for number in range(31)]
    assert sum(thing.octets for thing in kept if thing) <= 2 * OCTETS


def test_it_can_forget_everything() -> None:
    shelf: Shelf[Thing] = Shelf(1)
    shelf.put(b"a", Thing(1))
    shelf.put(b"b", Thing(1))
    shelf.clear()
    assert len(shelf) == 0
