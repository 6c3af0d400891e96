"""One identifier has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.openid2.identifier import (
    LONGEST,
    IdentifierError,
    normal_url,
    read_identifier,
    without_fragment,
)

NORMAL = {
    # typed: the URL (section 7.2 and appendix A.1 have the first five)
    "example.com": "http://example.com/",
    "http://example.com": "http://example.com/",
    "https://example.com/": "https://example.com/",
    "http://example.com/user": "http://example.com/user",
    "http://example.com/user/": "http://example.com/user/",
    "http://example.com/#frag": "http://example.com/",
    "  example.com/alice \n": "http://example.com/alice",
    "HTTP://EXAMPLE.com:80/Alice": "http://example.com/Alice",
    "https://example.com:443": "https://example.com/",
    "https://example.com:8443/a": "https://example.com:8443/a",
    "example.com:8080/a": "http://example.com:8080/a",
    "example.com./a": "http://example.com/a",
    "example.com?user=alice": "http://example.com/?user=alice",
    "example.com/%7ealice/%c3%a4": "http://example.com/~alice/%C3%A4",
    "example.com/ä": "http://example.com/%C3%A4",
    "example.com/a/../b/./c": "http://example.com/b/c",
    "example.com/a/%2e%2E/b": "http://example.com/b",
    "example.com/a/..": "http://example.com/",
    "example.com/a//b": "http://example.com/a//b",
    "example.com/?q=%7e&r=%2f": "http://example.com/?q=~&r=%2F",
    "[2001:DB8::1]/a": "http://[2001:db8::1]/a",
    "192.0.2.7": "http://192.0.2.7/",
}


@pytest.mark.parametrize("typed", NORMAL)
def test_what_somebody_types_gets_its_normal_form(typed: str) -> None:
    assert read_identifier(typed) == NORMAL[typed]


def test_where_only_https_counts_that_is_what_is_meant() -> None:
    assert read_identifier("example.com", scheme="https") == "https://example.com/"
    assert read_identifier("http://example.com", scheme="https").startswith("http://")


@pytest.mark.parametrize(
    "typed", ["=alice", "@example*alice", "+1", "$dns", "!1", "(a)", "xri://=alice"]
)
def test_an_xri_is_refused_as_that(typed: str) -> None:
    with pytest.raises(IdentifierError) as refused:
        read_identifier(typed)
    assert refused.value.reason == "openid-xri"


REFUSED = [
    *("", "   ", "x" * (LONGEST + 1), "#", "//", "http://", "http:///path"),
    *("mailto:alice@example.com", "javascript:alert(1)", "file:///etc/passwd"),
    *("alice@example.com", "https://alice:secret@example.com/", "http:example.com"),
    *("http://good.example\\@evil.example/", "example.com/a b", "example.com/\x00"),
    *("example.com/\r\nhost: x", "exam%70le.com", "ex%2fample.com/", "exämple.com"),
    *("example.com/%", "example.com/%4", "example.com/%zz", "example.com/%0a"),
    *("example.com/../a", "example.com/%2e%2e/a", "example.com:0/", "example.com:x/"),
    *("127.1", "0x7f000001/", "2130706433", "http://[::1%25eth0]/", "http://[::1"),
    *("example.com/<b>", 'example.com/"', "example.com/\udc80"),
]


@pytest.mark.parametrize("typed", REFUSED)
def test_what_cannot_be_read_in_one_way_is_refused(typed: str) -> None:
    with pytest.raises(IdentifierError) as refused:
        read_identifier(typed)
    assert refused.value.reason == "openid-identifier"


def test_a_refusal_says_nothing_of_what_was_typed() -> None:
    with pytest.raises(IdentifierError) as refused:
        read_identifier("https://alice:hunter2@example.com/")
    assert "hunter2" not in str(refused.value)


def test_a_fragment_is_taken_off() -> None:
    assert without_fragment("http://a.example/b#1") == "http://a.example/b"


@given(st.text() | st.text(alphabet="http:/.%#?@[]&=~ae0\\ "))
def test_nothing_that_is_typed_raises_anything_else(typed: str) -> None:
    try:
        found = read_identifier(typed)
    except IdentifierError:
        return
    assert normal_url(found) == found
