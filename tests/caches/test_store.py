"""Sweeping, messages between caches, and closing."""

from pathlib import Path

import pytest
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from sso_proxy.caches.environment import Environment
from sso_proxy.caches.local import LocalCache, LocalCacheConfig
from sso_proxy.caches.store import POLL, SWEEP, LocalStore
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClosable
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from tests.support.caching import CacheProcess, MakeLocal, now, real_cache


def opened(tmp_path: Path, clock: SettableClock) -> tuple[LocalStore, Clock]:
    reactor = Clock()
    store = LocalStore(Environment(tmp_path / "cache", clock), reactor)
    store.open(2**24)
    return store, reactor


def test_what_expires_is_swept(tmp_path: Path, clock: SettableClock) -> None:
    store, reactor = opened(tmp_path, clock)
    cache = LocalCache("test", LocalCacheConfig(), store)
    for purpose in ("a", "a-b", "b"):
        outcome_of(cache.add(purpose, b"1", b"", 1))
        outcome_of(cache.put(purpose, b"2", b"", 1000))
    kept = store.totals()["a"].octets // 2
    clock.advance(2)
    reactor.advance(SWEEP)
    octets = {purpose: totals.octets for purpose, totals in store.totals().items()}
    assert octets == dict.fromkeys(("a", "a-b", "b"), kept)
    store.close()


def test_closing_ends_everything(tmp_path: Path, clock: SettableClock) -> None:
    store, reactor = opened(tmp_path, clock)
    subscription = store.subscribe("a")
    assert verifyObject(IClosable, store)
    store.close()
    assert reactor.getDelayedCalls() == []
    with pytest.raises(StopAsyncIteration):
        outcome_of(subscription.__anext__())


def test_nothing_is_polled_without_subscribers(
    tmp_path: Path, clock: SettableClock
) -> None:
    store, reactor = opened(tmp_path, clock)
    assert len(reactor.getDelayedCalls()) == 1  # the sweep
    first, second = store.subscribe("a"), store.subscribe("b")
    assert len(reactor.getDelayedCalls()) == 2
    first.close()
    second.close()
    assert len(reactor.getDelayedCalls()) == 1
    store.close()


def test_messages_of_another_process_are_heard(tmp_path: Path) -> None:
    with CacheProcess(tmp_path / "cache") as other:
        cache = real_cache(tmp_path / "cache")
        cache.open()
        subscription = cache.subscribe("a")
        other.ask("publish a hello")
        other.ask("publish b not-this")
        other.ask("publish a again")
        cache.store.poll()
        assert now(subscription.__anext__()) == b"hello"
        assert now(subscription.__anext__()) == b"again"
        cache.store.close()


def test_subscriber_that_was_held_up_too_long_is_told_so(
    make_local: MakeLocal, clock: SettableClock
) -> None:
    cache = make_local()
    subscription = cache.subscribe("a")
    cache.store.poll = lambda: None  # type: ignore[method-assign]
    for _ in range(20):
        outcome_of(cache.publish("a", b"gone"))
        clock.advance(61)
    LocalStore.poll(cache.store)
    with pytest.raises(UnavailableError):
        outcome_of(subscription.__anext__())
    outcome_of(cache.publish("a", b"next"))
    LocalStore.poll(cache.store)
    assert outcome_of(subscription.__anext__()) == b"next"


def test_subscriber_learns_that_the_cache_is_gone(
    tmp_path: Path, clock: SettableClock
) -> None:
    store, reactor = opened(tmp_path, clock)
    subscription = store.subscribe("a")
    store.environment.close()
    reactor.advance(POLL)
    with pytest.raises(UnavailableError):
        outcome_of(subscription.__anext__())
    store.close()
