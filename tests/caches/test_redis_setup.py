"""Options that do not go together are refused, all of them at once."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from sso_proxy.caches.redis_cluster import Cluster
from sso_proxy.caches.redis_config import (
    RedisCacheConfig,
    RedisSentinelConfig,
    RedisTlsConfig,
)
from sso_proxy.caches.redis_node import Node
from sso_proxy.caches.redis_setup import build_servers, read_settings
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError
from sso_proxy.testing.pki import Pki

SENTINEL = RedisSentinelConfig(servers=("127.0.0.1:26379",), master="m")


def mistakes(**options: Any) -> dict[str, str]:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        read_settings(RedisCacheConfig(**options), "cache.r")
    return {mistake.path: mistake.problem for mistake in caught.value.mistakes}


def test_only_one_way_to_the_server_can_be_meant() -> None:
    found = mistakes(server="[::1]:1", sentinel=SENTINEL, cluster=("127.0.0.1:1",))
    assert found.keys() == {"cache.r.sentinel", "cache.r.cluster"}


def test_other_machines_need_tls() -> None:
    found = mistakes(server="192.0.2.1:6379")
    assert "another machine" in found["cache.r.server"]
    far = RedisSentinelConfig(servers=("192.0.2.1:1",), master="m")
    tls = RedisTlsConfig()
    assert mistakes(sentinel=far, tls=tls).keys() == {"cache.r.sentinel.servers"}
    assert mistakes(cluster=("192.0.2.1:1",)).keys() == {"cache.r.cluster"}
    read_settings(RedisCacheConfig(server="192.0.2.1:1", allow_plaintext=True), "")
    read_settings(RedisCacheConfig(server="192.0.2.1:1", tls=tls), "")
    read_settings(RedisCacheConfig(server="unix:/run/redis.sock"), "")


def test_options_have_an_effect() -> None:
    tls = RedisTlsConfig()
    assert mistakes(server="unix:/run/redis.sock", tls=tls).keys() == {"cache.r.tls"}
    found = mistakes(server="192.0.2.1:1", tls=tls, allow_plaintext=True)
    assert found.keys() == {"cache.r.allow_plaintext"}


def test_user_has_a_password() -> None:
    near = RedisSentinelConfig(servers=("[::1]:1",), master="m", username="u")
    found = mistakes(username="u", sentinel=near)
    assert found.keys() == {"cache.r.username", "cache.r.sentinel.username"}


def test_cluster_has_one_database_and_large_budgets() -> None:
    found = mistakes(cluster=("127.0.0.1:1",), database=1, budget=2**22)
    assert found.keys() == {"cache.r.database", "cache.r.budget"}


def test_files_are_read_and_tried(tmp_path: Path) -> None:
    authority = Pki.create()
    ca = str(authority.write(tmp_path))
    certificate, key = authority.issue("a", client=True).write(tmp_path, "a")
    _, other = authority.issue("b", client=True).write(tmp_path, "b")

    def tls(**options: str) -> RedisTlsConfig:
        return RedisTlsConfig(**options)

    read_settings(
        RedisCacheConfig(tls=tls(ca=ca, certificate=str(certificate), key=str(key))),
        "cache.r",
    )
    for bad in (
        tls(ca=str(tmp_path / "none")),
        tls(ca=str(key)),
        tls(certificate=str(certificate)),
        tls(certificate=str(certificate), key=str(other)),
    ):
        assert mistakes(tls=bad).keys() == {"cache.r.tls"}


def test_changed_files_are_other_settings(tmp_path: Path) -> None:
    """A reload after a renewal must not go on with the old certificate."""
    settings = []
    for _ in range(2):
        ca = str(Pki.create().write(tmp_path))
        config = RedisCacheConfig(tls=RedisTlsConfig(ca=ca))
        settings.append(read_settings(config, ""))
    assert settings[0] != settings[1]


def test_settings_show_no_password() -> None:
    settings = read_settings(RedisCacheConfig(password=Secret("s3cret")), "")
    assert "s3cret" not in repr(settings)


def test_servers_are_those_of_the_options() -> None:
    clock: Any = Clock()
    for options, kind in (
        ({}, Node),
        ({"sentinel": SENTINEL}, Node),
        ({"cluster": ("127.0.0.1:1",)}, Cluster),
    ):
        settings = read_settings(RedisCacheConfig(**options), "")
        assert type(build_servers(settings, clock, lambda: 0.0)) is kind
