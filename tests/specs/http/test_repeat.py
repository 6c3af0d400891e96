"""Whatever matches has one reading, the same that the whole reader gives."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.repeat import read_repeat_line
from sso_proxy.specs.http.request import Incoming, read_request
from sso_proxy.specs.http.target import canonical_path, has_parameters, matching_path

MANAGED = ManagedNames()
LIMITS = HeadLimits()

METHODS = st.sampled_from([b"GET", b"HEAD", b"OPTIONS", b"POST", b"get", b"TRACE"])
PIECES = st.sampled_from(
    [
        *(b"/", b"//", b".", b"..", b"/./", b"/../", b"a", b"B9", b"~", b"-", b"_"),
        *(b"%41", b"%2F", b"%2f", b"%", b";x=1", b"!$&'()*+,=:@", b"?", b"#", b"\\"),
        *(b" ", b"\t", b"\x00", b"\xff", b"[", b'"', b"/a.b", b"..a", b"a..", b"x/"),
    ]
)
LINES = st.builds(
    lambda method, target, version: method + b" /" + b"".join(target) + version,
    METHODS,
    st.lists(PIECES, max_size=8),
    st.sampled_from([b" HTTP/1.1", b" HTTP/1.0", b" HTTP/1.1 ", b" HTTP/2.0"]),
)


def read(line: bytes) -> Incoming:
    return read_request(
        line + b"\r\nHost: a.example\r\n\r\n",
        scheme="https",
        port=443,
        limits=LIMITS,
        managed=MANAGED,
    )


@given(
    LINES | st.from_regex(re.compile(rb"GET /[!-~]{0,20}\Z HTTP/1.1"), fullmatch=True)
)
@example(b"GET / HTTP/1.1")
@example(b"OPTIONS /a/b.c/?d=%zz HTTP/1.1")
def test_what_matches_is_read_alike_by_the_whole_reader(line: bytes) -> None:
    match = read_repeat_line(line)
    if match is None:
        return
    method, path, query = (part.decode() for part in match.groups(b""))
    head = read(line).head
    assert head.method == method
    assert head.path == path == canonical_path(path) == matching_path(path)
    assert head.query == (query[1:] if query else None)
    assert not has_parameters(path)


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/1.1",
        b"HEAD /a HTTP/1.1",
        b"OPTIONS /a/b/ HTTP/1.1",
        b"GET /a.b/c?d=%20&e=/?f HTTP/1.1",
        b"GET /? HTTP/1.1",
    ],
)
def test_plain_lines_match(line: bytes) -> None:
    assert read_repeat_line(line) is not None
    read(line)


@pytest.mark.parametrize(
    "target",
    [
        *(b"/.", b"/..", b"/a/..", b"/.well-known/x", b"//", b"/a//b", b"/%61"),
        *(b"/a;b", b"/a%3Bb", b"*", b"http://a.example/", b"a", b"", b"/a#b"),
        *(b"/a?b#c", b"/a b", b"/\xe4", b"/a\x00", b"/a\\b", b"/a\r\nX: y"),
    ],
)
def test_what_leaves_a_choice_does_not_match(target: bytes) -> None:
    assert read_repeat_line(b"GET " + target + b" HTTP/1.1") is None


def test_long_lines_take_linear_time() -> None:
    for tail in (b"", b"%", b"/.", b" HTTP/1.0"):
        assert read_repeat_line(b"GET /" + b"a/" * 30000 + tail) is None


def test_the_whole_reader_refuses_what_it_refuses() -> None:
    """The oracle is not a function that accepts everything."""
    with pytest.raises(BadMessageError):
        read(b"GET /a b HTTP/1.1")
