"""Every sequence of calls has the same answers, whatever keeps the records."""

import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock

from sso_proxy.caches.environment import Environment
from sso_proxy.caches.local import LocalCache, LocalCacheConfig
from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.caches.store import LocalStore
from sso_proxy.testing.clock import SettableClock
from tests.support.caching import now

PURPOSES = st.sampled_from(["a", "a-b", "b"])
NAMES = st.sampled_from([b"", b"1", b"2"])
VALUES = st.sampled_from([b"", b"x", b"y", b"z" * 3000])
TTLS = st.sampled_from([0.5, 1.0, 5.0, 60.0])


class Backends(RuleBasedStateMachine):
    """Memory and files, asked the same at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SettableClock()
        self.directory = tempfile.TemporaryDirectory()
        environment = Environment(Path(self.directory.name) / "cache", self.clock, "b")
        self.store = LocalStore(environment, Clock())
        self.local = LocalCache("test", LocalCacheConfig(budget=2**20), self.store)
        self.local.open()
        self.memory = MemoryCache(MemoryCacheConfig(), self.clock)

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    def same(self, method: str, *arguments: object) -> object:
        calls: list[Coroutine[Any, Any, object]] = [
            getattr(cache, method)(*arguments) for cache in (self.memory, self.local)
        ]
        answers = [now(call) for call in calls]
        if method == "index_list":
            answers = [sorted(answer) for answer in answers]  # type: ignore[call-overload]
        assert answers[0] == answers[1], (method, arguments)
        return answers[0]

    @rule(purpose=PURPOSES, name=NAMES, value=VALUES, ttl=TTLS)
    def put(self, purpose: str, name: bytes, value: bytes, ttl: float) -> None:
        self.same("put", purpose, name, value, ttl)
        assert self.same("get", purpose, name) == value

    @rule(purpose=PURPOSES, name=NAMES, value=VALUES, ttl=TTLS)
    def add(self, purpose: str, name: bytes, value: bytes, ttl: float) -> None:
        before = self.same("get", purpose, name)
        assert self.same("add", purpose, name, value, ttl) is (before is None)

    @rule(purpose=PURPOSES, name=NAMES)
    def take(self, purpose: str, name: bytes) -> None:
        before = self.same("get", purpose, name)
        assert self.same("take", purpose, name) == before
        assert self.same("get", purpose, name) is None

    @rule(purpose=PURPOSES, name=NAMES)
    def delete(self, purpose: str, name: bytes) -> None:
        self.same("delete", purpose, name)
        assert self.same("get", purpose, name) is None

    @rule(purpose=PURPOSES, name=NAMES, ttl=TTLS)
    def touch(self, purpose: str, name: bytes, ttl: float) -> None:
        self.same("touch", purpose, name, ttl)

    @rule(purpose=PURPOSES, name=NAMES, old=st.none() | VALUES, new=VALUES, ttl=TTLS)
    def compare_and_set(
        self, purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> None:
        self.same("compare_and_set", purpose, name, old, new, ttl)

    @rule(purpose=PURPOSES, index=NAMES, member=VALUES, ttl=TTLS)
    def index_add(self, purpose: str, index: bytes, member: bytes, ttl: float) -> None:
        self.same("index_add", purpose, index, member, ttl)

    @rule(purpose=PURPOSES, index=NAMES, member=VALUES)
    def index_remove(self, purpose: str, index: bytes, member: bytes) -> None:
        self.same("index_remove", purpose, index, member)

    @rule(seconds=st.sampled_from([0.25, 1.0, 10.0]))
    def let_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-3600, 3600]))
    def set_the_clock(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def sweep(self) -> None:
        self.store.sweep()

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.local.open()

    @invariant()
    def everything_is_the_same(self) -> None:
        for purpose in ("a", "a-b", "b"):
            for name in (b"", b"1", b"2"):
                self.same("get", purpose, name)
                self.same("index_list", purpose, name)

    @invariant()
    def nothing_is_counted_that_is_not_there(self) -> None:
        for totals in self.store.totals().values():
            assert totals.octets % 2 == 0
            assert 0 <= totals.octets < 2**20


Backends.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None
)
TestBackends = Backends.TestCase
