"""A client's certificate as the trusted proxy that ended the client's TLS passes it."""

from typing import Final

import attrs

from sso_proxy.config.model import ForwardedCertificate
from sso_proxy.errors import BadMessageError
from sso_proxy.model import CertificateFacts, Headers, TlsFacts
from sso_proxy.net.tls.certificates import CertificateCache
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.specs.http.client_cert import read_client_cert, read_client_cert_chain

_PROBLEM: Final = "passed on by a trusted proxy, not checked by us"


@attrs.frozen
class ForwardedCertificates:
    """
    Reads ``Client-Cert`` and ``Client-Cert-Chain`` (RFC 9440) of trusted proxies.

    Their handshake proved that the client holds the key.  Who issued the certificate
    is another question, which only an operator can answer for them.
    """

    _certificates: CertificateCache = attrs.field(factory=CertificateCache)

    def read(
        self, fields: Headers, belief: ForwardedCertificate, tls: TlsFacts | None
    ) -> TlsFacts | None:
        """
        Give the facts of the client's connection, as far as *fields* tell them.

        Args:
            fields: What the trusted proxy says about the client.
            belief: How much of it counts.
            tls: Facts of the proxy's own connection to us.

        Returns:
            *tls* itself if nothing is said.

        Raises:
            BadMessageError: 400: the fields cannot be read in exactly one way, or the
                proxy's connection has a certificate, too, and nobody could say which
                of the two is the client's.
        """
        leaves = [value for name, value in fields if name == "client-cert"]
        chain = [value for name, value in fields if name == "client-cert-chain"]
        if belief == "ignore" or not (leaves or chain):
            return tls
        if tls is not None and tls.certificate is not None:
            raise BadMessageError(400, "client-cert-conflict")
        if len(leaves) != 1:  # the chain belongs to a certificate (section 2.3)
            raise BadMessageError(400, "client-cert-malformed")
        return _beyond(tls, self._read(leaves[0], chain, belief))

    def _read(
        self, leaf: str, chain: list[str], belief: ForwardedCertificate
    ) -> CertificateFacts:
        verified = belief == "verified"
        try:
            return self._certificates.read(
                read_client_cert(leaf),
                read_client_cert_chain(chain) if chain else (),
                verified=verified,
                problem="" if verified else _PROBLEM,
            )
        except PeerError:
            raise BadMessageError(400, "client-cert-malformed") from None


def _beyond(tls: TlsFacts | None, certificate: CertificateFacts) -> TlsFacts:
    """Give facts of a connection that ends before us: it shares no key with us."""
    if tls is None:
        return TlsFacts(
            version="", cipher="", certificate=certificate, extended_master_secret=False
        )
    return attrs.evolve(tls, certificate=certificate, exporter=None)
