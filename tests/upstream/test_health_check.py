"""Servers are asked whether they are well, and believed."""

from collections.abc import Callable

import pytest

from tests.support.sockets import turn, until
from tests.support.upstream_lab import Lab, LabServer, answer

Make = Callable[..., Lab]
EACH = {"path": "/health", "interval": 4.0, "timeout": 2.0}


def check(lab: Lab, status: int = 200, *, close: bool = True) -> bytes:
    """Answer the question that is under way."""
    server = lab.servers[0]
    sock = server.serve(answer(status, close=close))
    closed: list[int] = []

    def gone() -> bool:
        try:
            closed.append(len(sock.recv(1)))
        except BlockingIOError:
            return False
        except OSError:
            closed.append(0)
        return True

    until(lab.nest, gone)
    return server.heads[-1]


def later(lab: Lab, status: int = 200) -> None:
    """Let the time of the next question come, and answer it."""
    lab.pass_time(4.0)
    check(lab, status)


def test_they_are_asked_as_is_said(make_lab: Make) -> None:
    lab = make_lab(count=1, health={**EACH, "host": "shop.example.com"})
    assert check(lab).startswith(
        b"GET /health HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: sso-proxy"
    )
    lab.pass_time(3.5)
    turn(lab.nest, 3)
    assert lab.servers[0].take() is None
    later(lab)


def test_without_a_name_they_are_asked_by_their_own(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH)
    assert f"Host: 127.0.0.1:{lab.servers[0].port}\r\n".encode() in check(lab)


def test_a_server_that_was_never_well_is_down_at_once(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH)
    check(lab, 500)
    assert lab.states() == ["down"]
    assert lab.shared.state()[0]["why"] == "it answers a check with 500"
    assert lab.ask().reason == "upstream-down"


def test_servers_fall_and_rise_by_their_answers(make_lab: Make) -> None:
    lab = make_lab(count=1, health={**EACH, "falls": 2, "rises": 2})
    check(lab)
    later(lab, 500)
    assert lab.states() == ["up"]
    later(lab, 500)
    assert lab.states() == ["down"]
    later(lab)
    later(lab, 500)
    later(lab)
    assert lab.states() == ["down"]
    later(lab)
    assert lab.states() == ["up"]


def test_other_statuses_are_good_if_they_are_named(make_lab: Make) -> None:
    lab = make_lab(count=1, health={**EACH, "status": (204, 404)})
    check(lab, 404)
    assert lab.states() == ["up"]


@pytest.mark.parametrize("status", [204, 302, 404])
def test_no_other_status_is_good(make_lab: Make, status: int) -> None:
    lab = make_lab(count=1, health=EACH)
    check(lab, status)
    assert lab.states() == ["down"]


def test_a_server_that_says_nothing_is_not_well(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH)
    lab.servers[0].hear()
    lab.pass_time(2.5)
    assert lab.states() == ["down"]
    assert "timeout" in lab.shared.state()[0]["why"]


def test_a_server_that_goes_on_and_on_is_not_well(make_lab: Make) -> None:
    """Each octet is one more; the whole has its time."""
    lab = make_lab(count=1, health=EACH)
    sock = lab.servers[0].hear()
    for octet in b"HTTP/1.1 ":
        if lab.states() == ["down"]:
            return
        sock.send(bytes([octet]))
        turn(lab.nest, 2)
        lab.pass_time(0.5)
    assert lab.states() == ["down"]


def test_a_server_that_refuses_is_not_well(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH)
    check(lab)
    lab.servers[0].refuse()
    for _ in range(3):
        lab.pass_time(4.0)
        turn(lab.nest, 5)
    assert lab.states() == ["down"]
    assert "refused" in lab.shared.state()[0]["why"]
    lab.servers[0].come_back()
    later(lab)
    later(lab)
    assert lab.states() == ["up"]


def test_the_head_of_an_answer_is_enough(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH)
    sock = lab.servers[0].hear()
    sock.send(b"HTTP/1.1 500 X\r\nContent-Length: 1000000\r\n\r\n")
    until(lab.nest, lambda: lab.states() == ["down"])
    with pytest.raises(ConnectionResetError):  # nobody waits for the rest
        sock.recv(1)


def test_a_server_that_failed_requests_comes_back_by_its_checks(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH, failures=1, pause=1.0)
    check(lab)
    lab.servers[0].refuse()
    lab.answered(lab.ask())
    assert lab.states() == ["down"]
    lab.servers[0].come_back()
    lab.pass_time(3.0)
    assert lab.ask().reason == "upstream-down"
    lab.pass_time(1.0)
    check(lab)
    later(lab)
    assert lab.states() == ["up"]


def test_servers_are_not_asked_all_at_once(make_lab: Make) -> None:
    lab = make_lab(count=2, health=EACH)
    for server in lab.servers:
        server.serve(answer(200))
    lab.pass_time(2.0)
    asked = [_waits(lab, server) for server in lab.servers]
    assert asked == [True, False]


def test_after_a_reload_the_new_options_count(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH)
    check(lab, 500)
    lab.configure(health={**EACH, "path": "/other", "rises": 1})
    assert lab.states() == ["down"]
    assert check(lab).startswith(b"GET /other ")
    assert lab.states() == ["up"]
    lab.configure()
    lab.pass_time(10.0)
    turn(lab.nest, 3)
    assert lab.servers[0].take() is None


def test_a_server_that_was_down_is_tried_if_nobody_asks_it_any_more(
    make_lab: Make,
) -> None:
    lab = make_lab(count=1, health=EACH)
    check(lab, 500)
    lab.configure()
    lab.pass_time(6.0)
    lab.servers[0].take()
    assert lab.who_gets() == 0
    assert lab.states() == ["up"]


def _waits(lab: Lab, server: LabServer) -> bool:
    turn(lab.nest, 3)
    return server.take() is not None


def test_nothing_that_is_open_stays_open(make_lab: Make) -> None:
    lab = make_lab(count=1, health=EACH)
    sock = lab.servers[0].hear()
    lab.configure()
    turn(lab.nest, 3)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
