import gc
import timeit
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from sso_proxy.net.tls.facts import read_facts

if TYPE_CHECKING:
    from tests.net.tls.conftest import Lab

V12, V13 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION
OP_NO_EXTENDED_MASTER_SECRET = 1
ANY: dict[str, Any] = {"client_certificate": "optional_no_ca", "client_ca": "ca.crt"}
both_versions = pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])
LABEL = b"EXPORTER-Channel-Binding"


@pytest.mark.parametrize(("version", "name"), [(V12, "TLSv1.2"), (V13, "TLSv1.3")])
def test_version_cipher_and_name_are_known(lab: "Lab", version: int, name: str) -> None:
    facts = lab.connect(lab.listener(), sni="Own.Example", version=version).facts
    assert facts.version == name
    assert "GCM" in facts.cipher
    assert facts.server_name == "own.example"
    assert facts.certificate is None
    assert facts.policy == "none"


@both_versions
def test_the_chain_is_what_was_sent_without_the_leaf(lab: "Lab", version: int) -> None:
    middle = lab.pki.intermediate()
    bob = middle.issue("bob", client=True)
    certificate = lab.connect(lab.listener(**ANY), bob, version=version).certificate
    assert certificate.verified
    assert certificate.der == bob.der
    assert certificate.chain == tuple(
        c.public_bytes(Encoding.DER) for c in middle.above
    )


@both_versions
@pytest.mark.parametrize("context", [None, b"", b"context"])
def test_both_ends_export_the_same(
    lab: "Lab", context: bytes | None, version: int
) -> None:
    shaken = lab.connect(lab.listener(), version=version)
    ours = shaken.facts.export_key(LABEL, 32, context)
    assert len(ours) == 32
    assert ours == shaken.client.export_keying_material(LABEL, 32, context)


@pytest.mark.parametrize(("version", "same"), [(V12, False), (V13, True)])
def test_no_context_and_an_empty_one_differ_in_tls_1_2(
    lab: "Lab", version: int, *, same: bool
) -> None:
    shaken = lab.connect(lab.listener(), version=version)
    facts = shaken.facts
    without, empty = (facts.export_key(LABEL, 32, c) for c in (None, b""))
    assert (without == empty) is same


def test_two_connections_export_different_keys(lab: "Lab") -> None:
    tls = lab.listener()
    one, two = lab.connect(tls), lab.connect(tls)
    assert one.facts.export_key(LABEL, 32, b"") != two.facts.export_key(LABEL, 32, b"")


def test_without_extended_master_secret_nothing_is_exported(lab: "Lab") -> None:
    """Otherwise two connections can share a secret (triple handshake)."""
    shaken = lab.connect(
        lab.listener(), version=V12, options=OP_NO_EXTENDED_MASTER_SECRET
    )
    assert not shaken.facts.extended_master_secret
    with pytest.raises(ValueError, match="no keying material"):
        shaken.facts.export_key(LABEL, 32, b"")


def test_with_extended_master_secret_tls_1_2_exports(lab: "Lab") -> None:
    assert lab.connect(lab.listener(), version=V12).facts.extended_master_secret


def test_facts_do_not_keep_a_connection_alive(lab: "Lab") -> None:
    shaken = lab.connect(lab.listener(**ANY), lab.alice)
    facts, reference = shaken.facts, weakref.ref(shaken.server)
    gc.disable()
    try:
        del shaken
        assert reference() is None
    finally:
        gc.enable()
    with pytest.raises(ValueError, match="closed"):
        facts.export_key(LABEL, 32, b"")


def test_an_export_that_openssl_refuses_is_a_value_error(lab: "Lab") -> None:
    tls = lab.listener()
    _, server, state = lab.begin(tls, lab.client_context())
    facts = read_facts(server, state)
    with pytest.raises(ValueError, match="keying material"):
        facts.export_key(LABEL, 32, b"")


def test_reading_facts_without_a_certificate_is_cheap(lab: "Lab") -> None:
    """It is part of every handshake: some microseconds, on a busy machine too."""
    shaken = lab.connect(lab.listener(), sni="own.example", alpn=[b"http/1.1"])
    best = min(
        timeit.repeat(
            lambda: read_facts(shaken.server, shaken.state), number=100, repeat=20
        )
    )
    assert best / 100 < 50e-6


def test_the_same_certificate_is_read_once(lab: "Lab") -> None:
    tls = lab.listener(**ANY)
    one, two = lab.connect(tls, lab.alice), lab.connect(tls, lab.alice)
    assert one.certificate is two.certificate
