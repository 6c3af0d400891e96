"""What the cache asks, and how answers are taken that are none."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.task import Clock

from sso_proxy.caches.redis_client import RedisClient
from sso_proxy.caches.redis_names import Names
from sso_proxy.caches.redis_resp import ErrorReply, Reply
from sso_proxy.caches.redis_scripts import PUBLISH
from sso_proxy.errors import UnavailableError
from sso_proxy.testing import outcome_of


class FakeServers:
    """Answers as a test says."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = [*replies]
        self.asked: list[tuple[bytes, ...]] = []
        self.closed = False

    async def call(self, key: bytes, *arguments: bytes) -> Reply:  # noqa: ARG002
        self.asked.append(arguments)
        return self.replies.pop(0)

    async def listen(self, on_push: Callable[[Reply], None]) -> Any:  # noqa: ANN401, ARG002
        raise UnavailableError("nobody")

    name = "fake"

    async def everyone(self) -> tuple["FakeServers", ...]:
        return (self,)

    def close(self) -> None:
        self.closed = True


def client(servers: FakeServers) -> RedisClient:
    anything: Any = servers
    return RedisClient(anything, Names("p:"), Clock(), lambda: 0.0)


def test_script_is_sent_only_to_a_server_that_has_it_not() -> None:
    servers = FakeServers(ErrorReply(b"NOSCRIPT No matching script."), 1, 2)
    asking = client(servers)
    assert outcome_of(asking.run(PUBLISH, (b"k",), b"c", b"m")) == 1
    assert outcome_of(asking.run(PUBLISH, (b"k",), b"c", b"m")) == 2
    names = [arguments[0] for arguments in servers.asked]
    assert names == [b"EVALSHA", b"EVAL", b"EVALSHA"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"OOM command not allowed", "no memory"),
        (b"NOPERM this user has no permissions for 's3cret'", "does not permit"),
        (b"ERR unknown command, with args beginning with: 's3cret'", "answers ERR"),
        (b"MISCONF Errors writing to the AOF file", "cannot save"),
    ],
)
def test_errors_are_named_without_what_they_quote(text: bytes, problem: str) -> None:
    asking = client(FakeServers(ErrorReply(text)))
    with pytest.raises(UnavailableError) as caught:
        outcome_of(asking.call(b"k", b"GET", b"k"))
    assert problem in caught.value.what
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("reply", [b"x", b"", b"1" * 30, [b"1"], 1, b"-1"])
def test_number_is_a_number(reply: Reply) -> None:
    with pytest.raises(UnavailableError):
        outcome_of(client(FakeServers(reply)).number(b"k"))


def test_no_number_is_none_yet() -> None:
    assert outcome_of(client(FakeServers(None)).number(b"k")) == 0


def test_servers_say_how_they_are() -> None:
    told = b"# Memory\r\nmaxmemory:9\r\n\r\nrole:master\r\n"
    ((name, report),) = outcome_of(client(FakeServers(told)).reports())
    assert name == "fake"
    assert (report["maxmemory"], report["role"]) == ("9", "master")


def test_server_that_must_not_say_how_it_is_says_nothing() -> None:
    servers = FakeServers(ErrorReply(b"NOPERM no permission for info"))
    assert outcome_of(client(servers).reports()) == [("fake", {})]


def test_close_ends_everything() -> None:
    servers = FakeServers()
    client(servers).close()
    assert servers.closed


def test_how_long_a_server_takes_is_counted_also_if_it_fails() -> None:
    asking = client(FakeServers(1, ErrorReply(b"OOM command not allowed")))
    outcome_of(asking.call(b"k", b"GET", b"k"))
    with pytest.raises(UnavailableError):
        outcome_of(asking.call(b"k", b"GET", b"k"))
    assert sum(asking.durations.counts) == 2
