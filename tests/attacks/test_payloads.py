"""Table 4.2 of the reference, and more of its kind: each refused with an answer."""

import pytest

from tests.attacks.conftest import LAST, Scene

H = b"Host: a\r\n"
POST = b"POST /p HTTP/1.1\r\n" + H
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def get(fields: bytes = H, target: bytes = b"/p", version: bytes = b"1.1") -> bytes:
    return b"GET %b HTTP/%b\r\n%b\r\n" % (target, version, fields)


REFUSED = {
    "no-host": (400, get(b"")),
    "two-hosts": (400, get(H + b"Host: b\r\n")),
    "same-host-twice": (400, get(H + H)),
    "host-user": (400, get(b"Host: x@a\r\n")),
    "host-path": (400, get(b"Host: a/../b\r\n")),
    "host-blank": (400, get(b"Host: a b\r\n")),
    "host-empty": (400, get(b"Host: \r\n")),
    "host-forwarded": (400, get(b"Host: a;for=1.2.3.4,host=evil\r\n")),
    "host-port-word": (400, get(b"Host: a:x\r\n")),
    "absolute-other-host": (400, get(target=b"http://evil/p")),
    "absolute-other-port": (400, get(target=b"http://a:81/p")),
    "absolute-other-scheme": (400, get(target=b"https://a/p")),
    "te-on-1.0": (400, CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n"),
    "fold": (400, get(H + b"X: a\r\n b\r\n")),
    "fold-first": (400, get(b" x: y\r\n" + H)),
    "fold-in-te": (400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "fragment": (400, get(target=b"/a#b")),
    "no-slash": (400, get(target=b"a")),
    "asterisk-get": (400, get(target=b"*")),
    "connect": (405, b"CONNECT a:443 HTTP/1.1\r\n" + H + b"\r\n"),
    "trace": (405, b"TRACE /p HTTP/1.1\r\n" + H + b"\r\n"),
    "method-unknown": (501, b"FOO /p HTTP/1.1\r\n" + H + b"\r\n"),
    "method-lower": (501, b"get /p HTTP/1.1\r\n" + H + b"\r\n"),
    "length-huge": (400, POST + b"Content-Length: 1" + b"0" * 25 + b"\r\n\r\nabc"),
    "chunk-huge": (400, CHUNKED + b"100000000000000000\r\nabc"),
    "field-70k": (431, get(H + b"X: " + b"a" * 70000 + b"\r\n")),
    "line-70k": (414, get(target=b"/" + b"a" * 70000)),
    "600-fields": (431, get(H + b"X: y\r\n" * 600)),
    "length-and-te": (
        400,
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "te-and-length": (
        400,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    ),
    "length-after-lf": (400, POST + b"X: x\nContent-Length: 3\r\n\r\nabc"),
    "lf-line": (400, get(H + b"X: a\nY: b\r\n")),
    "lf-everywhere": (400, b"GET /p HTTP/1.1\nHost: a\n\n"),
    "lf-end": (400, b"GET /p HTTP/1.1\r\nHost: a\r\n\n"),
    "cr-in-value": (400, get(H + b"X: a\rY: b\r\n")),
    "nul-in-value": (400, get(H + b"X: a\0b\r\n")),
    "hidden-field": (400, get(H + b"X: a\nX-Forwarded-User: admin\r\n")),
    "chunk-size-lf": (400, CHUNKED + b"3\nabc\r\n0\r\n\r\n"),
    "chunk-data-lf": (400, CHUNKED + b"3\r\nabc\n0\r\n\r\n"),
    "chunk-extension-lf": (400, CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n"),
    "chunk-extension-cr": (400, CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    "chunk-extension-long": (
        400,
        CHUNKED + b"3;a=" + b"b" * 9000 + b"\r\nabc\r\n0\r\n\r\n",
    ),
    "chunk-waste": (400, CHUNKED + b"1;aaaa=%b\r\nx\r\n" % (b"b" * 200) * 200),
    "chunk-sign": (400, CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n"),
    "chunk-0x": (400, CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n"),
    "chunk-underscore": (400, CHUNKED + b"0_3\r\nabc\r\n0\r\n\r\n"),
    "chunk-blank": (400, CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n"),
    "chunk-empty-size": (400, CHUNKED + b"\r\nabc\r\n0\r\n\r\n"),
    "chunk-too-long": (400, CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n"),
    "trailer-lf": (400, CHUNKED + b"0\r\nX: a\nY: b\r\n\r\n"),
    "trailers-many": (431, CHUNKED + b"0\r\n" + b"X: y\r\n" * 100 + b"\r\n"),
    "te-twice": (
        400,
        POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    ),
    "te-list": (
        400,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    "te-gzip": (501, POST + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
    "te-blank-colon": (400, POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "te-vertical-tab": (400, POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "te-empty": (400, POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
    "lengths-differ": (
        400,
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    ),
    "lengths-same": (400, POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    "length-list": (400, POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    "length-sign": (400, POST + b"Content-Length: +3\r\n\r\nabc"),
    "length-minus": (400, POST + b"Content-Length: -3\r\n\r\nabc"),
    "length-hex": (400, POST + b"Content-Length: 0x3\r\n\r\nabc"),
    "length-underscore": (400, POST + b"Content-Length: 1_0\r\n\r\nabcabcabca"),
    "length-empty": (400, POST + b"Content-Length: \r\n\r\n"),
    "length-digit-of-another-script": (
        400,
        POST + b"Content-Length: \xd9\xa3\r\n\r\nabc",
    ),
    "connection-managed": (400, get(H + b"Connection: X-Forwarded-User\r\n")),
    "connection-lower": (400, get(H + b"Connection: close, x-real-ip\r\n")),
    "connection-alias": (400, get(H + b"Connection: X_Forwarded.User\r\n")),
    "connection-framing": (400, get(H + b"Connection: Content-Length\r\n")),
    "connection-host": (400, get(H + b"Connection: host\r\n")),
    "connection-cookie": (400, get(H + b"Connection: Cookie\r\n")),
    "expect-other": (417, get(H + b"Expect: foo\r\n")),
    "expect-obfuscated": (
        417,
        POST + b"Expect: y 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    ),
    "expect-twice": (
        417,
        POST + b"Expect: 100-continue\r\n" * 2 + b"Content-Length: 3\r\n\r\nabc",
    ),
    "version-0.9": (400, b"GET /p\r\n\r\n"),
    "version-2": (505, get(version=b"2.0")),
    "version-1.2": (505, get(version=b"1.2")),
    "version-other-protocol": (400, b"GET /p RTSP/1.0\r\n" + H + b"\r\n"),
    "preface-of-http-2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "tls-on-plain": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50),
    "empty-line-first": (400, b"\r\n" + get()),
    "blank-line-end": (400, b"GET /p HTTP/1.1 \r\n" + H + b"\r\n"),
    "two-blanks": (400, b"GET  /p HTTP/1.1\r\n" + H + b"\r\n"),
    "tab-in-line": (400, b"GET\t/p HTTP/1.1\r\n" + H + b"\r\n"),
    "no-colon": (400, get(H + b"abc\r\n")),
    "name-empty": (400, get(H + b": x\r\n")),
    "name-blank-colon": (400, get(H + b"X : y\r\n")),
    "name-with-slash": (400, get(H + b"X/Y: z\r\n")),
    "authorization-twice": (
        400,
        get(H + b"Authorization: Basic YTpi\r\nAuthorization: Bearer x\r\n"),
    ),
    "upgrade-with-body": (
        400,
        POST
        + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
    ),
}


def cut_of(payload: bytes, cut: str) -> list[bytes]:
    """Cut a payload; long ones only at their ends."""
    if cut == "whole":
        return [payload]
    head = [payload[i : i + 1] for i in range(min(len(payload), 150))]
    return [*head, payload[150:]]


@pytest.mark.parametrize("cut", ["whole", "octets"])
@pytest.mark.parametrize("payload", REFUSED)
def test_a_payload_is_refused_with_an_answer(
    scene: Scene, payload: str, cut: str
) -> None:
    """One status line and nothing after it; the backend has seen no whole request."""
    status, octets = REFUSED[payload]
    answers = scene.ask(*cut_of(octets, cut))
    assert [answer.status for answer in answers] == [status]
    assert answers[0].whole
    assert answers[0].values("connection") == ["close"]
    assert not [seen for seen in scene.seen() if seen.whole]


OF_TLS = {"absolute-other-scheme"}
"""Not refused over TLS as such: there it names the right scheme."""


@pytest.mark.parametrize("payload", [name for name in REFUSED if name not in OF_TLS])
def test_a_payload_is_refused_over_tls_alike(scene: Scene, payload: str) -> None:
    """What comes in records is read by the same rules, and answered before the end."""
    status, octets = REFUSED[payload]
    with scene.tls_client("one.example", "alice") as client:
        here = octets.replace(H, b"Host: one.example\r\n")
        answers = client.send(here, LAST).read_to_end()
        assert not client.reset
    assert [answer.status for answer in answers] == [status]
    assert answers[0].whole
    assert not [seen for seen in scene.seen() if seen.whole]


ALLOWED = {
    "plain": (get(), b""),
    "absolute": (get(target=b"http://a/p"), b""),
    "host-case-dot-port": (get(b"Host: A.:80\r\n"), b""),
    "chunked": (CHUNKED + b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    "chunked-case": (
        POST + b"Transfer-Encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"abc",
    ),
    "chunk-extension": (CHUNKED + b'3;a="b;c"\r\nabc\r\n0\r\n\r\n', b"abc"),
    "chunk-zeros": (CHUNKED + b"0003\r\nabc\r\n000\r\n\r\n", b"abc"),
    "trailers": (
        CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 9\r\nX-Forwarded-User: x\r\n\r\n",
        b"abc",
    ),
    "length": (POST + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    "get-with-body": (get(H + b"Content-Length: 3\r\n") + b"abc", b"abc"),
    "delete-with-chunks": (
        CHUNKED.replace(b"POST", b"DELETE") + b"3\r\nabc\r\n0\r\n\r\n",
        b"abc",
    ),
    "aliases": (get(H + b"X_Forwarded_User: a\r\nX.Remote.User: a\r\n"), b""),
    "alias-of-length": (get(H + b"Content_Length: 40\r\n"), b""),
    "alias-of-te": (get(H + b"Transfer_Encoding: chunked\r\n"), b""),
    "proxy": (get(H + b"Proxy: http://evil\r\n"), b""),
    "te-field": (get(H + b"TE: trailers\r\nTrailer: X\r\n"), b""),
    "upgrade-elsewhere": (get(H + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"), b""),
}
OURS = {"x-request-id", "host", "via", "forwarded", "x-forwarded-for"}
OURS |= {"x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"}
FRAMING = {"content-length", "transfer-encoding"}


@pytest.mark.parametrize("cut", ["whole", "octets"])
@pytest.mark.parametrize("payload", ALLOWED)
def test_a_payload_arrives_without_what_it_smuggles(
    scene: Scene, payload: str, cut: str
) -> None:
    """The backend gets the request, our fields, and nothing else of the payload."""
    octets, body = ALLOWED[payload]
    answers = scene.ask(*cut_of(octets, cut))
    assert [answer.status for answer in answers] == [200, 200]
    [seen] = scene.seen()
    assert (seen.target, seen.body, seen.whole) == ("/p", body, True)
    assert seen.values("host") == ["a"]
    assert seen.names - FRAMING == OURS
    assert len(seen.names & FRAMING) == (1 if body else 0)
