"""Request heads: one reading, or a refusal (attack corpus A, B, F and table 4.2)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import METHODS, read_request

Reader = Callable[[bytes], Incoming]

HOST = b"Host: a.example\r\n"


def get(*lines: bytes, target: bytes = b"/") -> bytes:
    """Make a GET with *lines* after Host."""
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (
        target,
        HOST,
        b"".join(line + b"\r\n" for line in lines),
    )


def post(*lines: bytes) -> bytes:
    return get(*lines).replace(b"GET", b"POST", 1)


def refused(read: Reader, data: bytes) -> tuple[int, str]:
    with pytest.raises(BadMessageError) as caught:
        read(data)
    return caught.value.status, caught.value.reason


def test_a_plain_request_is_read_whole(read: Reader) -> None:
    incoming = read(get(b"Accept: */*", b"X-Custom:\t a b \t", target=b"/a/b?x=1&y|"))
    head = incoming.head
    assert (head.method, head.scheme, head.host, head.port) == (
        *("GET", "https", "a.example", 443),
    )
    assert (head.path, head.query) == ("/a/b", "x=1&y|")
    assert head.headers == (("accept", "*/*"), ("x-custom", "a b"))
    assert incoming.framing.length == 0
    assert incoming.framing.keep_alive
    assert incoming.framing.minor == 1


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_served_method_is_read(read: Reader, method: str) -> None:
    assert read(get().replace(b"GET", method.encode(), 1)).head.method == method


BAD_LINES = {
    b"GET /": (400, "request-line"),
    b"GET  / HTTP/1.1": (400, "request-line"),
    b"GET / HTTP/1.1 ": (400, "request-line"),
    b" GET / HTTP/1.1": (400, "request-line"),
    b"GET\t/ HTTP/1.1": (400, "request-line"),
    b"GET /a b HTTP/1.1": (400, "request-line"),
    b"GET / http/1.1": (400, "request-line"),
    b"GET / HTTP/1.10": (400, "request-line"),
    b"GET / HTTP/1": (400, "request-line"),
    b"GET / RTSP/1.0": (400, "request-line"),
    b"G(T / HTTP/1.1": (400, "request-line"),
    b"": (400, "request-line"),
    b"GET / HTTP/0.9": (505, "version"),
    b"GET / HTTP/1.2": (505, "version"),
    b"GET / HTTP/2.0": (505, "version"),
    b"PRI * HTTP/2.0": (505, "version"),
    b"TRACE / HTTP/1.1": (405, "method-refused"),
    b"CONNECT a.example:443 HTTP/1.1": (405, "method-refused"),
    b"get / HTTP/1.1": (501, "method-unknown"),
    b"FOO / HTTP/1.1": (501, "method-unknown"),
    b"GET a HTTP/1.1": (400, "target-malformed"),
    b"GET * HTTP/1.1": (400, "target-malformed"),
    b"GET ?a HTTP/1.1": (400, "target-malformed"),
    b"GET /a#b HTTP/1.1": (400, "target-fragment"),
    b"GET /?a#b HTTP/1.1": (400, "target-fragment"),
    b"GET /\xe9 HTTP/1.1": (400, "target-malformed"),
    b"GET /?\xe9 HTTP/1.1": (400, "target-malformed"),
    b"GET /a\\b HTTP/1.1": (400, "target-malformed"),
    b'GET /a"b HTTP/1.1': (400, "target-malformed"),
    b"GET /%00 HTTP/1.1": (400, "path-escape"),
    b"GET /.. HTTP/1.1": (400, "path-above-root"),
    b"GET http://a.example/ HTTP/1.1": (400, "target-scheme"),
    b"GET ftp://a.example/ HTTP/1.1": (400, "target-scheme"),
    b"GET https://evil.example/ HTTP/1.1": (400, "target-host-mismatch"),
    b"GET https://a.example:444/ HTTP/1.1": (400, "target-host-mismatch"),
    b"GET https://u@a.example/ HTTP/1.1": (400, "host-malformed"),
    b"GET https:/a.example/ HTTP/1.1": (400, "target-malformed"),
    b"GET https:///x HTTP/1.1": (400, "host-malformed"),
    b"GET //evil.example/ HTTP/1.1": None,
}


@pytest.mark.parametrize("line", BAD_LINES, ids=repr)
def test_a_bad_request_line_is_refused(read: Reader, line: bytes) -> None:
    """B16, B17, B28 and rows of 4.2."""
    data = get().replace(b"GET / HTTP/1.1", line, 1)
    expected = BAD_LINES[line]
    if expected is None:
        assert read(data).head.path == "/evil.example/"
    else:
        assert refused(read, data) == expected


def test_an_absolute_target_names_the_host_once_more(read: Reader) -> None:
    """B17: the same host, written otherwise, is the same host."""
    for target in (b"https://A.Example./x?y", b"HTTPS://a.example:443/x?y"):
        head = read(get(target=target)).head
        assert (head.host, head.port, head.path, head.query) == (
            *("a.example", 443, "/x", "y"),
        )


def test_an_absolute_target_without_path_is_the_root(read: Reader) -> None:
    assert read(get(target=b"https://a.example")).head.path == "/"
    assert read(get(target=b"https://a.example?q")).head.query == "q"


def test_options_may_ask_for_the_whole_server(read: Reader) -> None:
    """RFC 9112 section 3.2.4: the last proxy makes the asterisk-form."""
    for target in (b"*", b"https://a.example"):
        data = get(target=target).replace(b"GET", b"OPTIONS", 1)
        assert read(data).head.path == "*"


HOSTS = {
    b"A.Example": ("a.example", 443),
    b"a.example.": ("a.example", 443),
    b"a.example.:8443": ("a.example", 8443),
    b"a_b.example:443": ("a_b.example", 443),
    b"127.0.0.1:80": ("127.0.0.1", 80),
    b"[::1]": ("[::1]", 443),
    b"[0:0::0001]:8443": ("[::1]", 8443),
}


@pytest.mark.parametrize("host", HOSTS, ids=repr)
def test_a_host_is_made_canonical(read: Reader, host: bytes) -> None:
    """B15."""
    head = read(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host).head
    assert (head.host, head.port) == HOSTS[host]


@pytest.mark.parametrize(
    "host",
    [
        *(b"", b"x@a", b"a/../b", b"a b", b"a,b", b"a:b", b"a:0", b"a:65536", b"a:"),
        *(b"a..", b".a", b"a..b", b"a%2eb", b"[::1", b"[::g]", b"[fe80::1%25eth0]"),
        *(b"a;for=1.2.3.4,host=evil", b"a\xe9", b"a?b", b"a#b", b"a\\b", b"a" * 300),
        *(b"a:000080", b"https://a", b"a\tb", b'"a"', b"[127.0.0.1]"),
    ],
)
def test_a_host_that_is_none_is_refused(read: Reader, host: bytes) -> None:
    """A14, B16."""
    status, reason = refused(read, b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
    assert status == 400
    assert reason.startswith("host-")


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_there_has_to_be_a_host(read: Reader, version: bytes) -> None:
    data = b"GET / HTTP/%b\r\nAccept: */*\r\n\r\n" % version
    assert refused(read, data) == (400, "host-missing")
    assert refused(read, b"GET / HTTP/%b\r\n\r\n" % version) == (400, "host-missing")


BAD_FIELDS = {
    HOST.strip(): (400, "host-repeated"),
    b"Host: b.example": (400, "host-repeated"),
    b"X : a": (400, "field-blank-before-colon"),
    b"X\t: a": (400, "field-blank-before-colon"),
    b"Content-Length : 3": (400, "field-blank-before-colon"),
    b"X: a\r\n b": (400, "field-folded"),
    b"X: a\r\n\tb: c": (400, "field-folded"),
    b"Transfer-Encoding:\r\n chunked": (400, "field-folded"),
    b": a": (400, "field-name-empty"),
    b"Xa": (400, "field-no-colon"),
    b"X(a: b": (400, "field-name"),
    b"X\xe9: b": (400, "field-name"),
    b"X: a\nX-Forwarded-User: admin": (400, "bare-line-end"),
    b"X: a\nContent-Length: 3": (400, "bare-line-end"),
    b"X: a\rY: b": (400, "bare-line-end"),
    b"X: a\r\r\nY: b": (400, "bare-line-end"),
    b"X: a\n\rY: b": (400, "bare-line-end"),
    b"X: a\x00b": (400, "control-character"),
    b"X: a\x0bb": (400, "control-character"),
    b"X: a\x7fb": (400, "control-character"),
    b"X\x00: a": (400, "control-character"),
    b"Authorization: Bearer a\r\nAuthorization: Bearer b": (
        *(400, "authorization-repeated"),
    ),
    b"Content-Type: a/b\r\ncontent-type: a/b": (400, "content-type-repeated"),
    b"Origin: https://a\r\nOrigin: https://b": (400, "origin-repeated"),
    b"Expect: foo": (417, "expect-unknown"),
    b"Expect: y 100-continue": (417, "expect-unknown"),
    b"Expect:": (417, "expect-unknown"),
    b"Expect: 100-continue\r\nExpect: 100-continue": (417, "expect-repeated"),
    b"Connection: a b": (400, "connection-malformed"),
}


@pytest.mark.parametrize("lines", BAD_FIELDS, ids=repr)
def test_bad_fields_are_refused(read: Reader, lines: bytes) -> None:
    """A20, F1, F7 and rows of 4.2."""
    assert refused(read, get(lines)) == BAD_FIELDS[lines]


BAD_FRAMING = {
    b"Content-Length: +3": "content-length-malformed",
    b"Content-Length: -3": "content-length-malformed",
    b"Content-Length: 0x3": "content-length-malformed",
    b"Content-Length: 1_0": "content-length-malformed",
    b"Content-Length: 3 ,": "content-length-malformed",
    b"Content-Length: 3, 3": "content-length-malformed",
    b"Content-Length: 3;a": "content-length-malformed",
    b"Content-Length: 3 3": "content-length-malformed",
    b"Content-Length: \xb3": "content-length-malformed",
    b"Content-Length:": "content-length-malformed",
    b"Content-Length: 10000000000000000000000000": "content-length-malformed",
    b"Content-Length: 3\r\nContent-Length: 3": "content-length-repeated",
    b"Content-Length: 3\r\nContent-Length: 4": "content-length-repeated",
    b"Content-Length: 3\r\nTransfer-Encoding: chunked": (
        "content-length-and-transfer-encoding"
    ),
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked": (
        "transfer-encoding-repeated"
    ),
    b"Transfer-Encoding: chunked, chunked": "transfer-encoding-unknown",
    b"Transfer-Encoding: gzip, chunked": "transfer-encoding-unknown",
    b"Transfer-Encoding: chunked;a=b": "transfer-encoding-unknown",
    b"Transfer-Encoding: \x0bchunked": "control-character",
    b'Transfer-Encoding: "chunked"': "transfer-encoding-unknown",
    b"Transfer-Encoding:": "transfer-encoding-unknown",
}


@pytest.mark.parametrize("lines", BAD_FRAMING, ids=repr)
def test_a_body_of_doubtful_length_is_refused(read: Reader, lines: bytes) -> None:
    """F1, F2."""
    assert refused(read, post(lines)) == (400, BAD_FRAMING[lines])


@pytest.mark.parametrize("coding", [b"identity", b"gzip", b"xchunked", b"cow"])
def test_an_unknown_transfer_coding_is_501(read: Reader, coding: bytes) -> None:
    """RFC 9112 section 6.1."""
    data = post(b"Transfer-Encoding: " + coding)
    assert refused(read, data) == (501, "transfer-encoding-unknown")


def test_http_1_0_has_no_transfer_codings(read: Reader) -> None:
    data = post(b"Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert refused(read, data) == (400, "transfer-encoding-in-1.0")


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"POST"])
def test_any_method_may_have_a_body(read: Reader, method: bytes) -> None:
    """F6: forwarded with the framing that was read, whatever the method."""
    data = post(b"Content-Length: 007").replace(b"POST", method, 1)
    incoming = read(data)
    assert incoming.framing.length == 7
    assert incoming.head.headers == ()


def test_a_chunked_body_has_no_length(read: Reader) -> None:
    framing = read(post(b"Transfer-Encoding: Chunked")).framing
    assert framing.length is None
    assert framing.chunked


def test_an_expectation_is_ours_to_answer(read: Reader) -> None:
    """F7: and it is not passed on."""
    incoming = read(post(b"Expect: 100-Continue", b"Content-Length: 3"))
    assert incoming.framing.expect_continue
    assert incoming.head.headers == ()


def test_nothing_is_expected_without_a_body_or_in_1_0(read: Reader) -> None:
    """RFC 9110 section 10.1.1: ignored in HTTP/1.0."""
    assert not read(post(b"Expect: 100-continue")).framing.expect_continue
    old = post(b"Expect: 100-continue", b"Content-Length: 3")
    old = old.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert not read(old).framing.expect_continue


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Keep-Alive, CLOSE", False),
        (b"1.1", b",,keep-alive", True),
        (b"1.0", b"", False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
    ],
)
def test_keep_alive_is_as_the_version_and_connection_say(
    read: Reader, version: bytes, connection: bytes, *, kept: bool
) -> None:
    data = get(b"Connection: " + connection).replace(b"1.1", version, 1)
    assert read(data).framing.keep_alive is kept


def test_an_upgrade_needs_connection_and_http_1_1(read: Reader) -> None:
    upgrade = b"Upgrade: WebSocket"
    assert read(get(upgrade)).framing.upgrade is None
    both = get(upgrade, b"Connection: keep-alive, Upgrade")
    assert read(both).framing.upgrade == "websocket"
    assert read(both.replace(b"HTTP/1.1", b"HTTP/1.0")).framing.upgrade is None
    assert read(both).head.headers == ()


@pytest.mark.parametrize("body", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
def test_an_upgrade_with_a_body_is_refused(read: Reader, body: bytes) -> None:
    data = post(b"Upgrade: websocket", b"Connection: upgrade", body)
    assert refused(read, data) == (400, "upgrade-with-body")


def test_hop_by_hop_fields_go_no_further(read: Reader) -> None:
    """RFC 9110 section 7.6.1, and A10: ``Proxy``."""
    data = get(
        b"Connection: close, X-Hop, HTTP2-Settings",
        b"X-Hop: 1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic YQ==",
        b"Proxy-Authenticate: Basic",
        b"Proxy: http://evil.example/",
        b"TE: trailers",
        b"Trailer: X-Remote-User",
        b"HTTP2-Settings: AAMAAABk",
        b"Upgrade: h2c",
        b"X-End: 1",
    )
    assert read(data).head.headers == (("x-end", "1"),)


@pytest.mark.parametrize(
    "option",
    [
        *(b"Host", b"content-length", b"Transfer-Encoding", b"authorization"),
        *(b"Cookie", b"X-Remote-User", b"x-real-ip", b"X-Forwarded-For"),
        *(b"X_Remote_User", b"x-claim-groups", b"Forwarded", b"Origin", b"Via"),
        *(b"close, X-Forwarded-User", b"Client-Cert", b"X-Envoy-Original-Path"),
    ],
)
def test_connection_may_not_name_what_decisions_need(
    read: Reader, option: bytes
) -> None:
    """A7, A8, A9."""
    data = get(b"Connection:", b"Connection: " + option)
    assert refused(read, data) == (400, "connection-names-protected")


@pytest.mark.parametrize(
    "name",
    [
        *("X-Remote-User", "X_Remote_User", "x-remote_user", "X.Remote.User"),
        *("X-Auth-User", "X_Auth_User", "X.Auth.User", "x-auth_USER", "X~Auth!User"),
        *("X-Claim-Email", "x_claim_email", "X.CLAIM-x", "Remote-User", "Remote.User"),
        *("X_Forwarded_Email", "X-Forwarded_Proto", "X_forwarded_proto", "X_Real_IP"),
        *("Client_Cert", "SSL_CLIENT_S_DN", "Content_Length", "Transfer_Encoding"),
        *("Content.Type", "X-HTTP-Method-Override", "SCRIPT_NAME", "Path-Info"),
        *("Proxy", "X-Method-Override", "X-Forwarded-User", "Sec_WebSocket_Key"),
    ],
)
def test_managed_fields_and_aliases_are_dropped(read: Reader, name: str) -> None:
    """A1 to A5, A16, A18: unconditionally, before anything is decided."""
    incoming = read(get(name.encode() + b": admin", b"X-End: 1"))
    assert incoming.head.headers == (("x-end", "1"),)
    assert incoming.forwarded == ()


@pytest.mark.parametrize(
    "name",
    [
        *("Forwarded", "X-Forwarded-For", "x-forwarded-prefix", "X-Forwarded-Port"),
        *("X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"),
        *("X-Original-URL", "X-Rewrite-URL", "Client-Cert", "Client-Cert-Chain"),
        *("Sec-Provided-Token-Binding-ID", "Sec-Referred-Token-Binding-ID"),
        *("Sec-Other-Token-Binding-ID", "Sec-Token-Binding-Context"),
        "Sec-Token-Binding",
        *("X-SSL-Client-Cert", "SSL-Client-Verify", "X-Request-Id"),
        *("x-envoy-original-path", "X-Forwarded-Uri"),
    ],
)
def test_what_proxies_say_is_kept_apart(read: Reader, name: str) -> None:
    """A2, A12, A15, A22, B3, B19, E8: for the pipeline, never in the head."""
    incoming = read(get(name.encode() + b": a"))
    assert incoming.head.headers == ()
    assert incoming.forwarded == ((name.lower(), "a"),)


def test_underscores_that_alias_nothing_are_kept(read: Reader) -> None:
    assert read(get(b"X_Custom: 1")).head.headers == (("x_custom", "1"),)


def test_several_cookie_fields_are_one(read: Reader) -> None:
    """RFC 9113 section 8.2.3."""
    data = get(b"Cookie: a=1", b"Accept: */*", b"cookie: b=2")
    assert read(data).head.headers == (("cookie", "a=1; b=2"), ("accept", "*/*"))


def test_via_is_kept_apart_member_by_member(read: Reader) -> None:
    incoming = read(get(b"Via: 1.1 a, 1.0 b", b"Via: 1.1 sso-proxy"))
    assert incoming.via == ("1.1 a", "1.0 b", "1.1 sso-proxy")
    assert incoming.head.headers == ()


def test_octets_beyond_ascii_in_a_value_are_latin_1(read: Reader) -> None:
    assert read(get(b"X: \xc3\xa9")).head.headers == (("x", "\u00c3\u00a9"),)


@pytest.mark.parametrize("size", [8192, 8193])
def test_the_request_line_has_a_limit(read: Reader, size: int) -> None:
    data = get(target=b"/" + b"a" * (size - len("GET / HTTP/1.1")))
    if size > 8192:
        assert refused(read, data) == (414, "request-line-too-long")
    else:
        assert len(read(data).head.path) > 8000


def test_the_header_section_has_limits(read: Reader) -> None:
    """Table 4.2: 600 headers; a header of 70 KB."""
    assert refused(read, get(*[b"X: a"] * 100)) == (431, "too-many-headers")
    assert len(read(get(*[b"X: a"] * 99)).head.headers) == 99
    assert refused(read, get(b"X: " + b"a" * 70000)) == (431, "headers-too-long")


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", get() + b"X", get() + get()],
)
def test_only_one_whole_head_is_read(read: Reader, data: bytes) -> None:
    assert refused(read, data)[0] == 400


def test_a_refusal_does_not_repeat_what_was_sent(read: Reader) -> None:
    """Reasons go into logs and metrics."""
    _status, reason = refused(read, get(b"X-Secret-Token(: hunter2"))
    assert "hunter2" not in reason
    assert "Secret" not in reason


PIECES = st.sampled_from(
    [
        *(b"GET", b"POST", b" ", b"/", b"/a", b"%2e", b"..", b"?", b"HTTP/1.1"),
        *(b"HTTP/1.0", b"\r\n", b"\r\n\r\n", b"Host: a", b"Host", b":", b"\n", b"\r"),
        *(b"Content-Length: ", b"3", b"Transfer-Encoding: chunked", b"Connection: "),
        *(b"close", b"X-Remote-User", b"_", b"\x00", b"\xff", b"https://", b"@"),
        *(b"Upgrade: websocket", b"Expect: ", b"Cookie: ", b"Via: ", b";", b","),
    ]
)


@given(data=st.one_of(st.binary(), st.lists(PIECES, max_size=30).map(b"".join)))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    """Nothing but BadMessageError ever comes out."""
    limits, managed = HeadLimits(), ManagedNames()
    statuses = set()
    for octets in (data, b"GET / HTTP/1.1\r\nHost: a\r\n" + data + b"\r\n\r\n"):
        try:
            incoming = read_request(
                octets, scheme="http", port=80, limits=limits, managed=managed
            )
        except BadMessageError as error:
            statuses.add(error.status)
        else:
            assert incoming.head.path.startswith("/") or incoming.head.path == "*"
    assert statuses <= {400, 405, 414, 417, 431, 501, 505}
