"""Section 4.4 of the reference: every limit is finite and is kept, with an answer."""

import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attacks.conftest import LAST, Authorities, Scene, start
from tests.attacks.test_answers import ACCEPT, GET, KEY, SWITCH, UPGRADE, statuses
from tests.support.raw_client import RawClient
from tests.support.recorder import BODY, RAW, answer

LIMITS = """
header_timeout = 1.5, body_idle_timeout = 1.0, body_min_rate = 1000,
send_timeout = 1.0, keep_alive_timeout = 1.0, requests_per_connection = 5,
request_line = 1000, header_bytes = 4000, headers = 20,
linger_timeout = 1.0, linger_bytes = 100000, upgrade_idle_timeout = 1.0
""".replace("\n", " ")
LATE = 4.0
"""Seconds by which the sweeping of deadlines, and a busy machine, may be late."""
FLOOD = 450


@pytest.fixture(scope="module")
def _strict(
    tmp_path_factory: pytest.TempPathFactory, keys: Authorities
) -> Iterator[Scene]:
    yield from start(
        tmp_path_factory.mktemp("limits"),
        keys,
        limits=LIMITS,
        server=f"connections_per_address = {FLOOD}",
    )


@pytest.fixture
def strict(_strict: Scene) -> Iterator[Scene]:
    """A running proxy with little patience."""
    said = len(_strict.proxy.log())
    _strict.recorder.clear()
    yield _strict
    assert _strict.recorder.garbage == []
    assert "Traceback" not in _strict.proxy.log()[said:]


def check_took(began: float, least: float) -> None:
    """Check that *least* seconds have passed, and not many more."""
    seconds = time.monotonic() - began
    assert least - 0.1 <= seconds <= least + LATE, f"{seconds} s instead of {least}"


def drip(client: RawClient, piece: bytes, seconds: float) -> None:
    """Send *piece* over and over, until the proxy says something."""
    until = time.monotonic() + seconds
    while not client.octets and not client.ended and time.monotonic() < until:
        client.send(piece)
        client.receive(0.25)


@pytest.mark.parametrize("secure", [False, True])
def test_a_field_now_and_then_is_cut_off(strict: Scene, secure: bool) -> None:  # noqa: FBT001
    """Slowloris: the whole head has to be there in time, however it moves."""
    with (
        strict.tls_client("one.example", "alice") if secure else strict.client() as (
            client
        )
    ):
        began = time.monotonic()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        drip(client, b"X: y\r\n", 5)
        answers = client.read_to_end()
        assert statuses(answers) == [408]
        check_took(began, 1.5)
    assert strict.seen() == []


def test_the_first_octet_starts_the_clock(strict: Scene) -> None:
    with strict.client() as client:
        began = time.monotonic()
        assert statuses(client.send(b"G").read_to_end()) == [408]
        check_took(began, 1.5)


def test_the_second_head_has_no_more_time(strict: Scene) -> None:
    with strict.client() as client:
        client.send(GET % b"/").read(1)
        began = time.monotonic()
        client.send(b"GET / HT")
        assert statuses(client.read_to_end()) == [200, 408]
        check_took(began, 1.5)


@pytest.mark.parametrize("requests", [0, 1])
def test_an_idle_connection_is_closed(strict: Scene, requests: int) -> None:
    with strict.client() as client:
        client.send((GET % b"/") * requests).read(requests) if requests else None
        began = time.monotonic()
        assert statuses(client.read_to_end()) == [200] * requests
        assert not client.reset
        check_took(began, 1.0)


POST = b"POST /p HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n"
SLOW_BODIES = {
    "length": (POST % b"Content-Length: 5000", b"x"),
    "chunks": (POST % b"Transfer-Encoding: chunked", b"1\r\nx\r\n"),
    "chunk-line": (POST % b"Transfer-Encoding: chunked", b"0"),
}


@pytest.mark.parametrize("body", SLOW_BODIES)
def test_a_slow_body_is_cut_off(strict: Scene, body: str) -> None:
    """R.U.D.Y.: it has to keep a rate, not only to move."""
    head, piece = SLOW_BODIES[body]
    with strict.client() as client:
        began = time.monotonic()
        client.send(head)
        drip(client, piece, 5)
        assert statuses(client.read_to_end()) == [408]
        check_took(began, 1.0)
    assert not [seen for seen in strict.seen() if seen.whole]


def test_a_body_that_stops_is_cut_off(strict: Scene) -> None:
    with strict.client() as client:
        began = time.monotonic()
        client.send(POST % b"Content-Length: 50000", b"x" * 40000)
        assert statuses(client.read_to_end()) == [408]
        check_took(began, 1.0)


def test_who_reads_nothing_is_cut_off(strict: Scene) -> None:
    strict.recorder.scripts["/long"] = [BODY, answer(b"x" * 30_000_000)]
    with strict.client() as client:
        began = time.monotonic()
        client.send(GET % b"/long")
        gone = select.poll()  # without reading, which would be progress
        gone.register(client.socket, 0)
        assert gone.poll(10_000)
        check_took(began, 1.0)
        [got] = client.read_to_end()
        assert client.reset
        assert not got.whole


@pytest.mark.alone
def test_who_reads_slowly_is_served(strict: Scene) -> None:
    strict.recorder.scripts["/long"] = [BODY, answer(b"x" * 20_000_000)]
    with strict.client() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send(GET % b"/long")
        for _ in range(5):
            time.sleep(0.3)
            for _ in range(40):
                client.receive(0.2)
        [got] = client.read(1)
        assert len(got.body) == 20_000_000


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (GET % (b"/" + b"a" * (1000 - 14)), 200),
        (GET % (b"/" + b"a" * (1000 - 13)), 414),
        (GET % (b"/?" + b"a" * 1000), 414),
        ((GET % b"/")[:-2] + b"X: y\r\n" * 19 + b"\r\n", 200),
        ((GET % b"/")[:-2] + b"X: y\r\n" * 20 + b"\r\n", 431),
        ((GET % b"/")[:-2] + b"X: " + b"a" * 3900 + b"\r\n\r\n", 200),
        ((GET % b"/")[:-2] + b"X: " + b"a" * 4000 + b"\r\n\r\n", 431),
        ((GET % b"/")[:-2] + b"Cookie: " + b"a=;" * 300000 + b"\r\n\r\n", 431),
        (POST % b"Content-Length: 100000" + b"x" * 100000, 200),
        (POST % b"Content-Length: 100001" + b"x" * 100001, 413),
        (POST % b"Content-Length: 100001", 413),
        (
            POST % b"Transfer-Encoding: chunked"
            + b"3e8\r\n%b\r\n" % (b"x" * 1000) * 100
            + b"0\r\n\r\n",
            200,
        ),
        (
            POST % b"Transfer-Encoding: chunked"
            + b"3e8\r\n%b\r\n" % (b"x" * 1000) * 101
            + b"0\r\n\r\n",
            413,
        ),
    ],
)
def test_what_is_too_long_is_refused(strict: Scene, octets: bytes, status: int) -> None:
    with strict.client() as client:
        answers = client.send(octets, LAST).read_to_end()
    assert statuses(answers) == ([200, 200] if status == 200 else [status])
    whole = [seen for seen in strict.seen() if seen.whole]
    assert len(whole) == (1 if status == 200 else 0)


def test_a_connection_carries_so_many_requests(strict: Scene) -> None:
    with strict.client() as client:
        answers = client.send(GET % b"/" * 8).read_to_end()
    assert statuses(answers) == [200] * 5
    assert [got.values("connection") for got in answers] == [[]] * 4 + [["close"]]
    assert len(strict.seen()) == 5


def test_repetitions_count_as_requests(strict: Scene) -> None:
    with strict.client() as client:
        for count in range(1, 6):
            client.send(GET % b"/").read(count)
        assert len(client.send(GET % b"/").read_to_end()) == 5


def test_pipelined_requests_wait_outside(strict: Scene) -> None:
    """While one is served, no more than a little of the next ones is taken in."""
    strict.recorder.scripts["/slow"] = [BODY, 1.0, answer(b"slow")]
    with strict.client() as client:
        client.send(GET % b"/slow")
        client.socket.settimeout(0.3)
        sent, piece = 0, (GET % b"/x") * 3000
        try:
            while sent < 50_000_000:
                sent += client.socket.send(piece)
        except TimeoutError:
            pass
        assert sent < 20_000_000  # what the kernel keeps for both ends
        assert client.read(1)[0].body == b"slow"


def test_after_a_refusal_little_more_is_taken_in(strict: Scene) -> None:
    """The answer arrives; who goes on sending is cut off."""
    with strict.client() as client:
        client.send(POST % b"Content-Length: 1000000000")
        assert statuses(client.read(1)) == [413]
        began = time.monotonic()
        while not client.reset and time.monotonic() - began < 10:
            try:
                client.socket.sendall(b"x" * 50000)
            except OSError:
                break
        assert time.monotonic() - began < 1.0 + LATE


@pytest.mark.parametrize(
    "hello", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"]
)
def test_a_handshake_that_stalls_is_cut_off(strict: Scene, hello: bytes) -> None:
    with RawClient(strict.secure) as client:
        began = time.monotonic()
        client.send(hello)
        assert client.read_to_end() == []
        check_took(began, 1.5)


def test_a_backend_that_says_nothing_is_504(strict: Scene) -> None:
    strict.recorder.scripts["/never"] = [BODY]
    began = time.monotonic()
    assert strict.get("/never").status == 504
    check_took(began, 2.0)


def test_a_silent_tunnel_is_closed(strict: Scene) -> None:
    strict.recorder.scripts["/socket/x"] = [BODY, RAW, SWITCH % (b"websocket", ACCEPT)]
    with strict.client() as client:
        began = time.monotonic()
        client.send(UPGRADE % (KEY, b"13")).read_to_end()
        check_took(began, 1.0)


def test_one_address_gets_so_many_connections(strict: Scene) -> None:
    """Others do not suffer from who takes all that it may have."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(RawClient(strict.plain, source="127.0.0.9"))
            for _ in range(FLOOD + 10)
        ]
        over = clients[FLOOD:]
        for client in over:
            client.receive(2)
        assert all(client.ended for client in over)
        assert strict.get("/other").status == 200
        clients[0].send(GET % b"/held")
        assert statuses(clients[0].read(1)) == [200]


def slow_clients(*options: str, port: int, directory: Path) -> subprocess.Popen[bytes]:
    """Start 200 slow clients."""
    program = shutil.which("slowhttptest")
    assert program is not None, "slowhttptest is missing: apt-get install slowhttptest"
    url = f"http://127.0.0.1:{port}/"
    return subprocess.Popen(  # noqa: S603
        [program, "-c", "200", "-r", "200", "-i", "1", "-l", "5", "-u", url, *options],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb"},
    )


def test_slow_clients_do_not_slow_the_others(scene: Scene, tmp_path: Path) -> None:
    """200 slow heads and 200 slow bodies, of a proxy as patient as by default."""
    programs = [
        slow_clients(*options, port=scene.plain, directory=tmp_path)
        for options in (("-H",), ("-B", "-s", "8192"))
    ]
    latencies, most = [], 0
    try:
        until = time.monotonic() + 5.0
        while time.monotonic() < until:
            began = time.monotonic()
            assert scene.get("/normal").status == 200
            latencies.append(time.monotonic() - began)
            most = max(most, connections(scene.plain))
            time.sleep(0.1)
    finally:
        for program in programs:
            program.kill()
            program.wait(5)
    assert most >= 400
    assert max(latencies) < 1.0


def connections(port: int) -> int:
    """Count the connections that are open at *port*."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    local, established = f":{port:04X}", "01"
    fields = (line.split() for line in lines[1:])
    return sum(f[1].endswith(local) and f[3] == established for f in fields)
