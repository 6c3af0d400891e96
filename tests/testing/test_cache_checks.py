"""The check of caches finds what is wrong with one."""

from typing import Any

import pytest

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.testing import ContractError, check_cache, outcome_of
from sso_proxy.testing.clock import SettableClock

FOREVER = 1e6


class Broken(MemoryCache):
    """A cache that is good but for what a test changes."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        super().__init__(MemoryCacheConfig(), self.clock)


def verdict(cache: Broken) -> str:
    async def let_pass(seconds: float) -> None:
        cache.clock.advance(seconds)

    with pytest.raises(ContractError) as caught:
        outcome_of(check_cache(cache, let_pass))
    return str(caught.value)


def test_purposes_that_share_records_are_found() -> None:
    class Shared(Broken):
        async def get(self, purpose: str, name: bytes) -> bytes | None:
            first = await super().get("check-a", name)
            return first or await super().get(purpose, name)

    assert "purpose" in verdict(Shared())


def test_add_that_replaces_is_found() -> None:
    class Replacing(Broken):
        async def add(
            self, purpose: str, name: bytes, value: bytes, ttl: float
        ) -> bool:
            await self.put(purpose, name, value, ttl)
            return True

    assert verdict(Replacing()) == "add: twice the first"


def test_mark_that_is_always_new_is_found() -> None:
    class Forgetful(Broken):
        async def mark(self, purpose: str, name: bytes, ttl: float) -> bool:
            await super().mark(purpose, name, ttl)
            return True

    assert verdict(Forgetful()) == "mark: twice the first"


def test_take_that_leaves_it_there_is_found() -> None:
    class Leaving(Broken):
        async def take(self, purpose: str, name: bytes) -> bytes | None:
            return await self.get(purpose, name)

    assert verdict(Leaving()) == "take: gives it twice"


def test_record_that_never_expires_is_found() -> None:
    class Eternal(Broken):
        async def put(
            self, purpose: str, name: bytes, value: bytes, ttl: float
        ) -> None:
            await super().put(purpose, name, value, ttl and min(ttl, 1e9) and FOREVER)

    assert verdict(Eternal())


def test_numbers_that_are_read_as_numbers_are_found() -> None:
    class Converting(Broken):
        async def get(self, purpose: str, name: bytes) -> bytes | None:
            value = await super().get(purpose, name)
            return str(int(value)).encode() if value and value.isdigit() else value

    assert "0123" in verdict(Converting())


def test_operation_that_nobody_knows_is_found() -> None:
    cache: Any = Broken()
    cache.operations = frozenset({"get", "put", "delete", "fly"})
    assert "fly" in verdict(cache)


def test_cache_that_can_do_little_is_checked_for_that() -> None:
    class Little(Broken):
        operations = frozenset({"get", "put", "delete"})

        async def add(
            self, purpose: str, name: bytes, value: bytes, ttl: float
        ) -> bool:
            raise NotImplementedError

    cache = Little()

    async def let_pass(seconds: float) -> None:
        cache.clock.advance(seconds)

    outcome_of(check_cache(cache, let_pass))
