"""The list that machines share, in a cache."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.task import Clock

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.config.fleet_parts import RevocationsConfig
from sso_proxy.config.key_ring import KeyRing, RingKey, write_key_ring
from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    KeyRingConfig,
    ListenerConfig,
    RouteConfig,
    ServerConfig,
)
from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import ICache
from sso_proxy.revocation_list import PURPOSE, SharedList, check_shared, open_shared
from sso_proxy.sealing import RingSealer
from sso_proxy.specs.revocation_record import RevocationRecord
from sso_proxy.specs.revocations import Revocation
from sso_proxy.storage import Storage
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import KEY_RING, NOW, FakeTools

OTHER_RING = KeyRing((RingKey(kid="new", created=int(NOW), secret=bytes(32)),))
ALICE = Revocation(issuer="i", subject="alice", until=int(NOW) + 60)
SAID = RevocationRecord.of(ALICE, 10)
INDEX = b"all"


def now(coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
    """Give what *coroutine* answers without waiting."""
    try:
        coroutine.send(None)
    except StopIteration as e:
        return e.value
    raise AssertionError("it waits")


class Place:
    """A cache, and machines that share a list in it."""

    def __init__(self) -> None:
        self.clock = SettableClock()
        self.cache = MemoryCache(MemoryCacheConfig(), self.clock)

    def machine(self, ring: KeyRing = KEY_RING) -> SharedList:
        return SharedList(self.cache, RingSealer(PURPOSE, ring), self.clock)

    @property
    def members(self) -> list[bytes]:
        found: list[bytes] = now(self.cache.index_list(PURPOSE, INDEX))
        return found


def test_what_one_machine_writes_the_others_read() -> None:
    place = Place()
    now(place.machine().write([SAID]))
    assert now(place.machine().read()).records == {ALICE.id: SAID}


def test_what_is_written_cannot_be_read_in_the_cache() -> None:
    place = Place()
    now(place.machine().write([SAID]))
    assert b"alice" not in place.members[0]


def test_later_word_is_read_and_the_earlier_one_is_surplus() -> None:
    place = Place()
    machine = place.machine()
    now(machine.write([SAID]))
    now(machine.write([SAID.lifted(20)]))
    found = now(machine.read())
    assert found.records == {ALICE.id: SAID.lifted(20)}
    now(machine.tidy(found.surplus))
    assert len(place.members) == 1
    assert now(machine.read()).records == {ALICE.id: SAID.lifted(20)}


def test_machines_that_tidy_at_the_same_time_leave_one() -> None:
    """Two have written the same, each with a seal of its own."""
    place = Place()
    one, other = place.machine(), place.machine()
    now(one.write([SAID]))
    now(other.write([SAID]))
    found = [now(one.read()), now(other.read())]
    for machine, each in zip((one, other), found, strict=True):
        now(machine.tidy(each.surplus))
    assert now(one.read()).records == {ALICE.id: SAID}
    assert len(place.members) == 1


def test_what_others_have_sealed_is_not_believed() -> None:
    place = Place()
    now(place.machine(OTHER_RING).write([SAID]))
    now(place.cache.index_add(PURPOSE, INDEX, b"garbage", 60.0))
    found = now(place.machine().read())
    assert (found.records, found.strange) == ({}, 2)


def test_what_another_release_has_sealed_is_not_believed() -> None:
    place = Place()
    sealed = RingSealer(PURPOSE, KEY_RING).seal(b'{"at": 1, "new": 1}')
    now(place.cache.index_add(PURPOSE, INDEX, sealed, 60.0))
    assert now(place.machine().read()).strange == 1


def test_record_goes_from_the_cache_a_day_after_its_time() -> None:
    place = Place()
    now(place.machine().write([SAID]))
    place.clock.advance(60 + 86399)
    assert place.members
    place.clock.advance(1)
    assert not place.members


CONFIG = Config(
    listener=(ListenerConfig(address="127.0.0.1", tls=False),),
    route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
)


def sharing(type_: str, cache: str = "shared", **options: Any) -> Config:  # noqa: ANN401
    server = ServerConfig(revocations=RevocationsConfig(cache=cache))
    component = ComponentConfig(type=type_, options=options)
    return attrs.evolve(CONFIG, server=server, cache={"shared": component})


def checked(config: Config) -> str:
    """Give what is wrong with it."""

    def make(_name: str, component: ComponentConfig) -> ICache:
        cache = MemoryCache(MemoryCacheConfig(), SettableClock())
        if component.type == "memcached":
            cache.operations = frozenset({"get", "put"})
        return cache

    with pytest.raises(ConfigError) as caught:
        check_shared(config, Storage(config, make, checking=True))
    (mistake,) = caught.value.mistakes
    assert mistake.path == "server.revocations.cache"
    return mistake.problem


def test_cache_has_to_be_there_and_within_reach_of_others() -> None:
    assert "no [cache.other]" in checked(sharing("redis", "other"))
    assert "other machines cannot reach" in checked(sharing("memory"))
    assert "other machines cannot reach" in checked(sharing("local"))
    assert "cannot index_add" in checked(sharing("memcached"))


def test_nothing_is_opened_where_nothing_is_shared() -> None:
    assert open_shared(Clock(), CONFIG) is None


def test_what_is_opened_can_be_closed(tmp_path: Path) -> None:
    ring = tmp_path / "keys.json"
    write_key_ring(ring, KEY_RING, replace=False)
    config = sharing("redis", server="127.0.0.1:6379")
    config = attrs.evolve(config, key_ring=KeyRingConfig(file=str(ring)))
    shared = open_shared(FakeTools().reactor or Clock(), config)
    assert shared is not None
    shared.close()
