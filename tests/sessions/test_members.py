"""Sets of sessions by group."""

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.sessions.groups import Group
from sso_proxy.sessions.members import PURPOSES, Member, Members
from sso_proxy.testing.clock import SettableClock
from tests.support.caching import now

ALICE: Group = ("sub", "https://op.example", "alice")
BOB: Group = ("sub", "https://op.example", "bob")


def test_sessions_are_listed_the_oldest_first() -> None:
    members = Members("main", MemoryCache(MemoryCacheConfig(), SettableClock()))
    each = [Member.of(when, bytes([n]) * 32) for n, when in enumerate((3.5, 1, 2))]
    for member in each:
        now(members.add(ALICE, member, 60))
    assert now(members.list_of(ALICE)) == [each[1], each[2], each[0]]
    now(members.remove(ALICE, each[1]))
    assert now(members.list_of(ALICE)) == [each[2], each[0]]
    assert now(members.list_of(BOB)) == []


def test_the_same_user_of_other_sessions_is_another_one() -> None:
    cache = MemoryCache(MemoryCacheConfig(), SettableClock())
    now(Members("a", cache).add(ALICE, Member(1, bytes(32)), 60))
    assert now(Members("b", cache).list_of(ALICE)) == []


def test_what_is_no_member_is_passed_over() -> None:
    cache = MemoryCache(MemoryCacheConfig(), SettableClock())
    members = Members("main", cache)
    now(members.add(ALICE, Member(1, bytes(32)), 60))
    kind = cache._kinds[PURPOSES["sub"]]  # noqa: SLF001
    (index,) = kind._members  # noqa: SLF001
    now(cache.index_add(PURPOSES["sub"], index, b"later", 60))
    assert now(members.list_of(ALICE)) == [Member(1, bytes(32))]


def test_a_session_at_a_provider_is_no_user() -> None:
    """A provider may call sessions and users by the same names."""
    members = Members("main", MemoryCache(MemoryCacheConfig(), SettableClock()))
    now(members.add(ALICE, Member(1, bytes(32)), 60))
    assert now(members.list_of(("sid", *ALICE[1:]))) == []
