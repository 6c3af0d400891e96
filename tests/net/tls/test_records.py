"""What goes around pyOpenSSL says the same as what goes through it."""

import contextlib
from typing import TYPE_CHECKING

import pytest
from OpenSSL import SSL

from sso_proxy.net.tls import records
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.net.tls.records import (
    RECORD,
    go_on_shaking_hands,
    read_record,
    write_records,
)

if TYPE_CHECKING:
    from sso_proxy.net.tls.context import ListenerTls
    from tests.net.tls.conftest import Lab, Shaken

    Ends = tuple[SSL.Connection, SSL.Connection]


@pytest.fixture(params=[True, False], ids=["direct", "pyopenssl"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_DIRECT", request.param)


def carry(shaken: "Shaken") -> None:
    """Bring to the server what the client has written."""
    shaken.server.bio_write(shaken.client.bio_read(1 << 20))


@pytest.mark.parametrize("kind", [bytes, memoryview], ids=["bytes", "memoryview"])
def test_what_is_written_is_read(
    lab: "Lab", kind: type[bytes] | type[memoryview]
) -> None:
    shaken = lab.connect(lab.listener())
    assert write_records(shaken.client, kind(b"question")) == 8
    carry(shaken)
    assert read_record(shaken.server) == b"question"


def test_one_record_is_read_at_a_time(lab: "Lab") -> None:
    shaken = lab.connect(lab.listener())
    data = b"x" * RECORD + b"rest"
    sent = 0
    while sent < len(data):
        sent += write_records(shaken.client, data[sent:])
    carry(shaken)
    assert read_record(shaken.server) == data[:RECORD]
    assert read_record(shaken.server) == b"rest"


def test_what_is_no_data_is_what_pyopenssl_says(lab: "Lab") -> None:
    shaken = lab.connect(lab.listener())
    with pytest.raises(SSL.WantReadError):
        read_record(shaken.server)
    shaken.client.shutdown()
    carry(shaken)
    with pytest.raises(SSL.ZeroReturnError):
        read_record(shaken.server)


def greet(lab: "Lab", tls: "ListenerTls", *alpn: bytes) -> "Ends":
    """Let a client greet a server, which has not answered yet."""
    client, server, _ = lab.begin(tls, lab.client_context(alpn=alpn))
    with contextlib.suppress(SSL.WantReadError):
        client.do_handshake()
    return client, server


def test_a_handshake_goes_on_when_the_peer_has_gone_on(lab: "Lab") -> None:
    client, server = greet(lab, lab.listener())
    assert not go_on_shaking_hands(server)
    server.bio_write(client.bio_read(1 << 20))
    assert not go_on_shaking_hands(server)
    assert not go_on_shaking_hands(server)
    client.bio_write(server.bio_read(1 << 20))
    assert go_on_shaking_hands(client)
    server.bio_write(client.bio_read(1 << 20))
    assert go_on_shaking_hands(server)


def test_what_is_raised_in_a_callback_ends_its_handshake_alone(lab: "Lab") -> None:
    tls = lab.listener()
    for alpn, error in ((b"h2", "no protocol"), (b"http/1.1", "")):
        client, server = greet(lab, tls, alpn)
        server.bio_write(client.bio_read(1 << 20))
        if error:
            with pytest.raises(PeerError, match=error):
                go_on_shaking_hands(server)
        else:
            assert not go_on_shaking_hands(server)


def test_what_is_no_handshake_is_what_pyopenssl_says(lab: "Lab") -> None:
    _, server = greet(lab, lab.listener())
    server.bio_write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(SSL.Error, match="http request"):
        go_on_shaking_hands(server)
