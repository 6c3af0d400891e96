import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.net.tls.certificates import (
    CertificateCache,
    read_certificate,
    x509_of,
)
from sso_proxy.net.tls.errors import PeerError
from sso_proxy.testing.pki import Pki

PKI = Pki.create("The CA")
KEY = ec.generate_private_key(ec.SECP256R1())
UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def _with_names(*names: x509.GeneralName) -> bytes:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(0xABC)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(KEY, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def _names(*names: x509.GeneralName) -> tuple[tuple[str, str], ...]:
    return read_certificate(_with_names(*names), (), verified=True, problem="").names


def test_all_facts_are_read() -> None:
    issued = PKI.issue("alice", emails=["a@example.com"], days=2)
    facts = read_certificate(issued.der, (b"chain",), verified=False, problem="why")
    assert facts.der == issued.der
    assert facts.chain == (b"chain",)
    assert (facts.verified, facts.problem) == (False, "why")
    assert facts.thumbprint == issued.thumbprint
    assert (facts.subject, facts.issuer) == ("CN=alice", "CN=The CA")
    assert facts.serial == f"{issued.serial:x}"
    assert abs(facts.not_after - datetime.now(UTC).timestamp() - 2 * 86400) < 60


def test_a_subject_is_written_as_rfc_4514_says() -> None:
    """Most specific part first, and nothing that could be taken for another part."""
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "A, Inc."),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "a,O=b"),
        ]
    )
    issued = PKI.issue("-", subject=subject)
    facts = read_certificate(issued.der, (), verified=True, problem="")
    assert facts.subject == r"CN=a\,O=b,O=A\, Inc."


def test_names_of_all_types_are_read_in_order() -> None:
    directory = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "d")])
    issued = PKI.issue(
        "x",
        dns=["a.example"],
        ips=["::1"],
        emails=["a@example.com"],
        uris=["spiffe://e/a"],
        upns=["ü@corp"],
    )
    assert read_certificate(issued.der, (), verified=True, problem="").names == (
        ("dns", "a.example"),
        ("ip", "::1"),
        ("email", "a@example.com"),
        ("uri", "spiffe://e/a"),
        ("upn", "ü@corp"),
    )
    assert _names(x509.DirectoryName(directory)) == (("dn", "CN=d"),)


def test_names_of_other_types_are_left_out() -> None:
    oid = x509.ObjectIdentifier("1.2.3.4")
    assert _names(x509.RegisteredID(oid), x509.OtherName(oid, b"\x0c\x01a")) == ()


@given(st.text(max_size=400))
def test_a_user_principal_name_of_any_length_is_read(text: str) -> None:
    octets = text.encode()
    size = len(octets)
    if size < 0x80:
        head = bytes((0x0C, size))
    elif size < 0x100:
        head = bytes((0x0C, 0x81, size))
    else:
        head = b"\x0c\x82" + size.to_bytes(2, "big")
    assert _names(x509.OtherName(UPN, head + octets)) == (("upn", text),)


@pytest.mark.parametrize("der", [b"\x16\x01a", b"\x0c\x01\xff"], ids=bytes.hex)
def test_a_user_principal_name_that_is_no_utf8_string_is_refused(der: bytes) -> None:
    with pytest.raises(PeerError):
        _names(x509.OtherName(UPN, der))


@pytest.mark.parametrize("head", [b"\x0c\x04", b"\x0c\x06", b"\x0c\x80", b"\x0c\x85"])
def test_a_user_principal_name_of_a_wrong_length_is_refused(head: bytes) -> None:
    der = _with_names(x509.OtherName(UPN, b"\x0c\x05abcde"))
    assert der.count(b"\x0c\x05abcde") == 1
    with pytest.raises(PeerError):
        read_certificate(
            der.replace(b"\x0c\x05abcde", head + b"abcde"),
            (),
            verified=True,
            problem="",
        )


@pytest.mark.parametrize("der", [b"", b"0\x03\x02\x01\x00", b"rubbish"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(PeerError, match=re.escape("cannot be read")):
        read_certificate(der, (), verified=True, problem="")


def test_a_certificate_is_read_once_for_the_same_record() -> None:
    cache, der = CertificateCache(), PKI.issue("x").der
    first = cache.read(der, (), verified=True, problem="")
    assert cache.read(der, (), verified=True, problem="") is first


def test_a_cached_verdict_is_never_used_for_another_record() -> None:
    cache, der = CertificateCache(), PKI.issue("x").der
    assert cache.read(der, (), verified=True, problem="").verified
    assert not cache.read(der, (), verified=False, problem="no").verified


def test_large_chains_are_not_remembered() -> None:
    cache, der = CertificateCache(), PKI.issue("x").der
    chain = (b"x" * 9000,)
    first = cache.read(der, chain, verified=False, problem="")
    assert cache.read(der, chain, verified=False, problem="") is not first


def test_a_certificate_is_given_as_pyopenssl_has_it() -> None:
    issued = PKI.issue("alice")
    assert x509_of(issued.der).get_serial_number() == issued.serial
