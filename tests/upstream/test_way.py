"""A request on its way, where the servers' tests do not look."""

import errno
import os
from collections.abc import Iterator

import pytest

from tests.support.exchanges import outgoing
from tests.support.sockets import turn, until
from tests.support.upstream_lab import OK, Lab, answer


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


def test_what_is_good_once_is_made_anew_for_another_server(lab: Lab) -> None:
    made: list[int] = []

    def renew() -> bytes:
        made.append(1)
        return b"GET /anew HTTP/1.1\r\n\r\n"

    request = outgoing()
    request.renew = renew
    exchange = lab.ask(request)
    first = lab.servers[0].accept()
    lab.servers[0].read(first)
    first.close()
    lab.servers[1].serve()
    lab.answered(exchange)
    assert lab.servers[1].heads == [b"GET /anew HTTP/1.1\r\n\r\n"]
    assert made == [1]


def test_a_body_that_stands_with_its_head_is_not_made_anew(lab: Lab) -> None:
    """What makes the head anew knows nothing of it."""
    lab.servers[0].refuse()
    request = outgoing("POST", body=True)
    request.renew = lambda: b"no"
    request = request.begun(b"body", whole=True)
    exchange = lab.ask(request)
    sock = lab.servers[1].accept()
    assert lab.servers[1].read(sock, b"body").startswith(b"POST")
    sock.send(OK)
    assert lab.answered(exchange).status == 200


def test_nothing_is_kept_of_a_body_that_is_on_its_way(lab: Lab) -> None:
    exchange, way = lab.send(outgoing("POST", body=True))
    way.write(b"some")
    sock = lab.servers[0].accept()
    until(lab.nest, lambda: "sendable" in exchange.said)
    way.write(b"more")
    assert way._kept is None  # noqa: SLF001
    lab.servers[0].read(sock, b"somemore")
    sock.close()
    assert lab.answered(exchange).reason == "backend-closed"
    assert lab.servers[1].take() is None


def test_a_request_that_is_dropped_frees_its_server(lab: Lab) -> None:
    _, way = lab.send()
    lab.servers[0].hear()
    way.abandon()
    way.abandon()
    assert [each["busy"] for each in lab.shared.state()] == [0, 0]


def test_dropping_what_was_answered_changes_nothing(lab: Lab) -> None:
    exchange, way = lab.send()
    lab.servers[0].serve()
    lab.answered(exchange)
    way.abandon()
    assert [each["busy"] for each in lab.shared.state()] == [0, 0]


def test_an_answer_waits_for_a_slow_client(lab: Lab) -> None:
    exchange, way = lab.send()
    exchange.full = True
    sock = lab.servers[0].accept()
    lab.servers[0].read(sock)
    sock.send(b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nab")
    until(lab.nest, lambda: exchange.body == b"ab")
    sock.send(b"cd")
    turn(lab.nest, 3)
    assert exchange.body == b"ab"
    exchange.full = False
    way.resume()
    assert lab.answered(exchange).body == b"abcd"


def test_an_answer_that_cannot_be_read_is_not_asked_for_again(lab: Lab) -> None:
    exchange = lab.ask()
    lab.servers[0].serve(b"HTTP/1.1 200 X\r\nContent-Length: x\r\n\r\n")
    assert lab.answered(exchange).reason == "content-length-malformed"
    assert lab.servers[1].take() is None


def test_a_connection_that_ended_while_idle_is_no_failure(lab: Lab) -> None:
    first = lab.ask()
    sock = lab.servers[0].serve()
    lab.answered(first)
    assert lab.who_gets() == 1
    sock.close()
    again = lab.ask()
    lab.servers[0].serve()
    assert lab.answered(again).status == 200
    assert lab.shared.retries == 0


def test_a_second_answer_that_counts_as_failed_is_relayed() -> None:
    lab = Lab(failure_status=(503,))
    exchange = lab.ask()
    lab.servers[0].serve(answer(503))
    lab.servers[1].serve(answer(503))
    assert lab.answered(exchange).status == 503
    assert lab.shared.retries == 1
    lab.close()


def test_what_is_wrong_here_is_no_servers_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever uses up our descriptors must not take the servers away as well."""
    lab = Lab(failures=1)

    def none_left(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr("sso_proxy.net.connect.socket.socket", none_left)
        exchange = lab.ask()
    assert exchange.reason == "backend-unreachable: Too many open files"
    assert lab.states() == ["up", "up"]
    lab.close()
