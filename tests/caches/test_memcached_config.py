"""Options that are unsafe or have no effect are refused, each at its place."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.caches.memcached import MemcachedCache
from sso_proxy.caches.memcached_config import MemcachedCacheConfig
from sso_proxy.errors import ConfigError
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.pki import Pki

FAR = {"servers": ("cache.example.com",)}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"servers": ()}, "must not be empty"),
        ({"servers": ("a b",)}, "is no host:port"),
        ({"servers": ("127.0.0.1", "127.0.0.1:11211")}, "names a server twice"),
        (FAR, "may be another machine: set tls = true"),
        (
            {**FAR, "tls": True, "allow_plaintext": True},
            "allow_plaintext has no effect",
        ),
        ({"ca": "ca.crt"}, "ca has no effect without tls"),
        ({"certificate": "a", "key": "b"}, "key has no effect without tls"),
        ({"tls": True, "certificate": "a"}, "are set together"),
        ({"tls": True, "servers": ("unix:/a",)}, "needs no tls"),
        ({"timeout": 0}, "must be from"),
    ],
)
def test_a_mistake_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        MemcachedCacheConfig(**options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {**FAR, "tls": True},
        {**FAR, "allow_plaintext": True},
        {"servers": ("unix:/run/a", "[::1]", "127.0.0.1:2")},
    ],
)
def test_what_is_safe_is_taken(options: dict[str, Any]) -> None:
    MemcachedCacheConfig(**options)


def mistake(**options: Any) -> str:  # noqa: ANN401
    config = MemcachedCacheConfig(tls=True, **options)
    with pytest.raises(ConfigError) as caught:
        MemcachedCache.from_config(config, FakeTools())
    (found,) = caught.value.mistakes
    return found.path


def test_files_that_cannot_be_used_are_mistakes_at_their_place(tmp_path: Path) -> None:
    pki = Pki.create()
    certificate, _ = pki.issue("a", client=True).write(tmp_path, "a")
    _, key = pki.issue("b", client=True).write(tmp_path, "b")
    assert mistake(ca=str(tmp_path / "missing")) == "ca"
    assert mistake(ca=str(key)) == "ca"
    assert mistake(certificate=str(certificate), key=str(key)) == "certificate"
    assert mistake(certificate=str(certificate), key=str(tmp_path / "gone")) == "key"


def test_checking_connects_to_nothing() -> None:
    cache = MemcachedCache.from_config(MemcachedCacheConfig(), FakeTools(reactor=None))
    assert cache.servers.links == ()
