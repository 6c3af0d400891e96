"""PROXY protocol headers."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.proxy_protocol import ProxyHeader, read_proxy_header

MAGIC = b"\r\n\r\n\x00\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n"
HELLO = b"\x16\x03\x01"


def v2(family: int, body: bytes, command: int = 0x21) -> bytes:
    return MAGIC + struct.pack("!BBH", command, family, len(body)) + body


def addresses(source: str, destination: str, ports: tuple[int, int]) -> bytes:
    packed = ip_address(source).packed + ip_address(destination).packed
    return packed + struct.pack("!HH", *ports)


V2 = v2(0x11, addresses("203.0.113.9", "192.0.2.1", (56324, 443)))


@pytest.mark.parametrize("header", [V1, V2])
def test_both_versions_say_who_the_client_is(header: bytes) -> None:
    expected = ProxyHeader(
        source="203.0.113.9",
        source_port=56324,
        destination="192.0.2.1",
        destination_port=443,
        length=len(header),
    )
    assert read_proxy_header(header + HELLO) == expected


@pytest.mark.parametrize("header", [V1, V2, v2(0, b"", 0x20), b"PROXY UNKNOWN\r\n"])
def test_every_prefix_needs_more(header: bytes) -> None:
    for cut in range(len(header)):
        assert read_proxy_header(header[:cut]) is None


def test_ipv6_is_read_and_normalised() -> None:
    line = b"PROXY TCP6 2001:DB8:0:0::1 ::1 1 65535\r\n"
    first = read_proxy_header(line)
    body = addresses("2001:db8::1", "::1", (1, 65535))
    second = read_proxy_header(v2(0x21, body))
    assert first is not None
    assert second is not None
    assert first.source == second.source == "2001:db8::1"
    assert first.destination_port == second.destination_port == 65535


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        v2(0x00, b"", 0x20),
        v2(0x11, addresses("1.2.3.4", "1.2.3.4", (1, 1)), 0x20),
        v2(0x00, b"abc"),
    ],
)
def test_a_sender_may_speak_for_itself(header: bytes) -> None:
    read = read_proxy_header(header)
    assert read == ProxyHeader(length=len(header), local=True)


def test_a_unix_client_has_no_address() -> None:
    header = v2(0x31, bytes(216))
    assert read_proxy_header(header) == ProxyHeader(length=len(header))


def test_extensions_are_skipped() -> None:
    body = addresses("203.0.113.9", "192.0.2.1", (1, 2))
    header = v2(0x11, body + b"\x03\x00\x04abcd" + b"\x20\x00\x01x")
    read = read_proxy_header(header + HELLO)
    assert read is not None
    assert read.length == len(header)


@pytest.mark.parametrize(
    "data",
    [
        *(HELLO, b"GET / HTTP/1.1", b"PRO\x00", b"\r\n\r\n\x00\r\nQUIX", b"\r\nX"),
        *(b"PROXY\r\n", b"PROXY TCP4 \r\n", b"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n"),
        *(b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"),
        *(b"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", b"PROXY TCP4 ::1 ::1 1 2\r\n"),
        *(
            b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.999 1.2.3.4 1 2\r\n",
        ),
        *(
            b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        ),
        *(b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"),
        *(b"PROXY UNKNOWN" + b"a" * 120, b"PROXY UNKNOWN " + b"a" * 92 + b"\r\n"),
        v2(0x11, b"short"),
        v2(0x12, addresses("1.2.3.4", "1.2.3.4", (1, 1))),
        v2(0x11, addresses("1.2.3.4", "1.2.3.4", (1, 1)), 0x22),
        v2(0x11, addresses("1.2.3.4", "1.2.3.4", (1, 1)), 0x11),
        v2(0x11, bytes(4081)),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessageError) as caught:
        read_proxy_header(data)
    assert caught.value.status == 400


@given(
    start=st.sampled_from([b"", b"PROXY ", MAGIC, V1[:20], V2[:14]]), rest=st.binary()
)
def test_any_octets_are_read_or_refused(start: bytes, rest: bytes) -> None:
    data = start + rest
    try:
        header = read_proxy_header(data)
    except BadMessageError:
        return
    assert header is None or header.length <= len(data)
