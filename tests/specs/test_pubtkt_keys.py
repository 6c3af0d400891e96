"""What keys sign, their public halves take, and nothing else."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from sso_proxy.specs.pubtkt_keys import (
    DIGESTS,
    TicketError,
    read_signing_key,
    read_verifying_key,
)
from tests.support.pubtkt_keys import (
    private_pem,
    public_pem,
    signing_key,
    verifying_key,
)

KINDS = ("rsa", "rsa1024", "dsa", "dsa1024", "ec", "ed25519")


@pytest.mark.parametrize("name", KINDS)
def test_a_signature_is_good_for_its_own_text_alone(name: str) -> None:
    key = signing_key(name)
    signature = key.sign(b"uid=alice")
    verifying_key(name).verify(b"uid=alice", signature)
    for text, mark in ((b"uid=bob", signature), (b"uid=alice", signature[:-1])):
        with pytest.raises(TicketError) as raised:
            key.public.verify(text, mark)
        assert raised.value.reason == "ticket-signature"


@pytest.mark.parametrize("digest", DIGESTS)
@pytest.mark.parametrize("name", ["rsa", "dsa", "ec"])
def test_each_digest_is_good_for_itself_alone(name: str, digest: str) -> None:
    signature = signing_key(name, digest).sign(b"text")
    verifying_key(name, digest.upper()).verify(b"text", signature)
    other = "sha512" if digest != "sha512" else "sha256"
    with pytest.raises(TicketError):
        verifying_key(name, other).verify(b"text", signature)


@pytest.mark.parametrize(
    ("name", "digest"),
    [("rsa", "sha1"), ("dsa", "sha1"), ("ec", "sha256"), ("ed25519", "")],
)
def test_without_a_digest_it_is_the_usual_one(name: str, digest: str) -> None:
    assert verifying_key(name).digest == digest


def test_dss1_is_sha1() -> None:
    assert verifying_key("dsa", "DSS1").digest == "sha1"


def test_keys_are_told_apart_and_halves_of_one_are_not() -> None:
    assert signing_key("rsa").public.id == verifying_key("rsa", "sha512").id
    assert verifying_key("rsa").id != verifying_key("rsa.other").id


def test_another_key_has_not_signed() -> None:
    signature = signing_key("rsa").sign(b"text")
    with pytest.raises(TicketError):
        verifying_key("rsa.other").verify(b"text", signature)


@pytest.mark.parametrize("name", ["dsa", "ec"])
def test_what_is_no_signature_at_all_is_refused_likewise(name: str) -> None:
    with pytest.raises(TicketError):
        verifying_key(name).verify(b"text", b"none")


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )


def x25519() -> bytes:
    key = X25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("pem", "digest", "problem"),
    [
        (lambda: b"nothing", None, "is no public key"),
        (lambda: private_pem("rsa"), None, "is no public key"),
        (
            lambda: pem_of(ec.generate_private_key(ec.SECP256K1())),
            None,
            "none of the curves",
        ),
        (x25519, None, "is no RSA, DSA, EC or Ed25519 key"),
        (lambda: public_pem("rsa"), "md5", "has no digest 'md5'"),
        (lambda: public_pem("ed25519"), "sha256", "takes no digest"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(
    pem: Callable[[], bytes], digest: str | None, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        read_verifying_key(pem(), digest)


def test_a_key_that_can_be_factored_is_refused() -> None:
    """768 bits, whose parts nobody needs to know here."""
    small = rsa.RSAPublicNumbers(65537, 2**767 + 1).public_key()
    pem = small.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ValueError, match="bits"):
        read_verifying_key(pem)


def test_an_encrypted_private_key_needs_its_password() -> None:
    key = load_pem_private_key(private_pem("ec"), None)
    pem = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pw")
    )
    assert read_signing_key(pem, password=b"pw").public.digest == "sha256"
    for password in (None, b"other"):
        with pytest.raises(ValueError, match="is no private key"):
            read_signing_key(pem, password=password)


def test_a_private_key_of_another_kind_is_refused() -> None:
    pem = X25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(ValueError, match="is no RSA, DSA, EC or Ed25519 key"):
        read_signing_key(pem)


def test_no_key_shows_itself() -> None:
    assert "PRIVATE" not in repr(signing_key("rsa"))
    assert "function" not in repr(signing_key("rsa"))
