"""Where a head ends, and what its field lines say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.head import end_of_head, is_token, read_fields, split_head
from sso_proxy.specs.http.limits import HeadLimits

LIMITS = HeadLimits()
SMALL = HeadLimits(request_line=64, header_bytes=256, headers=4)
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"


def early(buffer: bytes, limits: HeadLimits = LIMITS) -> tuple[int, str]:
    with pytest.raises(BadMessageError) as caught:
        end_of_head(buffer, limits)
    return caught.value.status, caught.value.reason


def test_every_prefix_of_a_head_needs_more() -> None:
    for cut in range(len(HEAD)):
        assert end_of_head(HEAD[:cut], SMALL) == -1
    for rest in (b"", b"body\n\0", HEAD):
        assert end_of_head(HEAD + rest, SMALL) == len(HEAD)


@pytest.mark.parametrize(
    "start", [b"\r\n", b"\n", b" ", b"\x16\x03\x01", b"\x00", b":"]
)
def test_what_cannot_begin_a_request_is_refused_at_once(start: bytes) -> None:
    """An empty line before a request, TLS on a plain port."""
    assert early(start) == (400, "request-start")
    assert early(start + HEAD) == (400, "request-start")


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (b"GET / HTTP/1.1\n", "bare-line-end"),
        (b"GET / HTTP/1.1\r\nHost: a\nX: b", "bare-line-end"),
        (b"GET / HTTP/1.1\r\nHost: a\rX: b", "bare-line-end"),
        (b"GET / HTTP/1.1\r\nHost: a\x00", "control-character"),
        (b"GET /\x01", "control-character"),
    ],
)
def test_an_unfinished_head_is_refused_when_it_is_hopeless(
    rest: bytes, reason: str
) -> None:
    assert early(rest) == (400, reason)


def test_a_request_line_without_end_is_too_long() -> None:
    assert end_of_head(b"G" * 65, SMALL) == -1
    assert early(b"G" * 66, SMALL) == (414, "request-line-too-long")
    assert early(b"G" * 65 + b"\r\n\r\n", SMALL) == (414, "request-line-too-long")
    assert end_of_head(b"G" * 64 + b"\r\n\r\n", SMALL) == 68


def test_fields_without_end_are_too_long() -> None:
    start = b"GET / HTTP/1.1\r\nX: "
    whole = start + b"a" * (256 - 5) + b"\r\n\r\n"
    assert end_of_head(whole, SMALL) == len(whole)
    assert [end_of_head(whole[:cut], SMALL) for cut in range(len(whole))] == (
        [-1] * len(whole)
    )
    longer = start + b"a" * (257 - 5) + b"\r\n\r\n"
    assert early(longer, SMALL) == (431, "headers-too-long")
    assert early(start + b"a" * 300, SMALL) == (431, "headers-too-long")


def test_too_many_fields_are_seen_before_the_end() -> None:
    start = b"GET / HTTP/1.1\r\n"
    assert end_of_head(start + b"X: a\r\n" * 4, SMALL) == -1
    assert early(start + b"X: a\r\n" * 5, SMALL) == (431, "too-many-headers")


def test_a_head_longer_than_the_window_may_be_cut_anywhere() -> None:
    head = b"GET / HTTP/1.1\r\n" + b"X: %b\r\n" % (b"a" * 37) * 99 + b"\r\n"
    cuts = range(4000, len(head))
    assert {end_of_head(head[:cut], LIMITS) for cut in cuts} == {-1}
    assert end_of_head(head, LIMITS) == len(head)


@given(data=st.binary(), cut=st.integers(min_value=0))
def test_early_refusal_never_hits_what_is_good_in_the_end(
    data: bytes, cut: int
) -> None:
    """What is refused unfinished is refused finished, too."""
    head = b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n"
    try:
        end_of_head(head[: cut % len(head)], LIMITS)
    except BadMessageError:
        with pytest.raises(BadMessageError):
            split_head(head)


def test_a_head_is_split_into_lines() -> None:
    assert split_head(HEAD) == ["GET / HTTP/1.1", "Host: a", "Accept: */*"]


def test_field_names_are_lower_case_and_values_without_blanks() -> None:
    """RFC 9112 section 5.1: blanks around the value are not part of it."""
    lines = ["Content-Type:text/html", "X-ODD|~: \t a : b\t ", "etag:"]
    assert read_fields(lines) == (
        ("content-type", "text/html"),
        ("x-odd|~", "a : b"),
        ("etag", ""),
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "field-no-colon"),
        ("Host", "field-no-colon"),
        (" folded", "field-folded"),
        ("\tfolded: x", "field-folded"),
        ("Host : a", "field-blank-before-colon"),
        (": a", "field-name-empty"),
        ("a b: c", "field-name"),
        ("a(: c", "field-name"),
        ("\u00e9: c", "field-name"),
    ],
)
def test_a_bad_field_line_is_refused(line: str, reason: str) -> None:
    with pytest.raises(BadMessageError) as caught:
        read_fields(["Host: a", line])
    assert (caught.value.status, caught.value.reason) == (400, reason)


@given(text=st.text(max_size=5))
def test_a_token_is_what_rfc_9110_says(text: str) -> None:
    """``token = 1*tchar`` (section 5.6.2)."""
    marks = "!#$%&'*+-.^_`|~"
    expected = bool(text) and all(
        char in marks or (char.isascii() and char.isalnum()) for char in text
    )
    assert is_token(text) == expected
