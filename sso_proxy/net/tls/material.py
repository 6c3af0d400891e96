"""Reads certificates, keys and revocation lists, and notes all that is wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sso_proxy.errors import Mistake

PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | dsa.DSAPrivateKey
)
T = TypeVar("T")
ReadFile = Callable[[str], bytes]

_CRL: Final = re.compile(
    rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL
)


def read_file(path: str) -> bytes:
    """Read the whole file at *path*."""
    return Path(path).read_bytes()


@attrs.frozen(kw_only=True)
class Credentials:
    """
    What we prove our name with.

    Attributes:
        chain: Our certificate first, then those above it.
        key: The private key of the first.
    """

    chain: tuple[x509.Certificate, ...]
    key: PrivateKey = attrs.field(repr=False)


class MaterialError(ValueError):
    """A file's content cannot be used; the text says why and what would be right."""


@attrs.define(kw_only=True)
class MaterialReader:
    """
    Reads files for options and keeps a list of what is wrong with them.

    Each method takes the option's path in the configuration first and gives None, or
    nothing, when it noted a mistake there.

    Attributes:
        now: Seconds since the epoch.
        mistakes: What was found, each once.
    """

    now: float
    mistakes: list[Mistake] = attrs.field(factory=list)
    _read_file: ReadFile = attrs.field(default=read_file, alias="read_file")

    def note(self, path: str, problem: str) -> None:
        """Note a mistake, unless it is known (one file may serve several names)."""
        mistake = Mistake(path, problem)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def credentials(
        self, certificate: tuple[str, str], key: tuple[str, str]
    ) -> Credentials | None:
        """Read our own certificate and key; each argument is an option and a file."""
        chain = self._parsed(*certificate, read_certificates)
        private = self._parsed(*key, read_key)
        if chain is None or private is None:
            return None
        if chain[0].public_key() != private.public_key():
            self.note(key[0], "is not the key of the first certificate in the file")
            return None
        return Credentials(chain=chain, key=private)

    def authorities(self, path: str, file: str) -> tuple[x509.Certificate, ...]:
        """Read the CAs in *file*."""
        found = self._parsed(path, file, read_certificates) or ()
        for certificate in found:
            if not is_authority(certificate):
                self.note(path, f"{describe(certificate.subject)} is no CA certificate")
        return found

    def lists(self, path: str, file: str) -> tuple[x509.CertificateRevocationList, ...]:
        """Read the revocation lists in *file*, which must all be current."""
        found = self._parsed(path, file, read_lists) or ()
        for crl in found:
            self._check_current(path, crl)
        return found

    def check_complete(
        self,
        path: str,
        authorities: tuple[x509.Certificate, ...],
        lists: tuple[x509.CertificateRevocationList, ...],
        option: str = "client_ca",
    ) -> None:
        """
        Note each CA without a revocation list, and each whose root is not there.

        OpenSSL refuses every certificate of such a CA, which is better said now.

        Args:
            path: The option with the lists.
            authorities: The CAs.
            lists: The lists.
            option: What names the CAs.
        """
        for authority in authorities:
            name = describe(authority.subject)
            if not any(is_list_of(crl, authority) for crl in lists):
                self.note(path, f"has no list signed by {name} of {option}")
            if not any(authority.issuer == other.subject for other in authorities):
                self.note(
                    path,
                    f"cannot be checked for {name}: {option} lacks the CA above it,"
                    f" {describe(authority.issuer)}",
                )

    def _check_current(self, path: str, crl: x509.CertificateRevocationList) -> None:
        name = describe(crl.issuer)
        if crl.next_update_utc is None:
            self.note(path, f"the list of {name} does not say when the next is due")
        elif crl.next_update_utc.timestamp() <= self.now:
            due = crl.next_update_utc.isoformat()
            self.note(path, f"the list of {name} has expired on {due}; fetch a new one")
        if crl.last_update_utc.timestamp() > self.now:
            begin = crl.last_update_utc.isoformat()
            self.note(path, f"the list of {name} is not valid before {begin}")

    def _parsed(self, path: str, file: str, parse: Callable[[bytes], T]) -> T | None:
        try:
            return parse(self._read_file(file))
        except OSError as e:
            self.note(path, f"cannot read {file}: {e.strerror or e}")
        except MaterialError as e:
            self.note(path, f"{file} {e}")
        return None


def read_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """
    Read one or more certificates in PEM.

    Raises:
        MaterialError: There is none, or one that cannot be read.
    """
    try:
        certificates = tuple(x509.load_pem_x509_certificates(pem))
        for certificate in certificates:
            certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as e:
        raise MaterialError("does not hold certificates in PEM that can be read") from e
    return certificates


def read_key(pem: bytes) -> PrivateKey:
    """
    Read a private key in PEM.

    Raises:
        MaterialError: It is none, has a passphrase, or is of a kind that TLS does
            not sign with.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as e:
        raise MaterialError("has a passphrase; give the key without one") from e
    except (ValueError, UnsupportedAlgorithm) as e:
        raise MaterialError("does not hold a private key in PEM") from e
    if not isinstance(key, PrivateKey):
        raise MaterialError("holds a key that is neither RSA nor EC nor EdDSA")
    return key


def read_lists(pem: bytes) -> tuple[x509.CertificateRevocationList, ...]:
    """
    Read one or more certificate revocation lists in PEM.

    Raises:
        MaterialError: There is none, or one that cannot be read.
    """
    blocks = _CRL.findall(pem)
    if not blocks or len(blocks) != pem.count(b"-----BEGIN "):
        raise MaterialError("does not hold revocation lists in PEM, and only those")
    try:
        return tuple(map(x509.load_pem_x509_crl, blocks))
    except ValueError as e:
        raise MaterialError("holds a revocation list that cannot be read") from e


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether *certificate* may sign others (RFC 5280 section 4.2.1.9)."""
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.BasicConstraints
        )
    except (x509.ExtensionNotFound, ValueError):
        return False
    return extension.value.ca


def is_list_of(crl: x509.CertificateRevocationList, ca: x509.Certificate) -> bool:
    """Tell whether *ca* signed *crl*."""
    key = ca.public_key()
    if not isinstance(
        key,
        rsa.RSAPublicKey
        | ec.EllipticCurvePublicKey
        | ed25519.Ed25519PublicKey
        | ed448.Ed448PublicKey
        | dsa.DSAPublicKey,
    ):
        return False
    return crl.issuer == ca.subject and crl.is_signature_valid(key)


def describe(name: x509.Name) -> str:
    """Give a distinguished name for a message."""
    return name.rfc4514_string() or "a CA without a name"
