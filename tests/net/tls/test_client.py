import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface.verify import verifyObject

from sso_proxy.net.tls.client import (
    MaterialError,
    PeerError,
    build_client_context,
    check_peer,
    client_options,
    is_address,
)
from sso_proxy.testing.pki import Issued, Pki, self_signed

if TYPE_CHECKING:
    from tests.net.tls.conftest import Lab, Shaken

CA = Pki.create("Backend CA")


def _backend(lab: "Lab", issued: Issued, ca: bytes | None, **options: Any) -> "Shaken":  # noqa: ANN401
    """Connect to a backend that has *issued*, trusting *ca*."""
    tls = lab.listener(**lab.put("backend", issued), **options)
    return lab.connect(tls, context=build_client_context(ca), sni="b.example")


def test_a_backend_of_the_ca_is_accepted(lab: "Lab") -> None:
    issued = CA.issue("b", dns=["b.example"], ips=["127.0.0.1", "::1"], server=True)
    client = _backend(lab, issued, CA.ca_pem).client
    for host in ("b.example", "B.Example", "127.0.0.1", "::1", "[::1]"):
        check_peer(client, host)


@pytest.mark.parametrize("host", ["c.example", "127.0.0.2", "[::2]", "example", ""])
def test_a_certificate_for_another_host_is_refused(lab: "Lab", host: str) -> None:
    issued = CA.issue("b", dns=["b.example"], ips=["127.0.0.1", "::1"], server=True)
    with pytest.raises(PeerError, match="is not for"):
        check_peer(_backend(lab, issued, CA.ca_pem).client, host)


def test_a_common_name_is_no_host_name(lab: "Lab") -> None:
    """RFC 9525 section 2: only subject alternative names count."""
    client = _backend(lab, CA.issue("b.example", server=True), CA.ca_pem).client
    with pytest.raises(PeerError):
        check_peer(client, "b.example")


def test_a_server_without_certificate_is_refused() -> None:
    connection = SSL.Connection(build_client_context(), None)
    with pytest.raises(PeerError, match="no certificate"):
        check_peer(connection, "b.example")


@pytest.mark.parametrize(
    "issued",
    [
        CA.issue("b", dns=["b.example"], server=True, expired=True),
        CA.issue("b", dns=["b.example"], client=True),
        Pki.create("Another").issue("b", dns=["b.example"], server=True),
        self_signed("b", dns=["b.example"]),
    ],
    ids=["expired", "client-only", "wrong-ca", "self-signed"],
)
def test_a_bad_backend_is_refused(lab: "Lab", issued: Issued) -> None:
    shaken = _backend(lab, issued, CA.ca_pem)
    assert "certificate verify failed" in str(shaken.client_error)


def test_the_systems_cas_do_not_know_ours(lab: "Lab") -> None:
    shaken = _backend(lab, CA.issue("b", dns=["b.example"], server=True), None)
    assert "certificate verify failed" in str(shaken.client_error)


def test_a_self_signed_backend_can_be_trusted(lab: "Lab") -> None:
    own = self_signed("b", dns=["b.example"])
    check_peer(_backend(lab, own, own.cert_pem).client, "b.example")


def test_an_intermediate_can_be_trusted_without_its_root(lab: "Lab") -> None:
    middle = CA.intermediate()
    issued = middle.issue("b", dns=["b.example"], server=True)
    check_peer(_backend(lab, issued, middle.ca_pem).client, "b.example")


def test_our_client_certificate_is_presented_with_its_chain(lab: "Lab") -> None:
    ours = lab.pki.intermediate().issue("proxy", client=True)
    context = build_client_context(
        lab.files["own.crt"], certificate=ours.chain_pem, key=ours.key_pem
    )
    tls = lab.listener(client_certificate="required", client_ca="ca.crt")
    assert lab.connect(tls, context=context).certificate.der == ours.der


def test_http_1_1_is_asked_for(lab: "Lab") -> None:
    shaken = _backend(lab, CA.issue("b", server=True), CA.ca_pem)
    assert shaken.facts.alpn == "http/1.1"


def test_tls_1_1_backends_are_refused() -> None:
    context = build_client_context(CA.ca_pem)
    server = SSL.Context(SSL.TLS_SERVER_METHOD)
    server.set_min_proto_version(SSL.TLS1_VERSION)
    server.set_max_proto_version(SSL.TLS1_1_VERSION)
    server.set_cipher_list(b"ALL:@SECLEVEL=0")
    client, backend = SSL.Connection(context, None), SSL.Connection(server, None)
    client.set_connect_state()
    backend.set_accept_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    backend.bio_write(client.bio_read(1 << 16))
    with pytest.raises(SSL.Error, match="unsupported protocol"):
        backend.do_handshake()


OURS = CA.issue("proxy", client=True)
WEAK = CA.issue("weak", client=True, key="weak")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"ca": b"rubbish"}, "does not hold certificates"),
        ({"certificate": OURS.chain_pem}, "set together"),
        ({"key": OURS.key_pem}, "set together"),
        ({"certificate": OURS.chain_pem, "key": WEAK.key_pem}, "is not that of"),
        ({"certificate": WEAK.chain_pem, "key": WEAK.key_pem}, "OpenSSL refuses"),
    ],
)
def test_what_cannot_be_used_is_said(options: dict[str, bytes], problem: str) -> None:
    with pytest.raises(MaterialError, match=problem):
        build_client_context(**options)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("[::1]", True), ("a.example", False)],
)
def test_addresses_are_told_from_names(host: str, *, expected: bool) -> None:
    assert is_address(host) is expected


def _twisted_client(lab: "Lab", issued: Issued, hostname: str, ca: bytes) -> bool:
    """Connect Twisted's TLS client in memory; tell whether it accepts the server."""
    tls = lab.listener(**lab.put("backend", issued))
    server = SSL.Connection(tls.context, None)
    server.set_app_data(tls.new_state())
    server.set_accept_state()
    creator = client_options(hostname, ca)
    verifyObject(IOpenSSLClientConnectionCreator, creator)
    wrapped, clock = Factory.forProtocol(Protocol), Clock()
    factory = TLSMemoryBIOFactory(
        creator, isClient=True, wrappedFactory=wrapped, clock=clock
    )
    protocol, transport = factory.buildProtocol(None), StringTransport()
    assert protocol is not None
    protocol.makeConnection(transport)
    protocol.write(b"x")
    for _ in range(6):
        clock.advance(1)
        if transport.value():
            server.bio_write(transport.value())
            transport.clear()
        try:
            server.do_handshake()
            return server.recv(1) == b"x"
        except SSL.WantReadError:
            pass
        except SSL.Error:
            return False
        with contextlib.suppress(SSL.WantReadError):
            protocol.dataReceived(server.bio_read(1 << 16))
    return False


def test_twisteds_client_trusts_the_extra_ca_and_checks_the_name(lab: "Lab") -> None:
    issued = CA.issue("b", dns=["b.example"], ips=["127.0.0.1"], server=True)
    assert _twisted_client(lab, issued, "b.example", CA.ca_pem)
    assert _twisted_client(lab, issued, "127.0.0.1", CA.ca_pem)
    assert not _twisted_client(lab, issued, "c.example", CA.ca_pem)


def test_twisteds_client_refuses_other_cas(lab: "Lab") -> None:
    issued = CA.issue("b", dns=["b.example"], server=True)
    assert not _twisted_client(lab, issued, "b.example", lab.other.ca_pem)
    assert client_options("b.example") is not None


def test_a_bad_extra_ca_is_said() -> None:
    with pytest.raises(MaterialError):
        client_options("b.example", b"rubbish")
