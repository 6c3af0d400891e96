"""The contract check of caches."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sso_proxy.caches.records import MOST, OPERATIONS
from sso_proxy.interfaces import ICache
from sso_proxy.testing.contract import check_shape, require

_A: Final = "check-a"
_B: Final = "check-b"
_LIFE: Final = 2.0
"""Seconds that the records live which have to expire: no server counts less than 1."""

NAMES: Final = (
    b"",
    b" ",
    b"a",
    b"\0",
    b"a\r\nget b",
    b"\xff\xfe",
    "ä".encode(),
    b"n" * 10000,
)
"""Names that a server's protocol could take for something else."""

_HOSTILE_PURPOSES: Final = ("", "A", "a b", "a\0", "a/b", "ä", "a" * 33)
_HOSTILE_TTLS: Final = (0.0, -1.0, math.nan, math.inf)

LetPass = Callable[[float], Awaitable[object]]


async def check_cache(cache: ICache, let_pass: LetPass) -> None:
    """
    Check that *cache* keeps the contract of `ICache`, as far as one process can tell.

    Operations that are not in its ``operations`` are left out.

    Args:
        cache: An open cache that has nothing for the purposes ``check-a`` and
            ``check-b``.
        let_pass: Lets so many seconds pass.

    Raises:
        ContractError: It does not keep it.
    """
    check_shape(cache, ICache)
    able = cache.operations
    require(isinstance(able, frozenset), "operations is no frozenset")
    require(able <= OPERATIONS, f"operations has {sorted(able - OPERATIONS)}")
    require({"get", "put", "delete"} <= able, "cannot get, put and delete")
    await _check_values(cache)
    await _check_purposes(cache)
    for operation, check in (
        ("add", _check_add),
        ("mark", _check_mark),
        ("take", _check_take),
        ("compare_and_set", _check_compare_and_set),
        ("index_list", _check_index),
        ("subscribe", _check_messages),
    ):
        if operation in able:
            await check(cache)
    await _check_refusals(cache)
    if "mark" in able:
        await cache.mark(_A, b"short", _LIFE)
        await cache.mark(_A, b"long", 600)
    await _check_expiry(cache, let_pass)
    if "mark" in able:
        require(await cache.mark(_A, b"short", 60) is True, "mark: has expired")
        require(await cache.mark(_A, b"long", 60) is False, "mark: was cut short")


async def _check_values(cache: ICache) -> None:
    values = (b"", b"0123", b"\0\r\n\xff", bytes(range(256)), b"v" * MOST)
    for name in NAMES:
        require(await cache.get(_A, name) is None, f"{name!r:.50} is there already")
    for number, name in enumerate(NAMES):
        await cache.put(_A, name, b"%d" % number, 60)
    for number, name in enumerate(NAMES):
        found = await cache.get(_A, name)
        require(found == b"%d" % number, f"{name!r:.50} has another's value")
        await cache.delete(_A, name)
        await cache.delete(_A, name)
        require(await cache.get(_A, name) is None, "what was deleted is there")
    for value in values:
        await cache.put(_A, b"value", value, 60)
        found = await cache.get(_A, b"value")
        require(found == value, f"gives something else than {value!r:.50}")
    await cache.delete(_A, b"value")


async def _check_purposes(cache: ICache) -> None:
    await cache.put(_A, b"name", b"a", 60)
    require(await cache.get(_B, b"name") is None, "purposes share their records")
    await cache.put(_B, b"name", b"b", 60)
    require(await cache.get(_A, b"name") == b"a", "purposes share their records")
    # Written one behind the other without a boundary, these would be the same.
    await cache.put("check", b"-aname", b"c", 60)
    require(await cache.get(_A, b"name") == b"a", "purpose and name run together")
    for purpose, name in ((_A, b"name"), (_B, b"name"), ("check", b"-aname")):
        await cache.delete(purpose, name)


async def _check_add(cache: ICache) -> None:
    require(await cache.add(_A, b"mark", b"1", 60) is True, "add: not the first")
    require(await cache.add(_A, b"mark", b"2", 60) is False, "add: twice the first")
    require(await cache.get(_A, b"mark") == b"1", "add: has replaced a value")
    require(await cache.add(_B, b"mark", b"3", 60) is True, "add: other purpose")
    for purpose in (_A, _B):
        await cache.delete(purpose, b"mark")
    require(await cache.add(_A, b"mark", b"4", 60) is True, "add: after delete")
    await cache.delete(_A, b"mark")


async def _check_mark(cache: ICache) -> None:
    require(await cache.mark(_A, b"seen", 60) is True, "mark: not the first")
    require(await cache.mark(_A, b"seen", 60) is False, "mark: twice the first")
    require(await cache.mark(_A, b"seem", 60) is True, "mark: another name")
    require(await cache.mark(_B, b"seen", 60) is True, "mark: other purpose")
    done = await cache.mark("check", b"-aseen", 60)
    require(done is True, "mark: purpose and name run together")


async def _check_take(cache: ICache) -> None:
    require(await cache.take(_A, b"once") is None, "take: gives what is not there")
    await cache.put(_A, b"once", b"x", 60)
    require(await cache.take(_A, b"once") == b"x", "take: gives something else")
    require(await cache.take(_A, b"once") is None, "take: gives it twice")
    require(await cache.get(_A, b"once") is None, "take: leaves it there")


async def _check_compare_and_set(cache: ICache) -> None:
    async def tried(old: bytes | None, new: bytes) -> bool:
        return await cache.compare_and_set(_A, b"cas", old, new, 60)

    require(await tried(b"", b"x") is False, "compare_and_set: nothing is not empty")
    require(await tried(None, b"1") is True, "compare_and_set: nothing was there")
    require(await tried(None, b"2") is False, "compare_and_set: something was there")
    require(await tried(b"0", b"2") is False, "compare_and_set: another value")
    require(await cache.get(_A, b"cas") == b"1", "compare_and_set: set it all the same")
    require(await tried(b"1", b"2") is True, "compare_and_set: the same value")
    require(await cache.get(_A, b"cas") == b"2", "compare_and_set: has not set it")
    await cache.delete(_A, b"cas")


async def _check_index(cache: ICache) -> None:
    async def listed(index: bytes) -> set[bytes]:
        members = await cache.index_list(_A, index)
        require(isinstance(members, list), "index_list: no list")
        require(len(set(members)) == len(members), "index_list: a member twice")
        return set(members)

    require(await listed(b"user") == set(), "index_list: members out of nowhere")
    for member in (*NAMES, *NAMES):
        await cache.index_add(_A, b"user", member, 60)
    await cache.index_add(_A, b"other", b"a", 60)
    require(await listed(b"user") == set(NAMES), "index_list: not what was added")
    require(await cache.get(_A, b"user") is None, "an index is a value, too")
    await cache.index_remove(_A, b"user", b"a")
    await cache.index_remove(_A, b"user", b"not there")
    require(await listed(b"user") == set(NAMES) - {b"a"}, "index_remove: not removed")
    require(await listed(b"other") == {b"a"}, "index_remove: removed elsewhere")
    for member in NAMES:
        await cache.index_remove(_A, b"user", member)
    await cache.index_remove(_A, b"other", b"a")
    require(await listed(b"user") == set(), "index_remove: something stays")


async def _check_messages(cache: ICache) -> None:
    await cache.publish(_A, b"too early")
    heard, other = cache.subscribe(_A), cache.subscribe(_B)
    messages = [b"1", b"", b"\0\r\n\xff"]
    for message in messages:
        await cache.publish(_A, message)
    await cache.publish(_B, b"other")
    for message in messages:
        require(await heard.__anext__() == message, "subscribe: another message")
    require(await other.__anext__() == b"other", "subscribe: another purpose's")
    for subscription in (heard, other):
        subscription.close()
        try:
            await subscription.__anext__()
        except StopAsyncIteration:
            continue
        require(condition=False, problem="subscribe: goes on after close")


async def _check_refusals(cache: ICache) -> None:
    for purpose in _HOSTILE_PURPOSES:
        await _check_raises(cache.get(purpose, b"a"), f"purpose {purpose!r}")
        await _check_raises(cache.put(purpose, b"a", b"", 1), f"purpose {purpose!r}")
    for ttl in _HOSTILE_TTLS:
        await _check_raises(cache.put(_A, b"a", b"", ttl), f"put for {ttl} s")
        if "add" in cache.operations:
            await _check_raises(cache.add(_A, b"a", b"", ttl), f"add for {ttl} s")
        if "mark" in cache.operations:
            await _check_raises(cache.mark(_A, b"a", ttl), f"mark for {ttl} s")
    long = b"v" * (MOST + 1)
    await _check_raises(cache.put(_A, b"a", long, 1), "a value that is too long")
    require(await cache.get(_A, b"a") is None, "kept something that it refused")


async def _check_raises(call: Awaitable[Any], what: str) -> None:
    try:
        await call
    except ValueError:
        return
    require(condition=False, problem=f"{what}: no ValueError")


async def _check_expiry(cache: ICache, let_pass: LetPass) -> None:
    able = cache.operations
    names = (b"get", b"take", b"touch", b"prolonged", b"cas", b"add")
    for name in names:
        await cache.put(_A, name, b"old", _LIFE)
    if "touch" in able:
        require(await cache.touch(_A, b"prolonged", 600) is True, "touch: not there")
        require(await cache.touch(_A, b"no", 600) is False, "touch: out of nowhere")
        require(await cache.get(_A, b"no") is None, "touch: made something")
    if "add" in able:
        await cache.add(_A, b"mark", b"", _LIFE)
    if "index_add" in able:
        await cache.index_add(_A, b"index", b"member", _LIFE)
        await cache.index_add(_A, b"index", b"longer", 600)
    await let_pass(_LIFE + 1)
    require(await cache.get(_A, b"get") is None, "get: has expired")
    if "take" in able:
        require(await cache.take(_A, b"take") is None, "take: has expired")
    if "touch" in able:
        require(await cache.touch(_A, b"touch", 60) is False, "touch: has expired")
        require(await cache.get(_A, b"touch") is None, "touch: brought it back")
        require(await cache.get(_A, b"prolonged") == b"old", "touch: did not prolong")
    if "compare_and_set" in able:
        done = await cache.compare_and_set(_A, b"cas", b"old", b"new", 60)
        require(done is False, "compare_and_set: compares with what has expired")
    if "add" in able:
        require(await cache.add(_A, b"add", b"new", 60) is True, "add: has expired")
        require(await cache.get(_A, b"add") == b"new", "add: not what was added")
        require(await cache.add(_A, b"mark", b"", 60) is True, "add: mark has expired")
    if "index_list" in able:
        members = await cache.index_list(_A, b"index")
        require(members == [b"longer"], "index_list: has expired")
