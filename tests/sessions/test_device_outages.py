"""Nothing that fails, is set back or is forgotten makes a copied cookie good."""

from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs

from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.config.key_ring import KeyRing, RingKey
from sso_proxy.errors import UnavailableError
from sso_proxy.sealing import RingSealer
from sso_proxy.sessions.lifetime import SKEW
from sso_proxy.testing.fakes import KEY_RING, NOW
from tests.support.caching import now, real_cache
from tests.support.device_keys import instructed
from tests.support.device_person import Person, bound, make
from tests.support.sessions import MAKERS, BrokenCache, SessionTools

LEVELS = ("require", "prefer", "observe")


def broken() -> tuple[SessionTools, BrokenCache]:
    tools = SessionTools()
    cache = BrokenCache(MemoryCacheConfig(budget=2**16), tools.clock)
    tools.memory = cache
    return tools, cache


@pytest.mark.parametrize("failure", ["refuse", "login"])
def test_a_cache_that_is_down_lets_nobody_in_unproved(
    maker: Any,  # noqa: ANN401
    failure: str,
) -> None:
    tools, cache = broken()
    store, alice = bound(maker, tools, on_store_failure=failure)
    tools.clock.advance(300)
    cache.broken = frozenset({"get"})
    if failure == "refuse":
        with pytest.raises(UnavailableError):
            alice.load(store)
    else:
        assert alice.load(store).session is None
    with pytest.raises(UnavailableError):
        alice.refresh(store)
    cache.broken = frozenset({"mark"})
    with pytest.raises(UnavailableError):
        alice.refresh(store)
    cache.broken = frozenset()
    assert alice.refresh(store).status == 200


def test_a_cache_without_room_registers_nothing(maker: Any) -> None:  # noqa: ANN401
    tools, cache = broken()
    store, alice = make(maker, tools), Person()
    alice.log_in(store)
    cache.broken = frozenset({"add"})
    with pytest.raises(UnavailableError):
        alice.register(store)
    cache.broken = frozenset()
    assert alice.load(store).session is not None


def test_a_login_does_not_fail_for_a_key_that_nobody_can_keep(maker: Any) -> None:  # noqa: ANN401
    tools, cache = broken()
    store, alice = make(maker, tools), Person()
    cache.broken = frozenset({"mark"})
    with capturedLogs() as logs:
        alice.log_in(store)
    assert any("can be registered now" in str(e["log_format"]) for e in logs)
    assert alice.offer == {}
    assert alice.load(store).session is not None


def test_a_logout_does_not_fail_for_a_key_that_stays(maker: Any) -> None:  # noqa: ANN401
    tools, cache = broken()
    store, alice = bound(maker, tools)
    delete = cache.delete

    async def failing(purpose: str, name: bytes) -> None:
        if purpose == "device-key":
            raise UnavailableError("the cache of this test")
        await delete(purpose, name)

    cache.delete = failing  # type: ignore[method-assign]
    with capturedLogs() as logs:
        now(store.end(alice.browser.request()))
    assert any("stays a while" in str(e["log_format"]) for e in logs)
    assert alice.load(store).session is None


def test_other_records_never_push_keys_out(maker: Any) -> None:  # noqa: ANN401
    """Else a thief who logs in often enough makes what he has copied good again."""
    tools, _ = broken()  # which has little room
    store, alice = bound(maker, tools)
    session = alice.load(store).session
    assert session is not None
    for number in range(200):
        name = b"%d" % number
        now(tools.memory.put("device-key", name, bytes(900), 9999))
    assert store.devices is not None
    assert now(store.devices.is_bound(session.id))


def test_processes_of_one_machine_know_each_others_keys(tmp_path: Path) -> None:
    tools = SessionTools()
    cache = real_cache(tmp_path)
    cache.open()
    tools.memory = cache  # type: ignore[assignment]
    try:
        one = make(MAKERS["cookie"], tools)
        other = make(MAKERS["cookie"], tools.another())
        alice = Person()
        alice.log_in(one)
        assert alice.register(other).status == 200
        used = alice.challenge
        assert alice.refresh(one).status == 200
        assert alice.refresh(other, used).status == 403
        assert alice.refresh(other).status == 200
    finally:
        cache.store.close()


def test_a_clock_that_is_set_back_makes_nothing_good_again(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools, "require")
    tools.clock.now -= SKEW - 1
    assert alice.load(store).session is not None
    tools.clock.now -= 2
    assert alice.load(store).session is None
    tools.clock.now += 900
    assert alice.load(store).refused == "device-missing"


def test_a_restart_with_another_key_of_ours_forgets_nothing(
    maker: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tools = SessionTools()
    _, alice = bound(maker, tools, "require")
    (old,) = KEY_RING.keys
    newer = RingKey(kid="newer", created=int(NOW) - 9999, secret=bytes(range(1, 33)))
    rings = {"both": KeyRing((newer, old)), "newer": KeyRing((newer,))}
    for ring in ("both", "newer"):
        monkeypatch.setattr(
            SessionTools, "sealer", lambda _, kind, r=ring: RingSealer(kind, rings[r])
        )
        again = make(maker, tools.another(), "require")
        opened = alice.load(again)
        if ring == "both":
            assert opened.session is not None
            tools.clock.advance(300)
            assert alice.refresh(again).status == 200
        else:
            assert opened.session is None


@pytest.mark.parametrize("level", ["require", "prefer"])
def test_a_key_that_cannot_be_read_any_more_frees_nobody(
    maker: Any,  # noqa: ANN401
    level: str,
) -> None:
    tools = SessionTools()
    store, alice = bound(maker, tools, level)
    ((name,),) = tools.memory._kinds["device-key"]._entries  # noqa: SLF001
    now(tools.memory.put("device-key", name, bytes(80), 9999))
    tools.clock.advance(300)
    assert alice.load(store).refused == "device-missing"
    assert instructed(alice.refresh(store))["continue"] is False
