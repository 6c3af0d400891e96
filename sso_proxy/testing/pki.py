"""
A certification authority for tests, the demo and benchmarks.

Its keys are made anew each time and protect nothing.
"""

import base64
import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, Self

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KeyKind = Literal["ec", "rsa", "ed25519", "weak"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey

_UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


@attrs.frozen(kw_only=True)
class Issued:
    """
    A certificate and its private key.

    Attributes:
        cert_pem: The certificate alone.
        key_pem: The private key, PKCS #8, not encrypted.
        chain_pem: The certificate and the intermediates above it, without the root.
        der: The certificate in DER.
        thumbprint: ``x5t#S256``: SHA-256 of *der*, base64url without padding.
        serial: The serial number.
    """

    cert_pem: bytes
    key_pem: bytes = attrs.field(repr=False)
    chain_pem: bytes = attrs.field(repr=False)
    der: bytes = attrs.field(repr=False)
    thumbprint: str
    serial: int

    def write(self, directory: Path, stem: str) -> tuple[Path, Path]:
        """Write ``stem.crt``, chain included, and ``stem.key`` (0600); give both."""
        certificate, key = directory / f"{stem}.crt", directory / f"{stem}.key"
        certificate.write_bytes(self.chain_pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)
        return certificate, key


@attrs.frozen(kw_only=True)
class Pki:
    """
    One certification authority, a root or an intermediate.

    Attributes:
        certificate: Its own certificate.
        above: The intermediates between it and the root, itself included, lowest
            first; empty for a root.
    """

    certificate: x509.Certificate
    above: tuple[x509.Certificate, ...] = ()
    _key: PrivateKey = attrs.field(repr=False, alias="key")

    @classmethod
    def create(cls, common_name: str = "Test CA") -> Self:
        """Make a root with a P-256 key, valid for ten years."""
        key = _new_key("ec")
        name = _name(common_name)
        builder = _builder(name, key.public_key(), _validity(3650))
        certificate = _sign(_with_ca_extensions(builder), name, key)
        return cls(certificate=certificate, key=key)

    @property
    def ca_pem(self) -> bytes:
        """Give the authority's certificate in PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    def intermediate(self, common_name: str = "Test intermediate CA") -> "Pki":
        """Make an authority below this one, valid for five years."""
        key = _new_key("ec")
        builder = _builder(_name(common_name), key.public_key(), _validity(1825))
        certificate = self._signed(_with_ca_extensions(builder))
        return Pki(certificate=certificate, above=(certificate, *self.above), key=key)

    def issue(  # noqa: PLR0913 - one keyword for each thing a certificate can say
        self,
        common_name: str,
        *,
        dns: Iterable[str] = (),
        ips: Iterable[str] = (),
        emails: Iterable[str] = (),
        uris: Iterable[str] = (),
        upns: Iterable[str] = (),
        client: bool = False,
        server: bool = False,
        key: KeyKind = "ec",
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        days: float = 365,
        expired: bool = False,
        subject: x509.Name | None = None,
        issuer: "Pki | None" = None,
    ) -> Issued:
        """
        Issue a certificate with a new key.

        Args:
            common_name: The subject's ``CN``.
            dns: Subject alternative names; those of all types stand in this order.
            ips: The same, IP addresses.
            emails: The same, mail addresses.
            uris: The same, URIs.
            upns: The same, user principal names of Active Directory.
            client: Good for client authentication; without *client* and *server* it
                has no extended key usage and is good for both.
            server: Good for server authentication.
            key: The kind of its key; RSA has 2048 bits, ``weak`` is RSA with 1024.
            not_before: Begin of validity; unset, an hour ago.
            not_after: End of validity; unset, *days* from now.
            days: Validity from now, in days.
            expired: Whether it ended yesterday.
            subject: The whole subject, instead of *common_name* alone.
            issuer: Another authority that issues it instead of this one.
        """
        authority = issuer or self
        private = _new_key(key)
        begin, end = _validity(days, expired=expired)
        builder = _builder(
            subject or _name(common_name),
            private.public_key(),
            (not_before or begin, not_after or end),
        )
        names = _general_names(dns, ips, emails, uris, upns)
        builder = _with_leaf_extensions(builder, names, client=client, server=server)
        certificate = authority._signed(builder)  # noqa: SLF001 - the same class
        return _issued(certificate, private, authority.above)

    def crl(
        self, revoked: Iterable[Issued | int] = (), *, expired: bool = False
    ) -> bytes:
        """
        Sign a revocation list, in PEM.

        Args:
            revoked: What it lists: certificates or serial numbers.
            expired: Whether the next list was due yesterday; otherwise in 30 days.
        """
        begin, end = _validity(30, expired=expired)
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject, last_update=begin, next_update=end
        ).add_extension(_authority_id(self.certificate), critical=False)
        for item in revoked:
            serial = item if isinstance(item, int) else item.serial
            entry = x509.RevokedCertificateBuilder(serial, begin).build()
            builder = builder.add_revoked_certificate(entry)
        crl = builder.sign(self._key, _hash_for(self._key))
        return crl.public_bytes(Encoding.PEM)

    def write(self, directory: Path, stem: str = "ca") -> Path:
        """Write this authority's certificate as ``stem.crt``; give the path."""
        path = directory / f"{stem}.crt"
        path.write_bytes(self.ca_pem)
        return path

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        """Sign *builder* as this authority."""
        builder = builder.add_extension(_authority_id(self.certificate), critical=False)
        return _sign(builder, self.certificate.subject, self._key)


def self_signed(  # noqa: PLR0913 - as for `Pki.issue`
    common_name: str,
    *,
    dns: Iterable[str] = (),
    ips: Iterable[str] = (),
    emails: Iterable[str] = (),
    uris: Iterable[str] = (),
    key: KeyKind = "ec",
    days: float = 365,
    expired: bool = False,
) -> Issued:
    """Make a certificate that vouches for itself, good for clients and servers."""
    private = _new_key(key)
    validity = _validity(days, expired=expired)
    name = _name(common_name)
    builder = _builder(name, private.public_key(), validity)
    names = _general_names(dns, ips, emails, uris, ())
    builder = _with_leaf_extensions(builder, names, client=False, server=False)
    certificate = _sign(builder, name, private)
    return _issued(certificate, private, ())


def _new_key(kind: KeyKind) -> PrivateKey:
    if kind in {"rsa", "weak"}:
        size = 2048 if kind == "rsa" else 1024
        return rsa.generate_private_key(public_exponent=65537, key_size=size)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def _hash_for(key: PrivateKey) -> hashes.SHA256 | None:
    """Give the hash to sign with; Ed25519 has its own."""
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _validity(days: float, *, expired: bool = False) -> tuple[datetime, datetime]:
    """Give begin and end of validity around now."""
    now = datetime.now(UTC).replace(microsecond=0)
    if expired:
        return now - timedelta(days=30), now - timedelta(days=1)
    return now - timedelta(hours=1), now + timedelta(days=days)


def _builder(
    subject: x509.Name, public_key: PublicKey, validity: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    """Begin a certificate."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False
        )
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    """Give what a key of an authority, or of a leaf, may be used for."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _with_ca_extensions(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    return builder.add_extension(constraints, critical=True).add_extension(
        _usage(authority=True), critical=True
    )


def _with_leaf_extensions(
    builder: x509.CertificateBuilder,
    names: Sequence[x509.GeneralName],
    *,
    client: bool,
    server: bool,
) -> x509.CertificateBuilder:
    constraints = x509.BasicConstraints(ca=False, path_length=None)
    builder = builder.add_extension(constraints, critical=True).add_extension(
        _usage(authority=False), critical=True
    )
    purposes = [
        purpose
        for wanted, purpose in (
            (client, ExtendedKeyUsageOID.CLIENT_AUTH),
            (server, ExtendedKeyUsageOID.SERVER_AUTH),
        )
        if wanted
    ]
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if names:
        alternative = x509.SubjectAlternativeName(names)
        builder = builder.add_extension(alternative, critical=False)
    return builder


def _general_names(
    dns: Iterable[str],
    ips: Iterable[str],
    emails: Iterable[str],
    uris: Iterable[str],
    upns: Iterable[str],
) -> list[x509.GeneralName]:
    return [
        *map(x509.DNSName, dns),
        *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips),
        *map(x509.RFC822Name, emails),
        *map(x509.UniformResourceIdentifier, uris),
        *(x509.OtherName(_UPN, _utf8_string(upn)) for upn in upns),
    ]


def _utf8_string(text: str) -> bytes:
    """Encode a short text as a DER UTF8String."""
    octets = text.encode()
    if len(octets) > 127:
        raise ValueError("a name of at most 127 octets, please")
    return bytes((0x0C, len(octets))) + octets


def _authority_id(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    extension = certificate.extensions.get_extension_for_class(
        x509.SubjectKeyIdentifier
    )
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        extension.value
    )


def _sign(
    builder: x509.CertificateBuilder, issuer: x509.Name, key: PrivateKey
) -> x509.Certificate:
    return builder.issuer_name(issuer).sign(key, _hash_for(key))


def _issued(
    certificate: x509.Certificate,
    key: PrivateKey,
    above: tuple[x509.Certificate, ...],
) -> Issued:
    der = certificate.public_bytes(Encoding.DER)
    digest = base64.urlsafe_b64encode(hashlib.sha256(der).digest())
    pem = certificate.public_bytes(Encoding.PEM)
    return Issued(
        cert_pem=pem,
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        chain_pem=pem + b"".join(c.public_bytes(Encoding.PEM) for c in above),
        der=der,
        thumbprint=digest.rstrip(b"=").decode(),
        serial=certificate.serial_number,
    )
