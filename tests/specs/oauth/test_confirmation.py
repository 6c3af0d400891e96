"""A bound token is good with its key only (RFC 7800, RFC 8705)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sso_proxy.errors import CertificateMismatchError, TokenError
from sso_proxy.specs.oauth.confirmation import (
    certificate_thumbprint,
    check_certificate_binding,
    check_thumbprint_binding,
    is_thumbprint,
    read_confirmation,
)

CERTIFICATE = b"a certificate"
BOUND = {"cnf": {"x5t#S256": certificate_thumbprint(CERTIFICATE)}}


def test_the_thumbprint_is_a_hash_in_base64url() -> None:
    """The empty string's SHA-256 (FIPS 180-4), as RFC 8705 3.1 encodes it."""
    assert certificate_thumbprint(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@given(der=st.binary(min_size=1), required=st.booleans())
def test_token_bound_to_the_certificate_in_use_is_accepted(
    der: bytes, *, required: bool
) -> None:
    claims = {"cnf": {"x5t#S256": certificate_thumbprint(der)}}
    check_certificate_binding(claims, der, required=required)


@given(ours=st.binary(min_size=1), theirs=st.binary(min_size=1))
def test_token_bound_to_another_certificate_is_refused(
    ours: bytes, theirs: bytes
) -> None:
    """Two different certificates never stand in for each other."""
    assume(ours != theirs)
    claims = {"cnf": {"x5t#S256": certificate_thumbprint(theirs)}}
    with pytest.raises(CertificateMismatchError):
        check_certificate_binding(claims, ours, required=False)


@pytest.mark.parametrize("required", [True, False])
def test_bound_token_without_a_certificate_is_refused(*, required: bool) -> None:
    with pytest.raises(CertificateMismatchError) as caught:
        check_certificate_binding(BOUND, None, required=required)
    assert caught.value.reason == "certificate-missing"


@pytest.mark.parametrize("claims", [{}, {"cnf": {"jkt": "x"}}])
def test_unbound_token_passes_unless_binding_is_required(
    claims: dict[str, Any],
) -> None:
    check_certificate_binding(claims, CERTIFICATE, required=False)
    check_certificate_binding(claims, None, required=False)
    with pytest.raises(TokenError) as caught:
        check_certificate_binding(claims, CERTIFICATE, required=True)
    assert caught.value.reason == "not-certificate-bound"


@pytest.mark.parametrize("cnf", [None, "x", [], ["x5t#S256"], 1, {}, True])
def test_malformed_confirmation_is_refused(cnf: object) -> None:
    with pytest.raises(TokenError):
        read_confirmation({"cnf": cnf})
    with pytest.raises(TokenError):
        check_certificate_binding({"cnf": cnf}, CERTIFICATE, required=False)


GOOD = certificate_thumbprint(CERTIFICATE)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        1,
        [GOOD],
        GOOD + "=",
        GOOD[:-1],
        GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
        GOOD + "\n",
        " " * 43,
        "é" * 43,
        GOOD.replace(GOOD[0], "+", 1),
    ],
    ids=repr,
)
def test_malformed_thumbprint_is_refused(value: object) -> None:
    with pytest.raises(TokenError) as caught:
        check_certificate_binding(
            {"cnf": {"x5t#S256": value}}, CERTIFICATE, required=False
        )
    assert caught.value.reason == "cnf-malformed"
    assert type(caught.value) is TokenError


@given(value=st.from_regex("[A-Za-z0-9_-]{42}[A-Za-z0-9_=-]", fullmatch=True))
def test_a_thumbprint_is_what_encodes_32_octets(value: str) -> None:
    """In the one spelling that base64url without padding has for them."""
    octets = urlsafe_b64decode(value + "=")
    spelling = urlsafe_b64encode(octets).rstrip(b"=").decode()
    assert is_thumbprint(value) == (len(octets) == 32 and spelling == value)


def test_the_thumbprint_of_the_connection_will_do() -> None:
    confirmation = BOUND["cnf"]
    check_thumbprint_binding(confirmation, GOOD, required=True)
    other = certificate_thumbprint(b"x")
    with pytest.raises(CertificateMismatchError):
        check_thumbprint_binding(confirmation, other, required=True)
