"""Addresses and prefixes are refused where they could be read in two ways."""

import pytest

from sso_proxy.caches.redis_config import (
    RedisCacheConfig,
    RedisSentinelConfig,
    read_address,
)
from sso_proxy.caches.redis_dial import Place
from sso_proxy.config.secrets import Secret


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("redis.example.com:6379", Place("redis.example.com", 6379)),
        ("192.0.2.1:1", Place("192.0.2.1", 1)),
        ("[2001:db8::1]:65535", Place("2001:db8::1", 65535)),
        ("unix:/run/redis.sock", Place("/run/redis.sock", 0)),
    ],
)
def test_addresses_are_read(text: str, place: Place) -> None:
    assert read_address(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "redis.example.com",
        "redis.example.com:0",
        "redis.example.com:65536",
        "redis://redis.example.com:6379",
        "user:secret@redis.example.com:6379",
        "2001:db8::1:6379",
        "a b:6379",
        "unix:run/redis.sock",
        "/run/redis.sock",
    ],
)
def test_other_texts_are_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        RedisCacheConfig(server=text)


def test_sockets_are_no_cluster() -> None:
    with pytest.raises(ValueError, match="this machine"):
        RedisCacheConfig(cluster=("unix:/run/redis.sock",))
    with pytest.raises(ValueError, match="this machine"):
        RedisSentinelConfig(servers=("unix:/run/redis.sock",), master="m")


@pytest.mark.parametrize("prefix", ["{a}", "a b", "a" * 65, "ä", "a*"])
def test_prefix_decides_about_no_slot(prefix: str) -> None:
    with pytest.raises(ValueError, match="must be at most 64"):
        RedisCacheConfig(prefix=prefix)


def test_passwords_do_not_show() -> None:
    config = RedisCacheConfig(
        password=Secret("s3cret"),
        sentinel=RedisSentinelConfig(
            servers=("a:1",), master="m", password=Secret("s3cret")
        ),
    )
    assert "s3cret" not in repr(config)
