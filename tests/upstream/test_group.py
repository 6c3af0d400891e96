"""Requests are shared out among servers that are real sockets."""

from collections import Counter
from collections.abc import Callable

import pytest
from twisted.internet.task import Clock

from sso_proxy.net.connect import Address
from sso_proxy.net.resolve import Resolver
from sso_proxy.testing.clock import SettableClock
from sso_proxy.upstream.target import Patience
from tests.support.exchanges import outgoing
from tests.support.sockets import turn, until
from tests.support.upstream_lab import OK, Lab, answer

Make = Callable[..., Lab]


def test_requests_go_to_servers_in_turn(make_lab: Make) -> None:
    lab = make_lab(count=3)
    assert [lab.who_gets() for _ in range(6)] == [0, 1, 2, 0, 1, 2]
    assert lab.group.counts() == (0, 3)


def test_who_has_more_weight_gets_more(make_lab: Make) -> None:
    lab = make_lab(count=3, weights=(3, 1, 0))
    assert Counter(lab.who_gets() for _ in range(8)) == {0: 6, 1: 2}


def test_a_server_that_refuses_costs_no_request(make_lab: Make) -> None:
    lab = make_lab(failures=2)
    lab.servers[0].refuse()
    assert [lab.who_gets() for _ in range(4)] == [1, 1, 1, 1]
    assert lab.states() == ["down", "up"]
    assert lab.shared.retries == 2


@pytest.mark.parametrize("ended", [True, False])
def test_a_body_goes_to_the_second_server_whole(make_lab: Make, ended: bool) -> None:  # noqa: FBT001
    lab = make_lab()
    lab.servers[0].refuse()
    exchange, way = lab.send(outgoing("POST", body=True))
    way.write(b"first ")
    if ended:
        way.write(b"last")
        way.end()
    sock = lab.servers[1].accept()
    if not ended:
        until(lab.nest, lambda: "sendable" in exchange.said)
        way.write(b"last")
        way.end()
    assert lab.servers[1].read(sock, b"last").endswith(b"\r\n\r\nfirst last")
    sock.send(OK)
    assert lab.answered(exchange).status == 200


def test_what_may_have_arrived_is_not_sent_twice(make_lab: Make) -> None:
    """Whether a POST was done nobody knows who saw the connection close."""
    lab = make_lab()
    exchange = lab.ask(outgoing("POST"))
    sock = lab.servers[0].accept()
    lab.servers[0].read(sock)
    sock.close()
    assert (lab.answered(exchange).status, exchange.reason) == (502, "backend-closed")
    turn(lab.nest, 5)
    assert lab.servers[1].take() is None


def test_a_get_that_is_not_answered_goes_to_another(make_lab: Make) -> None:
    lab = make_lab()
    exchange = lab.ask()
    sock = lab.servers[0].accept()
    lab.servers[0].read(sock)
    sock.close()
    lab.servers[1].serve()
    assert lab.answered(exchange).status == 200


def test_a_get_goes_to_so_many_servers_at_most(make_lab: Make) -> None:
    lab = make_lab(count=3, tries=2)
    exchange = lab.ask()
    for server in lab.servers[:2]:
        sock = server.accept()
        server.read(sock)
        sock.close()
    assert (lab.answered(exchange).status, exchange.reason) == (502, "backend-closed")


def test_an_answer_that_breaks_off_is_nobody_elses(make_lab: Make) -> None:
    """The client has seen its beginning."""
    lab = make_lab()
    exchange = lab.ask()
    sock = lab.servers[0].accept()
    lab.servers[0].read(sock)
    sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegun")
    until(lab.nest, lambda: exchange.body == b"begun")
    sock.close()
    assert lab.answered(exchange).reason == "backend-cut"
    assert lab.servers[1].take() is None
    assert [each["busy"] for each in lab.shared.state()] == [0, 0]


def test_a_slow_server_is_waited_for_once(make_lab: Make) -> None:
    """Who asks for what takes long must not keep all servers busy with it."""
    lab = make_lab(
        patience=Patience(response_timeout=5), failure=("connect", "timeout")
    )
    exchange = lab.ask()
    lab.servers[0].hear()
    lab.pass_time(5.5)
    assert (exchange.status, exchange.reason) == (504, "backend-timeout")
    assert lab.servers[1].take() is None


def test_what_callers_can_cause_takes_no_server_away(make_lab: Make) -> None:
    lab = make_lab(count=1, failures=1)
    exchange = lab.ask(outgoing("POST"))
    sock = lab.servers[0].accept()
    lab.servers[0].read(sock)
    sock.close()
    lab.answered(exchange)
    assert lab.states() == ["up"]
    counted = make_lab(count=1, failures=1, failure=("connect", "closed"))
    exchange = counted.ask(outgoing("POST"))
    sock = counted.servers[0].accept()
    counted.servers[0].read(sock)
    sock.close()
    counted.answered(exchange)
    assert counted.states() == ["down"]


def test_statuses_count_if_they_are_named(make_lab: Make) -> None:
    lab = make_lab(failures=1, failure_status=(503,))
    exchange = lab.ask()
    lab.servers[0].serve(answer(503))
    lab.servers[1].serve()
    assert lab.answered(exchange).status == 200
    assert lab.states() == ["down", "up"]


def test_a_status_that_counts_is_the_answer_to_a_post(make_lab: Make) -> None:
    lab = make_lab(failures=1, failure_status=(503,))
    exchange = lab.ask(outgoing("POST"))
    lab.servers[0].serve(answer(503))
    assert lab.answered(exchange).status == 503
    assert lab.servers[1].take() is None
    assert lab.states() == ["down", "up"]


def test_a_long_answer_with_such_a_status_is_not_waited_for(make_lab: Make) -> None:
    lab = make_lab(failure_status=(500,))
    exchange = lab.ask()
    lab.servers[0].serve(
        b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    )
    lab.servers[1].serve()
    assert lab.answered(exchange).body == b"ok"


def test_a_reload_keeps_what_is_known_of_servers(make_lab: Make) -> None:
    lab = make_lab(failures=1, pause=5.0)
    lab.servers[0].refuse()
    lab.who_gets()
    lab.configure(failures=1, pause=5.0, queue=7)
    assert lab.states() == ["down", "up"]
    assert lab.shared.members[1].server.requests == 1
    assert lab.shared.rules.queue == 7


def test_those_who_wait_are_served_after_a_reload(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1)
    first, second = lab.ask(), lab.ask()
    before = lab.group
    lab.configure(connections=1)
    lab.servers[0].serve()
    lab.answered(first)
    lab.servers[0].serve()
    assert lab.answered(second).status == 200
    late = before.servers
    lab.pass_time(1.0)
    lab.pass_time(1.0)
    assert late.waiting == 0


def test_its_record_names_the_server(make_lab: Make) -> None:
    lab = make_lab()
    _, way = lab.send()
    assert way.backend == f"upstream:shop {lab.servers[0].url}"


class Hole(Resolver):
    """Never says where one host is, so that connections to it begin and never stand."""

    def lookup(
        self, host: str, port: int, done: Callable[[list[Address]], None]
    ) -> None:
        if host != "hole.example":
            super().lookup(host, port, done)


def test_a_server_that_never_answers_a_connection_is_left_after_a_while(
    make_lab: Make,
) -> None:
    clock = SettableClock()
    lab = make_lab(
        count=1,
        resolver=Hole(Clock(), clock),
        hosts=("http://hole.example:80",),
        failures=1,
        patience=Patience(connect_timeout=2.0),
    )
    lab.urls.append(lab.servers[0].url)
    lab.configure(failures=1)
    exchange, way = lab.send(outgoing("POST", body=True))
    way.write(b"body")
    way.end()
    lab.pass_time(2.5)
    sock = lab.servers[0].accept()
    assert lab.servers[0].read(sock, b"body").startswith(b"POST")
    sock.send(OK)
    assert lab.answered(exchange).status == 200
    assert lab.states() == ["down", "up"]


def test_no_request_is_lost_while_servers_come_and_go(make_lab: Make) -> None:
    lab = make_lab(count=3, failures=1, pause=1.0)
    for number in range(12):
        server = lab.servers[number % 3]
        server.close()
        turn(lab.nest, 3)
        for _ in range(4):
            lab.who_gets()
        server.open.clear()
        server.come_back()
        lab.pass_time(1.5)
    for _ in range(6):
        lab.who_gets()
    assert lab.states() == ["up", "up", "up"]
    assert lab.group.counts()[0] == 0
