from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from sso_proxy.net.tls.material import (
    MaterialError,
    MaterialReader,
    is_authority,
    is_list_of,
    read_certificates,
    read_file,
    read_key,
    read_lists,
)
from sso_proxy.testing.pki import Pki, self_signed

PKI = Pki.create("A")
LEAF = PKI.issue("leaf")
NOW = datetime.now(UTC).timestamp()


def _reader(now: float = NOW, **files: bytes) -> MaterialReader:
    def read(path: str) -> bytes:
        if path not in files:
            raise PermissionError(13, "Permission denied", path)
        return files[path]

    return MaterialReader(now=now, read_file=read)


def _problems(reader: MaterialReader) -> list[str]:
    return [mistake.problem for mistake in reader.mistakes]


def test_a_file_that_cannot_be_read_is_a_mistake() -> None:
    reader = _reader()
    assert reader.authorities("p", "ca") == ()
    assert _problems(reader) == ["cannot read ca: Permission denied"]


def test_the_same_mistake_is_noted_once() -> None:
    reader = _reader()
    reader.authorities("p", "ca")
    reader.authorities("p", "ca")
    assert len(reader.mistakes) == 1


def test_a_key_that_does_not_fit_is_a_mistake() -> None:
    reader = _reader(c=LEAF.chain_pem, k=PKI.issue("other").key_pem)
    assert reader.credentials(("c", "c"), ("k", "k")) is None
    assert _problems(reader) == ["is not the key of the first certificate in the file"]


def test_certificate_and_key_are_read_from_one_file() -> None:
    reader = _reader(both=LEAF.key_pem + LEAF.chain_pem)
    assert reader.credentials(("c", "both"), ("k", "both")) is not None
    assert not reader.mistakes


def test_a_leaf_is_no_ca() -> None:
    reader = _reader(ca=LEAF.cert_pem, me=self_signed("me").cert_pem)
    reader.authorities("p", "ca")
    reader.authorities("p", "me")
    assert _problems(reader) == [
        "CN=leaf is no CA certificate",
        "CN=me is no CA certificate",
    ]


def test_a_certificate_that_says_nothing_about_itself_is_no_ca() -> None:
    assert not is_authority(_certificate(ec.generate_private_key(ec.SECP256R1())))


def test_a_ca_that_cannot_sign_has_no_list() -> None:
    ca = _certificate(x25519.X25519PrivateKey.generate())
    assert not is_list_of(read_lists(PKI.crl())[0], ca)


def _certificate(
    key: ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey,
) -> x509.Certificate:
    """Make a certificate without extensions, by the name of the CA."""
    now = datetime.now(UTC)
    name = PKI.certificate.subject
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )


def test_an_expired_list_is_a_mistake() -> None:
    reader = _reader(crl=PKI.crl(expired=True))
    reader.lists("p", "crl")
    (problem,) = _problems(reader)
    assert problem.startswith("the list of CN=A has expired on ")


def test_a_list_of_the_future_is_a_mistake() -> None:
    reader = _reader(now=NOW - 86400, crl=PKI.crl())
    reader.lists("p", "crl")
    assert "is not valid before" in _problems(reader)[0]


def test_a_list_without_an_end_is_a_mistake() -> None:
    reader = _reader()
    crl = x509.load_pem_x509_crl(PKI.crl())

    class Endless:
        """Nothing makes one of these but broken authorities."""

        issuer = crl.issuer
        next_update_utc = None
        last_update_utc = crl.last_update_utc

    reader._check_current("p", Endless())  # type: ignore[arg-type]  # noqa: SLF001
    assert "does not say when the next is due" in _problems(reader)[0]


def test_a_ca_without_a_list_is_a_mistake() -> None:
    reader, other = _reader(), Pki.create("B")
    lists = read_lists(PKI.crl())
    reader.check_complete("p", (PKI.certificate, other.certificate), lists)
    assert _problems(reader) == ["has no list signed by CN=B of client_ca"]


def test_a_list_signed_by_a_namesake_does_not_count() -> None:
    reader = _reader()
    reader.check_complete("p", (PKI.certificate,), read_lists(Pki.create("A").crl()))
    assert _problems(reader) == ["has no list signed by CN=A of client_ca"]


def test_an_intermediate_without_its_root_cannot_be_checked() -> None:
    reader, middle = _reader(), PKI.intermediate("M")
    reader.check_complete("p", (middle.certificate,), read_lists(middle.crl()))
    assert "client_ca lacks the CA above it, CN=A" in _problems(reader)[0]


@pytest.mark.parametrize("pem", [b"", b"rubbish", LEAF.key_pem, PKI.crl()])
def test_what_holds_no_certificate_is_refused(pem: bytes) -> None:
    with pytest.raises(MaterialError):
        read_certificates(pem)


@pytest.mark.parametrize("pem", [b"", b"rubbish", LEAF.cert_pem])
def test_what_holds_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(MaterialError, match="does not hold a private key"):
        read_key(pem)


def test_a_key_with_a_passphrase_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(MaterialError, match="has a passphrase"):
        read_key(pem)


def test_a_key_that_cannot_sign_is_refused() -> None:
    pem = x25519.X25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(MaterialError, match="neither RSA nor EC"):
        read_key(pem)


@pytest.mark.parametrize(
    "pem",
    [b"", b"rubbish", LEAF.cert_pem, PKI.crl() + LEAF.cert_pem],
    ids=["empty", "rubbish", "certificate", "both"],
)
def test_what_holds_other_things_than_lists_is_refused(pem: bytes) -> None:
    with pytest.raises(MaterialError, match="only those"):
        read_lists(pem)


def test_a_damaged_list_is_refused() -> None:
    lines = PKI.crl().splitlines(keepends=True)
    with pytest.raises(MaterialError, match="cannot be read"):
        read_lists(b"".join([*lines[:2], *lines[3:]]))


def test_several_lists_are_read() -> None:
    assert len(read_lists(PKI.crl() + b"\n" + Pki.create().crl())) == 2


def test_files_are_read_from_the_disk(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    assert read_file(str(tmp_path / "x")) == b"1"


def test_a_key_is_not_in_the_representation() -> None:
    reader = _reader(c=LEAF.chain_pem, k=LEAF.key_pem)
    assert "Private" not in repr(reader.credentials(("c", "c"), ("k", "k")))


def test_an_rsa_list_of_an_ec_ca_does_not_count() -> None:
    """A key of another kind does not make the check raise."""
    other = PKI.issue("x", key="rsa")
    key = serialization.load_pem_private_key(other.key_pem, password=None)
    now = datetime.now(UTC)
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(PKI.certificate.subject)
        .last_update(now - timedelta(1))
        .next_update(now + timedelta(1))
        .sign(key, hashes.SHA256())  # type: ignore[arg-type]
    )
    reader = _reader()
    reader.check_complete("p", (PKI.certificate,), (crl,))
    assert _problems(reader) == ["has no list signed by CN=A of client_ca"]
