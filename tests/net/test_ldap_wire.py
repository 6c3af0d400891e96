"""What a directory sends is looked at before it is decoded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.net.ldap_wire import (
    MOST_ELEMENTS,
    WireError,
    check_message,
    message_length,
)

BIND_DONE = bytes.fromhex("300c02010161070a010004000400")


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content


def test_a_whole_answer_is_taken() -> None:
    assert message_length(BIND_DONE) == len(BIND_DONE)
    check_message(BIND_DONE)


def test_a_length_may_not_be_known_yet() -> None:
    long = element(0x30, b"x" * 300)
    for size in range(6):
        assert message_length(long[:size]) in {0, 306}
    assert message_length(long[:6]) == 306
    assert message_length(b"") == 0


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request",
        b"\x30\x80",
        b"\x30\x85\x00\x00\x00\x00\x01",
        b"\x30\x84\x7f\xff\xff\xff",
    ],
)
def test_what_is_no_message_or_has_no_end_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        message_length(data)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        element(0x30),
        element(0x30, b"\x02\x01\x01"),
        element(0x30, b"\x61\x00", b"\x02\x01\x01"),
        element(0x30, b"\x02\x01\x01", b"\x60\x00"),  # a request
        element(0x30, b"\x02\x01\x01", b"\x79\x00"),  # an intermediate answer
        element(0x30, b"\x02\x01\x01", b"\x61\x03\x0a\x05\x00"),
        element(0x30, b"\x02\x01\x01", b"\x61\x01\x0a"),
        element(0x30, b"\x02\x01\x01", b"\x61\x02\x1f\x00"),
        element(0x30, b"\x02\x01\x01", b"\x61\x02\x04\x80"),
    ],
)
def test_what_is_no_answer_is_refused(message: bytes) -> None:
    with pytest.raises(WireError):
        check_message(message)


def test_what_is_deep_or_many_is_refused() -> None:
    nested = b""
    for _ in range(20):
        nested = element(0x30, nested)
    for much in (nested, b"\x04\x00" * MOST_ELEMENTS):
        with pytest.raises(WireError, match="too much"):
            check_message(element(0x30, b"\x02\x01\x01", element(0x64, much)))


@given(st.binary(max_size=60))
def test_any_octets_are_judged(data: bytes) -> None:
    try:
        check_message(data)
        assert message_length(data) in {0, len(data)}
    except WireError:
        return
