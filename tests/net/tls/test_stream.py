"""TLS streams on real sockets, both ends ours."""

import contextlib
import gc
import socket
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from OpenSSL import SSL
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import ListenerConfig
from sso_proxy.model import TlsFacts
from sso_proxy.net.nest import Nest
from sso_proxy.net.stream import HIGH_WATER
from sso_proxy.net.tls.client import build_client_context
from sso_proxy.net.tls.context import build_listener_tls
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.net.tls.probe import set_groups
from sso_proxy.net.tls.stream import TlsStream, client_stream, server_stream
from sso_proxy.testing.pki import Pki
from tests.support.sockets import (
    Heard,
    new_nest,
    read_all,
    tcp_pair,
    turn,
    unix_pair,
    until,
)

BIG = b"x" * (1 << 22)
PKI = Pki.create()
SERVER = PKI.issue("server", dns=["app.example.com"], ips=["127.0.0.1"])


def listener_tls() -> Any:  # noqa: ANN401
    files = {"crt": SERVER.chain_pem, "key": SERVER.key_pem}
    config = ListenerConfig(address="127.0.0.1", certificate="crt", key="key")
    return build_listener_tls(config, now=0.0, read_file=files.__getitem__)


TLS = listener_tls()
TRUSTING = build_client_context(ca=PKI.ca_pem)


class Both:
    """A client and a server stream, connected."""

    def __init__(
        self,
        server_name: str = "app.example.com",
        context: SSL.Context = TRUSTING,
        on_facts: Callable[[TlsFacts], None] = lambda _: None,
        pair: Callable[[], tuple[socket.socket, socket.socket]] = unix_pair,
    ) -> None:
        self.nest: Nest = new_nest()
        near, far = pair()
        self.facts: list[TlsFacts] = []
        self.ready: list[int] = []
        self.client_heard, self.server_heard = Heard(), Heard()

        def proved(facts: TlsFacts) -> None:
            self.facts.append(facts)
            on_facts(facts)

        self.server = server_stream(self.nest, far, self.server_heard, TLS, proved)
        self.client = client_stream(
            self.nest,
            near,
            self.client_heard,
            context=context,
            server_name=server_name,
            on_ready=lambda: self.ready.append(1),
        )

    def shake(self) -> None:
        self.client.shake_hands()
        until(self.nest, lambda: self.ready and self.facts)

    def close(self) -> None:
        self.client.abort()
        self.server.abort()
        self.nest.close()


@pytest.fixture
def both() -> Iterator[Both]:
    both = Both()
    yield both
    both.close()


def test_a_handshake_is_told_to_both(both: Both) -> None:
    both.shake()
    assert both.facts[0].server_name == "app.example.com"
    assert both.facts[0].alpn == "http/1.1"
    assert both.facts[0].version == "TLSv1.3"


def test_octets_go_both_ways(both: Both) -> None:
    both.shake()
    both.client.write(b"ping")
    until(both.nest, lambda: both.server_heard.data)
    both.server.write(b"pong")
    until(both.nest, lambda: both.client_heard.data)
    assert (both.server_heard.data, both.client_heard.data) == (b"ping", b"pong")


def test_what_is_written_before_the_handshake_goes_after_it(both: Both) -> None:
    both.client.write(b"early ")
    both.client.write(b"bird")
    assert both.client.buffered == 10
    both.shake()
    until(both.nest, lambda: both.server_heard.data)
    turn(both.nest, 3)
    assert both.server_heard.data == b"early bird"
    assert both.client.buffered == 0


def test_a_pause_during_the_handshake_does_not_stop_it(both: Both) -> None:
    both.server.pause()
    both.shake()
    both.client.write(b"held")
    turn(both.nest, 3)
    assert both.server_heard.said == []
    both.server.resume()
    until(both.nest, lambda: both.server_heard.data)


def test_a_pause_can_be_taken_back_during_the_handshake(both: Both) -> None:
    both.server.pause()
    both.server.resume()
    both.shake()
    both.client.write(b"read")
    until(both.nest, lambda: both.server_heard.data)


def test_much_is_sent_as_the_peer_takes_it(both: Both) -> None:
    both.shake()
    both.server.pause()
    both.client.write(BIG)
    assert both.client.full
    assert both.client.buffered > HIGH_WATER
    both.server.resume()
    until(both.nest, lambda: len(both.server_heard.data) == len(BIG))
    turn(both.nest, 3)
    assert both.client_heard.said == ["drained"]
    assert both.server_heard.data == BIG


def test_a_handler_that_pauses_gets_no_more(both: Both) -> None:
    both.shake()
    both.server_heard.on_data = lambda _: both.server.pause()
    both.client.write(b"a")
    both.client.write(b"b")
    turn(both.nest, 5)
    assert both.server_heard.data == b"a"
    both.server.resume()
    turn(both.nest, 3)
    assert both.server_heard.data == b"ab"


def test_the_end_is_told_inside_the_stream(both: Both) -> None:
    both.shake()
    both.client.write(b"last")
    both.client.half_close()
    until(both.nest, lambda: "eof" in both.server_heard.said)
    assert both.server_heard.data == b"last"
    both.server.write(b"answer")
    until(both.nest, lambda: both.client_heard.data)
    both.server.close()
    until(both.nest, lambda: both.client_heard.said[-1] in {"eof", "lost"})


@pytest.mark.parametrize("end", ["close", "half_close", "reset"])
def test_what_has_ended_goes_without_a_search_for_cycles(end: str) -> None:
    """Thousands of connections end between two searches, and OpenSSL's are large."""
    both = Both(pair=tcp_pair)
    both.shake()
    turn(both.nest, 3)
    gone = weakref.ref(both.server._connection)  # noqa: SLF001
    gc.disable()
    try:
        if end == "reset":
            both.client.abort()
        else:
            getattr(both.client, end)()
        until(both.nest, lambda: both.server_heard.said)
        both.server.close()
        del both.server
        turn(both.nest, 3)
        assert gone() is None
    finally:
        gc.enable()
        both.client.abort()
        both.nest.close()


def _waiting_for_facts(nest: Nest, sock: socket.socket) -> tuple[list[str], Any]:
    """Accept as a listener does: who waits for the facts has the stream."""
    heard: Any = Heard()
    heard.stream = server_stream(nest, sock, heard, TLS, lambda _: heard.stream)
    return heard.said, weakref.ref(heard.stream._connection)  # noqa: SLF001


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x80"]
)
def test_a_handshake_that_fails_goes_without_a_search_for_cycles(sent: bytes) -> None:
    nest, (near, far) = new_nest(), tcp_pair()
    gc.disable()
    try:
        said, gone = _waiting_for_facts(nest, far)
        near.sendall(sent)
        near.close()
        until(nest, lambda: said)
        turn(nest)
        assert said == ["lost"]
        assert gone() is None
    finally:
        gc.enable()
        nest.close()


def test_an_end_without_notice_is_a_loss(both: Both) -> None:
    """Whoever can cut a connection must not make an answer look complete."""
    both.shake()
    both.client.abort()
    until(both.nest, lambda: both.server_heard.reason)
    assert "eof" not in both.server_heard.said


def test_closing_before_the_handshake_says_so_once(both: Both) -> None:
    both.server.close()
    assert both.server_heard.said == ["lost"]
    both.client.shake_hands()
    until(both.nest, lambda: both.client_heard.reason)
    assert both.client_heard.said == ["lost"]


def test_writing_to_a_peer_that_is_gone_is_told_later(both: Both) -> None:
    both.shake()
    both.server.pause()
    both.client.abort()
    for _ in range(3):
        both.server.write(BIG[:100000])
    assert both.server_heard.said == []
    until(both.nest, lambda: both.server_heard.reason)
    assert both.server_heard.said == ["lost"]


def test_a_certificate_for_another_name_is_refused() -> None:
    both = Both(server_name="other.example.com")
    both.client.shake_hands()
    until(both.nest, lambda: both.client_heard.reason)
    assert "not for other.example.com" in both.client_heard.reason
    assert both.ready == []
    both.close()


def test_a_certificate_for_the_address_is_accepted() -> None:
    both = Both(server_name="127.0.0.1")
    both.shake()
    assert both.facts[0].server_name is None
    both.close()


def test_a_ca_that_is_not_trusted_is_refused_with_openssls_reason() -> None:
    other = Pki.create("Other CA")
    both = Both(context=build_client_context(ca=other.ca_pem))
    both.client.shake_hands()
    until(both.nest, lambda: both.client_heard.reason and both.server_heard.reason)
    assert "certificate verify failed" in both.client_heard.reason
    assert both.server_heard.said == ["lost"]
    both.close()


def test_no_tls_at_all_is_a_failed_handshake(both: Both) -> None:
    near, far = unix_pair()
    heard = Heard()
    server_stream(both.nest, far, heard, TLS, both.facts.append)
    near.send(b"GET / HTTP/1.1\r\n\r\n")
    until(both.nest, lambda: heard.reason)
    assert "http request" in heard.reason
    near.close()
    assert both.facts == []


def test_a_client_certificate_that_cannot_be_read_is_a_failed_handshake() -> None:
    """Not a traceback: the log is not the client's to fill."""

    def refuse(_: TlsFacts) -> None:
        raise PeerError("the certificate cannot be read")

    both = Both(on_facts=refuse)
    both.client.write(b"GET /")
    both.client.shake_hands()
    until(both.nest, lambda: both.server_heard.reason)
    assert both.server_heard.said == ["lost"]
    assert both.server_heard.reason == "the certificate cannot be read"
    both.close()


class FaultTests(TestCase):
    """What is ours to log."""

    def test_a_fault_after_the_handshake_closes(self) -> None:
        def broken(_: TlsFacts) -> None:
            raise RuntimeError("bug")

        both = Both(on_facts=broken)
        both.client.shake_hands()
        until(both.nest, lambda: both.server_heard.reason)
        assert both.server_heard.said == ["lost"]
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        both.close()

    def test_a_fault_in_a_callback_closes(self) -> None:
        class Broken:
            def __init__(self, connection: SSL.Connection) -> None:
                self.recv, self.send = connection.recv, connection.send

            def do_handshake(self) -> None:
                raise RuntimeError("bug")

            def shutdown(self) -> None:
                raise SSL.Error

        nest = new_nest()
        near, far = unix_pair()
        heard = Heard()
        connection: Any = Broken(SSL.Connection(TLS.context, far))
        stream = TlsStream(
            nest, far, heard, connection=connection, on_handshake=lambda _: None
        )
        stream.shake_hands()
        assert heard.said == ["lost"]
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        near.close()
        nest.close()


def test_a_handshake_waits_for_a_slow_peer() -> None:
    """One octet at a time, as a slow client sends it."""
    nest = new_nest()
    near, far = unix_pair()
    heard, facts = Heard(), list[TlsFacts]()
    server_stream(nest, far, heard, TLS, facts.append)
    client = SSL.Connection(TRUSTING)
    client.set_connect_state()
    client.set_tlsext_host_name(b"app.example.com")
    for _ in range(4):
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            for octet in client.bio_read(1 << 20):
                near.send(bytes([octet]))
                turn(nest)
        if answered := read_all(near):
            client.bio_write(answered)
    assert facts
    assert heard.said == []
    near.close()
    until(nest, lambda: heard.reason)
    nest.close()


# What goes out together


@attrs.frozen
class Raw:
    """A client whose octets are carried by hand, and a server stream."""

    nest: Nest
    near: socket.socket
    far: socket.socket
    heard: Heard
    client: SSL.Connection
    server: TlsStream

    def holds_back(self) -> bool:
        """Say whether the system waits for more to send."""
        return self.far.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK) == 1

    def carry(self) -> None:
        """Bring to the server what the client has to say."""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self.near.sendall(self.client.bio_read(1 << 20))

    def receive(self) -> bytes:
        """Give what the server has sent by now, decrypted; it may have said its end."""
        found = b""
        with contextlib.suppress(SSL.WantReadError, SSL.ZeroReturnError):
            if octets := read_all(self.near):
                self.client.bio_write(octets)
            while True:
                found += self.client.recv(1 << 14)
        return found

    def shake(self) -> None:
        """Shake hands, and see that the server waits only for what follows."""
        for _ in range(2):
            with contextlib.suppress(SSL.WantReadError):
                self.client.do_handshake()
            self.carry()
            turn(self.nest, 2)
            if answered := read_all(self.near):
                self.client.bio_write(answered)

    def ask(self, request: bytes) -> None:
        """Send *request*, and let the server act on it."""
        self.client.send(request)
        self.carry()
        until(self.nest, lambda: self.heard.data)

    def answer_and_close(self, _: bytes) -> None:
        """Act as a handler does whose answer is the last."""
        self.server.write(b"answer")
        self.server.close()


@contextlib.contextmanager
def raw(
    version: int = SSL.TLS1_3_VERSION,
    pair: Callable[[], tuple[socket.socket, socket.socket]] = tcp_pair,
    groups: str = "",
) -> Iterator[Raw]:
    nest, (near, far), heard = new_nest(), pair(), Heard()
    near.setblocking(False)
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(version)
    if groups:
        set_groups(context, groups)
    client = SSL.Connection(context)
    client.set_connect_state()
    server = server_stream(nest, far, heard, TLS, lambda _: None)
    yield Raw(nest, near, far, heard, client, server)
    near.close()
    server.abort()
    nest.close()


def test_tickets_wait_for_the_answer() -> None:
    with raw() as it:
        it.shake()
        assert it.holds_back()
        it.ask(b"question")
        it.server.write(b"answer")
        assert not it.holds_back()
        assert it.receive() == b"answer"


@pytest.mark.parametrize(
    ("version", "groups"),
    [(SSL.TLS1_2_VERSION, ""), (SSL.TLS1_3_VERSION, "P-521:X25519")],
)
def test_what_a_client_waits_for_is_not_held_back(version: int, groups: str) -> None:
    """The end of a handshake of TLS 1.2, and what follows a second ClientHello."""
    with raw(version, groups=groups) as it:
        client, held = it.client, []
        for _ in range(6):
            with contextlib.suppress(SSL.WantReadError):
                client.do_handshake()
                break
            it.carry()
            turn(it.nest, 2)
            held.append(it.holds_back())
            if answered := read_all(it.near):
                client.bio_write(answered)
        assert len(held) > 1
        assert not any(held)
        assert client.get_protocol_version() == version


def test_an_answer_is_not_lost_with_what_is_left_unread() -> None:
    """Closing then is a reset, which takes what has not been sent."""
    with raw() as it:

        def answer(_: bytes) -> None:
            it.server.pause()
            it.client.send(b"more")
            it.carry()
            it.answer_and_close(b"")

        it.heard.on_data = answer
        it.shake()
        it.ask(b"question")
        assert it.heard.said[-1] == "lost"
        assert it.receive() == b"answer"
        assert it.client.get_shutdown() & SSL.RECEIVED_SHUTDOWN


def test_answer_goodbye_and_end_go_together() -> None:
    with raw() as it:
        it.heard.on_data = it.answer_and_close
        it.shake()
        it.ask(b"question")
        assert it.receive() == b"answer"
        assert it.near.recv(1) == b""


def test_a_later_answer_takes_our_goodbye_with_it() -> None:
    held = []
    with raw() as it:
        it.shake()
        it.ask(b"first")
        it.server.write(b"1")
        it.heard.on_data = it.answer_and_close
        connection: Any = it.server._connection  # noqa: SLF001
        shutdown = connection.shutdown

        def say_goodbye() -> None:
            held.append(it.holds_back())
            shutdown()

        connection.shutdown = say_goodbye
        it.ask(b"second")
        until(it.nest, lambda: "lost" in it.heard.said)
        assert it.receive() == b"1answer"
    assert held == [True]


def test_nothing_is_gathered_where_there_are_no_packets() -> None:
    with raw(pair=unix_pair) as it:
        it.shake()
        it.ask(b"question")
        it.server.write(b"answer")
        assert it.receive() == b"answer"
