"""Tests for `sso_proxy.authn.certificate_binding`."""

from typing import Any

import pytest

from sso_proxy.authn.certificate_binding import (
    CertificateBinding,
    CertificateBindingConfig,
)
from sso_proxy.model import Request, Unbound
from sso_proxy.testing.checks import check_binding, outcome_of
from sso_proxy.testing.fakes import (
    FakeTools,
    make_certificate,
    make_identity,
    make_request,
)

ALICE = make_certificate("CN=alice", verified=False)
BOB = make_certificate("CN=bob")
OVER_ALICE = make_request(certificate=ALICE)


def check(request: Request, confirmation: dict[str, Any]) -> str | None:
    binding = CertificateBinding.from_config(CertificateBindingConfig(), FakeTools())
    identity = make_identity(confirmation=confirmation)
    answer: Unbound | None = outcome_of(binding.check(request, identity))
    return answer if answer is None else answer.reason


def test_the_certificate_of_this_connection_satisfies() -> None:
    assert check(OVER_ALICE, {"x5t#S256": ALICE.thumbprint}) is None


def test_another_certificate_does_not() -> None:
    assert check(OVER_ALICE, {"x5t#S256": BOB.thumbprint}) == "certificate-mismatch"


@pytest.mark.parametrize(
    "thumbprint",
    [ALICE.thumbprint.lower(), ALICE.thumbprint + "=", ALICE.thumbprint[:-1]],
)
def test_the_thumbprint_is_compared_as_it_is(thumbprint: str) -> None:
    confirmation = {"x5t#S256": thumbprint}
    reasons = {"certificate-mismatch", "cnf-malformed"}
    assert check(OVER_ALICE, confirmation) in reasons


@pytest.mark.parametrize("confirmation", [{}, {"jkt": "x"}, {"x5t": ALICE.thumbprint}])
def test_an_identity_without_the_member_is_not_bound(
    confirmation: dict[str, Any],
) -> None:
    assert check(OVER_ALICE, confirmation) == "not-certificate-bound"


def test_without_tls_nothing_is_bound() -> None:
    request = make_request(tls=False)
    confirmation = {"x5t#S256": ALICE.thumbprint}
    assert check(request, confirmation) == "certificate-binding-without-tls"


def test_without_a_certificate_nothing_is_bound() -> None:
    confirmation = {"x5t#S256": ALICE.thumbprint}
    assert check(make_request(), confirmation) == "certificate-missing"


@pytest.mark.parametrize("value", [None, 1, True, [ALICE.thumbprint], {}, "é"])
def test_a_malformed_member_is_not_satisfied(value: object) -> None:
    assert check(OVER_ALICE, {"x5t#S256": value}) == "cnf-malformed"


def test_it_keeps_the_contract_of_bindings() -> None:
    identity = make_identity(confirmation={"x5t#S256": ALICE.thumbprint})
    check_binding(CertificateBinding, [(OVER_ALICE, identity)])
