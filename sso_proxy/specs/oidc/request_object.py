"""Authorization requests that are signed, and perhaps encrypted (RFC 9101)."""

from typing import Final

from sso_proxy.specs.jose.encrypt import EncryptionKey, encrypt_compact
from sso_proxy.specs.jose.sign import SigningKey, sign_compact
from sso_proxy.specs.oidc.request import (
    AuthorizationRequest,
    FormFields,
    check_url,
    request_object_claims,
)

TYPE: Final = "oauth-authz-req+jwt"
"""The ``typ``: nothing else that we sign can be taken for it (section 10.8)."""

MAX_REFERENCE: Final = 512
"""Characters of a ``request_uri`` (OpenID Connect Core section 6.2)."""


def build_request_object(  # noqa: PLR0913 - what it says, and with what
    request: AuthorizationRequest,
    key: SigningKey,
    *,
    issuer: str,
    now: float,
    lifetime: float,
    jti: str | None = None,
    encryption: EncryptionKey | None = None,
) -> str:
    """
    Sign *request*, then encrypt it if that is wanted (section 4).

    Args:
        request: What is asked for.
        key: Ours.
        issuer: The provider, for ``aud``.
        now: Seconds since the epoch.
        lifetime: Seconds that it is good for.
        jti: What nobody has said before; None leaves it out.
        encryption: The provider's key; None does not encrypt.

    Raises:
        ValueError: *lifetime* is not as `request_object_claims` wants it.
    """
    claims = request_object_claims(
        request, issuer=issuer, now=now, lifetime=lifetime, jti=jti
    )
    signed = sign_compact(claims, key, typ=TYPE)
    return signed if encryption is None else encrypt_compact(signed, encryption)


def object_fields(request: AuthorizationRequest, text: str) -> FormFields:
    """
    Give what the browser carries of a request that is signed (section 5.1).

    OpenID Connect Core section 6.1 wants ``response_type`` and ``scope`` outside, too;
    the provider reads what was signed.
    """
    return (*_outside(request), ("request", text))


def reference_fields(request: AuthorizationRequest, uri: str) -> FormFields:
    """
    Give what the browser carries if the provider fetches the signed request from us.

    Section 5.2; OpenID Connect Core section 6.2.

    Args:
        request: What is asked for.
        uri: Where it is; nobody can guess it.

    Raises:
        ValueError: *uri* is no https or http URL without fragment, or longer than
            `MAX_REFERENCE`.
    """
    if len(uri) > MAX_REFERENCE:
        raise ValueError(f"request_uri has more than {MAX_REFERENCE} characters")
    check_url("request_uri", uri)
    return (*_outside(request), ("request_uri", uri))


def _outside(request: AuthorizationRequest) -> FormFields:
    """Give the parameters that stand beside a signed request."""
    return (
        ("client_id", request.client_id),
        ("response_type", request.response_type.text),
        ("scope", " ".join(request.scope)),
    )
