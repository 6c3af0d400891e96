"""A connection is kept, made again, and waited for while there is hope."""

from typing import Any

import pytest
from twisted.internet import error
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from sso_proxy.caches.memcached_link import MOST, OCTETS, STEADY, Link
from sso_proxy.errors import UnavailableError
from sso_proxy.testing import outcome_of

GREETING = b"VERSION 1\r\n"


class Endpoint:
    """Connects when it is told to."""

    def __init__(self) -> None:
        self.attempts: list[tuple[Any, Deferred[Any]]] = []

    def connect(self, factory: Any) -> Deferred[Any]:  # noqa: ANN401
        attempt: Deferred[Any] = Deferred()
        self.attempts.append((factory, attempt))
        return attempt

    def accept(self, greeting: bytes = GREETING) -> Any:  # noqa: ANN401
        """Let the last attempt succeed; gives the connection."""
        factory, attempt = self.attempts[-1]
        connection = factory.buildProtocol(None)
        transport: Any = StringTransport()
        connection.makeConnection(transport)
        attempt.callback(connection)
        connection.dataReceived(greeting)
        return connection

    def refuse(self) -> None:
        self.attempts[-1][1].errback(Failure(error.ConnectionRefusedError()))


class Linked:
    """A link that was opened, and its world."""

    def __init__(self) -> None:
        self.clock, self.endpoint = Clock(), Endpoint()
        self.link = Link(
            "server",
            self.endpoint,  # type: ignore[arg-type]
            reactor=self.clock,
            timeout=1.0,
            retry=lambda failures: 2.0**failures,
        )
        self.link.open()

    def ask(self, **options: Any) -> Deferred[Any]:  # noqa: ANN401
        return ensureDeferred(self.link.ask("version", **options))

    def fails(self, answer: Deferred[Any]) -> str:
        with pytest.raises(UnavailableError) as caught:
            outcome_of(answer)
        return caught.value.what


def test_commands_wait_for_the_first_connection() -> None:
    linked = Linked()
    answers = [linked.ask() for _ in range(3)]
    connection = linked.endpoint.accept()
    connection.dataReceived(3 * GREETING)
    assert [outcome_of(answer) for answer in answers] == [b"1"] * 3


def test_opening_again_changes_nothing() -> None:
    linked = Linked()
    linked.link.open()
    linked.endpoint.accept()
    linked.link.open()
    assert len(linked.endpoint.attempts) == 1


def test_nobody_waits_for_a_server_that_is_down() -> None:
    linked = Linked()
    waiting = linked.ask()
    linked.endpoint.refuse()
    assert "refused" in linked.fails(waiting)
    assert "refused" in linked.fails(linked.ask())
    linked.clock.advance(0)
    assert "refused" in linked.fails(linked.ask()), "while it is tried again, too"


def test_attempts_come_later_with_each_failure() -> None:
    linked = Linked()
    for failures in range(4):
        linked.endpoint.refuse()
        made = len(linked.endpoint.attempts)
        delay = 2.0**failures if failures else 0
        if delay:
            linked.clock.advance(delay - 0.1)
            assert len(linked.endpoint.attempts) == made
        linked.clock.advance(0.1)
        assert len(linked.endpoint.attempts) == made + 1
    connection = linked.endpoint.accept()
    answer = linked.ask()
    connection.dataReceived(GREETING)
    assert outcome_of(answer) == b"1"


def test_a_server_that_connects_and_says_nothing_is_down() -> None:
    linked = Linked()
    waiting = linked.ask()
    connection = linked.endpoint.accept(greeting=b"")
    linked.clock.advance(1)
    assert "no answer in" in linked.fails(waiting)
    assert connection.transport.disconnecting


def test_a_connection_that_never_comes_is_given_up() -> None:
    linked = Linked()
    waiting = linked.ask()
    linked.clock.advance(1)
    assert "no answer in 1 s" in linked.fails(waiting)


def test_commands_wait_for_the_next_connection_where_a_good_one_ended() -> None:
    linked = Linked()
    connection = linked.endpoint.accept()
    linked.clock.advance(STEADY)
    connection.connectionLost(Failure(error.ConnectionDone()))
    waiting = linked.ask()
    linked.clock.advance(0)
    linked.endpoint.accept().dataReceived(GREETING)
    assert outcome_of(waiting) == b"1"


def test_a_server_that_ends_each_connection_is_tried_less_often() -> None:
    linked = Linked()
    for _ in range(2):
        linked.endpoint.accept().connectionLost(Failure(error.ConnectionDone()))
        linked.clock.advance(0.1)
    assert len(linked.endpoint.attempts) == 2
    assert "ConnectionDone" in linked.fails(linked.ask())


def test_the_time_until_there_is_a_connection_counts() -> None:
    linked = Linked()
    waiting = linked.ask()
    linked.clock.advance(0.9)
    connection = linked.endpoint.accept()
    linked.clock.advance(0.2)
    assert "in time" in linked.fails(waiting)
    assert connection.lost


def test_what_waits_is_bounded() -> None:
    linked = Linked()
    answers = [linked.ask() for _ in range(MOST)]
    assert "too many" in linked.fails(linked.ask())
    linked.endpoint.accept().dataReceived(MOST * GREETING)
    assert {outcome_of(answer) for answer in answers} == {b"1"}
    large = linked.ask(octets=OCTETS)
    assert "too many" in linked.fails(linked.ask(octets=1))
    large.addErrback(lambda _: None)
    large.cancel()
    assert not linked.ask(octets=1).called


def test_who_no_longer_waits_for_a_connection_is_forgotten() -> None:
    linked = Linked()
    gone, stays = linked.ask(), linked.ask()
    gone.addErrback(lambda _: None)
    gone.cancel()
    linked.endpoint.accept().dataReceived(GREETING)
    assert outcome_of(stays) == b"1"


@pytest.mark.parametrize("state", ["connecting", "connected", "waiting"])
def test_a_closed_link_leaves_nothing_behind(state: str) -> None:
    linked = Linked()
    waiting = linked.ask()
    if state == "connected":
        connection = linked.endpoint.accept()
    elif state == "waiting":
        linked.endpoint.refuse()
    linked.link.close()
    assert linked.fails(waiting)
    assert "closed" in linked.fails(linked.ask())
    assert linked.clock.getDelayedCalls() == []
    if state == "connected":
        assert connection.transport.disconnecting
    linked.clock.advance(100)
    assert len(linked.endpoint.attempts) == 1


def test_a_link_that_is_not_open_is_unavailable() -> None:
    linked = Linked()
    endpoint: Any = Endpoint()
    link = Link("server", endpoint, reactor=linked.clock, timeout=1.0)
    assert "not open" in linked.fails(ensureDeferred(link.ask("version")))
    assert endpoint.attempts == []
