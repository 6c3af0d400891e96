"""Client certificates that a trusted proxy passes on (RFC 9440)."""

import pytest

from sso_proxy.config.model import ForwardedCertificate
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers, TlsFacts
from sso_proxy.net.tls.forwarded import ForwardedCertificates
from sso_proxy.specs.http.client_cert import build_client_cert, build_client_cert_chain
from sso_proxy.testing.fakes import make_certificate
from sso_proxy.testing.pki import Pki

CA = Pki.create("Test CA")
ALICE = CA.issue("alice", client=True)
LEAF = ("client-cert", build_client_cert(ALICE.der))
HOP = TlsFacts(
    version="TLSv1.3", cipher="x", exporter=lambda _label, length, _: bytes(length)
)


def read(
    *fields: tuple[str, str],
    belief: ForwardedCertificate = "unverified",
    tls: TlsFacts | None = None,
) -> TlsFacts | None:
    return ForwardedCertificates().read(fields, belief, tls)


def refusal(*fields: tuple[str, str], tls: TlsFacts | None = None) -> str:
    with pytest.raises(BadMessageError) as caught:
        read(*fields, tls=tls)
    assert caught.value.status == 400
    return caught.value.reason


def test_certificate_is_a_fact_and_no_identity() -> None:
    facts = read(LEAF)
    assert facts is not None
    assert facts.certificate is not None
    assert facts.certificate.thumbprint == ALICE.thumbprint
    assert facts.certificate.subject == "CN=alice"
    assert not facts.certificate.verified
    assert "not checked by us" in facts.certificate.problem


def test_proxy_that_may_vouches_for_the_issuer() -> None:
    facts = read(LEAF, belief="verified")
    assert facts is not None
    assert facts.certificate is not None
    assert facts.certificate.verified
    assert facts.certificate.problem == ""


@pytest.mark.parametrize("tls", [None, HOP])
def test_connection_beyond_the_proxy_shares_no_key_with_us(
    tls: TlsFacts | None,
) -> None:
    """Keys of the proxy's connection bind nothing to the client."""
    facts = read(LEAF, tls=tls)
    assert facts is not None
    with pytest.raises(ValueError, match="no keying material"):
        facts.export_key(b"EXPORTER-Channel-Binding", 32, b"")


def test_chain_is_kept_in_its_order() -> None:
    der = CA.issue("above").der
    chain = build_client_cert_chain([der, ALICE.der])
    facts = read(LEAF, ("client-cert-chain", chain))
    assert facts is not None
    assert facts.certificate is not None
    assert facts.certificate.chain == (der, ALICE.der)


@pytest.mark.parametrize("tls", [None, HOP])
@pytest.mark.parametrize("fields", [(), (("x-forwarded-for", "192.0.2.1"),)])
def test_nothing_said_changes_nothing(fields: Headers, tls: TlsFacts | None) -> None:
    assert read(*fields, tls=tls) is tls


def test_field_is_ignored_where_nobody_asked_for_it() -> None:
    assert read(("client-cert", "garbage"), belief="ignore") is None


@pytest.mark.parametrize(
    "fields",
    [
        (LEAF, LEAF),
        (("client-cert", ""),),
        (("client-cert", "-----BEGIN CERTIFICATE-----"),),
        (("client-cert", build_client_cert(b"no certificate")),),
        (("client-cert", build_client_cert(ALICE.der + b"\0")),),
        (("client-cert", LEAF[1] + ", " + LEAF[1]),),
        (("client-cert-chain", LEAF[1]),),
        (LEAF, ("client-cert-chain", "")),
    ],
)
def test_field_that_cannot_be_read_in_one_way_is_refused(fields: Headers) -> None:
    assert refusal(*fields) == "client-cert-malformed"


def test_two_certificates_are_refused() -> None:
    """Nobody could say whether the proxy's own or the passed one is the client's."""
    tls = TlsFacts(version="TLSv1.3", cipher="x", certificate=make_certificate())
    assert refusal(LEAF, tls=tls) == "client-cert-conflict"
