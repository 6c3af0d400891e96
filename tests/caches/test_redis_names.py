"""Records have names that say nothing, and stand where they belong."""

import pytest

from sso_proxy.caches.redis_names import BUCKETS, Names, hashed, slot_of


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        (b"123456789", 12739),  # the example of the cluster's specification
        (b"{123456789}.x", 12739),
        (b"a{123456789}b{c}", 12739),
        (b"{}123456789", slot_of(b"{}123456789")),
        (b"", 0),
    ],
)
def test_slot_is_that_of_the_braces(key: bytes, slot: int) -> None:
    assert slot_of(key) == slot


def test_empty_braces_count_for_nothing() -> None:
    assert slot_of(b"{}a") != slot_of(b"{}b")


def test_all_keys_of_a_change_are_in_one_slot() -> None:
    names = Names("p:", BUCKETS)
    for number in range(100):
        keys = names.value("kind", b"%d" % number)
        assert len(set(map(slot_of, keys.all))) == 1
        assert keys.stem + b"n" in names.sums("kind")


def test_buckets_are_all_used() -> None:
    names = Names("p:", BUCKETS)
    found = {names.value("kind", b"%d" % number).stem for number in range(1000)}
    assert len(found) == BUCKETS


def test_different_things_have_different_names() -> None:
    names = Names("p:")
    found = {
        names.value("a", b"x").record,
        names.value("b", b"x").record,
        names.value("a", b"y").record,
        names.index("a", b"x").record,
        Names("q:").value("a", b"x").record,
        Names("p:", BUCKETS).value("a", b"x").record,
    }
    assert len(found) == 6


def test_names_do_not_show() -> None:
    assert b"alice" not in Names("p:").value("a", b"alice").record
    assert b"alice" not in hashed(b"alice")
