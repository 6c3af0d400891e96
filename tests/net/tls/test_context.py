"""Every rule about TLS, with real handshakes."""

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from OpenSSL import SSL
from OpenSSL._util import lib

from sso_proxy.errors import ConfigError
from sso_proxy.testing.pki import Issued, KeyKind, Pki, self_signed

if TYPE_CHECKING:
    from sso_proxy.net.tls.context import ListenerTls
    from tests.net.tls.conftest import Lab, Shaken

V12, V13 = SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION
both_versions = pytest.mark.parametrize("version", [V12, V13], ids=["1.2", "1.3"])

MTLS = {"client_certificate": "required", "client_ca": "ca.crt"}
OPTIONAL = {"client_certificate": "optional", "client_ca": "ca.crt"}
ANY = {"client_certificate": "optional_no_ca", "client_ca": "ca.crt"}
NAMED = {"host": ("mtls.example",), **MTLS}
OPEN = {"host": ("open.example",), "client_certificate": "none"}


def _mistakes(lab: "Lab", *names: dict[str, Any], **options: Any) -> dict[str, str]:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        lab.listener(*names, **options)
    return {mistake.path: mistake.problem for mistake in caught.value.mistakes}


# Client certificates


@both_versions
def test_required_accepts_a_certificate_of_the_ca(lab: "Lab", version: int) -> None:
    facts = lab.connect(lab.listener(**MTLS), lab.alice, version=version).facts
    assert facts.certificate is not None
    assert facts.certificate.verified
    assert facts.certificate.der == lab.alice.der


@both_versions
@pytest.mark.parametrize("mode", [MTLS, OPTIONAL], ids=["required", "optional"])
@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-ca", "server-only"])
def test_a_bad_certificate_is_refused(
    lab: "Lab", mode: dict[str, Any], kind: str, version: int
) -> None:
    assert lab.connect(lab.listener(**mode), _bad(lab, kind), version=version).refused


@both_versions
@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("wrong-ca", "unable to get local issuer certificate"),
        ("server-only", "certificate purpose"),
    ],
)
def test_optional_no_ca_lets_a_bad_certificate_in_as_not_verified(
    lab: "Lab", kind: str, problem: str, version: int
) -> None:
    bad = _bad(lab, kind)
    certificate = lab.connect(lab.listener(**ANY), bad, version=version).certificate
    assert not certificate.verified
    assert problem in certificate.problem
    assert certificate.der == bad.der


def test_optional_no_ca_verifies_a_good_certificate(lab: "Lab") -> None:
    certificate = lab.connect(lab.listener(**ANY), lab.alice).certificate
    assert certificate.verified
    assert certificate.problem == ""


def test_optional_no_ca_without_any_ca_verifies_nobody(lab: "Lab") -> None:
    tls = lab.listener(client_certificate="optional_no_ca")
    assert not lab.connect(tls, lab.alice).certificate.verified


@both_versions
def test_required_refuses_a_client_without_certificate(
    lab: "Lab", version: int
) -> None:
    assert lab.connect(lab.listener(**MTLS), version=version).refused


@pytest.mark.parametrize("mode", [OPTIONAL, ANY], ids=["optional", "optional_no_ca"])
def test_optional_lets_a_client_without_certificate_in(
    lab: "Lab", mode: dict[str, Any]
) -> None:
    assert lab.connect(lab.listener(**mode)).facts.certificate is None


def test_an_intermediate_alone_can_be_the_ca(lab: "Lab") -> None:
    middle = lab.pki.intermediate()
    lab.files["middle.crt"] = middle.ca_pem
    tls = lab.listener(client_certificate="required", client_ca="middle.crt")
    assert lab.connect(tls, middle.issue("bob", client=True)).certificate.verified
    assert lab.connect(tls, lab.alice).refused


def test_a_chain_that_is_too_long_is_refused(lab: "Lab") -> None:
    authority = lab.pki
    for _ in range(10):
        authority = authority.intermediate()
    tls = lab.listener(**MTLS)
    assert lab.connect(tls, authority.issue("deep", client=True)).refused


def test_a_chain_of_more_than_100_kib_is_refused(lab: "Lab") -> None:
    context = lab.client_context(lab.alice)
    for _ in range(110 * 1024 // len(lab.pki.ca_pem) * 4 // 3 + 20):
        context.add_extra_chain_cert(lab.pki.certificate)
    shaken = lab.connect(lab.listener(**ANY), context=context)
    assert "excessive message size" in str(shaken.error)


def _bad(lab: "Lab", kind: str) -> Issued:
    if kind == "expired":
        return lab.pki.issue("old", client=True, expired=True)
    if kind == "self-signed":
        return self_signed("me")
    if kind == "server-only":
        return lab.pki.issue("server", server=True)
    return lab.other.issue("alice", client=True)


# Revocation


@both_versions
def test_a_revoked_certificate_is_refused(lab: "Lab", version: int) -> None:
    bob = lab.pki.issue("bob", client=True)
    lab.files["crl.pem"] = lab.pki.crl([bob])
    tls = lab.listener(**MTLS, client_crl="crl.pem")
    assert lab.connect(tls, bob, version=version).refused
    assert lab.connect(tls, lab.alice, version=version).certificate.verified


def test_a_revoked_certificate_is_not_verified_under_optional_no_ca(
    lab: "Lab",
) -> None:
    bob = lab.pki.issue("bob", client=True)
    lab.files["crl.pem"] = lab.pki.crl([bob])
    certificate = lab.connect(
        lab.listener(**ANY, client_crl="crl.pem"), bob
    ).certificate
    assert not certificate.verified
    assert "revoked" in certificate.problem


def test_an_intermediate_without_its_own_list_is_refused(lab: "Lab") -> None:
    middle = lab.pki.intermediate()
    lab.files["crl.pem"] = lab.pki.crl()
    tls = lab.listener(**MTLS, client_crl="crl.pem")
    assert lab.connect(tls, middle.issue("bob", client=True)).refused


def test_a_revoked_intermediate_is_refused_though_it_is_a_known_ca(lab: "Lab") -> None:
    middle = lab.pki.intermediate()
    serial = middle.certificate.serial_number
    lab.files["cas.pem"] = lab.pki.ca_pem + middle.ca_pem
    bob = middle.issue("bob", client=True)
    options = {"client_certificate": "required", "client_ca": "cas.pem"}
    lab.files["crl.pem"] = lab.pki.crl() + middle.crl()
    good = lab.listener(**options, client_crl="crl.pem")
    assert lab.connect(good, bob).certificate.verified
    lab.files["crl.pem"] = lab.pki.crl([serial]) + middle.crl()
    revoked = lab.listener(**options, client_crl="crl.pem")
    assert lab.connect(revoked, bob).refused


def test_a_list_that_expires_while_we_run_refuses_and_health_says_so(
    lab: "Lab",
) -> None:
    """The listener is built as of a time when the list was still good."""
    lab.files["crl.pem"] = lab.pki.crl(expired=True)
    lab.now -= 10 * 86400
    tls = lab.listener(**MTLS, client_crl="crl.pem")
    assert lab.connect(tls, lab.alice).refused
    assert tls.health(lab.now) == ()
    (line,) = tls.health(lab.now + 20 * 86400)
    assert line.startswith("listener[0].client_crl: CN=Client CA has expired on ")


def test_a_list_that_expires_while_we_run_unverifies_under_optional_no_ca(
    lab: "Lab",
) -> None:
    lab.files["crl.pem"] = lab.pki.crl(expired=True)
    lab.now -= 10 * 86400
    tls = lab.listener(**ANY, client_crl="crl.pem")
    assert "CRL has expired" in lab.connect(tls, lab.alice).certificate.problem


# Names


def test_a_name_has_its_own_certificate(lab: "Lab") -> None:
    files = lab.put("app", lab.pki.issue("app", server=True))
    tls = lab.listener({"host": ("app.example",), **files})
    assert lab.connect(tls, sni="app.example").server_subject() == "CN=app"
    assert lab.connect(tls, sni="other.example").server_subject() == "CN=own"
    assert lab.connect(tls).server_subject() == "CN=own"


@both_versions
@pytest.mark.parametrize(
    "sni",
    [
        "mtls.example",
        "MTLS.Example",
        "mtls.example.",
        "x.wild.example",
        "X.WILD.example",
    ],
)
def test_switching_to_a_stricter_name_asks_for_a_certificate(
    lab: "Lab", sni: str, version: int
) -> None:
    """The context alone does not switch the mode; nor do case and a trailing dot."""
    tls = lab.listener(
        {"host": ("mtls.example", "*.wild.example"), **MTLS},
        OPEN,
        client_certificate="optional_no_ca",
    )
    assert lab.connect(tls, sni=sni, version=version).refused
    assert lab.connect(tls, lab.alice, sni=sni, version=version).certificate.verified
    assert lab.connect(tls, _bad(lab, "wrong-ca"), sni=sni, version=version).refused


@both_versions
def test_switching_to_an_open_name_asks_for_nothing(lab: "Lab", version: int) -> None:
    tls = lab.listener(OPEN, **MTLS)
    facts = lab.connect(tls, lab.alice, sni="open.example", version=version).facts
    assert facts.certificate is None
    assert facts.policy == "none"


def test_each_name_has_its_own_ca(lab: "Lab") -> None:
    tls = lab.listener(
        NAMED, {"host": ("b.example",), **MTLS, "client_ca": "other.crt"}
    )
    bob = lab.other.issue("bob", client=True)
    assert lab.connect(tls, lab.alice, sni="mtls.example").certificate.verified
    assert lab.connect(tls, bob, sni="b.example").certificate.verified
    assert lab.connect(tls, bob, sni="mtls.example").refused
    assert lab.connect(tls, lab.alice, sni="b.example").refused


@both_versions
@pytest.mark.parametrize("sni", [None, "unknown.example", "a.b.wild.example", b"\xff"])
def test_no_name_or_an_unknown_one_gets_the_strictest_rules(
    lab: "Lab", sni: str | bytes | None, version: int
) -> None:
    tls = lab.listener({"host": ("*.wild.example",), **MTLS}, OPEN)
    assert lab.connect(tls, sni=sni, version=version).refused
    facts = lab.connect(tls, lab.alice, sni=sni, version=version).facts
    assert facts.policy == tls.policy_for("x.wild.example")


def test_without_a_name_no_ca_is_good_where_strict_names_disagree(lab: "Lab") -> None:
    tls = lab.listener(
        NAMED, {"host": ("b.example",), **MTLS, "client_ca": "other.crt"}
    )
    assert lab.connect(tls, lab.alice).refused
    assert lab.connect(tls, lab.other.issue("bob", client=True)).refused


@both_versions
def test_a_client_hello_in_small_records_is_read_whole(
    lab: "Lab", version: int
) -> None:
    """Who peeks at the first record misses the name (CVE-2026-32305)."""
    tls = lab.listener(NAMED, OPEN, client_certificate="none")
    assert _shake_in_pieces(lab, tls, "open.example", None, version) is None
    assert _shake_in_pieces(lab, tls, "mtls.example", None, version) is not None
    assert _shake_in_pieces(lab, tls, "mtls.example", lab.alice, version) is None


def _shake_in_pieces(
    lab: "Lab", tls: "ListenerTls", sni: str, certificate: Issued | None, version: int
) -> Exception | None:
    """Shake hands, with the ClientHello cut into records of 40 octets."""
    context = lab.client_context(certificate, version=version)
    client, server, _ = lab.begin(tls, context, sni)
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    record = client.bio_read(1 << 16)
    body = record[5:]
    assert len(body) == int.from_bytes(record[3:5], "big")
    for start in range(0, len(body), 40):
        piece = body[start : start + 40]
        server.bio_write(record[:3] + len(piece).to_bytes(2, "big") + piece)
        with contextlib.suppress(SSL.WantReadError):
            server.do_handshake()
    for _ in range(5):
        for source, target in ((server, client), (client, server)):
            try:
                target.bio_write(source.bio_read(1 << 16))
            except SSL.WantReadError:
                continue
            try:
                target.do_handshake()
            except SSL.WantReadError:
                pass
            except SSL.Error as e:
                if target is server:
                    return e
    server.do_handshake()
    return None


# Policies


def test_names_with_equal_rules_have_the_same_policy(lab: "Lab") -> None:
    lab.files["copy.crt"] = lab.files["ca.crt"]
    tls = lab.listener(NAMED, {"host": ("b.example",), **MTLS, "client_ca": "copy.crt"})
    assert tls.policy_for("mtls.example") == tls.policy_for("b.example")


@pytest.mark.parametrize(
    "different",
    [
        {"client_certificate": "optional"},
        {"client_certificate": "optional_no_ca"},
        {"client_ca": "other.crt"},
        {"client_crl": "crl.pem"},
    ],
    ids=str,
)
def test_names_with_different_rules_have_different_policies(
    lab: "Lab", different: dict[str, Any]
) -> None:
    lab.files["crl.pem"] = lab.pki.crl()
    tls = lab.listener(NAMED, {"host": ("b.example",), **MTLS, **different})
    assert tls.policy_for("mtls.example") != tls.policy_for("b.example")


def test_the_policy_of_a_connection_is_that_of_its_name(lab: "Lab") -> None:
    tls = lab.listener(NAMED, OPEN)
    facts = lab.connect(tls, lab.alice, sni="mtls.example").facts
    assert facts.policy == tls.policy_for("mtls.example")
    assert facts.policy != tls.policy_for("open.example")


def test_client_rules_change_with_the_revocation_list_and_not_with_our_certificate(
    lab: "Lab",
) -> None:
    lab.files["crl.pem"] = lab.pki.crl()
    before = lab.listener(NAMED, client_crl="crl.pem").client_rules
    lab.put("own", lab.pki.issue("own", server=True))
    assert lab.listener(NAMED, client_crl="crl.pem").client_rules == before
    lab.files["crl.pem"] = lab.pki.crl([7])
    assert lab.listener(NAMED, client_crl="crl.pem").client_rules != before


# Resumption


@both_versions
def test_a_session_of_one_name_is_not_resumed_under_another(
    lab: "Lab", version: int
) -> None:
    """CVE-2025-23419, CVE-2025-23048: the ticket would bring A's certificate to B."""
    tls = lab.listener(
        NAMED, {"host": ("b.example",), **MTLS, "client_ca": "other.crt"}
    )
    context = lab.client_context(lab.alice, version=version)
    first = lab.connect(tls, sni="mtls.example", context=context)
    assert first.certificate.verified
    second = lab.connect(tls, sni="b.example", context=context, session=first.session())
    assert second.refused


@both_versions
@pytest.mark.parametrize("sni", ["mtls.example", "open.example", None])
def test_a_listener_that_asks_for_certificates_resumes_nothing(
    lab: "Lab", sni: str | None, version: int
) -> None:
    tls = lab.listener(NAMED, OPEN)
    context = lab.client_context(lab.alice, version=version)
    first = lab.connect(tls, sni=sni, context=context)
    second = lab.connect(tls, sni=sni, context=context, session=first.session())
    assert not tls.resumable
    assert not second.refused
    assert not _resumed(second)


@both_versions
def test_a_listener_that_asks_nobody_resumes(lab: "Lab", version: int) -> None:
    tls = lab.listener()
    context = lab.client_context(version=version)
    first = lab.connect(tls, sni="own.example", context=context)
    second = lab.connect(
        tls, sni="own.example", context=context, session=first.session()
    )
    assert tls.resumable
    assert _resumed(second)


def _resumed(shaken: "Shaken") -> bool:
    return bool(lib.SSL_session_reused(shaken.server._ssl))  # noqa: SLF001


# Protocols and ciphers


@both_versions
def test_http_1_1_is_agreed_on(lab: "Lab", version: int) -> None:
    shaken = lab.connect(lab.listener(), alpn=[b"h2", b"http/1.1"], version=version)
    assert shaken.facts.alpn == "http/1.1"
    assert shaken.client.get_alpn_proto_negotiated() == b"http/1.1"


def test_a_client_that_speaks_only_others_is_told_so(lab: "Lab") -> None:
    shaken = lab.connect(lab.listener(), alpn=[b"h2"])
    assert shaken.refused
    assert "no application protocol" in str(shaken.client_error)


def test_a_client_without_alpn_is_served(lab: "Lab") -> None:
    assert lab.connect(lab.listener()).facts.alpn is None


@pytest.mark.parametrize(
    ("cipher", "refused"),
    [
        (b"ECDHE-ECDSA-AES128-GCM-SHA256", False),
        (b"ECDHE-ECDSA-AES128-SHA256", True),
        (b"AES128-GCM-SHA256", True),
    ],
)
def test_tls_1_2_has_forward_secrecy_and_authenticated_encryption_only(
    lab: "Lab", cipher: bytes, *, refused: bool
) -> None:
    context = lab.client_context(version=V12)
    context.set_cipher_list(cipher)
    assert lab.connect(lab.listener(), context=context).refused is refused


def test_tls_1_1_is_refused(lab: "Lab") -> None:
    context = lab.client_context(version=SSL.TLS1_1_VERSION)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    assert lab.connect(lab.listener(), context=context).refused


def test_the_versions_are_an_option(lab: "Lab") -> None:
    assert lab.connect(lab.listener(min_version="TLSv1.3"), version=V12).refused
    assert lab.connect(lab.listener(max_version="TLSv1.2"), version=V13).refused


def test_ciphers_suites_and_groups_are_options(lab: "Lab") -> None:
    tls = lab.listener(
        ciphers="ECDHE-ECDSA-AES256-GCM-SHA384",
        ciphersuites="TLS_CHACHA20_POLY1305_SHA256",
        groups=("P-384",),
    )
    modern = lab.connect(tls, version=V13)
    assert modern.facts.cipher == "TLS_CHACHA20_POLY1305_SHA256"
    assert modern.server.get_group_name() == "secp384r1"
    old = lab.connect(tls, version=V12)
    assert old.facts.cipher == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize("key", ["rsa", "ed25519"])
def test_our_own_key_may_be_of_other_kinds(lab: "Lab", key: KeyKind) -> None:
    files = lab.put("k", lab.pki.issue("k", server=True, key=key))
    assert lab.connect(lab.listener(**files)).server_subject() == "CN=k"


def test_our_intermediates_are_sent(lab: "Lab") -> None:
    files = lab.put("m", lab.pki.intermediate().issue("m", server=True))
    chain = lab.connect(lab.listener(**files)).client.get_peer_cert_chain()
    assert chain is not None
    assert len(chain) == 2


def test_renegotiation_is_refused(lab: "Lab") -> None:
    shaken = lab.connect(lab.listener(), version=V12)
    shaken.client.renegotiate()
    with pytest.raises(SSL.WantReadError):
        shaken.client.do_handshake()
    shaken.server.bio_write(shaken.client.bio_read(1 << 16))
    with pytest.raises(SSL.WantReadError):
        shaken.server.recv(1)
    shaken.client.bio_write(shaken.server.bio_read(1 << 16))
    with pytest.raises(SSL.Error, match="no renegotiation"):
        shaken.client.do_handshake()


# What is wrong with a configuration


def test_every_mistake_is_told_at_once(lab: "Lab") -> None:
    found = _mistakes(
        lab,
        {"host": ("a.example",), "client_certificate": "required"},
        certificate="absent.crt",
        ciphers="NONSENSE",
        min_version="TLSv1.3",
        max_version="TLSv1.2",
    )
    assert set(found) == {
        "listener[0].min_version",
        "listener[0].ciphers",
        "listener[0].certificate",
        "listener[0].name[0].client_ca",
    }


def test_a_key_too_weak_for_openssl_is_a_mistake(lab: "Lab") -> None:
    lab.put("weak", lab.pki.issue("weak", server=True, key="weak"))
    found = _mistakes(lab, certificate="weak.crt", key="weak.key")
    assert "key too small" in found["listener[0].certificate"]


# Health


def test_our_expired_certificate_serves_and_health_says_so(lab: "Lab") -> None:
    files = lab.put("old", lab.pki.issue("old", server=True, expired=True))
    tls = lab.listener(**files)
    (line,) = tls.health(lab.now)
    assert line.startswith("listener[0].certificate: CN=old has expired on ")
    assert not lab.connect(tls).refused


@pytest.mark.parametrize(("days", "lines"), [(20.5, 1), (22, 0)])
def test_health_speaks_three_weeks_before_our_certificate_ends(
    lab: "Lab", days: float, lines: int
) -> None:
    files = lab.put("short", lab.pki.issue("short", server=True, days=days))
    health = lab.listener(**files).health(lab.now)
    assert len(health) == lines
    assert all("in 20 days" in line for line in health)


def test_expiries_name_each_thing_once(lab: "Lab") -> None:
    lab.files["crl.pem"] = lab.pki.crl()
    tls = lab.listener(NAMED, **OPTIONAL, client_crl="crl.pem")
    whats = [what for what, _ in tls.expiries]
    assert whats == [
        "listener[0].certificate: CN=own",
        "listener[0].client_ca: CN=Client CA",
        "listener[0].client_crl: CN=Client CA",
        "listener[0].name[0].client_ca: CN=Client CA",
    ]


def test_a_new_pki_is_trusted_only_after_a_rebuild(lab: "Lab") -> None:
    tls = lab.listener(**MTLS)
    fresh = Pki.create("Fresh")
    lab.files["ca.crt"] = fresh.ca_pem
    bob = fresh.issue("bob", client=True)
    assert lab.connect(tls, bob).refused
    assert lab.connect(lab.listener(**MTLS), bob).certificate.verified
