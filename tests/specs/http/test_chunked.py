"""The chunked coding (F2, F4 and rows of table 4.2)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunk

CUTS = st.lists(st.integers(min_value=0, max_value=200), max_size=8)


def decode(data: bytes, cuts: list[int]) -> tuple[bytes, bool, bytes] | int:
    """Feed *data* in pieces; give what came out, or the status of the refusal."""
    decoder = ChunkedDecoder()
    content = b""
    ends = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    try:
        for start, end in pairwise(ends):
            content += b"".join(decoder.feed(data[start:end]))
    except BadMessageError as error:
        return error.status
    return content, decoder.finished, decoder.leftover


@given(parts=st.lists(st.binary()), rest=st.binary(), cuts=CUTS)
def test_what_is_encoded_is_decoded_however_it_is_cut(
    parts: list[bytes], rest: bytes, cuts: list[int]
) -> None:
    data = b"".join(map(encode_chunk, parts)) + LAST_CHUNK + rest
    assert decode(data, cuts) == (b"".join(parts), True, rest)


@given(
    parts=st.lists(
        st.sampled_from(
            [
                *(b"3", b"0", b"\r\n", b"\n", b"\r", b"abc", b";a=b", b"; a", b"X: y"),
                *(b"3\r\nabc\r\n", b"0\r\n", b"A" * 20, b'";', b" ", b"\x00"),
            ]
        ),
        max_size=14,
    ),
    cuts=CUTS,
)
def test_how_it_is_cut_never_matters(parts: list[bytes], cuts: list[int]) -> None:
    """Good, bad or unfinished: the same for one read and for many."""
    data = b"".join(parts)
    assert decode(data, cuts) == decode(data, [])
    assert decode(data, list(range(len(data)))) == decode(data, [])


def test_a_whole_read_of_content_is_not_copied() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(b"1000\r\n")
    data = b"a" * 100
    assert decoder.feed(data)[0] is data


@pytest.mark.parametrize(
    "data",
    [
        *(b"+3\r\n", b"-3\r\n", b"0x3\r\n", b"1_0\r\n", b" 3\r\n", b"3 \r\n", b"\r\n"),
        *(b"3\n", b"3\rabc", b"3;a\n", b"3\r\nabc\n", b"3\r\nabcd", b"3\r\nabc0\r\n"),
        *(b"g\r\n", b"10000000000000000\r\n", b"100000000000000000\r\n", b"3;\r\n"),
        *(b"3;a=\r\n", b"3; a\r\n", b"3 ;a\r\n", b'3;a="\r\n', b"3;a=\x00\r\n"),
        *(b"3;" + b"a" * 255 + b"\r\n", b"3;" + b"a" * 300, b"\xb3\r\n", b"3,\r\n"),
        *(b"0\r\nX\r\n", b"0\r\nX : y\r\n", b"0\r\n x\r\n", b"0\r\n\n", b"0\r\n\rX"),
        *(b"0\r\nX: \x00\r\n", b"0\r\nX: a\nY: b\r\n", b"0\r\n: y\r\n"),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    assert decode(data, []) == 400


def test_extensions_are_read_over() -> None:
    data = b'3;a;b=c;d="e \\" ;f"\r\nabc\r\n0;x\r\n\r\n'
    assert decode(data, []) == (b"abc", True, b"")


def test_trailers_are_checked_and_dropped() -> None:
    """RFC 9110 section 6.5.1: never merged into the header section."""
    data = b"0\r\nContent-Length: 3\r\nX-Forwarded-User: admin\r\n\r\nGET"
    assert decode(data, []) == (b"", True, b"GET")


@pytest.mark.parametrize(
    "trailers", [b"X: " + b"a" * 9000, b"X: a\r\n" * 65, (b"X" * 8000 + b":\r\n") * 3]
)
def test_trailers_have_limits(trailers: bytes) -> None:
    assert decode(b"0\r\n" + trailers, []) == 431


def test_content_that_is_mostly_framing_is_refused() -> None:
    """CVE-2023-39326: an octet of content in each 200 of framing."""
    chunk = b"1;" + b"a" * 200 + b"\r\nx\r\n"
    assert decode(chunk * 200, []) == 400
    assert decode(b"1\r\nx\r\n" * 5000, []) == (b"x" * 5000, False, b"")


def test_what_comes_after_the_end_is_all_kept() -> None:
    decoder = ChunkedDecoder()
    decoder.feed(LAST_CHUNK + b"GET")
    assert decoder.feed(b" /") == []
    assert decoder.leftover == b"GET /"


def test_nothing_is_no_chunk() -> None:
    """An empty chunk would be the end."""
    assert encode_chunk(b"") == b""
    assert encode_chunk(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"
