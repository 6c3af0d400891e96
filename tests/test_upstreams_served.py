"""Several servers behind the whole proxy, in one process with real sockets."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sso_proxy.specs.http.websocket import accept_for
from tests.support.sockets import read_all, until
from tests.support.upstream_lab import HEADLESS, OK
from tests.support.upstream_scene import UpstreamScene

UPSTREAM = """
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "upstream:shop"
{route}
[upstream.shop]
server = [{{{{ url = "{{0}}" }}}}, {{{{ url = "{{1}}" }}}}]
{options}
"""
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def text(options: str = "", route: str = "") -> str:
    return UPSTREAM.format(options=options, route=route)


Make = Callable[..., UpstreamScene]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Make]:
    made: list[UpstreamScene] = []

    def make(options: str = "", route: str = "") -> UpstreamScene:
        made.append(UpstreamScene(tmp_path, text(options, route)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_repeated_requests_go_to_servers_in_turn(scene: Make) -> None:
    proxy = scene()
    client = proxy.connect()
    for number in range(4):
        proxy.send("/", client=client)
        proxy.servers[number % 2].hear().send(OK)
        assert proxy.answer(client).endswith(b"ok")
    for server in proxy.servers:
        assert f'"upstream":"upstream:shop {server.url}"' in proxy.records()


def test_a_client_does_not_notice_the_loss_of_a_server(scene: Make) -> None:
    proxy = scene()
    client = proxy.connect()
    proxy.servers[0].refuse()
    for number in range(3):
        proxy.send("/", method="POST", client=client, body=b"body")
        sock = proxy.servers[1].accept() if number == 0 else proxy.servers[1].open[0]
        assert proxy.servers[1].read(sock, b"body").startswith(b"POST")
        sock.send(OK)
        assert proxy.answer(client).startswith(b"HTTP/1.1 200")


def test_without_servers_callers_hear_when_to_come_again(scene: Make) -> None:
    proxy = scene("failures = 1")
    for server in proxy.servers:
        server.refuse()
    assert proxy.answer(proxy.send()).startswith(b"HTTP/1.1 502")
    answer = proxy.answer(proxy.send("/", "Accept: text/html"))
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"\r\nRetry-After: 5\r\n" in answer
    assert b"None of its servers answers" in answer
    assert '"reason":"upstream-down"' in proxy.records()
    (missing,) = proxy.done(proxy.gateway.probe())
    assert missing == ("warning: upstream.shop: no server is well",)
    metrics = proxy.gateway.metrics().decode()
    assert 'sso_proxy_upstream_refused_total{reason="upstream-down"' in metrics


def test_an_upload_goes_on_where_its_server_is(scene: Make) -> None:
    proxy = scene()
    client = proxy.connect()
    body = b"x" * 300_000 + b"end"
    head = f"POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: {len(body)}"
    client.setblocking(True)
    client.settimeout(5)
    client.send(head.encode() + HEADLESS)
    sock = proxy.servers[0].accept()
    client.setblocking(False)
    sent, got = 0, bytearray()

    def arrived() -> bool:
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            sent += client.send(body[sent : sent + 65536])
        got.extend(read_all(sock))
        return got.endswith(b"xend")

    until(proxy.nest, arrived)
    assert got.count(b"x" * 300_000) == 1
    sock.send(OK)
    assert proxy.answer(client).startswith(b"HTTP/1.1 200")


def test_a_websocket_stays_at_its_server(scene: Make) -> None:
    proxy = scene(route='upgrade = ["websocket"]')
    fields = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
    )
    proxy.servers[0].refuse()
    client = proxy.send("/", *fields)
    sock = proxy.servers[1].hear()
    sock.send(
        b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: " + accept_for(KEY).encode() + HEADLESS
    )
    assert proxy.answer(client).startswith(b"HTTP/1.1 101")
    client.send(b"ping")
    until(proxy.nest, lambda: read_all(sock) == b"ping")
    sock.send(b"pong")
    assert proxy.answer(client) == b"pong"
    assert 'busy{server="' + proxy.servers[1].url in proxy.gateway.metrics().decode()


def test_a_reload_keeps_who_is_down(scene: Make) -> None:
    proxy = scene("failures = 1")
    proxy.servers[0].refuse()
    client = proxy.send()
    proxy.servers[1].hear().send(OK)
    proxy.answer(client)
    proxy.reload(text("failures = 1\nqueue = 5"))
    proxy.servers[0].come_back()
    for _ in range(2):
        client = proxy.send()
        proxy.servers[1].hear().send(OK)
        assert proxy.answer(client).startswith(b"HTTP/1.1 200")
    assert proxy.servers[0].take() is None


def test_a_route_has_so_much_time_for_all_of_a_request(scene: Make) -> None:
    """An answer that never ends, octet by octet, ends with it."""
    proxy = scene(route="limits = {{ request_timeout = 10 }}")
    client = proxy.send()
    sock = proxy.servers[0].hear()
    sock.send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    assert proxy.answer(client).startswith(b"HTTP/1.1 200")
    other = proxy.send()
    proxy.servers[1].hear()
    started = proxy.gateway.listeners[0].site.connections
    for connection in started:
        connection._exchange.started = proxy.clock.monotonic()  # type: ignore[attr-defined] # noqa: SLF001
    proxy.pass_time(8.0)
    assert len(started) == 2
    proxy.pass_time(3.0)
    assert proxy.answer(other).startswith(b"HTTP/1.1 504")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert proxy.records().count('"reason":"request-timeout"') == 2
