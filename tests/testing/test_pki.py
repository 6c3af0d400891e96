import base64
import hashlib
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sso_proxy.testing.pki import Issued, KeyKind, Pki, self_signed


def _load(issued: Issued) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(issued.chain_pem)


def _names(issued: Issued) -> x509.SubjectAlternativeName:
    extensions = _load(issued)[0].extensions
    return extensions.get_extension_for_class(x509.SubjectAlternativeName).value


@pytest.mark.parametrize("key", ["ec", "rsa", "ed25519"])
def test_the_key_fits_the_certificate(key: KeyKind) -> None:
    issued = Pki.create().issue("alice", client=True, key=key)
    private = load_pem_private_key(issued.key_pem, password=None)
    assert private.public_key() == _load(issued)[0].public_key()


def test_a_leaf_below_an_intermediate_verifies_up_to_the_root() -> None:
    root = Pki.create()
    leaf, *rest = _load(root.intermediate().issue("x", dns=["a.example"], server=True))
    verifier = (
        PolicyBuilder()
        .store(Store([root.certificate]))
        .build_server_verifier(x509.DNSName("a.example"))
    )
    assert len(verifier.verify(leaf, rest)) == 3


def test_a_leaf_of_another_authority_does_not_verify() -> None:
    root, other = Pki.create(), Pki.create()
    leaf = _load(root.issue("x", dns=["a.example"], server=True, issuer=other))[0]
    verifier = (
        PolicyBuilder()
        .store(Store([root.certificate]))
        .build_server_verifier(x509.DNSName("a.example"))
    )
    with pytest.raises(VerificationError):
        verifier.verify(leaf, [])


def test_an_expired_leaf_is_over() -> None:
    leaf = _load(Pki.create().issue("x", expired=True))[0]
    assert leaf.not_valid_after_utc < datetime.now(UTC)


def test_names_of_every_type_are_in_the_certificate() -> None:
    issued = Pki.create().issue(
        "x",
        dns=["a.example"],
        ips=["127.0.0.1", "::1"],
        emails=["a@example.com"],
        uris=["spiffe://example/a"],
        upns=["a@corp.example"],
    )
    kinds = [type(name).__name__ for name in _names(issued)]
    assert kinds == [
        "DNSName",
        "IPAddress",
        "IPAddress",
        "RFC822Name",
        "UniformResourceIdentifier",
        "OtherName",
    ]


def test_the_thumbprint_is_the_hash_of_the_der() -> None:
    issued = self_signed("x")
    digest = hashlib.sha256(issued.der).digest()
    assert issued.thumbprint == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_a_revocation_list_names_what_is_revoked() -> None:
    pki = Pki.create()
    bad, good = pki.issue("bad"), pki.issue("good")
    crl = x509.load_pem_x509_crl(pki.crl([bad]))
    assert crl.get_revoked_certificate_by_serial_number(bad.serial) is not None
    assert crl.get_revoked_certificate_by_serial_number(good.serial) is None


def test_an_expired_revocation_list_is_over() -> None:
    crl = x509.load_pem_x509_crl(Pki.create().crl(expired=True))
    assert crl.next_update_utc is not None
    assert crl.next_update_utc < datetime.now(UTC)


def test_a_self_signed_certificate_names_itself_as_issuer() -> None:
    leaf = _load(self_signed("x"))[0]
    assert leaf.issuer == leaf.subject


def test_written_keys_are_private(tmp_path: Path) -> None:
    pki = Pki.create()
    certificate, key = pki.issue("x").write(tmp_path, "x")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert certificate.name == "x.crt"
    assert pki.write(tmp_path).read_bytes() == pki.ca_pem


def test_the_key_is_not_in_the_representation() -> None:
    issued = self_signed("x")
    assert "PRIVATE" not in repr(issued)
    assert "PrivateKey" not in repr(Pki.create())
