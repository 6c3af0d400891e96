"""Answer heads of backends (F1, F5, F12, F13)."""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadAnswerError
from sso_proxy.specs.http.answer import Answer, end_of_answer_head, read_answer


def read(*lines: str, status: str = "HTTP/1.1 200 OK", method: str = "GET") -> Answer:
    data = "\r\n".join([status, *lines, "", ""]).encode("latin-1")
    return read_answer(data, method=method)


def refused(*lines: str, status: str = "HTTP/1.1 200 OK", method: str = "GET") -> str:
    with pytest.raises(BadAnswerError) as caught:
        read(*lines, status=status, method=method)
    return caught.value.reason


def test_an_answer_is_read_whole() -> None:
    answer = read("Content-Length: 3", "ETag: a", "Set-Cookie: a", "set-cookie: b")
    assert answer == Answer(
        minor=1,
        status=200,
        phrase="OK",
        headers=(("etag", "a"), ("set-cookie", "a"), ("set-cookie", "b")),
        length=3,
        chunked=False,
        until_close=False,
        keep_alive=True,
    )


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        ("HTTP/1.1 200", ""),
        ("HTTP/1.1 200 ", ""),
        ("HTTP/1.1 200 N\xe3o \t!", "N\xe3o \t!"),
    ],
)
def test_a_phrase_may_be_anything_or_missing(status: str, phrase: str) -> None:
    assert read("Content-Length: 0", status=status).phrase == phrase


@pytest.mark.parametrize(
    "status",
    [
        *("HTTP/1.2 200 OK", "HTTP/2 200", "HTTP/1.1 99 a", "HTTP/1.1 600 a", ""),
        *("HTTP/1.1  200 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", "HTTP/1.1\t200 OK"),
        *("http/1.1 200 OK", "HTTP/1.1 +20 OK", "ICY 200 OK", "HTTP/1.1 200OK"),
        *("HTTP/1.1 200 a\x00", "HTTP/1.1 200 a\nX: b", "HTTP/1.1 \xb2\xb3\xb9 a"),
    ],
)
def test_a_bad_status_line_is_refused(status: str) -> None:
    expected = {"status-line", "control-character", "bare-line-end"}
    assert refused("Content-Length: 0", status=status) in expected


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["X: a", " b"], "field-folded"),
        (["X : a"], "field-blank-before-colon"),
        (["X: a\nSet-Cookie: b"], "bare-line-end"),
        (["X: a\rSet-Cookie: b"], "bare-line-end"),
        (["X: a\0"], "control-character"),
        ([": a"], "field-name-empty"),
        (["Content-Length: 3", "Content-Length: 4"], "content-length-repeated"),
        (["Content-Length: 3", "Content-Length: 3"], "content-length-repeated"),
        (["Content-Length: 3, 3"], "content-length-malformed"),
        (["Content-Length: +3"], "content-length-malformed"),
        (["Content-Length:"], "content-length-malformed"),
        (["Content-Length: " + "9" * 25], "content-length-malformed"),
        (
            ["Content-Length: 3", "Transfer-Encoding: chunked"],
            "content-length-and-transfer-encoding",
        ),
        (["Transfer-Encoding: gzip, chunked"], "transfer-encoding-unknown"),
        (["Transfer-Encoding: identity"], "transfer-encoding-unknown"),
        (["Transfer-Encoding: chunked"] * 2, "transfer-encoding-repeated"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(
    lines: list[str], reason: str
) -> None:
    assert refused(*lines) == reason


def test_http_1_0_has_no_transfer_codings() -> None:
    status = "HTTP/1.0 200 OK"
    assert refused("Transfer-Encoding: chunked", status=status) == (
        "transfer-encoding-in-1.0"
    )


def test_a_chunked_answer_has_no_length() -> None:
    answer = read("Transfer-Encoding: Chunked")
    assert (answer.length, answer.chunked, answer.until_close) == (None, True, False)
    assert answer.headers == ()
    assert answer.keep_alive


def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    answer = read("Connection: keep-alive")
    assert (answer.length, answer.chunked, answer.until_close) == (None, False, True)
    assert not answer.keep_alive


@pytest.mark.parametrize(
    ("minor", "connection", "kept"),
    [
        *((1, "", True), (1, "close", False), (1, "Close, x", False)),
        *((0, "", False), (0, "Keep-Alive", True), (0, "keep-alive, close", False)),
    ],
)
def test_keep_alive_is_as_the_version_and_connection_say(
    minor: int, connection: str, *, kept: bool
) -> None:
    lines = ["Content-Length: 0", f"Connection: {connection}"]
    assert read(*lines, status=f"HTTP/1.{minor} 200 OK").keep_alive is kept


def test_hop_by_hop_fields_go_no_further() -> None:
    answer = read(
        "Connection: X-Hop, close",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Proxy-Authenticate: Basic",
        "Proxy-Connection: close",
        "Trailer: X",
        "Upgrade: h2c",
        "TE: trailers",
        "Content-Length: 0",
        "X-End: 1",
    )
    assert answer.headers == (("x-end", "1"),)
    assert answer.upgrade is None


@pytest.mark.parametrize("status", ["200", "304", "404"])
def test_an_answer_to_head_keeps_the_length_as_a_field(status: str) -> None:
    """RFC 9110 section 8.6: it is that of the answer to GET."""
    answer = read("Content-Length: 5", status=f"HTTP/1.1 {status} a", method="HEAD")
    assert answer.length == 0
    assert ("content-length", "5") in answer.headers
    assert answer.keep_alive


def test_a_304_has_no_body_whatever_it_says() -> None:
    answer = read("Content-Length: 5", status="HTTP/1.1 304 a")
    assert answer.length == 0
    assert answer.headers == (("content-length", "5"),)
    assert read(status="HTTP/1.1 304 a").keep_alive


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head_and_304_may_be_chunked_without_chunks(method: str) -> None:
    """RFC 9112 section 6.1."""
    answer = read("Transfer-Encoding: chunked", status="HTTP/1.1 304 a", method=method)
    assert (answer.length, answer.chunked, answer.headers) == (0, False, ())


@pytest.mark.parametrize("status", ["100", "103", "204"])
@pytest.mark.parametrize("line", ["Content-Length: 3", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_where_none_can_be_is_refused(
    status: str, line: str, method: str
) -> None:
    """F12: who believes the field takes the next answer for the body."""
    reason = refused(line, status=f"HTTP/1.1 {status} a", method=method)
    assert reason == "body-in-bodiless-answer"


def test_a_204_may_say_that_it_has_no_body() -> None:
    answer = read("Content-Length: 0", status="HTTP/1.1 204 a")
    assert answer.length == 0
    assert answer.headers == ()
    assert answer.keep_alive


def test_a_205_has_no_content() -> None:
    """RFC 9110 section 15.3.6."""
    assert read("Content-Length: 0", status="HTTP/1.1 205 a").length == 0
    for lines in ((), ("Content-Length: 3",), ("Transfer-Encoding: chunked",)):
        assert refused(*lines, status="HTTP/1.1 205 a") == "body-in-205"


def test_a_switch_says_to_what() -> None:
    answer = read(
        *("Connection: Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Accept: x"),
        status="HTTP/1.1 101 Switching Protocols",
    )
    assert answer.upgrade == "websocket"
    assert answer.headers == (("sec-websocket-accept", "x"),)
    assert read("Upgrade: a", status="HTTP/1.1 101 a").upgrade is None


def test_the_end_of_a_head_is_found_however_it_is_cut() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
    for cut in range(len(head)):
        assert end_of_answer_head(head[:cut]) == -1
    assert end_of_answer_head(head + b"abc\n\0") == len(head)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\r\nHTTP/1.1 200", "answer-start"),
        (b"<html>", "answer-start"),
        (b"HTTP/2", "answer-start"),
        (b"HTTP/1.1 200 OK\nX: a", "bare-line-end"),
        (b"HTTP/1.1 200 O\0", "control-character"),
        (b"HTTP/1.1 200 " + b"a" * 65536, "answer-head-too-long"),
        (b"HTTP/1.1 200 " + b"a" * 65536 + b"\r\n\r\n", "answer-head-too-long"),
    ],
)
def test_what_is_no_head_is_refused_early(data: bytes, reason: str) -> None:
    with pytest.raises(BadAnswerError) as caught:
        end_of_answer_head(data)
    assert caught.value.reason == reason


LINES = st.lists(
    st.sampled_from(
        [
            *("Content-Length: 3", "Content-Length: 0", "Transfer-Encoding: chunked"),
            *("Connection: close", "Connection: keep-alive", "X: \xe9", "x_y:a"),
            *("Upgrade: h2c", "Connection: upgrade", "X : y", " z", "Content-Length:"),
        ]
    ),
    max_size=4,
)


class Heard:
    """What llhttp tells."""

    complete = keep_alive = False

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        self.complete = True
        self.keep_alive = self.parser.should_keep_alive()


@given(
    minor=st.integers(0, 1),
    status=st.sampled_from([200, 404, 204, 304, 500]),
    lines=LINES,
)
def test_llhttp_reads_what_we_accept_alike(
    minor: int, status: int, lines: list[str]
) -> None:
    line = f"HTTP/1.{minor} {status} a"
    try:
        answer = read(*lines, status=line)
    except BadAnswerError:
        return
    heard = Heard()
    heard.parser.feed_data("\r\n".join([line, *lines, "", ""]).encode("latin-1"))
    assert heard.complete
    assert heard.parser.get_status_code() == status
    assert heard.keep_alive or not answer.keep_alive


@given(data=st.binary(), method=st.sampled_from(["GET", "HEAD"]))
def test_any_octets_are_read_or_refused(data: bytes, method: str) -> None:
    """Nothing but BadAnswerError ever comes out."""
    for octets in (data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            answer = read_answer(octets, method=method)
            end_of_answer_head(octets)
        except BadAnswerError:
            continue
        assert [answer.length is not None, answer.chunked, answer.until_close].count(
            True
        ) == 1
