"""The first key of a holder stays, and nobody else can write or read it."""

from pathlib import Path

import attrs
import pytest

from sso_proxy.sessions.device_keys import PURPOSE, DeviceKey, DeviceKeys
from tests.support.caching import now, real_cache
from tests.support.sessions import SessionTools

KEY = DeviceKey(
    jwk={"kty": "EC", "crv": "P-256", "x": "a", "y": "b"},
    thumbprint="print",
    algorithm="ES256",
    since=1.5,
)
OTHER = attrs.evolve(KEY, thumbprint="another")


def keys_of(tools: SessionTools, name: str = "main") -> DeviceKeys:
    return DeviceKeys(tools.memory, tools.sealer("device-key"), name)


def test_a_key_is_found_by_its_holder_in_any_process() -> None:
    tools = SessionTools()
    assert now(keys_of(tools).register("h", KEY, 60))
    other = keys_of(tools.another())
    assert now(other.find("h")) == KEY
    assert now(other.has("h"))
    assert now(other.find("another")) is None
    assert not now(other.has("another"))


def test_the_first_key_stays() -> None:
    tools = SessionTools()
    assert now(keys_of(tools).register("h", KEY, 60))
    assert not now(keys_of(tools.another()).register("h", OTHER, 60))
    assert now(keys_of(tools).find("h")) == KEY


def test_holders_of_another_kind_have_keys_of_their_own() -> None:
    tools = SessionTools()
    now(keys_of(tools, "main").register("h", KEY, 60))
    assert not now(keys_of(tools, "admin").has("h"))


def test_a_key_is_there_as_long_as_its_holder() -> None:
    tools = SessionTools()
    now(keys_of(tools).register("h", KEY, 60))
    tools.clock.advance(59)
    assert now(keys_of(tools).has("h"))
    tools.clock.advance(1)
    assert not now(keys_of(tools).has("h"))


def test_who_is_over_leaves_nothing() -> None:
    tools = SessionTools()
    now(keys_of(tools).register("h", KEY, 60))
    now(keys_of(tools).forget("h"))
    assert not now(keys_of(tools).has("h"))
    now(keys_of(tools).forget("h"))


@pytest.mark.parametrize("record", [b"", b"{}", b"\1\4test" + bytes(60)])
def test_what_somebody_else_wrote_is_no_key_but_there_is_one(record: bytes) -> None:
    """Else who can write to the cache, or a key ring that is gone, unbinds holders."""
    tools = SessionTools()
    name = keys_of(tools)._digest("h")  # noqa: SLF001
    now(tools.memory.put(PURPOSE, name, record, 60))
    assert now(keys_of(tools).find("h")) is None
    assert now(keys_of(tools).has("h"))


def test_the_record_of_one_holder_is_none_of_another() -> None:
    tools = SessionTools()
    keys = keys_of(tools)
    now(keys.register("h", KEY, 60))
    record = now(tools.memory.get(PURPOSE, keys._digest("h")))  # noqa: SLF001
    assert record is not None
    now(tools.memory.put(PURPOSE, keys._digest("thief"), record, 60))  # noqa: SLF001
    assert now(keys.find("thief")) is None


def test_the_cache_of_a_machine_keeps_keys(tmp_path: Path) -> None:
    tools, cache = SessionTools(), real_cache(tmp_path)
    cache.open()
    try:
        one, other = (DeviceKeys(cache, tools.sealer("device-key")) for _ in "ab")
        assert now(one.register("h", KEY, 60))
        assert not now(other.register("h", OTHER, 60))
        assert now(other.find("h")) == KEY
    finally:
        cache.store.close()
