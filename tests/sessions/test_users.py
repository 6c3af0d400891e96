"""Sets of sessions by user."""

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.sessions.users import PURPOSE, Member, Users
from sso_proxy.testing.clock import SettableClock
from tests.support.caching import now

ALICE = ("https://op.example", "alice")
BOB = ("https://op.example", "bob")


def test_sessions_are_listed_the_oldest_first() -> None:
    users = Users("main", MemoryCache(MemoryCacheConfig(), SettableClock()))
    members = [Member.of(when, bytes([n]) * 32) for n, when in enumerate((3.5, 1, 2))]
    for member in members:
        now(users.add(ALICE, member, 60))
    assert now(users.list_of(ALICE)) == [members[1], members[2], members[0]]
    now(users.remove(ALICE, members[1]))
    assert now(users.list_of(ALICE)) == [members[2], members[0]]
    assert now(users.list_of(BOB)) == []


def test_the_same_user_of_other_sessions_is_another_one() -> None:
    cache = MemoryCache(MemoryCacheConfig(), SettableClock())
    now(Users("a", cache).add(ALICE, Member(1, bytes(32)), 60))
    assert now(Users("b", cache).list_of(ALICE)) == []


def test_what_is_no_member_is_passed_over() -> None:
    cache = MemoryCache(MemoryCacheConfig(), SettableClock())
    users = Users("main", cache)
    now(users.add(ALICE, Member(1, bytes(32)), 60))
    kind = cache._kinds[PURPOSE]  # noqa: SLF001  # what another release may write
    (index,) = kind._members  # noqa: SLF001
    now(cache.index_add(PURPOSE, index, b"later", 60))
    assert now(users.list_of(ALICE)) == [Member(1, bytes(32))]
