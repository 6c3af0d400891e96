"""Replies are read as they come, and bounded."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.caches.redis_resp import ErrorReply, Reader, Reply, RespError, encode


def write(reply: Reply) -> bytes:
    """Write a reply as a server does."""
    match reply:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % reply
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(reply), reply)
        case ErrorReply(text):
            return b"-%b\r\n" % text
        case list():
            return b"*%d\r\n" % len(reply) + b"".join(map(write, reply))


lines = st.binary(max_size=50).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b""))
simple = (
    st.none()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.binary(max_size=50)
    | st.builds(ErrorReply, lines)
)
replies = st.lists(
    simple | st.lists(simple | st.lists(simple, max_size=3), max_size=4), max_size=5
)


@given(wanted=replies, cuts=st.lists(st.integers(0, 500), max_size=10))
def test_replies_are_the_same_however_they_are_cut(
    wanted: list[Reply], cuts: list[int]
) -> None:
    data = b"".join(map(write, wanted))
    at = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    reader = Reader()
    found: list[Reply] = []
    for start, end in itertools.pairwise(at):
        found += reader.feed(data[start:end])
    assert found == wanted


@given(data=st.binary(max_size=200))
def test_garbage_is_refused_or_waited_for(data: bytes) -> None:
    with contextlib.suppress(RespError):
        Reader().feed(data)


def test_status_is_bytes() -> None:
    assert Reader().feed(b"+OK\r\n") == [b"OK"]


@pytest.mark.parametrize(
    "lie",
    [
        b"HTTP/1.1 200 OK\r\n",
        b"\r\n",
        b"$99999999\r\n",
        b"$999999999999999999999\r\n",
        b"$1_0\r\n",
        b"$+1\r\n",
        b"$-2\r\n",
        b"*-2\r\n",
        b"*9999999\r\n",
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        b":\r\n",
        b": 1\r\n",
        b"$1\r\nabc",
        b"+" + b"x" * 5000,
    ],
)
def test_lies_are_refused_before_they_cost_anything(lie: bytes) -> None:
    with pytest.raises(RespError):
        Reader().feed(lie)


def test_many_small_parts_are_bounded_together() -> None:
    """Each is allowed, all of them would fill the memory."""
    reader = Reader(most=10_000)
    with pytest.raises(RespError):
        reader.feed(b"*100\r\n" + b"*100\r\n" + b"$0\r\n\r\n" * 100)


def test_limit_is_for_each_reply() -> None:
    reader = Reader(most=1000)
    for _ in range(10):
        assert reader.feed(b"$500\r\n" + b"x" * 500 + b"\r\n") == [b"x" * 500]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"WRONGPASS invalid", "WRONGPASS"),
        (b"READONLY You can't write against a read only replica.", "READONLY"),
        (b"ERR Error running script: @user_script: 1: -OOM command not", "OOM"),
        (b"ERR unknown command, with args: 'a: -SECRET '", "ERR"),
        (b"lower case", "ERR"),
        (b"S3CRET-PASSWORD is wrong", "ERR"),
        (b"", "ERR"),
    ],
)
def test_only_the_code_of_an_error_is_told(text: bytes, code: str) -> None:
    assert ErrorReply(text).code == code
    assert text[:5].decode() not in repr(ErrorReply(text)) or not text


def test_command_is_lengths_and_octets() -> None:
    assert encode((b"GET", b"a\r\nb")) == b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n"
