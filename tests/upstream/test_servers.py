"""Who gets a request, who waits, and who hears that there is nobody."""

from collections import Counter
from collections.abc import Callable

import pytest

from sso_proxy.net.coroutine import run
from tests.support.exchanges import outgoing
from tests.support.sockets import turn, until
from tests.support.upstream_lab import HEADLESS, OK, Lab, by

Make = Callable[..., Lab]


def probed(lab: Lab) -> tuple[str, ...]:
    found: list[tuple[str, ...]] = []
    run(lab.shared.probe(), found.append, lambda failure: failure.raiseException())
    return found[0]


def test_without_servers_the_answer_is_503_at_once(make_lab: Make) -> None:
    lab = make_lab(failures=1)
    for server in lab.servers:
        server.refuse()
    first = lab.answered(lab.ask())
    assert (first.status, first.reason) == (
        502,
        "backend-unreachable: Connection refused",
    )
    second = lab.ask()
    assert (second.status, second.reason) == (503, "upstream-down")
    assert lab.shared.refused == {"upstream-down": 1}


def test_one_request_tries_out_a_server_that_was_left_alone(make_lab: Make) -> None:
    lab = make_lab(count=1, failures=1, pause=5.0)
    lab.servers[0].refuse()
    lab.answered(lab.ask())
    lab.servers[0].come_back()
    lab.pass_time(4.0)
    assert lab.ask().reason == "upstream-down"
    lab.pass_time(1.5)
    trying = lab.ask()
    assert lab.states() == ["open"]
    assert lab.ask().reason == "upstream-down"
    lab.servers[0].serve()
    assert lab.answered(trying).status == 200
    assert lab.states() == ["up"]


def test_a_try_that_fails_is_followed_by_another_pause(make_lab: Make) -> None:
    lab = make_lab(count=1, failures=1, pause=5.0)
    lab.servers[0].refuse()
    lab.answered(lab.ask())
    lab.pass_time(5.5)
    assert lab.answered(lab.ask()).status == 502
    assert lab.ask().reason == "upstream-down"


def test_what_was_sent_before_does_not_speak_for_a_try(make_lab: Make) -> None:
    lab = make_lab(count=1, failures=1, pause=5.0, failure=("closed",))
    before = [lab.ask() for _ in range(4)]
    first, second, third, fourth = (lab.servers[0].accept() for _ in before)
    first.close()
    until(lab.nest, lambda: lab.states() == ["down"])
    lab.pass_time(5.5)
    trying = lab.ask()
    second.close()
    until(lab.nest, lambda: sum(each.over for each in before) == 2)
    assert lab.states() == ["open"]
    assert lab.ask().reason == "upstream-down"
    lab.servers[0].read(third)
    third.send(OK)
    until(lab.nest, lambda: sum(each.over for each in before) == 3)
    assert lab.states() == ["open"]
    lab.servers[0].serve()
    assert lab.answered(trying).status == 200
    assert lab.states() == ["up"]
    fourth.close()


def test_a_try_that_nobody_waits_for_is_no_verdict(make_lab: Make) -> None:
    lab = make_lab(count=1, failures=1, pause=5.0)
    lab.servers[0].refuse()
    lab.answered(lab.ask())
    lab.servers[0].come_back()
    lab.pass_time(5.5)
    _, way = lab.send()
    way.abandon()
    assert lab.who_gets() == 0


def test_requests_wait_for_room(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1)
    first, second = lab.ask(), lab.ask()
    sock = lab.servers[0].accept()
    lab.servers[0].read(sock)
    turn(lab.nest, 5)
    assert lab.servers[0].take() is None
    assert lab.shared.waiting == 1
    sock.send(OK)
    lab.answered(first)
    lab.servers[0].read(sock)
    sock.send(OK)
    assert lab.answered(second).status == 200
    assert lab.shared.waiting == 0


def test_who_waits_for_a_second_server_holds_up_nobody(make_lab: Make) -> None:
    lab = make_lab(count=2, connections=1)
    moves = lab.ask()
    sock = lab.servers[0].hear()
    lab.ask()
    lab.servers[1].hear()
    sock.close()  # another server may answer
    until(lab.nest, lambda: lab.shared.waiting == 1)
    lab.ask()
    last = lab.ask()
    assert lab.shared.waiting == 2
    lab.servers[0].hear().send(OK)
    until(lab.nest, lambda: lab.shared.waiting == 1)
    lab.servers[0].hear().send(OK)
    assert lab.answered(last).status == 200
    assert not moves.over


def test_so_many_wait_and_no_more(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1, queue=1)
    lab.ask()
    waiting, refused = lab.ask(), lab.ask()
    assert (refused.status, refused.reason) == (503, "upstream-busy")
    assert not waiting.over


def test_nobody_waits_longer_than_is_said(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1, queue_timeout=3.0)
    lab.ask()
    waiting = lab.ask()
    lab.pass_time(2.5)
    assert not waiting.over
    lab.pass_time(1.0)
    assert (waiting.status, waiting.reason) == (503, "upstream-queue-timeout")
    assert lab.shared.waiting == 0


def test_who_goes_away_waits_no_more(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1)
    first = lab.ask()
    gone, way = lab.send()
    third = lab.ask()
    way.abandon()
    sock = lab.servers[0].serve()
    lab.answered(first)
    lab.servers[0].read(sock)
    sock.send(OK)
    assert lab.answered(third).status == 200
    assert not gone.said


def test_a_body_waits_with_its_request(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1)
    first = lab.ask()
    second, way = lab.send(outgoing("POST", body=True))
    way.write(b"x" * 65536)
    assert way.full
    sock = lab.servers[0].serve()
    lab.answered(first)
    until(lab.nest, lambda: "sendable" in second.said)
    way.write(b"end")
    way.end()
    assert lab.servers[0].read(sock, b"xend").count(b"x") == 65536
    sock.send(OK)
    assert lab.answered(second).status == 200


def test_those_who_wait_hear_that_all_servers_are_down(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1, failures=1, failure=("closed", "connect"))
    first, second = lab.ask(outgoing("POST")), lab.ask()
    sock = lab.servers[0].accept()
    lab.servers[0].read(sock)
    sock.close()
    lab.answered(first)
    assert (second.status, second.reason) == (503, "upstream-down")


def test_the_least_busy_server_gets_a_request(make_lab: Make) -> None:
    lab = make_lab(balance="least_connections")
    exchange = lab.ask()
    lab.servers[0].hear()
    assert [lab.who_gets() for _ in range(3)] == [1, 1, 1]
    assert not exchange.over


def test_users_keep_their_server(make_lab: Make) -> None:
    lab = make_lab(count=3, balance="user")
    users = [f"user{n}" for n in range(12)]
    before = {user: lab.who_gets(by(user)) for user in users}
    assert {user: lab.who_gets(by(user)) for user in users} == before
    assert len(set(before.values())) == 3


def test_the_loss_of_a_server_moves_its_users_alone(make_lab: Make) -> None:
    lab = make_lab(count=3, balance="user", failures=1)
    users = [f"user{n}" for n in range(12)]
    before = {user: lab.who_gets(by(user)) for user in users}
    lab.servers[1].close()
    turn(lab.nest, 5)
    after = {user: lab.who_gets(by(user)) for user in users}
    moved = {user for user in users if after[user] != before[user]}
    assert moved == {user for user in users if before[user] == 1}


def test_nobody_in_particular_is_known_by_their_address(make_lab: Make) -> None:
    lab = make_lab(count=4, balance="user")
    places = {n: lab.who_gets(by("", address=f"192.0.2.{n}")) for n in range(8)}
    assert len(set(places.values())) > 1
    assert lab.who_gets(by("", address="192.0.2.1")) == places[1]


def test_users_wait_for_their_own_server(make_lab: Make) -> None:
    lab = make_lab(balance="user", connections=1)
    users = {lab.who_gets(by(f"user{n}")): by(f"user{n}") for n in range(12)}
    busy = lab.ask(users[0])
    lab.servers[0].hear()
    waiting = lab.ask(users[0])
    assert lab.shared.waiting == 1
    assert lab.who_gets(users[1]) == 1
    assert not busy.over
    assert not waiting.over


@pytest.mark.parametrize("balance", ["round_robin", "least_connections"])
def test_a_server_that_is_back_gets_more_and_more(make_lab: Make, balance: str) -> None:
    lab = make_lab(failures=1, pause=1.0, slow_start=100.0, balance=balance)
    lab.servers[0].refuse()
    lab.who_gets()
    lab.servers[0].come_back()
    lab.pass_time(2.0)
    while lab.states()[0] != "slow":
        lab.who_gets()
    assert Counter(lab.who_gets() for _ in range(20))[0] <= 2
    lab.pass_time(50.0)
    shares = Counter(lab.who_gets() for _ in range(20))
    assert 4 <= shares[0] <= 8
    lab.pass_time(60.0)
    assert lab.states() == ["up", "up"]
    assert Counter(lab.who_gets() for _ in range(20)) == {0: 10, 1: 10}


def test_a_tunnel_counts_for_as_long_as_it_lasts(make_lab: Make) -> None:
    lab = make_lab(count=1, connections=1)
    exchange = lab.ask(outgoing(upgrade="chat"))
    lab.servers[0].serve(
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
    )
    lab.answered(exchange)
    waiting = lab.ask()
    ((stream, _),) = exchange.switched
    assert lab.shared.waiting == 1
    stream.abort()  # type: ignore[attr-defined]
    lab.pass_time(0.25)
    lab.servers[0].serve()
    assert lab.answered(waiting).status == 200


def test_whoever_looks_hears_who_is_down(make_lab: Make) -> None:
    lab = make_lab(failures=1)
    assert probed(lab) == ()
    lab.servers[0].refuse()
    lab.who_gets()
    (line,) = probed(lab)
    assert line.startswith("warning: upstream.shop: http://127.0.0.1:")
    assert line.endswith(" is down (backend-unreachable: Connection refused)")
    assert HEADLESS.decode() not in line
