from typing import Any

import pytest
from OpenSSL.crypto import FILETYPE_ASN1, dump_certificate
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ISSLTransport, ITransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.model import Caller
from sso_proxy.net.stream import HIGH_WATER
from sso_proxy.testing.fakes import make_certificate, make_request
from sso_proxy.testing.pki import Pki
from sso_proxy.upstream.wire import AHEAD, TlsTransport, Transport, Wire


class Reader:
    """Reads an answer, and may do something when it gets some."""

    def __init__(self) -> None:
        self.wire: Wire
        self.told: list[Any] = []
        self.then = ""

    def data_received(self, data: bytes) -> None:
        self.told.append(data)
        if self.then:
            getattr(self.wire, self.then)()

    def eof_received(self) -> None:
        self.told.append("eof")
        self.wire.close()

    def drained(self) -> None:
        raise AssertionError("a wire is never full")

    def connection_lost(self, reason: str) -> None:
        self.told.append(("lost", reason))


class Channel:
    """Does what it is told and notes it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.raises = ""
        self.transport: Transport
        self.answer = b""

    def makeConnection(self, transport: Transport) -> None:  # noqa: N802
        self.transport = transport

    def dataReceived(self, data: bytes) -> None:
        self.note("data " + data.decode())
        if self.answer:
            self.transport.write(self.answer)

    def pauseProducing(self) -> None:
        self.note("pause")

    def resumeProducing(self) -> None:
        self.note("resume")

    def stopProducing(self) -> None:
        self.note("stop")

    def connectionLost(self, _reason: Failure) -> None:
        self.note("lost")

    def note(self, what: str) -> None:
        self.told.append(what)
        if self.raises and what.startswith(self.raises):
            raise RuntimeError(what)


class WireTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.reader = Reader()
        self.channel = Channel()
        self.wire = self.reader.wire = Wire(self.clock, self.reader)
        caller = Caller(request=make_request(), identity=None, user="")
        self.wire.connect(self.channel, Transport(self.wire, caller))
        self.transport = self.channel.transport

    def turn(self) -> None:
        self.clock.advance(0)

    def test_reader_is_not_called_from_its_own_write(self) -> None:
        self.channel.answer = b"answer"
        self.wire.write(b"question")
        assert self.reader.told == []
        self.turn()
        assert self.reader.told == [b"answer"]

    def test_channel_may_be_closed_by_whoever_reads_its_answer(self) -> None:
        self.reader.then = "close"
        self.transport.write(b"answer")
        assert self.channel.told == []
        self.turn()
        assert self.channel.told == ["stop", "lost"]
        assert self.reader.told == [b"answer", ("lost", "closed")]

    def test_what_is_written_in_one_turn_is_handed_on_at_once(self) -> None:
        self.transport.write(b"a")
        self.transport.writeSequence([b"b", b"c"])
        self.turn()
        assert self.reader.told == [b"abc"]

    def test_end_comes_after_what_was_written(self) -> None:
        self.transport.write(b"a")
        self.transport.loseConnection()
        self.turn()
        assert self.reader.told == [b"a", "eof", ("lost", "closed")]

    def test_abort_does_not_wait_for_what_was_written(self) -> None:
        self.transport.write(b"a")
        self.transport.abortConnection()
        assert self.channel.told == []
        self.turn()
        assert self.reader.told == [("lost", "resource-aborted")]
        assert self.channel.told == ["stop", "lost"]

    def test_nothing_is_handed_on_while_the_client_is_slow(self) -> None:
        self.wire.pause()
        self.transport.write(b"a")
        self.transport.loseConnection()
        self.turn()
        assert self.reader.told == []
        self.wire.resume()
        self.turn()
        assert self.reader.told == [b"a", "eof", ("lost", "closed")]

    def test_resource_waits_while_the_client_is_slow(self) -> None:
        self.wire.pause()
        assert self.channel.told == ["pause"]
        self.turn()
        self.wire.resume()
        self.turn()
        assert self.channel.told == ["pause", "resume"]

    def test_resource_that_writes_much_at_once_waits_for_the_next_turn(self) -> None:
        self.transport.write(bytes(HIGH_WATER))
        self.transport.write(b"more")
        assert self.channel.told == ["pause"]
        self.turn()
        assert self.channel.told == ["pause", "resume"]
        assert len(self.reader.told[0]) == HIGH_WATER + 4

    def test_thread_has_room_until_it_is_far_ahead(self) -> None:
        self.wire.pause()
        self.transport.write(bytes(AHEAD - 1))
        assert self.wire.room.is_set()
        self.transport.write(b"x")
        assert not self.wire.room.is_set()
        self.wire.resume()
        self.turn()
        assert self.wire.room.is_set()

    def test_waiting_thread_goes_on_when_the_client_is_gone(self) -> None:
        self.wire.pause()
        self.transport.write(bytes(AHEAD))
        self.wire.abort()
        assert self.wire.room.is_set()
        assert self.wire.lost

    def test_nothing_happens_after_the_end(self) -> None:
        self.wire.close()
        told = len(self.channel.told)
        self.wire.close()
        self.wire.write(b"late")
        self.transport.write(b"late")
        self.transport.loseConnection()
        self.turn()
        assert len(self.channel.told) == told
        assert self.reader.told == [("lost", "closed")]
        assert self.clock.getDelayedCalls() == []

    def test_resource_that_raises_ends_its_answer(self) -> None:
        for call in ("data", "pause", "resume", "stop"):
            self.setUp()
            self.channel.raises = call
            self.wire.write(b"question")
            self.wire.pause()
            self.wire.resume()
            self.turn()
            if call == "stop":
                self.wire.close()
            self.turn()
            assert self.reader.told[-1][0] == "lost", call
            assert "lost" in self.channel.told
            assert len(self.flushLoggedErrors(RuntimeError)) == 1


def transport_for(**options: Any) -> Transport:  # noqa: ANN401
    request = make_request(**options)
    caller = Caller(request=request, identity=None, user="")
    wire = Wire(Clock(), Reader())
    if request.tls is None:
        return Transport(wire, caller)
    return TlsTransport(wire, caller, request.tls)


def test_transports_provide_what_they_say() -> None:
    verifyObject(ITransport, transport_for(tls=False))
    verifyObject(ISSLTransport, transport_for())


@pytest.mark.parametrize(
    ("client", "peer"),
    [
        ("192.0.2.7", IPv4Address("TCP", "192.0.2.7", 0)),
        ("2001:db8::7", IPv6Address("TCP", "2001:db8::7", 0)),
    ],
)
def test_peer_is_the_client(client: str, peer: object) -> None:
    assert transport_for(client=client).getPeer() == peer


def test_client_of_a_unix_socket_has_no_address() -> None:
    assert transport_for(client="unix").getPeer().host == ""


def test_host_is_what_the_client_asked_for() -> None:
    host = transport_for(host="app.example.com").getHost()
    assert (host.host, host.port) == ("app.example.com", 443)


def test_certificate_is_the_clients() -> None:
    issued = Pki.create().issue("alice")
    transport = transport_for(certificate=make_certificate(der=issued.der))
    certificate = transport.getPeerCertificate()
    assert dump_certificate(FILETYPE_ASN1, certificate) == issued.der
    assert transport_for().getPeerCertificate() is None
    assert transport_for(tls=False).getPeerCertificate() is None


def test_keying_material_comes_from_the_handshake() -> None:
    transport: Any = transport_for()
    with pytest.raises(ValueError, match="no keying material"):
        transport.getHandle().export_keying_material(b"EXPORTER-Channel-Binding", 32)
