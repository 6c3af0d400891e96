"""What a finished handshake proved."""

import weakref
from functools import partial
from typing import Final

from OpenSSL import SSL, crypto

from sso_proxy.model import CertificateFacts, TlsFacts
from sso_proxy.net.tls.handshake import ConnectionState
from sso_proxy.net.tls.probe import has_extended_master_secret
from sso_proxy.net.tls.token_binding import BindingsReader, settle

_TLS_1_3: Final = SSL.TLS1_3_VERSION


def read_facts(connection: SSL.Connection, state: ConnectionState) -> TlsFacts:
    """
    Read what the handshake of *connection* proved; *state* is its application data.

    Raises:
        PeerError: The client's certificate cannot be read, or Token Binding was agreed
            on where it must not be; close the connection.
    """
    modern = connection.get_protocol_version() == _TLS_1_3
    certificate = connection.get_peer_certificate()
    export = partial(_export, weakref.ref(connection))
    bindings_reader = None
    if state.token_binding is not None:
        agreed = settle(connection, state.token_binding)
        bindings_reader = BindingsReader(agreed, export)
    return TlsFacts(
        version="TLSv1.3" if modern else "TLSv1.2",
        cipher=connection.get_cipher_name() or "",
        server_name=state.server_name,
        alpn=state.alpn,
        certificate=None
        if certificate is None
        else _read_client(connection, state, certificate),
        extended_master_secret=modern or has_extended_master_secret(connection),
        policy=state.rules.policy,
        exporter=export,
        bindings_reader=bindings_reader,
    )


def _read_client(
    connection: SSL.Connection, state: ConnectionState, leaf: crypto.X509
) -> CertificateFacts:
    """Read the client's certificate and the chain it was sent with."""
    der = _der(leaf)
    # On a server, OpenSSL leaves the leaf out of it.
    chain = tuple(map(_der, connection.get_peer_cert_chain() or ()))
    return state.certificates.read(
        der, chain, verified=state.verified, problem=state.problem
    )


def _der(certificate: crypto.X509) -> bytes:
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _export(
    reference: "weakref.ref[SSL.Connection]",
    label: bytes,
    length: int,
    context: bytes | None,
) -> bytes:
    """
    Export keying material as long as the connection is there.

    Facts may outlive a connection; they must not keep it and its buffers alive.
    """
    connection = reference()
    if connection is None:
        raise ValueError("the connection is closed")
    try:
        return connection.export_keying_material(label, length, context)
    except SSL.Error as e:
        raise ValueError("OpenSSL exports no keying material here") from e
