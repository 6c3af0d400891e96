"""Section F of the reference: answers go to who asked, whole, or visibly not."""

import time

import pytest

from tests.attacks.conftest import LAST, Scene
from tests.support.raw_client import Got
from tests.support.recorder import BODY, CLOSE, HOLD, RAW, RESET, Step, answer

GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
STRAY = answer(b"stray", "200 OK", b"X-Stray: 1")


def statuses(answers: list[Got]) -> list[int]:
    return [got.status for got in answers]


def test_answers_come_in_the_order_of_the_requests(scene: Scene) -> None:
    """The slow one first: nothing overtakes it (F3)."""
    scene.recorder.scripts = {
        "/slow": [BODY, 0.3, answer(b"slow")],
        "/chunks": [
            BODY,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nch\r\n",
            0.1,
            b"4\r\nunks\r\n0\r\n\r\n",
        ],
        "/fast": [BODY, answer(b"fast")],
    }
    order = [b"/slow", b"/fast", b"/chunks", b"/fast", b"/slow", b"/chunks"]
    answers = scene.ask(b"".join(GET % path for path in order))
    assert [b"/" + got.body for got in answers[:-1]] == order
    assert [seen.path.encode() for seen in scene.seen()] == order


def test_concurrent_clients_get_their_own_answers(scene: Scene) -> None:
    clients = [scene.client() for _ in range(20)]
    for number in range(20):
        path = f"/own/{number}"
        scene.recorder.scripts[path] = [
            BODY,
            0.3 - number / 100,
            answer(path.encode(), "200 OK"),
        ]
    for round_ in range(3):
        for number, client in enumerate(clients):
            client.send(GET % b"/own/%d" % number)
        for number, client in enumerate(clients):
            got = client.read(round_ + 1)[round_]
            assert got.body == b"/own/%d" % number
    for client in clients:
        client.socket.close()


BAD_ANSWERS: dict[str, list[Step]] = {
    "no-http": [b"SSH-2.0-OpenSSH\r\n\r\n"],
    "http-2": [b"HTTP/2 200 OK\r\n\r\n"],
    "status-word": [b"HTTP/1.1 OK\r\n\r\n"],
    "status-long": [b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"],
    "lf": [b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    "split-by-lf": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLocation: a\nSet-Cookie: b=c\r\n\r\n"
    ],
    "split-by-cr": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nLocation: a\rSet-Cookie: b=c\r\n\r\n"
    ],
    "nul": [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: \0\r\n\r\n"],
    "folded": [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\r\n b\r\n\r\n"],
    "two-lengths": [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
    ],
    "length-and-chunked": [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
    ],
    "length-sign": [b"HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc"],
    "coding-unknown": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"],
    "chunked-1.0": [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    "204-with-length": [b"HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\nabc"],
    "204-chunked": [
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    ],
    "101-unasked": [
        b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    ],
    "100-without-end": [b"HTTP/1.1 100 Continue\r\n\r\n" * 5000],
    "head-too-long": [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000 + b"\r\n\r\n"],
    "closed": [CLOSE],
    "reset": [RESET],
    "closed-in-head": [b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE],
}


@pytest.mark.parametrize("bad", BAD_ANSWERS)
def test_an_answer_that_cannot_be_read_is_502(scene: Scene, bad: str) -> None:
    """Nothing of it reaches the client, and its connection is not used again."""
    scene.recorder.scripts["/bad"] = [BODY, *BAD_ANSWERS[bad]]
    answers = scene.ask(GET % b"/bad", GET % b"/good")
    assert statuses(answers) == [502, 200, 200]
    *bad_ones, good = scene.seen()
    assert good.connection not in [seen.connection for seen in bad_ones]
    # A connection that just closes may have been a stale one: asked once more.
    assert len(bad_ones) <= (2 if bad in ("closed", "reset") else 1)


CUT: dict[str, list[Step]] = {
    "length": [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 0.05, CLOSE],
    "length-reset": [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0.05, RESET],
    "chunked": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        0.05,
        CLOSE,
    ],
    "chunked-before-crlf": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        0.05,
        CLOSE,
    ],
    "chunk-line-lf": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        0.05,
        b"0\n\n",
    ],
    "chunk-too-long": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
        b"0\r\n\r\n",
    ],
    "stalled": [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
}


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@pytest.mark.parametrize("cut", CUT)
def test_a_truncated_answer_is_cut_and_never_completed(
    scene: Scene, cut: str, version: bytes
) -> None:
    """The client's connection is reset: an HTTP/1.0 client sees nothing else."""
    scene.recorder.scripts["/cut"] = [BODY, *CUT[cut]]
    request = (GET % b"/cut").replace(b"1.1", version)
    with scene.client() as client:
        answers = client.send(request, LAST).read_to_end()
        assert client.reset
    assert all(not got.whole and not got.body.strip(b"abc") for got in answers)
    assert len(answers) <= 1


EXTRA: dict[str, tuple[bytes, int, bytes]] = {
    "whole-answer": (answer(b"ok") + STRAY, 200, b"ok"),
    "some-octets": (answer(b"ok") + b"\r\n", 200, b"ok"),
    "after-chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        + STRAY,
        200,
        b"ok",
    ),
    "204": (b"HTTP/1.1 204 No\r\n\r\nbody" + STRAY, 204, b""),
    "304": (b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nstray", 304, b""),
    "205": (b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n" + STRAY, 205, b""),
    "interim": (b"HTTP/1.1 103 Hint\r\nX: y\r\n\r\n" + answer(b"ok"), 200, b"ok"),
    "trailers": (
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
            b"Set-Cookie: a=b\r\n\r\n"
        ),
        200,
        b"ok",
    ),
}


@pytest.mark.parametrize("extra", EXTRA)
def test_what_follows_an_answer_reaches_nobody(scene: Scene, extra: str) -> None:
    """Octets that no request asked for make the connection useless (F11, F12)."""
    octets, status, body = EXTRA[extra]
    scene.recorder.scripts["/extra"] = [BODY, octets]
    answers = scene.ask(GET % b"/extra", GET % b"/good")
    assert statuses(answers) == [status, 200, 200]
    assert answers[0].body == body
    assert not [got for got in answers if got.values("x-stray")]
    assert not [got for got in answers if got.values("set-cookie")]
    first, second = scene.seen()
    reusable = extra in ("interim", "trailers")
    assert (first.connection == second.connection) is reusable


def test_an_answer_that_comes_late_and_unasked_reaches_nobody(scene: Scene) -> None:
    scene.recorder.scripts["/extra"] = [BODY, answer(b"ok"), 0.1, STRAY]
    with scene.client() as client:
        client.send(GET % b"/extra").read(1)
        time.sleep(0.3)
        answers = client.send(GET % b"/good", LAST).read_to_end()
    assert statuses(answers) == [200] * 3
    assert not [got for got in answers if got.values("x-stray")]


def test_a_body_in_an_answer_to_head_reaches_nobody(scene: Scene) -> None:
    scene.recorder.scripts["/head"] = [BODY, answer(b"12345")]
    head = b"HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n"
    answers = scene.ask(head, GET % b"/good", heads=(0,))
    assert statuses(answers) == [200] * 3
    assert answers[0].values("content-length") == ["5"]
    first, second = scene.seen()
    assert first.connection != second.connection


def test_an_answer_without_length_ends_with_its_connection(scene: Scene) -> None:
    scene.recorder.scripts["/till-end"] = [
        BODY,
        b"HTTP/1.1 200 OK\r\n\r\nab",
        0.1,
        b"c",
        CLOSE,
    ]
    answers = scene.ask(GET % b"/till-end")
    assert next(got.body for got in answers) == b"abc"
    assert answers[0].whole


def test_an_early_answer_ends_both_connections(scene: Scene) -> None:
    """The rest of the body would be read as a request (F12)."""
    scene.recorder.scripts["/early"] = [answer(b"early")]
    head = b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"
    with scene.client() as client:
        [got] = client.send(head + b"x" * 10).read(1)
        assert got.values("connection") == ["close"]
        client.send(GET % b"/smuggled" * 3)
        assert client.read_to_end() == [got]
    [seen] = scene.seen()
    assert not seen.whole
    time.sleep(0.05)
    assert scene.recorder.connections[seen.connection].transport.is_closing()


def test_a_body_that_ends_early_is_not_completed(scene: Scene) -> None:
    request = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"
    with scene.client() as client:
        answers = client.send(request).half_close().read_to_end()
    assert statuses(answers) == [400]
    assert not [seen for seen in scene.seen() if seen.whole]


def test_who_sends_no_more_still_gets_the_answer(scene: Scene) -> None:
    scene.recorder.scripts["/slow"] = [BODY, 0.1, answer(b"slow")]
    with scene.client() as client:
        answers = client.send(GET % b"/slow").half_close().read_to_end()
    assert [got.body for got in answers] == [b"slow"]


EXPECTING = (
    b"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
)


def test_we_answer_100_and_the_backend_never_sees_the_expectation(
    scene: Scene,
) -> None:
    """Whatever the backend thinks of it, body and length stay together (F7)."""
    with scene.client() as client:
        client.send(EXPECTING)
        while not client.octets:
            client.receive()
        assert statuses(client.answers()) == [100]
        answers = client.send(b"abc", LAST).read_to_end()
    assert statuses(answers) == [100, 200, 200]
    [seen] = scene.seen()
    assert (seen.body, seen.values("expect")) == (b"abc", [])


def test_a_body_that_does_not_wait_for_100_needs_none(scene: Scene) -> None:
    assert statuses(scene.ask(EXPECTING + b"abc")) == [200, 200]
    [seen] = scene.seen()
    assert seen.body == b"abc"


def test_who_is_refused_is_not_asked_for_the_body(scene: Scene) -> None:
    request = EXPECTING.replace(b"/p", b"/token/")
    with scene.client() as client:
        answers = client.send(request).read_to_end()
    assert statuses(answers) == [401]
    assert answers[0].values("connection") == ["close"]
    assert scene.seen() == []


def test_a_request_on_a_stale_connection_is_sent_again_if_it_may(scene: Scene) -> None:
    """A backend that closes after its answer: GET arrives, on another connection."""
    scene.recorder.scripts["/once"] = [BODY, answer(b"ok"), CLOSE]
    with scene.client() as client:
        for count in range(1, 11):
            client.send(GET % b"/once").read(count)
        answers = client.send(LAST).read_to_end()
    assert statuses(answers) == [200] * 11
    assert len({seen.connection for seen in scene.seen()}) == 10


def test_a_get_whose_answer_is_lost_is_sent_once_more(scene: Scene) -> None:
    """Idempotent, on a connection that had answered before: once more and no more."""
    scene.recorder.scripts["/lost"] = [BODY, CLOSE]
    assert statuses(scene.ask(GET % b"/good", GET % b"/lost")) == [200, 502, 200]
    paths = [seen.path for seen in scene.seen()]
    assert paths.count("/lost") == 2


@pytest.mark.parametrize("length", [b"Content-Length: 0\r\n", b"Content-Length: 3\r\n"])
def test_a_post_whose_answer_is_lost_is_not_sent_again(
    scene: Scene, length: bytes
) -> None:
    scene.recorder.scripts["/lost"] = [BODY, CLOSE]
    body = b"abc" if b"3" in length else b""
    post = b"POST /lost HTTP/1.1\r\nHost: a\r\n" + length + b"\r\n" + body
    assert statuses(scene.ask(GET % b"/good", post)) == [200, 502, 200]
    paths = [seen.path for seen in scene.seen()]
    assert paths.count("/lost") == 1


def test_a_post_is_not_sent_where_nobody_reads_it(scene: Scene) -> None:
    """It cannot be sent again, so a connection is looked at before it is used."""
    scene.recorder.scripts["/once"] = [BODY, answer(b"ok"), CLOSE]
    post = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    with scene.client() as client:
        for count in range(1, 11, 2):
            client.send(GET % b"/once").read(count)
            time.sleep(0.03)  # until the end has arrived
            client.send(post).read(count + 1)
        answers = client.send(LAST).read_to_end()
    assert statuses(answers) == [200] * 11
    paths = [seen.path for seen in scene.seen()]
    assert paths.count("/p") == 5


def test_an_answer_that_began_is_not_asked_for_again(scene: Scene) -> None:
    scene.recorder.scripts["/lost"] = [BODY, b"HTTP/1.1 200 OK\r\nX", CLOSE]
    assert statuses(scene.ask(GET % b"/good", GET % b"/lost")) == [200, 502, 200]
    paths = [seen.path for seen in scene.seen()]
    assert paths.count("/lost") == 1


def test_hop_by_hop_fields_of_answers_go_no_further(scene: Scene) -> None:
    octets = answer(
        b"ok",
        "200 OK",
        b"Connection: X-Internal, close",
        b"X-Internal: 1",
        b"Keep-Alive: timeout=5",
        b"Proxy-Authenticate: Basic",
        b"Set-Cookie: __Host-sso=forged; Path=/",
        b"X-Request-Id: forged",
        b"X-Kept: 1",
    )
    scene.recorder.scripts["/hop"] = [BODY, octets]
    got, _ = scene.ask(GET % b"/hop")
    names = {name.lower() for name, _ in got.headers}
    assert names == {"content-length", "x-kept", "via", "date", "x-request-id"}
    assert got.values("x-request-id") != ["forged"]


UPGRADE = (
    b"GET /socket/x HTTP/1.1\r\nHost: a\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: %b\r\nSec-WebSocket-Version: %b\r\n\r\n"
)
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
SWITCH = (
    b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: %b\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
SMUGGLED = GET % b"/token/smuggled"


@pytest.mark.parametrize(
    ("key", "version"), [(b"", b"13"), (b"abc", b"13"), (KEY, b"777"), (KEY, b"13, 8")]
)
def test_a_bad_handshake_is_refused_before_any_backend(
    scene: Scene, key: bytes, version: bytes
) -> None:
    """F13: the backend would say 200 and read on, and we would take it for a tunnel."""
    assert statuses(scene.ask(UPGRADE % (key, version), SMUGGLED)) == [400, 401, 200]
    assert scene.seen() == []


def test_without_a_switch_what_follows_are_requests(scene: Scene) -> None:
    """A backend that says 200 to an upgrade has not switched; each is decided on."""
    answers = scene.ask(UPGRADE % (KEY, b"13") + SMUGGLED)
    assert statuses(answers) == [200, 401, 200]
    assert [seen.path for seen in scene.seen()] == ["/socket/x"]


@pytest.mark.parametrize(
    ("protocol", "accept"),
    [(b"websocket", b"x" * 28), (b"websocket", b""), (b"h2c", ACCEPT)],
)
def test_a_switch_that_is_not_proved_is_none(
    scene: Scene, protocol: bytes, accept: bytes
) -> None:
    scene.recorder.scripts["/socket/x"] = [BODY, SWITCH % (protocol, accept), RAW]
    answers = scene.ask(UPGRADE % (KEY, b"13") + SMUGGLED)
    assert statuses(answers) == [502, 401, 200]
    assert [seen.path for seen in scene.seen()] == ["/socket/x"]


def test_a_proved_switch_carries_anything_both_ways(scene: Scene) -> None:
    scene.recorder.scripts["/socket/x"] = [BODY, RAW, SWITCH % (b"websocket", ACCEPT)]
    with scene.client() as client:
        client.send(UPGRADE % (KEY, b"13"))
        while b"\r\n\r\n" not in client.octets:
            client.receive()
        [got] = client.answers()
        assert got.status == 101
        head = len(client.octets)
        client.send(b"\x00\r\nhello")
        while len(client.octets) < head + 8:
            client.receive()
        assert client.octets[head:] == b"\x00\r\nhello"


def test_an_upgrade_is_not_offered_on_other_routes(scene: Scene) -> None:
    request = (UPGRADE % (KEY, b"13")).replace(b"/socket/x", b"/x")
    scene.recorder.scripts["/x"] = [BODY, SWITCH % (b"websocket", ACCEPT)]
    assert statuses(scene.ask(request + SMUGGLED)) == [502, 401, 200]
    [seen] = scene.seen()
    assert not seen.names & {"upgrade", "connection"}


def test_a_foreign_page_opens_no_socket(scene: Scene) -> None:
    request = (UPGRADE % (KEY, b"13"))[:-2] + b"Origin: http://evil\r\n\r\n"
    assert statuses(scene.ask(request)) == [403, 200]
    assert scene.seen() == []


@pytest.mark.alone
def test_a_backend_that_reads_nothing_holds_only_its_own_client(scene: Scene) -> None:
    scene.recorder.scripts["/held"] = [HOLD, 0.5, answer(b"late"), CLOSE]
    head = b"POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n"
    with scene.client() as client:
        client.send(head + b"x" * 1000)
        began = time.monotonic()
        assert scene.get("/other").status == 200
        assert time.monotonic() - began < 0.4
        assert client.read_to_end()[0].body == b"late"
