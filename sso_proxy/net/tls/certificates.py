"""Reads clients' certificates into facts."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from OpenSSL import crypto

from sso_proxy.model import CertificateFacts
from sso_proxy.net.tls.errors import PeerError

_CACHED: Final = 512
_CACHED_OCTETS: Final = 8192

_UPN: Final = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_UTF8_STRING: Final = 0x0C

Reader = Callable[[bytes, tuple[bytes, ...], bool, str], CertificateFacts]


def read_certificate(
    der: bytes,
    chain: tuple[bytes, ...],
    verified: bool,  # noqa: FBT001 - the cache's key is positional
    problem: str,
) -> CertificateFacts:
    """
    Read a client's certificate; the arguments are those of `CertificateFacts`.

    Subject and names may contain any character, line feeds too: the certificate can
    be anybody's work.

    Raises:
        PeerError: It cannot be read.  OpenSSL is the more lenient of the two, and a
            certificate half understood is no ground for a decision.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        return CertificateFacts(
            der=der,
            chain=chain,
            verified=verified,
            problem=problem,
            thumbprint=thumbprint(der),
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            serial=f"{certificate.serial_number:x}",
            not_after=certificate.not_valid_after_utc.timestamp(),
            names=tuple(_names(certificate)),
        )
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as e:
        raise PeerError(f"the client's certificate cannot be read: {e}") from e


def thumbprint(der: bytes) -> str:
    """Give ``x5t#S256`` of a certificate (RFC 8705 section 3.1)."""
    digest = hashlib.sha256(der).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _names(certificate: x509.Certificate) -> Iterator[tuple[str, str]]:
    """Give type and value of each subject alternative name of a type that we know."""
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return
    for name in extension.value:
        match name:
            case x509.DNSName():
                yield "dns", name.value
            case x509.RFC822Name():
                yield "email", name.value
            case x509.UniformResourceIdentifier():
                yield "uri", name.value
            case x509.IPAddress():
                yield "ip", str(name.value)
            case x509.DirectoryName():
                yield "dn", name.value.rfc4514_string()
            case x509.OtherName() if name.type_id == _UPN:
                yield "upn", _read_utf8_string(name.value)


def _read_utf8_string(der: bytes) -> str:
    """
    Read a DER UTF8String; that length and content fit was seen when it was cut out.

    Raises:
        ValueError: It is of another type, or no UTF-8.
    """
    if der[0] != _UTF8_STRING:
        raise ValueError("a user principal name is no UTF8String")
    long_form = der[1] >= 0x80
    return der[2 + (der[1] & 0x7F if long_form else 0) :].decode("utf-8")


@attrs.frozen
class CertificateCache:
    """
    Reads certificates, and remembers a bounded number of them.

    Clients come back with the same certificate on every connection; large ones are
    read each time, so that nobody can fill the memory.
    """

    _remembered: Reader = attrs.field(
        factory=lambda: lru_cache(_CACHED)(read_certificate), init=False, repr=False
    )

    def read(
        self, der: bytes, chain: tuple[bytes, ...], *, verified: bool, problem: str
    ) -> CertificateFacts:
        """Do as `read_certificate` does."""
        small = len(der) + sum(map(len, chain)) <= _CACHED_OCTETS
        read = self._remembered if small else read_certificate
        return read(der, chain, verified, problem)


def x509_of(der: bytes) -> crypto.X509:
    """Give a certificate as pyOpenSSL has it, for applications that expect that."""
    return crypto.X509.from_cryptography(x509.load_der_x509_certificate(der))
