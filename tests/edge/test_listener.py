"""Accepting, on real sockets."""

import resource
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

import attrs
import pytest
from OpenSSL import SSL
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import ListenerConfig
from sso_proxy.net.tls.context import ListenerTls, build_listener_tls
from sso_proxy.testing.pki import Pki
from tests.support.doubles import status_of
from tests.support.listening import GET, Place, answer_from
from tests.support.sockets import turn, until

Make = Callable[..., Place]
PKI = Pki.create()
SERVER = PKI.issue("server", dns=["app.example.com"])


def listener_tls(**options: Any) -> ListenerTls:  # noqa: ANN401
    files = {"crt": SERVER.chain_pem, "key": SERVER.key_pem, "ca": PKI.ca_pem}
    config = ListenerConfig(
        address="127.0.0.1", certificate="crt", key="key", **options
    )
    return build_listener_tls(config, now=0.0, read_file=files.__getitem__)


def test_a_client_is_served(make: Make) -> None:
    place = make()
    assert status_of(place.ask(place.connect())) == 200
    assert place.open() == 1


def test_what_is_accepted_sends_at_once(make: Make) -> None:
    place = make()
    with place.connect(), place.sock.accept()[0] as accepted:
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_client_that_leaves_is_forgotten(make: Make) -> None:
    place = make(per_address=1)
    for _ in range(3):
        client = place.connect()
        assert status_of(place.ask(client)) == 200
        client.close()
        until(place.nest, lambda: not place.open())


def test_one_address_gets_so_many_connections(make: Make) -> None:
    place = make(per_address=2)
    clients = [place.connect() for _ in range(4)]
    until(place.nest, lambda: place.open() == 2)
    turn(place.nest, 3)
    assert place.open() == 2
    clients[0].close()
    until(place.nest, lambda: place.open() == 1)
    assert status_of(place.ask(place.connect())) == 200


def test_trusted_proxies_are_not_counted_like_that(make: Make) -> None:
    place = make(per_address=1, trusted=lambda _: True)
    for _ in range(3):
        place.connect()
    until(place.nest, lambda: place.open() == 3)


def test_there_is_a_limit_for_all(make: Make) -> None:
    place = make(connections=2, trusted=lambda _: True)
    for _ in range(3):
        place.connect()
    until(place.nest, lambda: place.open() == 2)
    turn(place.nest, 3)
    assert place.open() == 2


def test_stopping_takes_what_waits_and_answers_it(make: Make) -> None:
    place = make()
    client = place.connect()
    client.send(GET)
    place.listener.stop()
    place.listener.stop()
    place.site.drain()
    place.site.close_idle()
    got = answer_from(place.nest, client)
    assert status_of(got) == 200
    assert b"Connection: close" in got


def test_who_comes_after_the_end_is_refused_and_does_not_wait(make: Make) -> None:
    place = make()
    address = place.sock.getsockname()
    place.listener.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_who_holds_the_same_socket_goes_on(make: Make) -> None:
    place = make()
    other = place.sock.dup()
    place.listener.stop()
    client = socket.create_connection(other.getsockname())
    accepted, _ = other.accept()
    for sock in (client, accepted, other):
        sock.close()


def test_a_first_request_that_does_not_come_does_not_hold_up_the_end(
    make: Make,
) -> None:
    place = make()
    place.connect()
    place.listener.stop()
    place.site.drain()
    place.site.close_idle()
    assert place.open() == 1
    place.site.sweep(monotonic() + 2)
    assert place.open() == 0


def no_descriptors(do: Callable[[], None]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as last:
        used = last.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
    try:
        do()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_it_waits_a_second(make: Make) -> None:
    place = make()
    client = place.connect()
    no_descriptors(lambda: turn(place.nest, 3))
    turn(place.nest, 3)
    assert place.open() == 0
    place.listener.sweep(place.site.now + 0.9)
    turn(place.nest, 3)
    assert place.open() == 0
    place.listener.sweep(place.site.now + 1.1)
    assert status_of(place.ask(client)) == 200


def test_stopping_without_descriptors_is_no_error(make: Make) -> None:
    place = make()
    place.connect()
    no_descriptors(place.listener.stop)
    place.listener.sweep(place.site.now + 2)
    turn(place.nest, 3)
    assert place.open() == 0


def test_what_went_wrong_is_said_at_the_next_sweep(make: Make) -> None:
    place = make(tls=listener_tls(), per_address=1)
    first, _ = place.connect(), place.connect()
    until(place.nest, lambda: place.open() == 1)
    first.send(b"GET / HTTP/1.1\r\n\r\n")
    until(place.nest, lambda: place.open() == 0)
    place.listener.sweep(place.site.now)
    place.listener.sweep(place.site.now)


def tls_client(place: Place) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    client = SSL.Connection(context, place.connect())
    client.set_connect_state()
    client.set_tlsext_host_name(b"app.example.com")
    return client


def shaken(place: Place, client: SSL.Connection) -> bool:
    try:
        client.do_handshake()
    except SSL.WantReadError:
        return False
    turn(place.nest, 3)
    return True


def ask_tls(place: Place, client: SSL.Connection) -> int:
    client.send(GET)
    got = bytearray()

    def answered() -> bool:
        try:
            got.extend(client.recv(65536))
        except SSL.WantReadError:
            return False
        return bool(got)

    until(place.nest, answered)
    return status_of(bytes(got))


def test_tls_is_served(make: Make) -> None:
    place = make(tls=listener_tls())
    client = tls_client(place)
    until(place.nest, lambda: shaken(place, client))
    assert ask_tls(place, client) == 200


def test_a_handshake_has_a_deadline(make: Make) -> None:
    place = make(tls=listener_tls())
    place.connect()
    until(place.nest, lambda: place.open() == 1)
    place.listener.sweep(monotonic() + 11)
    assert place.open() == 0


def test_a_reload_that_asks_otherwise_of_clients_makes_connections_stale(
    make: Make,
) -> None:
    place = make(tls=listener_tls())
    client = tls_client(place)
    until(place.nest, lambda: shaken(place, client))
    assert ask_tls(place, client) == 200
    same = attrs.evolve(place.rules, rules=place.scene.make_rules(), tls=listener_tls())
    place.listener.reload(same)
    assert ask_tls(place, client) == 200
    asks = listener_tls(client_certificate="optional", client_ca="ca")
    other = attrs.evolve(same, rules=place.scene.make_rules(), tls=asks)
    place.listener.reload(other)
    assert ask_tls(place, client) == 421
    until(place.nest, lambda: place.open() == 0)


def test_a_handshake_across_a_reload_is_judged_by_the_new_rules(make: Make) -> None:
    place = make(tls=listener_tls())
    client = tls_client(place)
    until(place.nest, lambda: place.open() == 1)
    asks = listener_tls(client_certificate="optional", client_ca="ca")
    place.listener.reload(
        attrs.evolve(
            place.rules,
            rules=place.scene.make_rules(),
            tls=asks,
            trusted=lambda _: True,
        )
    )
    until(place.nest, lambda: shaken(place, client))
    (connection,) = place.site.connections
    assert getattr(connection, "facts").trusted  # noqa: B009
    assert ask_tls(place, client) == 421


def test_an_ipv4_client_of_an_ipv6_listener_is_counted_as_itself(make: Make) -> None:
    seen = []

    def trusted(peer: str) -> bool:
        seen.append(peer)
        return False

    place = make(trusted=trusted)
    near, far = socket.socketpair()
    place.listener._serve(near, "::ffff:192.0.2.1")  # noqa: SLF001
    assert seen == ["192.0.2.1"]
    far.close()


class FailingStartTests(TestCase):
    """A connection that cannot even begin."""

    def test_it_is_closed_logged_and_no_longer_counted(self) -> None:
        place = Place(per_address=1)

        def broken(*_: object) -> None:
            raise RuntimeError("bug")

        watch, place.nest.watch = place.nest.watch, broken  # type: ignore[method-assign,assignment]
        client = place.connect()
        until(place.nest, lambda: self.flushLoggedErrors(RuntimeError))
        place.nest.watch = watch  # type: ignore[method-assign]
        assert place.open() == 0
        assert client.recv(1) == b""
        assert status_of(place.ask(place.connect())) == 200
        place.close()
