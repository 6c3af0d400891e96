"""Whatever matches has one reading, the same that the whole reader gives."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.repeat import find_pattern, read_like, read_repeat_line
from sso_proxy.specs.http.request import read_request
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


# Heads that differ in their credential

FIELDS = st.lists(
    st.sampled_from(
        [
            *(b"Host: a.example", b"Accept: */*", b"Cookie: a=b", b"cookie: c=d"),
            *(b"Connection: keep-alive", b"Via: 1.1 x", b"X-Forwarded-For: 192.0.2.1"),
            *(b"X-Authorization: Bearer no", b"X-Remote-User: root"),
            *(b"DPoP: x.y.z", b"dpop:  e30", b"DPoP: a b", b"DPoP:"),
            *(b"authorization: Basic eDp5", b"Connection: authorization"),
        ]
    ),
    max_size=6,
)
NAMES = st.sampled_from([b"Authorization:", b"AUTHORIZATION: ", b"authorization: \t"])
SCHEMES = st.sampled_from([b"Bearer ", b"bEARER ", b"Bearer  ", b"DPoP ", b""])
TOKENS = st.sampled_from(
    [
        *(b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln", b"abc", b"a==", b"", b"=", b"a=b", b"a b"),
        *(b"a,b", b"a\r\nX-Remote-User: root", b"a\r\n\r\nGET / HTTP/1.1", b"\xe4"),
        *(b"x" * 300, b"a\r\nAuthorization: Bearer b", b"Bearer a"),
    ]
)
PROOFS = st.sampled_from(
    [
        *(b"DPoP: e30.e30.x", b"DPoP: e30.e31.y", b"dpop: e30.e31.y", b"Accept: a"),
        *(b"DPoP: a b", b"DPoP: a,b", b"DPoP: a\r\nDPoP: b", b"DPoP: ", b"X: y"),
    ]
)


def whole(line: bytes, fields: list[bytes]) -> bytes:
    return b"\r\n".join([line, *fields, b"", b""])


def read_whole(data: bytes) -> Incoming:
    return read_request(data, scheme="https", port=443, limits=LIMITS, managed=MANAGED)


@given(
    st.lists(LINES, min_size=2, max_size=2),
    FIELDS,
    FIELDS,
    st.tuples(NAMES, SCHEMES),
    st.lists(TOKENS, min_size=2, max_size=2),
    st.lists(PROOFS, min_size=2, max_size=2),
)
@example(
    [b"GET / HTTP/1.1", b"GET /a?b HTTP/1.1"],
    [b"Host: a.example"],
    [b"Accept: */*"],
    (b"Authorization: ", b"Bearer "),
    [b"abc", b"e30.e30.c2ln"],
    [b"DPoP: e30.e30.x", b"DPoP: e30.e31.y"],
)
def test_what_differs_in_its_credential_is_read_alike_by_the_whole_reader(  # noqa: PLR0913, PLR0917
    lines: list[bytes],
    above: list[bytes],
    below: list[bytes],
    name: tuple[bytes, bytes],
    tokens: list[bytes],
    proofs: list[bytes],
) -> None:
    first, second = (
        whole(line, [*above, proof, b"".join(name) + token, *below])
        for line, token, proof in zip(lines, tokens, proofs, strict=True)
    )
    try:
        incoming = read_whole(first)
    except BadMessageError:
        return
    pattern = find_pattern(first[first.index(b"\r\n") :], incoming)
    if pattern is None:
        return
    found = read_like(second, pattern, LIMITS)
    if found is not None:
        assert found == read_whole(second)


def known() -> tuple[bytes, Incoming]:
    fields = [b"Host: a.example", b"Authorization: Bearer abc", b"Accept: */*"]
    data = whole(b"GET / HTTP/1.1", fields)
    return data, read_whole(data)


def test_another_credential_fits() -> None:
    data, incoming = known()
    pattern = find_pattern(data[data.index(b"\r\n") :], incoming)
    assert pattern is not None
    other = data.replace(b"abc", b"e30.e30.x").replace(b"GET /", b"HEAD /a")
    assert read_like(other, pattern, LIMITS) == read_whole(other)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"abc", b""),
        (b"abc", b"a b"),
        (b"*/*", b"*"),
        (b"Bearer", b"Basic"),
        (b"a.example", b"b.example"),
        (b"GET /", b"GET /a/../b"),
        (b"\r\n\r\n", b"\r\n\r\nG"),
        (b"\r\n\r\n", b"\r\n"),
        (b"abc", b"a" * (LIMITS.header_bytes - 40)),
        (b"GET /", b"GET /" + b"a" * LIMITS.request_line),
    ],
)
def test_what_differs_in_more_does_not_fit(old: bytes, new: bytes) -> None:
    data, incoming = known()
    pattern = find_pattern(data[data.index(b"\r\n") :], incoming)
    assert pattern is not None
    assert read_like(data.replace(old, new), pattern, LIMITS) is None


def test_another_proof_fits() -> None:
    fields = [b"Host: a.example", b"DPoP: a.b.c", b"Authorization: DPoP abc"]
    data = whole(b"GET / HTTP/1.1", fields)
    pattern = find_pattern(data[data.index(b"\r\n") :], read_whole(data))
    assert pattern is not None
    other = data.replace(b"a.b.c", b"d.e.f").replace(b"abc", b"xyz")
    assert read_like(other, pattern, LIMITS) == read_whole(other)
    for wrong in (b"a b", b"", b"a.b.c\r\nDPoP: d"):
        assert read_like(data.replace(b"a.b.c", wrong), pattern, LIMITS) is None


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"Authorization: Basic eDp5"],
        [b"Authorization: Bearer a b"],
        [b"Authorization: DPoP abc", b"DPoP: a b"],
        [b"Authorization: DPoP abc", b"DPoP: a", b"DPoP: b"],
        [b"DPoP: a"],
    ],
)
def test_only_one_plain_bearer_credential_is_a_pattern(fields: list[bytes]) -> None:
    data = whole(b"GET / HTTP/1.1", [b"Host: a.example", *fields])
    assert find_pattern(data[data.index(b"\r\n") :], read_whole(data)) is None


# Heads that differ in a cookie that is a credential

COOKIE_NAMES = st.sampled_from([b"Cookie: ", b"cookie:", b"COOKIE: \t"])
PAIRS = st.lists(
    st.sampled_from(
        [
            *(b"a=b", b" a=b", b"t=c", b" t = c", b"xt=c", b"t", b"", b" ", b"T=c"),
            *(b"u=c", b"t=", b't="c"', b"__Host-sso=1.x"),
        ]
    ),
    max_size=3,
)
TICKETS = st.sampled_from(
    [
        *(
            b"uid%3Dalice%3Bsig%3DQQ",
            b"abc",
            b"",
            b"a b",
            b"a=b",
            b'"a"',
            b"a+b",
            b"a,b",
        ),
        *(
            b"a; t=b",
            b"a;t=b",
            b"a\r\nX-Remote-User: root",
            b"a\r\nCookie: t=b",
            b"\xe4",
        ),
        *(b"a\r\nAuthorization: Bearer b", b"x" * 300, b"a ", b"a\t; b=c"),
    ]
)


@given(
    st.lists(LINES, min_size=2, max_size=2),
    FIELDS,
    COOKIE_NAMES,
    st.tuples(PAIRS, PAIRS),
    st.lists(TICKETS, min_size=2, max_size=2),
)
@example(
    [b"GET / HTTP/1.1", b"GET /a?b HTTP/1.1"],
    [b"Host: a.example"],
    b"Cookie: ",
    ([b"a=b"], [b" c=d"]),
    [b"abc", b"uid%3Dalice"],
)
def test_what_differs_in_its_cookie_is_read_alike_by_the_whole_reader(
    lines: list[bytes],
    fields: list[bytes],
    name: bytes,
    pairs: tuple[list[bytes], list[bytes]],
    tickets: list[bytes],
) -> None:
    before, after = pairs
    first, second = (
        whole(line, [*fields, name + b";".join([*before, b"t=" + ticket, *after])])
        for line, ticket in zip(lines, tickets, strict=True)
    )
    try:
        incoming = read_whole(first)
    except BadMessageError:
        return
    pattern = find_pattern(first[first.index(b"\r\n") :], incoming, {"t", "u"})
    if pattern is None:
        return
    found = read_like(second, pattern, LIMITS)
    if found is not None:
        assert found == read_whole(second)


COOKIES = [b"Host: a.example", b"Cookie: a=b; t=abc; c=d", b"Accept: */*"]


def test_another_cookie_fits() -> None:
    data = whole(b"GET / HTTP/1.1", COOKIES)
    pattern = find_pattern(data[data.index(b"\r\n") :], read_whole(data), {"t"})
    assert pattern is not None
    assert [hole.cookie for hole in pattern.holes] == ["t"]
    other = data.replace(b"abc", b"uid%3Dx").replace(b"GET /", b"HEAD /a")
    assert read_like(other, pattern, LIMITS) == read_whole(other)
    for wrong in (b"", b"a b", b"x; t=y", b'"x"', b"x\r\nCookie: t=y", b"x=y"):
        assert read_like(data.replace(b"abc", wrong), pattern, LIMITS) is None
    for old, new in ((b"a=b", b"a=c"), (b"c=d", b"c=e"), (b"*/*", b"*")):
        assert read_like(data.replace(old, new), pattern, LIMITS) is None


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"Cookie: a=b"],
        [b"Cookie: xt=a"],
        [b"Cookie: T=a"],
        [b"Cookie: t="],
        [b'Cookie: t="a"'],
        [b"Cookie: t= a"],
        [b"Cookie: t=a b"],
        [b"Cookie: t=a; t=b"],
        [b"Cookie: t=a; u=b"],
        [b"Cookie: t=a", b"Cookie: a=b"],
        [b"Cookie: t=a", b"Authorization: Basic eDp5"],
        [b"Cookie: t=a", b"DPoP: a"],
    ],
)
def test_only_one_plain_cookie_is_a_pattern(fields: list[bytes]) -> None:
    data = whole(b"GET / HTTP/1.1", [b"Host: a.example", *fields])
    rest = data[data.index(b"\r\n") :]
    assert find_pattern(rest, read_whole(data), {"t", "u"}) is None


def test_a_cookie_that_is_no_credential_is_no_pattern() -> None:
    data = whole(b"GET / HTTP/1.1", COOKIES)
    assert find_pattern(data[data.index(b"\r\n") :], read_whole(data)) is None
