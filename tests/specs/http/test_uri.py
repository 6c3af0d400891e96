"""Tests for `sso_proxy.specs.http.uri` (RFC 3986 section 6.2)."""

import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.target import canonical_path
from sso_proxy.specs.http.uri import MAX_URI, build_origin, normal_uri, read_origin

UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
NORMAL = "https://api.example.com/a/b"

HOSTS = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){0,2}", fullmatch=True)
SEGMENTS = st.text(UNRESERVED + "!$&'()*+,=:@", min_size=1, max_size=6).filter(
    lambda segment: segment not in {".", ".."}
)


@pytest.mark.parametrize(
    "same",
    [
        NORMAL,
        "HTTPS://api.example.com/a/b",  # 6.2.2.1: scheme and host
        "https://API.Example.COM/a/b",
        "https://api.example.com/%61/%62",  # 6.2.2.2: unreserved characters
        "https://api.example.com/./a/x/../b",  # 6.2.2.3: dot segments
        "https://api.example.com/%2E/a/x/%2e%2E/b",
        "https://api.example.com:443/a/b",  # 6.2.3: the scheme's own port
        "https://api.example.com:00443/a/b",
        "https://api.example.com:/a/b",  # an empty one
        "https://api.example.com./a/b",
        "https://api.example.com//a///b",  # as in the paths of requests
        "https://api.example.com/a/b?x=1",  # RFC 9449: without query and fragment
        "https://api.example.com/a/b#part",
        "https://api.example.com/a/b?x=1#part",
        "https://api.example.com/a/b?x=%zz?/../#",
    ],
)
def test_equivalent_uris_have_one_form(same: str) -> None:
    assert normal_uri(same) == NORMAL


@pytest.mark.parametrize(
    "other",
    [
        "http://api.example.com/a/b",
        "https://api.example.com:8443/a/b",
        "https://api.example.org/a/b",
        "https://api.example.com/A/b",
        "https://api.example.com/a/b/",
        "https://api.example.com/a%2Fb",
        "https://api.example.com/a/b%3Fx",
        "https://api.example.com/a/b%20",
        "https://api.example.com/a",
        "https://api.example.com:444/a/b",
    ],
)
def test_other_uris_have_another(other: str) -> None:
    assert normal_uri(other) != NORMAL


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://a", "https://a/"),
        ("https://a?x", "https://a/"),
        ("https://a#x", "https://a/"),
        ("http://a:80", "http://a/"),
        ("http://a:443/", "http://a:443/"),
        ("https://a/%7e%c3%a9%2f", "https://a/~%C3%A9%2F"),
        ("https://[2001:DB8:0::1]:443/", "https://[2001:db8::1]/"),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    assert normal_uri(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a/b",
        "//api.example.com/a",
        "api.example.com/a",
        "https:/api.example.com/a",
        "https:///a",
        "https://",
        "https://:443/a",
        "ftp://api.example.com/a",
        "https+x://api.example.com/a",
        "https://user@api.example.com/a",
        "https://user:password@api.example.com/a",
        "https://api.example.com\\@evil.example/a",
        "https://api.example.com:0/a",
        "https://api.example.com:65536/a",
        "https://api.example.com:443:443/a",
        "https://api.example.com::/a",
        "https://api.example.com/é",
        "https://é.example.com/a",
        "https://api%2eexample.com/a",
        "https://api.example.com/a b",
        "https://api.example.com/a?b c",
        "https://api.example.com/a#b#c",
        "https://api.example.com/a?b#c d",
        "https://api.example.com/a\n",
        " https://api.example.com/a",
        "https://api.example.com/a%",
        "https://api.example.com/a%4",
        "https://api.example.com/%00",
        "https://api.example.com/%C0%AF",
        "https://api.example.com/../a",
        "https://api.example.com/" + "a" * MAX_URI,
    ],
)
def test_what_no_request_here_could_be_for_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="URI"):
        normal_uri(text)


@given(text=st.text())
@example("https://a/%2e%2e")
def test_any_text_has_a_form_or_is_refused(text: str) -> None:
    try:
        normal = normal_uri(text)
    except ValueError:
        return
    assert normal_uri(normal) == normal


@given(
    scheme=st.sampled_from(["http", "https"]),
    host=HOSTS,
    port=st.integers(1, 65535),
    segments=st.lists(SEGMENTS),
    query=st.text(UNRESERVED + "/?=&", max_size=9),
)
def test_every_spelling_of_a_uri_has_the_same_form(
    scheme: str, host: str, port: int, segments: list[str], query: str
) -> None:
    path = "/" + "/".join(segments)
    plain = f"{scheme}://{host}:{port}{path}"
    escaped = "/" + "/".join(
        "".join(f"%{ord(c):02x}" if c in UNRESERVED else c for c in segment)
        for segment in segments
    )
    other = f"{scheme.upper()}://{host.upper()}:{port}/.{escaped}?{query}#{query}"
    assert normal_uri(other) == normal_uri(plain)
    assert normal_uri(plain) == build_origin(scheme, host, port) + path


@given(raw=st.from_regex(r"/[/.a%24fF;~]{0,12}", fullmatch=True))
def test_a_request_for_a_uri_has_that_uris_path(raw: str) -> None:
    """What the client signed and what it sent come out alike, or both are refused."""
    try:
        path = canonical_path(raw)
    except BadMessageError:
        with pytest.raises(ValueError, match="URI"):
            normal_uri(f"https://a{raw}")
    else:
        assert normal_uri(f"https://a{raw}") == f"https://a{path}"


@given(one=st.lists(SEGMENTS, max_size=3), other=st.lists(SEGMENTS, max_size=3))
def test_different_paths_stay_different(one: list[str], other: list[str]) -> None:
    assume(one != other)
    first, second = (normal_uri(f"https://a/{'/'.join(s)}") for s in (one, other))
    assert first != second


@pytest.mark.parametrize(
    "repeated", ["/", "/.", "/..", "/a/..", "%", "%41", ":", "?", "#", "@", "a:", ";"]
)
def test_the_longest_take_no_time(repeated: str) -> None:
    text = ("https://a/" + repeated * MAX_URI)[:MAX_URI]
    begun = time.monotonic()
    for _ in range(10):
        try:
            normal_uri(text)
        except ValueError:
            continue
    assert time.monotonic() - begun < 1


def test_origins_have_one_form() -> None:
    assert read_origin("HTTPS://API.example.com:443") == "https://api.example.com"
    assert read_origin("https://api.example.com/") == "https://api.example.com"
    assert read_origin("http://a:8080") == "http://a:8080"


@pytest.mark.parametrize(
    "text", ["https://a/b", "https://a?", "https://a/?b", "https://a#", "https://a/#b"]
)
def test_an_origin_has_nothing_more(text: str) -> None:
    with pytest.raises(ValueError, match="an origin has no path"):
        read_origin(text)


def test_origins_are_put_together() -> None:
    assert build_origin("https", "a", 443) == "https://a"
    assert build_origin("https", "a", 80) == "https://a:80"
    assert build_origin("http", "[::1]", 80) == "http://[::1]"
