"""What our reader accepts, llhttp (httptools) reads alike."""

from collections import Counter

import httptools
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.head import read_fields, split_head
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import METHODS, read_request

LIMITS = HeadLimits()
MANAGED = ManagedNames()


class Heard:
    """What llhttp tells."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: Counter[tuple[str, str]] = Counter()
        self.complete = False
        self.keep_alive = False
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        text = value.decode("latin-1").strip(" \t")
        self.fields[name.decode("latin-1").lower(), text] += 1

    def on_headers_complete(self) -> None:
        self.complete = True
        self.keep_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body


def one_of(*choices: str) -> st.SearchStrategy[str]:
    return st.sampled_from(choices)


TARGETS = st.one_of(
    one_of("/", "/a/b?c=d", "*", "https://a.example/x", "//a", "/%2e%2e/x", "/a?b|c"),
    st.text("/.a;=&@:*~", max_size=12).map("/".__add__),
    st.text("a?=%|[]{}^\\", max_size=8).map("/a?".__add__),
    st.text('/.%2eEfFa;?=&@:|[]\\"^`{}#*~', max_size=6).map("/".__add__),
)
VALUES = st.one_of(
    one_of("3", "0", "003", "chunked", "close", "keep-alive", "upgrade", "a.example"),
    one_of("gzip, chunked", "3, 3", "websocket", "100-continue", "a:80", "[::1]", ""),
    one_of("keep-alive, upgrade", "close, x", "\t x \t", "+3", "0x3"),
    st.text('ab ,;=\t\u00e9"', max_size=8),
)
NAMES = st.one_of(
    one_of("Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade"),
    one_of("Expect", "Cookie", "X-Remote-User", "X", "x_y", "TE", "Content-Type"),
    st.text("aX-_.~|", min_size=1, max_size=4),
)
LINES = st.tuples(NAMES, one_of(*([":", ": ", ":  \t"] * 6), " :", ""), VALUES).map(
    "".join
)
HEADS = st.builds(
    lambda method, target, minor, host, lines: "\r\n".join(
        [f"{method} {target} HTTP/1.{minor}", host, *lines, "", ""]
    ).encode("latin-1"),
    st.sampled_from(sorted(METHODS)),
    TARGETS,
    one_of("0", "1", "1", "1"),
    one_of("Host: a.example", "host:a.example", "Host: a.example:443"),
    st.lists(LINES, max_size=5),
)


@given(data=HEADS)
def test_llhttp_reads_what_we_accept_alike(data: bytes) -> None:
    """The same method, target, fields, persistence and end of head."""
    try:
        incoming = read_request(
            data, scheme="https", port=443, limits=LIMITS, managed=MANAGED
        )
    except BadMessageError:
        return
    head, framing = incoming.head, incoming.framing
    heard = Heard()
    parser = heard.parser
    rest = b"" if framing.length == 0 else b"0\r\n\r\n" if framing.chunked else b""
    try:
        parser.feed_data(data + rest)
    except httptools.HttpParserUpgrade:
        # RFC 9110 section 7.8: "MUST ignore" Upgrade in HTTP/1.0; llhttp does not.
        # No backend gets it from us.
        assert framing.upgrade is not None or framing.minor == 0
    assert heard.complete
    assert parser.get_method() == head.method.encode()
    line, *lines = split_head(data)
    assert heard.url == line.split(" ")[1].encode()
    assert heard.fields == Counter(read_fields(lines))
    assert parser.get_http_version() == f"1.{framing.minor}"
    assert heard.keep_alive or not framing.keep_alive
    assert heard.body == b""
