"""
Grants by which a client gets an access token without sending a browser anywhere.

RFC 6749 sections 4.3, 4.4 and 6, RFC 7521, RFC 7522 and RFC 7523.  What is built here
is a form without what proves who the client is (`sso_proxy.specs.oauth.client_auth`).
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.strict import decode_base64url
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oidc.token_response import (
    TokenResponseError,
    read_credential,
    read_success,
)
from sso_proxy.specs.xml import XmlError, name_of, parse_xml

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
"""RFC 7523 section 2.1."""

SAML2_BEARER: Final = "urn:ietf:params:oauth:grant-type:saml2-bearer"
"""RFC 7522 section 2.1."""

MAX_ASSERTION: Final = 65536
"""Characters of a JWT, octets of a SAML assertion."""

MAX_PASSWORD: Final = 16384
"""Characters of a user name, and of a password, which may be a token."""

_TEXT = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_VISIBLE = re.compile(r"[\x20-\x7e]+")
_JWT = re.compile(
    r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,2}"
)
_PARTS: Final = (3, 5)
_TOO_LARGE: Final = f"the assertion has more than {MAX_ASSERTION} octets"
_SAML: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
_ASSERTIONS: Final = ((_SAML, "Assertion"), (_SAML, "EncryptedAssertion"))
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]+")


@attrs.frozen
class UnfitError(SsoProxyError):
    """
    What a token is to be made from cannot stand in such a request.

    Attributes:
        detail: Why, for the log; nothing of what came.
    """

    detail: str


@attrs.frozen(kw_only=True)
class Target:
    """
    What an access token is to be good for.

    Attributes:
        scope: Scopes; empty for what the server gives by itself.
        resource: URIs of resource servers (RFC 8707).
        audience: The same by names, as some servers want it.
    """

    scope: Sequence[str] = ()
    resource: Sequence[str] = ()
    audience: Sequence[str] = ()


ANY: Final = Target()


def build_password(username: str, password: str, target: Target = ANY) -> FormFields:
    """
    Ask with somebody's name and password (RFC 6749 section 4.3.2).

    Raises:
        UnfitError: One is empty, too long or has control characters (appendix A.15).
    """
    for name, text in (("username", username), ("password", password)):
        if len(text) > MAX_PASSWORD:
            raise UnfitError(f"{name} has more than {MAX_PASSWORD} characters")
        if _TEXT.fullmatch(text) is None:
            raise UnfitError(f"{name} is empty, or has control characters")
    fields = (("username", username), ("password", password))
    return (("grant_type", "password"), *fields, *_build_target(target))


def build_client_credentials(target: Target = ANY) -> FormFields:
    """Ask in our own name alone (RFC 6749 section 4.4.2)."""
    return (("grant_type", "client_credentials"), *_build_target(target))


def build_refresh(token: str, target: Target = ANY) -> FormFields:
    """
    Ask with a refresh token (RFC 6749 section 6, RFC 8707 section 2.2).

    Raises:
        UnfitError: It has other than printable characters of ASCII (appendix A.17).
    """
    if _VISIBLE.fullmatch(token) is None:
        raise UnfitError("the refresh token is no printable ASCII")
    fields = ("refresh_token", token)
    return (("grant_type", "refresh_token"), fields, *_build_target(target))


def build_jwt_bearer(assertion: str, target: Target = ANY) -> FormFields:
    """
    Ask with a JWT that says who the token is for (RFC 7523 section 2.1).

    Raises:
        UnfitError: It is no signed or encrypted JWT, or too long.
    """
    if len(assertion) > MAX_ASSERTION:
        raise UnfitError(f"the assertion has more than {MAX_ASSERTION} characters")
    if _JWT.fullmatch(assertion) is None or assertion.count(".") + 1 not in _PARTS:
        raise UnfitError("the assertion is no signed or encrypted JWT")
    return (
        ("grant_type", JWT_BEARER),
        ("assertion", assertion),
        *_build_target(target),
    )


def build_saml2_bearer(assertion: str, target: Target = ANY) -> FormFields:
    """
    Ask with a SAML 2.0 assertion that says who the token is for (RFC 7522 section 2.1).

    Args:
        assertion: As for `encode_saml`.
        target: What the token is for.

    Raises:
        UnfitError: As for `encode_saml`.
    """
    encoded = encode_saml(assertion)
    return (
        ("grant_type", SAML2_BEARER),
        ("assertion", encoded),
        *_build_target(target),
    )


def encode_saml(assertion: str) -> str:
    """
    Give a SAML assertion in base64url, without padding and line breaks.

    It goes on as it came: its signature is over that.  Whoever it is for checks it.

    Args:
        assertion: XML, or that in base64 or base64url, with or without padding and line
            breaks.

    Raises:
        UnfitError: It is too large, no XML that `parse_xml` reads, or no ``Assertion``
            or ``EncryptedAssertion`` of SAML 2.0.
    """
    if len(assertion) > 2 * MAX_ASSERTION:
        raise UnfitError(_TOO_LARGE)
    octets = _octets(assertion)
    if len(octets) > MAX_ASSERTION:
        raise UnfitError(_TOO_LARGE)
    try:
        root = parse_xml(octets)
    except XmlError as e:
        raise UnfitError(f"the assertion {e.detail}") from None
    if name_of(root) not in _ASSERTIONS:
        raise UnfitError("the assertion is none of SAML 2.0")
    return b64encode(octets, altchars=b"-_").decode().rstrip("=")


def read_rotated(status: int, content_type: str | None, body: bytes) -> str:
    """
    Give the refresh token in the answer to one; empty if there is none.

    It is looked for by itself: where the rest of an answer is of no use, the refresh
    token that was sent is none any more, either (RFC 6749 section 10.4).
    """
    try:
        return read_credential(
            read_success(status, content_type, body), "refresh_token"
        )
    except TokenResponseError:
        return ""


def check_resource(resource: str) -> None:
    """
    Check a resource indicator (RFC 8707 section 2).

    Raises:
        ValueError: It is no absolute URI, or has a fragment.
    """
    if _URI.fullmatch(resource) is None or not urlsplit(resource).scheme:
        raise ValueError(f"{resource!r} is no absolute URI without fragment")


def _build_target(target: Target) -> FormFields:
    """Say what the token is for; ``resource`` and ``audience`` once for each."""
    fields: list[tuple[str, str]] = []
    if target.scope:
        fields.append(("scope", " ".join(target.scope)))
    fields += [("resource", each) for each in target.resource]
    fields += [("audience", each) for each in target.audience]
    return tuple(fields)


def _octets(assertion: str) -> bytes:
    """Give the octets of an assertion that may be encoded."""
    text = assertion.strip()
    if text.startswith(("<", "\ufeff<")):
        return text.encode(errors="surrogatepass")
    plain = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return decode_base64url(plain.encode("ascii"))
    except (TokenError, UnicodeEncodeError):
        raise UnfitError("the assertion is neither XML nor base64") from None


_URL_SAFE: Final = str.maketrans("+/", "-_")
