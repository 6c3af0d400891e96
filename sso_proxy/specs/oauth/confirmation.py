"""Keys that a token is bound to: the ``cnf`` claim (RFC 7800, RFC 8705 section 3)."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from sso_proxy.errors import CertificateMismatchError, TokenError
from sso_proxy.specs.jose.strict import encode_base64url

CERTIFICATE_MEMBER: Final = "x5t#S256"
"""The member that names a certificate (RFC 8705 section 3.1)."""

KEY_MEMBER: Final = "jkt"
"""The member that names a key by its thumbprint (RFC 9449 section 6.1)."""

TOKEN_BINDING_MEMBER: Final = "tbh"  # noqa: S105 - no password
"""The member that names a Token Binding ID by its hash (OpenID Connect Token Bound
Authentication, draft-ietf-oauth-token-binding)."""


# 32 octets in base64url: the last character has two bits that encode nothing.
_is_thumbprint = re.compile("[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]").fullmatch


def certificate_thumbprint(cert_der: bytes) -> str:
    """Give the ``x5t#S256`` of a certificate (RFC 8705 section 3.1)."""
    return encode_base64url(hashlib.sha256(cert_der).digest())


def read_confirmation(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    Give the members of ``cnf``, none if there is no such claim (RFC 7800 3.1).

    Raises:
        TokenError: It is no object, or an empty one: bound, but to nothing that could
            be checked.
    """
    if "cnf" not in claims:
        return {}
    confirmation = claims["cnf"]
    # What is read from JSON is a dict, and it takes long to ask any other way.
    if not isinstance(confirmation, dict | Mapping) or not confirmation:
        raise TokenError("cnf is no object with members", reason="cnf-malformed")
    return confirmation


def check_scheme(scheme: str, confirmation: Mapping[str, Any]) -> None:
    """
    Check that a token was presented as what it is (RFC 9449 section 7).

    A token that is bound to a key by ``jkt`` is no bearer token, whoever bears it
    (section 7.2), and one that is not makes no proof mean anything.

    Args:
        scheme: The authentication scheme: ``Bearer`` or ``DPoP``.
        confirmation: The members of ``cnf``.

    Raises:
        TokenError: It is the other.
    """
    bound = KEY_MEMBER in confirmation
    if bound and scheme != "DPoP":
        raise TokenError("a DPoP token as a bearer token", reason="token-dpop-bound")
    if scheme == "DPoP" and not bound:
        raise TokenError("a bearer token as a DPoP token", reason="token-not-dpop")


def check_certificate_binding(
    claims: Mapping[str, Any], client_cert_der: bytes | None, *, required: bool
) -> None:
    """
    Check that a token may be used over the connection it arrived on.

    Args:
        claims: The token's verified claims, or an introspection response.
        client_cert_der: The client's leaf certificate, or None if it sent none.
        required: Refuse tokens that are not bound to any certificate.

    Raises:
        CertificateMismatchError: The token is bound to another certificate, or
            there is none to compare (RFC 8705 section 3: ``invalid_token``).
        TokenError: ``cnf`` is malformed, or missing although *required*.
    """
    thumbprint = None
    if client_cert_der is not None:
        thumbprint = certificate_thumbprint(client_cert_der)
    check_thumbprint_binding(read_confirmation(claims), thumbprint, required=required)


def check_thumbprint_binding(
    confirmation: Mapping[str, Any], thumbprint: str | None, *, required: bool
) -> None:
    """
    Do as `check_certificate_binding`, given what is compared.

    Args:
        confirmation: The members of ``cnf``.
        thumbprint: The ``x5t#S256`` of the client's certificate, or None.
        required: As there.

    Raises:
        CertificateMismatchError: As there.
        TokenError: As there.
    """
    if CERTIFICATE_MEMBER not in confirmation:
        if required:
            raise TokenError("bound to no certificate", reason="not-certificate-bound")
        return
    expected = confirmation[CERTIFICATE_MEMBER]
    if not is_thumbprint(expected):
        raise TokenError("x5t#S256 is no SHA-256 hash", reason="cnf-malformed")
    if thumbprint is None:
        raise CertificateMismatchError(
            "no client certificate", reason="certificate-missing"
        )
    if not hmac.compare_digest(expected.encode("ascii"), thumbprint.encode("ascii")):
        raise CertificateMismatchError(
            "another client certificate", reason="certificate-mismatch"
        )


def check_token_binding(confirmation: Mapping[str, Any], provided: str | None) -> None:
    """
    Check that a token may be used with the key that its bearer proves to hold.

    Args:
        confirmation: The members of ``cnf``.
        provided: The hash of the Token Binding ID that was proved, or None.

    Raises:
        TokenError: It is bound to none, or to another, or there is none to compare.
    """
    if TOKEN_BINDING_MEMBER not in confirmation:
        raise TokenError(
            "bound to no Token Binding ID", reason="not-token-binding-bound"
        )
    expected = confirmation[TOKEN_BINDING_MEMBER]
    if not is_thumbprint(expected):
        raise TokenError("tbh is no SHA-256 hash", reason="cnf-malformed")
    if provided is None:
        raise TokenError("no Token Binding", reason="token-binding-missing")
    if not hmac.compare_digest(expected.encode("ascii"), provided.encode("ascii")):
        raise TokenError("another Token Binding ID", reason="token-binding-mismatch")


def is_thumbprint(value: object) -> TypeGuard[str]:
    """Say whether *value* is a SHA-256 hash in base64url."""
    return isinstance(value, str) and _is_thumbprint(value) is not None
