"""Nothing is believed before the tunnel is open, and nothing of ours leaks before."""

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocolFactory, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import directlyProvides

from sso_proxy.net.tunnel import TunnelEndpoint, TunnelError

OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"
ASKED = b"CONNECT op.example:443 HTTP/1.1\r\nHost: op.example:443\r\n\r\n"


class Proxy:
    """An endpoint whose other end the test plays."""

    def __init__(self) -> None:
        self.transport = StringTransport()
        directlyProvides(self.transport, ITCPTransport)

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        connected: Deferred[Any] = Deferred()
        protocol: Any = factory.buildProtocol(self.transport.getPeer())
        self.protocol = protocol
        self.protocol.makeConnection(self.transport)
        connected.callback(self.protocol)
        return connected

    def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.protocol.dataReceived(piece)

    def end(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))


class Inner(Protocol):
    """What talks through the tunnel: greets, and remembers what it heard."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: Failure | None = None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class TunnelTests(TestCase):
    def setUp(self) -> None:
        self.proxy = Proxy()
        self.connected = self.connect("op.example")

    def connect(self, host: str, factory: Factory | None = None) -> Deferred[Any]:
        endpoint: Any = TunnelEndpoint(self.proxy, host, 443)  # type: ignore[arg-type]
        connected: Deferred[Any] = endpoint.connect(
            factory or Factory.forProtocol(Inner)
        )
        return connected

    def refused(self, *answer: bytes) -> str:
        """Check that *answer* opens nothing and that the connection is cut."""
        self.proxy.say(*answer)
        failure = self.failureResultOf(self.connected, TunnelError)
        assert self.proxy.transport.disconnected
        assert self.proxy.transport.value() == ASKED
        return str(failure.value)

    def test_the_proxy_is_asked_first(self) -> None:
        assert self.proxy.transport.value() == ASKED
        self.assertNoResult(self.connected)

    def test_an_address_of_version_6_stands_in_brackets(self) -> None:
        self.proxy = Proxy()
        self.connect("::1")
        assert self.proxy.transport.value().startswith(
            b"CONNECT [::1]:443 HTTP/1.1\r\n"
        )

    def test_both_talk_once_the_tunnel_is_open(self) -> None:
        self.proxy.say(OPENED)
        inner = self.successResultOf(self.connected)
        assert self.proxy.transport.value() == ASKED + b"hello"
        self.proxy.say(b"first", b"second")
        assert inner.heard == b"firstsecond"
        self.proxy.end()
        assert inner.lost is not None

    def test_the_answer_may_come_in_pieces_and_with_fields(self) -> None:
        answer = b"HTTP/1.0 200\r\nProxy-Agent: x\r\n\r\n"
        self.proxy.say(*(answer[n : n + 1] for n in range(len(answer))))
        self.successResultOf(self.connected)

    def test_octets_before_tls_are_refused(self) -> None:
        """CVE-2026-1642: what is put before the handshake is not the server's."""
        assert "before TLS" in self.refused(OPENED + b"HTTP/1.1 200 OK\r\n\r\n{}")

    def test_another_status_is_refused(self) -> None:
        for status in (b"407 Auth", b"302 Found", b"201 Made", b"500 x", b"2000 x"):
            self.setUp()
            self.refused(b"HTTP/1.1 %b\r\n\r\n" % status)

    def test_something_else_than_http_is_refused(self) -> None:
        assert "no HTTP" in self.refused(b"SSH-2.0\r\n\r\n")

    def test_an_answer_without_end_is_refused(self) -> None:
        assert "too long" in self.refused(b"HTTP/1.1 200 OK\r\n" + b"x" * 8192)

    def test_a_proxy_that_hangs_up_is_told(self) -> None:
        self.proxy.end()
        self.failureResultOf(self.connected, TunnelError)

    def test_who_gives_up_cuts_the_connection(self) -> None:
        self.connected.cancel()
        self.failureResultOf(self.connected, CancelledError)
        assert self.proxy.transport.disconnected
        self.proxy.end()

    def test_a_factory_that_wants_no_connection_gets_none(self) -> None:
        class Unwilling(Factory):
            def buildProtocol(self, addr: object) -> None:
                pass

        self.proxy = Proxy()
        self.connected = self.connect("op.example", Unwilling())
        self.refused(OPENED)

    def test_the_inner_protocol_is_not_made_before(self) -> None:
        with pytest.raises(AssertionError):
            self.successResultOf(self.connected)
        assert b"hello" not in self.proxy.transport.value()
