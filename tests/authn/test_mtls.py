"""Tests for `sso_proxy.authn.mtls`."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authn.certificate_binding import CertificateBinding
from sso_proxy.authn.mtls import MtlsAuthenticator, MtlsConfig, subject_attributes
from sso_proxy.model import (
    Authenticated,
    CertificateFacts,
    Identity,
    NotPresented,
    Outcome,
    Rejected,
)
from sso_proxy.testing.checks import check_authenticator, outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import (
    NOW,
    FakeTools,
    make_certificate,
    make_request,
)


def ask(facts: CertificateFacts | None, **options: Any) -> Outcome:  # noqa: ANN401
    config = MtlsConfig(**options)
    authenticator = MtlsAuthenticator.from_config(config, FakeTools(name="certs"))
    return outcome_of(authenticator.authenticate(make_request(certificate=facts)))


def identity_of(facts: CertificateFacts, **options: Any) -> Identity:  # noqa: ANN401
    outcome = ask(facts, **options)
    assert isinstance(outcome, Authenticated)
    return outcome.identity


def reason_of(facts: CertificateFacts, **options: Any) -> str:  # noqa: ANN401
    outcome = ask(facts, **options)
    assert isinstance(outcome, Rejected)
    assert outcome.status == 401
    assert outcome.challenge is None
    return outcome.reason


def test_a_verified_certificate_is_an_identity() -> None:
    names = [("dns", "a.example"), ("email", "a@b"), ("dns", "b.example")]
    facts = make_certificate("CN=alice,O=Example", names=names)
    assert identity_of(facts) == Identity(
        issuer="mtls:CN=Example CA",
        subject="CN=alice,O=Example",
        authenticator="certs",
        claims={
            "subject_dn": "CN=alice,O=Example",
            "issuer_dn": "CN=Example CA",
            "serial": "01",
            "x5t#S256": facts.thumbprint,
            "san": {"dns": ["a.example", "b.example"], "email": ["a@b"]},
        },
        confirmation={"x5t#S256": facts.thumbprint},
        expires=facts.not_after,
    )


def test_the_identity_is_bound_to_the_certificate() -> None:
    """A route that requires binding is satisfied with the certificate itself."""
    facts = make_certificate()
    check = CertificateBinding().check
    request = make_request(certificate=facts)
    assert outcome_of(check(request, identity_of(facts))) is None
    other = make_request(certificate=make_certificate("CN=bob"))
    assert outcome_of(check(other, identity_of(facts))) is not None


def test_the_issuer_may_be_given_a_name() -> None:
    assert identity_of(make_certificate(), issuer="https://pki").issuer == "https://pki"


def test_without_a_certificate_nothing_was_presented() -> None:
    assert ask(None) == NotPresented()


def test_without_tls_nothing_was_presented() -> None:
    authenticator = MtlsAuthenticator(MtlsConfig(), FakeTools())
    request = make_request(tls=False)
    assert outcome_of(authenticator.authenticate(request)) == NotPresented()


def test_an_unverified_certificate_is_refused() -> None:
    """It says admin, but anybody can say so."""
    facts = make_certificate("CN=admin", verified=False, problem="self-signed")
    assert ask(facts) == Rejected(reason="certificate-unverified", detail="self-signed")


def test_a_pinned_certificate_needs_no_authority() -> None:
    facts = make_certificate(verified=False)
    assert identity_of(facts, pins=(facts.thumbprint,)).subject == "CN=alice"


def test_a_pin_is_for_one_certificate() -> None:
    facts = make_certificate(verified=False)
    other = make_certificate("CN=alice", der=b"other", verified=False)
    assert reason_of(other, pins=(facts.thumbprint,)) == "certificate-unverified"


def test_pins_do_not_keep_verified_certificates_out() -> None:
    pins = (make_certificate("CN=bob").thumbprint,)
    assert identity_of(make_certificate(), pins=pins).subject == "CN=alice"


@pytest.mark.parametrize("verified", [True, False])
def test_an_expired_certificate_is_refused(*, verified: bool) -> None:
    """A verified one can expire while its connection lasts."""
    facts = make_certificate(verified=verified, not_after=NOW + 10)
    clock = SettableClock(NOW)
    config = MtlsConfig(pins=(facts.thumbprint,))
    authenticator = MtlsAuthenticator(config, FakeTools(clock=clock))
    request = make_request(certificate=facts)
    assert isinstance(outcome_of(authenticator.authenticate(request)), Authenticated)
    clock.advance(10)
    outcome = outcome_of(authenticator.authenticate(request))
    assert outcome == Rejected(reason="certificate-expired")


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("subject:CN", "alice"),
        ("subject:O", "Example"),
        ("subject:UID", "a1"),
        ("subject:emailAddress", "alice@example.com"),
        ("san:dns", "a.example"),
        ("san:email", "a@b"),
        ("san:uri", "spiffe://x/y"),
        ("san:ip", "192.0.2.7"),
        ("san:upn", "alice@corp"),
    ],
)
def test_one_name_of_the_certificate_may_be_the_subject(
    user: str, subject: str
) -> None:
    facts = make_certificate(
        "1.2.840.113549.1.9.1=alice@example.com,UID=a1,CN=alice,O=Example",
        names=[
            ("dns", "a.example"),
            ("email", "a@b"),
            ("uri", "spiffe://x/y"),
            ("ip", "192.0.2.7"),
            ("upn", "alice@corp"),
        ],
    )
    assert identity_of(facts, user=user).subject == subject


@pytest.mark.parametrize("user", ["subject:CN", "san:dns"])
def test_a_name_that_is_not_there_is_no_identity(user: str) -> None:
    facts = make_certificate("O=Example", names=[("email", "a@b")])
    assert reason_of(facts, user=user) == "certificate-name-missing"


@pytest.mark.parametrize("user", ["subject:CN", "san:dns"])
def test_of_two_names_none_is_the_subject(user: str) -> None:
    facts = make_certificate("CN=alice,CN=admin", names=[("dns", "a"), ("dns", "b")])
    assert reason_of(facts, user=user) == "certificate-name-ambiguous"


def test_the_first_of_two_names_is_by_choice() -> None:
    facts = make_certificate(names=[("email", "x"), ("dns", "a"), ("dns", "b")])
    assert identity_of(facts, user="san:dns", pick="first").subject == "a"


def test_an_attribute_inside_the_value_of_another_is_text() -> None:
    r"""``CN=alice\,CN=admin`` is one name with a comma in it."""
    facts = make_certificate(r"CN=alice\,CN\=admin,O=x")
    assert identity_of(facts, user="subject:CN").subject == "alice,CN=admin"


@pytest.mark.parametrize("name", ["", "alice\x00.example.com", "a\nb", "a\u202eb"])
def test_an_unsafe_name_is_no_subject(name: str) -> None:
    facts = make_certificate(names=[("dns", name)])
    assert reason_of(facts, user="san:dns") == "certificate-name-unsafe"


def test_an_empty_subject_is_nobody() -> None:
    assert reason_of(make_certificate("")) == "certificate-name-unsafe"


def test_an_unreadable_subject_is_no_technical_failure() -> None:
    facts = make_certificate("no name")
    assert reason_of(facts, user="subject:CN") == "certificate-name-unreadable"


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_attributes_are_read_back_as_they_were_written(values: list[str]) -> None:
    """What cryptography writes by RFC 4514, it reads to the same."""
    name = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, v) for v in values]
        + [x509.NameAttribute(NameOID.COMMON_NAME, "CN=x,O=y+O=z")]
    )
    assert subject_attributes(name.rfc4514_string(), "O") == values


@pytest.mark.parametrize(
    "options",
    [
        {"user": "CN"},
        {"user": "subject:"},
        {"user": "subject:XX"},
        {"user": "san:dn"},
        {"pins": ("abc",)},
        {"pins": ("A" * 42 + "B",)},
        {"pins": ("A" * 43 + "=",)},
    ],
)
def test_a_wrong_option_is_refused_at_the_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be one of|no thumbprint"):
        MtlsConfig(**options)


def test_every_real_thumbprint_is_a_pin() -> None:
    for number in range(200):
        MtlsConfig(pins=(make_certificate(der=bytes([number])).thumbprint,))


def test_it_keeps_the_contract_of_authenticators() -> None:
    request = make_request(certificate=make_certificate())
    for user in ("subject", "subject:CN", "san:dns"):
        check_authenticator(
            MtlsAuthenticator(MtlsConfig(user=user), FakeTools()), [request]
        )
