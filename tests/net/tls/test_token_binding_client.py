"""The client that offers Token Binding, over a real socket."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL

from sso_proxy.net.tls.token_binding_client import (
    OFFER,
    BindingConnection,
    Offer,
    Trust,
    client_context,
)
from sso_proxy.specs.token_binding_keys import TokenBindingError

if TYPE_CHECKING:
    from sso_proxy.net.tls.context import ListenerTls
    from tests.net.tls.conftest import Lab


@contextmanager
def _serving(tls: "ListenerTls") -> Iterator[tuple[socket.socket, list[bytes]]]:
    """Answer one connection with what it sends, and note its keying material."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    theirs.settimeout(20)
    noted: list[bytes] = []

    def serve() -> None:
        server = SSL.Connection(tls.context, theirs)
        theirs.settimeout(None)
        server.set_app_data(tls.new_state())
        server.set_accept_state()
        try:
            server.do_handshake()
            label = b"EXPORTER-Token-Binding"
            noted.append(server.export_keying_material(label, 32, None))
            server.sendall(server.recv(100))
            server.shutdown()
        except SSL.Error:
            pass
        finally:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield ours, noted
    finally:
        ours.close()
        thread.join(20)


def test_what_is_sent_comes_back_on_a_connection_with_a_key(lab: "Lab") -> None:
    tls = lab.listener(
        client_certificate="required", client_ca="ca.crt", token_binding=True
    )
    context = client_context(
        Trust(certificate=lab.alice.chain_pem, key=lab.alice.key_pem)
    )
    with (
        _serving(tls) as (sock, noted),
        BindingConnection(context, sock, server_name="own.example") as client,
    ):
        assert client.offer.agreed == 2
        client.send(b"hello")
        assert client.receive() == b"hello"
        assert client.receive() == b""
        assert noted == [client.ekm]


def test_a_server_that_is_not_trusted_is_not_talked_to(lab: "Lab") -> None:
    context = client_context(Trust(authority=lab.pki.ca_pem))
    with (
        _serving(lab.listener(token_binding=True)) as (sock, noted),
        pytest.raises(SSL.Error, match="certificate verify failed"),
    ):
        BindingConnection(context, sock)
    assert noted == []


def test_without_an_offer_nothing_is_agreed_on(lab: "Lab") -> None:
    context = client_context(Trust())
    with (
        _serving(lab.listener(token_binding=True)) as (sock, _),
        BindingConnection(context, sock, offer=None) as client,
    ):
        assert client.offer.agreed is None


def test_an_answer_that_was_not_offered_is_refused() -> None:
    offer = Offer(b"\x01\x00\x01\x02", b"\x01\x00\x01\x01")
    with pytest.raises(TokenBindingError):
        _ = offer.agreed
    assert Offer(OFFER, b"\x01\x00\x01\x01").agreed == 1
