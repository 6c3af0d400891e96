"""TLS towards backends and towards the servers that we ask ourselves."""

import ipaddress
from collections.abc import Sequence
from typing import Any, TypeAlias

import attrs
from cryptography import x509
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import optionsForClientTLS
from zope.interface import implementer

from sso_proxy.net.tls.errors import PeerError
from sso_proxy.net.tls.material import (
    MaterialError,
    read_certificates,
    read_key,
    read_lists,
)
from sso_proxy.net.tls.protocol import Protocol, certificate_store

__all__ = [
    "ClientContext",
    "ClientTls",
    "MaterialError",
    "PeerError",
    "build_client_context",
    "check_peer",
    "client_options",
    "is_address",
]

ClientContext: TypeAlias = SSL.Context
"""What connections to servers are made from; never changes once it was used."""


def build_client_context(
    ca: bytes | None = None,
    certificate: bytes | None = None,
    key: bytes | None = None,
) -> ClientContext:
    """
    Make a context that verifies servers; `check_peer` has to follow the handshake.

    Args:
        ca: The CAs to trust, PEM; None for the system's.
        certificate: Our client certificate and its chain, PEM.
        key: Its private key, PEM; given if and only if *certificate* is.

    Raises:
        MaterialError: Something cannot be used; the text says what.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    Protocol().apply(context)
    context.set_verify(SSL.VERIFY_PEER)
    context.set_alpn_protos([b"http/1.1"])
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if ca is None:
        context.set_default_verify_paths()
    else:
        _trust(context, read_certificates(ca))
    if certificate is not None and key is not None:
        _present(context, certificate, key)
    elif certificate is not None or key is not None:
        raise MaterialError("a certificate and its key are set together")
    return context


def check_peer(connection: SSL.Connection, host: str) -> None:
    """
    Check that the server's certificate is for *host* (RFC 9525): a name or an address.

    Nothing may be sent to the server before.

    Raises:
        PeerError: It is not.
    """
    address = host.removeprefix("[").removesuffix("]")
    try:
        if connection.get_peer_certificate() is None:
            raise PeerError("the server sent no certificate")
        if is_address(address):
            verify_ip_address(connection, address)
        else:
            verify_hostname(connection, host)
    except (VerificationError, CertificateError, ValueError) as e:
        raise PeerError(f"the server's certificate is not for {host}") from e


def is_address(host: str) -> bool:
    """Tell whether *host* is an IP address, which is never sent as a server name."""
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


@attrs.frozen(kw_only=True)
class ClientTls:
    """
    What TLS towards one server is made of; equal ones may share connections.

    Attributes:
        ca: PEM: CAs to trust instead of the usual ones; None for these.
        certificate: PEM: our client certificate and its chain.
        key: PEM: its private key; given if and only if *certificate* is.
        crl: PEM: revocation lists, one for each CA of *ca*; None checks none.
    """

    ca: bytes | None = attrs.field(default=None, repr=False)
    certificate: bytes | None = attrs.field(default=None, repr=False)
    key: bytes | None = attrs.field(default=None, repr=False)
    crl: bytes | None = attrs.field(default=None, repr=False)


def client_options(
    hostname: str, ca: bytes | None = None, tls: ClientTls | None = None
) -> IOpenSSLClientConnectionCreator:
    """
    Give Twisted's TLS client for *hostname*: verified, TLS 1.2 or later.

    Args:
        hostname: A name or an IP address.
        ca: PEM: CAs to trust besides the system's.
        tls: CAs to trust instead of all these, and our certificate.

    Raises:
        MaterialError: Something cannot be used; the text says what.
    """
    tls = tls or ClientTls()
    alone = tls.ca is not None
    authorities = tls.ca if alone else ca
    extra = () if authorities is None else read_certificates(authorities)
    if tls.crl is not None and not alone:
        raise MaterialError("revocation lists need the CAs that they are of")
    lists = () if tls.crl is None else read_lists(tls.crl)
    options: IOpenSSLClientConnectionCreator = optionsForClientTLS(
        hostname,
        trustRoot=_Trusted(extra, lists, system=not alone),
        extraCertificateOptions=_certificate_options(tls),
    )
    return options


@implementer(IOpenSSLTrustRoot)
@attrs.frozen
class _Trusted:
    """Trusts CAs, and maybe the system's, too; not what is on revocation lists."""

    _extra: Sequence[x509.Certificate]
    _lists: Sequence[x509.CertificateRevocationList]
    _system: bool

    def _addCACertsToContext(self, context: SSL.Context) -> None:  # noqa: N802
        if self._system:
            context.set_default_verify_paths()
        _trust(context, self._extra, self._lists)


def _certificate_options(tls: ClientTls) -> dict[str, Any]:
    """Give Twisted's options for our certificate."""
    if tls.certificate is None and tls.key is None:
        return {}
    if tls.certificate is None or tls.key is None:
        raise MaterialError("a certificate and its key are set together")
    leaf, *above = read_certificates(tls.certificate)
    private = read_key(tls.key)
    if leaf.public_key() != private.public_key():
        raise MaterialError("the key is not that of the first certificate")
    return {"certificate": leaf, "privateKey": private, "extraCertChain": above}


def _trust(
    context: SSL.Context,
    authorities: Sequence[x509.Certificate],
    lists: Sequence[x509.CertificateRevocationList] = (),
) -> None:
    """
    Trust *authorities*, intermediate ones too, without their roots.

    With *lists*, there has to be a current one for each CA up to a root: OpenSSL would
    stop at an intermediate one, and not see that its root revoked it.
    """
    store = certificate_store(context)
    for authority in authorities:
        store.add_cert(crypto.X509.from_cryptography(authority))
    flags = crypto.X509StoreFlags
    for each in lists:
        store.add_crl(each)
    if lists:
        store.set_flags(flags.CRL_CHECK | flags.CRL_CHECK_ALL)
    else:
        store.set_flags(flags.PARTIAL_CHAIN)


def _present(context: SSL.Context, certificate: bytes, key: bytes) -> None:
    leaf, *above = read_certificates(certificate)
    private = read_key(key)
    if leaf.public_key() != private.public_key():
        raise MaterialError("the key is not that of the first certificate")
    try:
        context.use_certificate(leaf)
        for other in above:
            context.add_extra_chain_cert(other)
        context.use_privatekey(private)
    except SSL.Error as e:
        raise MaterialError("OpenSSL refuses the certificate or its key") from e
