"""One connection: order, time limits, bounds, and servers that lie."""

from collections.abc import Callable

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from sso_proxy.caches.redis_link import Gate, Link
from sso_proxy.caches.redis_resp import Reply, encode
from sso_proxy.errors import UnavailableError


class Conversation:
    """A link, and what the other end sees."""

    def __init__(
        self, most: int = 10, on_push: Callable[[Reply], None] | None = None
    ) -> None:
        self.clock = Clock()
        self.gate = Gate(most, octets=1000)
        self.transport = StringTransport()
        self.link = Link(
            "redis at x:1",
            reactor=self.clock,
            timeout=2.0,
            on_push=on_push,
        )
        self.link.gate = self.gate
        self.link.makeConnection(self.transport)
        self.failures: list[str] = []

    def ask(self, *words: bytes) -> "Deferred[Reply]":
        return self.link.send(*words)

    def failing(self) -> None:
        """Ask something, and keep the text of its failure."""
        self.ask(b"PING").addErrback(self._fail)

    def _fail(self, failure: Failure) -> None:
        error = failure.value
        assert isinstance(error, UnavailableError)
        self.failures.append(error.what)


def test_replies_belong_to_commands_in_their_order() -> None:
    talk = Conversation()
    first, second = talk.ask(b"GET", b"a"), talk.ask(b"GET", b"b")
    assert talk.transport.value() == encode((b"GET", b"a")) + encode((b"GET", b"b"))
    talk.link.dataReceived(b"$1\r\n1\r\n:2")
    assert first.result == b"1"
    assert not second.called
    talk.link.dataReceived(b"\r\n")
    assert second.result == 2


def test_late_answer_ends_the_connection() -> None:
    talk = Conversation()
    talk.failing()
    talk.clock.advance(1.9)
    assert not talk.failures
    talk.clock.advance(0.2)
    assert talk.failures == ["redis at x:1: no answer within 2 s"]
    assert talk.transport.disconnecting or talk.transport.disconnected


def test_answer_that_drips_is_a_late_one() -> None:
    talk = Conversation()
    talk.failing()
    talk.link.dataReceived(b"$100\r\n")
    for _ in range(30):
        talk.clock.advance(0.1)
        talk.link.dataReceived(b"x")
    assert talk.failures == ["redis at x:1: no answer within 2 s"]


def test_each_command_has_its_own_time() -> None:
    talk = Conversation()
    talk.ask(b"PING")
    talk.clock.advance(1.5)
    talk.failing()
    talk.link.dataReceived(b"+PONG\r\n")
    talk.clock.advance(1.5)
    assert not talk.failures
    talk.clock.advance(0.6)
    assert len(talk.failures) == 1


def test_idle_connection_has_no_timer() -> None:
    talk = Conversation()
    talk.ask(b"PING")
    talk.link.dataReceived(b"+PONG\r\n")
    talk.clock.advance(3)
    assert not talk.link.lost
    assert talk.clock.getDelayedCalls() == []


def test_all_who_wait_hear_of_the_end() -> None:
    talk = Conversation()
    told: list[str] = []
    talk.link.on_lost = lambda: told.append("lost")
    talk.failing()
    talk.failing()
    talk.link.connectionLost(Failure(ConnectionLost()))
    assert len(talk.failures) == 2
    assert "connection lost" in talk.failures[0]
    assert told == ["lost"]
    with pytest.raises(UnavailableError):
        talk.ask(b"PING")
    assert talk.clock.getDelayedCalls() == []


def test_lying_server_is_left() -> None:
    talk = Conversation()
    talk.failing()
    talk.link.dataReceived(b"$99999999\r\n")
    assert talk.failures == ["redis at x:1: sends too long a reply"]


def test_answer_to_nothing_ends_the_connection() -> None:
    """The next command would take it for its own."""
    talk = Conversation()
    talk.link.dataReceived(b"+OK\r\n")
    assert "nobody asked" in talk.link.lost


def test_messages_go_to_whoever_listens() -> None:
    heard: list[Reply] = []
    talk = Conversation(on_push=heard.append)
    talk.link.tell(b"SUBSCRIBE", b"c")
    talk.link.dataReceived(b"*1\r\n:1\r\n")
    assert heard == [[1]]


def test_too_many_commands_fail_at_once() -> None:
    talk = Conversation(most=2)
    talk.ask(b"PING")
    talk.ask(b"PING")
    with pytest.raises(UnavailableError, match="too many"):
        talk.ask(b"PING")
    talk.link.dataReceived(b"+PONG\r\n")
    talk.ask(b"PING")


def test_too_many_octets_fail_at_once() -> None:
    talk = Conversation()
    talk.ask(b"SET", b"a", b"x" * 900)
    with pytest.raises(UnavailableError, match="too many"):
        talk.ask(b"SET", b"a", b"x" * 900)


def test_cancelled_command_does_not_shift_the_others() -> None:
    talk = Conversation()
    first, second = talk.ask(b"GET", b"a"), talk.ask(b"GET", b"b")
    first.addErrback(lambda failure: failure.trap(CancelledError))
    first.cancel()
    talk.link.dataReceived(b":1\r\n:2\r\n")
    assert second.result == 2


def test_nothing_is_heard_after_the_end() -> None:
    talk = Conversation()
    first = talk.ask(b"PING")
    second = talk.ask(b"PING")
    second.addErrback(lambda failure: failure.trap(UnavailableError))
    first.addCallback(lambda _: talk.link.close())
    talk.link.dataReceived(b"+1\r\n+2\r\n")
    assert second.result is UnavailableError
