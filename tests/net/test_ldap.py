"""A connection to a directory is bounded, and ends with whatever is wrong."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from sso_proxy.net.ldap import LdapLink
from sso_proxy.net.ldap_values import ROOT, SIZE_LIMIT, Entry, Result, Search
from sso_proxy.net.no_reply import NoReplyError
from sso_proxy.specs.ldap import AllOf, AnyOf, Equal, Matching, NoneOf, Present


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content


def message(number: int, operation: bytes) -> bytes:
    return element(0x30, bytes([2, 1, number]), operation)


def text(value: bytes) -> bytes:
    return element(0x04, value)


def result(tag: int, code: int) -> bytes:
    return element(tag, bytes([0x0A, 1, code]), text(b""), text(b""))


def done(number: int, code: int = 0) -> bytes:
    return message(number, result(0x65, code))


def entry(number: int, name: bytes = b"o=x", *values: bytes) -> bytes:
    held = element(0x31, *map(text, values))
    attributes = (
        element(0x30, element(0x30, text(b"cn"), held)) if values else b"\x30\0"
    )
    return message(number, element(0x64, text(name), attributes))


class Transport(StringTransport):
    """A transport that notes what becomes of it."""

    aborted = False
    tls: Any = None

    def abortConnection(self) -> None:
        self.aborted = True

    def startTLS(self, options: Any) -> None:  # noqa: ANN401, N802
        self.tls = options


class Scene:
    """A link, and a server played by the test."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport: Any = Transport()
        self.link = LdapLink("ldap at h:1", self.clock, 5.0)
        self.link.makeConnection(self.transport)
        self.results: list[Any] = []

    def ask(self, asked: Any) -> None:  # noqa: ANN401
        Deferred.fromCoroutine(asked).addBoth(self.results.append)

    def search(self, most: int = 2) -> None:
        self.ask(self.link.search(Search(base="o=x", most=most)))

    def say(self, *parts: bytes) -> None:
        self.link.dataReceived(b"".join(parts))

    @property
    def failure(self) -> str:
        failed = self.results[-1]
        assert isinstance(failed, Failure), failed
        assert isinstance(failed.value, NoReplyError)
        assert not self.link.is_usable
        return failed.value.problem


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_entries_come_in_pieces_and_in_any_order(scene: Scene) -> None:
    scene.search()
    scene.search()
    answer = entry(2, b"o=2") + entry(1, b"o=1", b"a", b"\xff") + done(2) + done(1)
    for octet in answer:
        scene.say(bytes([octet]))
    second, first = scene.results
    assert first == Result(0, (Entry("o=1", {"cn": (b"a", b"\xff")}),))
    assert second == Result(0, (Entry("o=2", {}),))
    assert scene.link.served
    assert not scene.clock.getDelayedCalls()


def test_references_to_others_are_passed_over(scene: Scene) -> None:
    scene.search()
    scene.say(message(1, element(0x73, text(b"ldap://other/"))), entry(1), done(1))
    assert scene.results == [Result(0, (Entry("o=x", {}),))]


def test_a_referral_is_a_result_like_others(scene: Scene) -> None:
    scene.search()
    referral = element(0xA3, text(b"ldap://other/"))
    inner = bytes([0x0A, 1, 10]) + text(b"") + text(b"")
    scene.say(message(1, element(0x65, inner, referral)))
    assert scene.results == [Result(10)]


def test_one_entry_too_many_ends_the_search_and_the_connection(scene: Scene) -> None:
    scene.search()
    scene.say(entry(1), entry(1), entry(1), entry(1))
    assert scene.results[0].code == SIZE_LIMIT
    assert len(scene.results[0].entries) == 2
    assert scene.transport.aborted


def test_entries_that_are_too_long_together_end_it(scene: Scene) -> None:
    scene.search(most=1000)
    for _ in range(9):
        scene.say(entry(1, b"o=x", b"x" * 500_000))
    assert scene.failure == "has an answer that is too long"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "cannot be read: WireError"),
        (b"\x30\x84\x7f\xff\xff\xff", "cannot be read: WireError"),
        (done(9), "answers what nobody asked"),
        (message(1, result(0x61, 0)), "answers something else"),
        (message(1, result(0x78, 0)), "answers something else"),
        (message(0, result(0x78, 52)), "takes its leave"),
        (entry(1, b"\xff"), "cannot be read: UnicodeDecodeError"),
        (message(1, element(0x65, b"\x0a\x01\x00")), "cannot be read: "),
        (message(1, element(0x64, text(b""), text(b""))), "cannot be read: "),
    ],
)
def test_what_no_server_says_ends_it(scene: Scene, said: bytes, problem: str) -> None:
    scene.search()
    scene.say(said)
    assert problem in scene.failure
    assert scene.transport.aborted
    scene.say(done(1))
    scene.search()
    assert problem in scene.failure


def test_an_entry_is_no_answer_to_a_bind(scene: Scene) -> None:
    scene.ask(scene.link.bind("uid=x", "y"))
    scene.say(entry(1))
    assert scene.failure == "answers something else"


def test_who_does_not_answer_is_not_waited_for(scene: Scene) -> None:
    scene.search()
    scene.clock.advance(5)
    assert scene.failure == "no answer in 5 s"
    assert scene.results[-1].value.status == 504
    assert scene.transport.aborted


def test_a_connection_that_ends_is_told_to_all_who_wait(scene: Scene) -> None:
    scene.search()
    scene.ask(scene.link.bind("uid=x", "y"))
    assert scene.link.waiting == 2
    scene.link.connectionLost(Failure(ConnectionLost()))
    assert "ConnectionLost" in scene.failure
    assert len(scene.results) == 2
    assert not scene.clock.getDelayedCalls()


def test_a_search_that_nobody_waits_for_ends_the_connection(scene: Scene) -> None:
    asked = Deferred.fromCoroutine(scene.link.search(ROOT))
    asked.addErrback(lambda _: None)
    asked.cancel()
    assert not scene.link.is_usable
    assert scene.transport.aborted


@pytest.mark.parametrize(("name", "password"), [("", "x"), ("uid=x", "")])
def test_a_bind_that_proves_nothing_is_never_sent(
    scene: Scene, name: str, password: str
) -> None:
    scene.ask(scene.link.bind(name, password))
    assert isinstance(scene.results[0].value, ValueError)
    assert scene.transport.value() == b""


def test_what_is_said_before_tls_is_no_answer_of_the_server(scene: Scene) -> None:
    """Else whoever is on the way could answer the first question in its name."""
    scene.ask(scene.link.start_tls("options"))
    scene.say(message(1, result(0x78, 0)), message(2, result(0x61, 0)))
    assert scene.failure == "speaks before TLS has begun"
    assert scene.transport.tls is None


def test_without_tls_there_is_nothing(scene: Scene) -> None:
    scene.ask(scene.link.start_tls("options"))
    scene.say(message(1, result(0x78, 2)))
    assert scene.failure == "refuses StartTLS: protocolError"


def test_tls_begins_and_is_waited_for(scene: Scene) -> None:
    scene.ask(scene.link.start_tls("options"))
    scene.say(message(1, result(0x78, 0)))
    assert (scene.transport.tls, scene.results) == ("options", [])
    scene.link.handshakeCompleted()
    assert scene.results == [None]


def test_a_handshake_with_somebody_else_is_none(scene: Scene) -> None:
    scene.ask(scene.link.secured())
    scene.transport.disconnecting = True
    scene.link.handshakeCompleted()
    assert scene.results == []
    scene.link.connectionLost(Failure(ConnectionLost()))
    assert "ConnectionLost" in scene.failure


def test_whoever_leaves_says_so_and_does_not_wait_long(scene: Scene) -> None:
    scene.link.close()
    assert scene.transport.value().endswith(b"\x42\x00")
    assert scene.transport.disconnecting
    assert not scene.transport.aborted
    scene.clock.advance(1)
    assert scene.transport.aborted


def test_values_are_octet_strings_whatever_is_in_them(scene: Scene) -> None:
    every = AllOf(
        (
            AnyOf((Equal("a", "*)(x=y"), Present("b"))),
            NoneOf(Matching("c", "1.2.3", "*")),
        )
    )
    scene.ask(scene.link.search(Search(base="o=x", filter=every)))
    sent = scene.transport.value()
    filters = (
        b"\xa0\x23\xa1\x10\xa3\x0b\x04\x01a\x04\x06*)(x=y\x87\x01b"
        b"\xa2\x0f\xa9\x0d\x81\x051.2.3\x82\x01c\x83\x01*"
    )
    assert filters in sent
