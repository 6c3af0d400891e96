"""Which server has a record depends on nothing but the names and the key."""

from collections import Counter
from typing import Any

import pytest
from twisted.internet.task import Clock

from sso_proxy.caches.memcached_servers import (
    Address,
    Servers,
    build_servers,
    read_address,
)

KEYS = [b"%d" % number for number in range(3000)]


def servers(*names: str) -> Servers:
    reactor: Any = Clock()
    return build_servers(
        [f"unix:/{name}" for name in names], None, reactor=reactor, timeout=1.0
    )


@pytest.mark.parametrize(
    ("text", "host", "port", "stays_here"),
    [
        ("127.0.0.1", "127.0.0.1", 11211, True),
        ("127.0.0.1:1", "127.0.0.1", 1, True),
        ("[::1]:65535", "::1", 65535, True),
        ("[2001:db8::1]", "2001:db8::1", 11211, False),
        ("192.0.2.1:11211", "192.0.2.1", 11211, False),
        ("cache.example.com", "cache.example.com", 11211, False),
        ("localhost", "localhost", 11211, False),
        ("unix:/run/memcached.sock", "/run/memcached.sock", 0, True),
    ],
)
def test_addresses_are_read(
    text: str, host: str, port: int, *, stays_here: bool
) -> None:
    address = read_address(text)
    assert address == Address(host, port)
    assert address.stays_here is stays_here


@pytest.mark.parametrize(
    "text",
    [
        *("", ":1", "a b", "a:0", "a:65536", "a:b", "::1", "a/b", "a@b", "a\n"),
        *("unix:relative", "unix:/" + 100 * "x", "tcp://a:1"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no host:port"):
        read_address(text)


def test_records_are_spread_evenly() -> None:
    three = servers("a", "b", "c")
    counts = Counter(three.of(key).name for key in KEYS)
    assert set(counts) == {"unix:/a", "unix:/b", "unix:/c"}
    assert min(counts.values()) > 0.8 * len(KEYS) / 3


def test_the_order_of_servers_does_not_matter() -> None:
    one, other = servers("a", "b", "c"), servers("c", "a", "b")
    assert all(one.of(key).name == other.of(key).name for key in KEYS)


def test_a_server_less_moves_only_what_it_had() -> None:
    all_, fewer = servers("a", "b", "c"), servers("a", "c")
    for key in KEYS:
        if (name := all_.of(key).name) != "unix:/b":
            assert fewer.of(key).name == name


def test_a_server_has_one_name_however_it_is_written() -> None:
    names = ["[2001:DB8::1]", "Cache.example.com:11211", "192.0.2.1"]
    assert [read_address(name).name for name in names] == [
        "[2001:db8::1]:11211",
        "cache.example.com:11211",
        "192.0.2.1:11211",
    ]


def test_durations_of_all_servers_are_told_together() -> None:
    made = servers("a:1", "b:1")
    for link in made.links:
        link.durations.note(0.1)
    assert sum(made.durations.counts) == 2
