"""
How we show an authorization server who we are (RFC 6749 section 2.3, RFC 7523).

What is made here is added to a request to any of its endpoints.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias
from urllib.parse import quote_plus

import attrs

from sso_proxy.model import Headers
from sso_proxy.specs.jose.sign import SigningKey, read_mac_key, sign_compact

AuthMethod = Literal[
    "none",
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "bearer",
    "basic",
]
"""The names that metadata has for them, and two of our own: ``bearer``, ``basic``."""

FormFields: TypeAlias = tuple[tuple[str, str], ...]

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
"""RFC 7523 section 2.2."""

CLIENT_FIELDS: Final = frozenset(
    {"client_id", "client_secret", "client_assertion", "client_assertion_type"}
)
"""Form fields by which clients say who they are."""

ASSERTION_LIFETIME: Final = 60
"""Seconds that an assertion is good for."""


@attrs.frozen(kw_only=True)
class ClientCredentials:
    """
    What is added to one request; all of it is secret.

    Attributes:
        headers: Header fields.
        fields: Form fields.
    """

    headers: Headers = attrs.field(default=(), repr=False)
    fields: FormFields = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class ClientAuth:
    """
    Who we are to an authorization server, and how we prove it.

    A certificate is presented in TLS, whatever *method* is.

    Attributes:
        method: How.
        client_id: Our name there; empty if *method* needs none.
        secret: The client secret, or the token for ``bearer``.
        key: What ``private_key_jwt`` signs with.
        audience: The ``aud`` of assertions: the server's issuer identifier alone
            (draft-ietf-oauth-rfc7523bis section 4).
        typ: The ``typ`` of assertions.
    """

    method: AuthMethod
    client_id: str = ""
    secret: str = attrs.field(default="", repr=False)
    key: SigningKey | None = None
    audience: str = ""
    typ: str = "client-authentication+jwt"


def build_credentials(
    client: ClientAuth, *, now: float, unique: str
) -> ClientCredentials:
    """
    Build what proves that a request made *now* is *client*'s.

    Args:
        client: Who.
        now: Seconds since the epoch.
        unique: What nobody has said before and nobody can guess, for ``jti``.

    Raises:
        KeyRefusedError: The secret is too short to sign with.
        ValueError: *client* lacks what its method needs.
    """
    assertion_key = _ASSERTION_KEYS.get(client.method)
    if assertion_key is None:
        return _METHODS[client.method](client)
    return _assertion(client, assertion_key(client), now, unique)


def _none(client: ClientAuth) -> ClientCredentials:
    """Say only who we are (RFC 6749 section 3.2.1)."""
    if not client.client_id:
        return ClientCredentials()
    return ClientCredentials(fields=(("client_id", client.client_id),))


def _client_secret_basic(client: ClientAuth) -> ClientCredentials:
    """Put both into Authorization, form-encoded (RFC 6749 section 2.3.1)."""
    return _authorization(quote_plus(client.client_id), quote_plus(client.secret))


def _basic(client: ClientAuth) -> ClientCredentials:
    """Put both into Authorization as they are (RFC 7617), as some servers want it."""
    if ":" in client.client_id:
        raise ValueError("a name for Basic has no colon")
    return _authorization(client.client_id, client.secret)


def _client_secret_post(client: ClientAuth) -> ClientCredentials:
    """Put both into the form (RFC 6749 section 2.3.1)."""
    return ClientCredentials(
        fields=(("client_id", client.client_id), ("client_secret", client.secret))
    )


def _shared_key(client: ClientAuth) -> SigningKey:
    """Sign with the secret (OpenID Connect Core section 9)."""
    return read_mac_key(client.secret.encode())


def _private_key(client: ClientAuth) -> SigningKey:
    """Sign with our key (RFC 7523 section 2.2)."""
    if client.key is None:
        raise ValueError("private_key_jwt needs a key")
    return client.key


def _bearer(client: ClientAuth) -> ClientCredentials:
    """Show a token of ours (RFC 6750 section 2.1)."""
    return ClientCredentials(headers=(("authorization", f"Bearer {client.secret}"),))


_METHODS: Final[Mapping[AuthMethod, Callable[[ClientAuth], ClientCredentials]]] = {
    "none": _none,
    "client_secret_basic": _client_secret_basic,
    "client_secret_post": _client_secret_post,
    # the name tells whose certificate to expect (RFC 8705 section 2)
    "tls_client_auth": _none,
    "self_signed_tls_client_auth": _none,
    "bearer": _bearer,
    "basic": _basic,
}

_ASSERTION_KEYS: Final[Mapping[AuthMethod, Callable[[ClientAuth], SigningKey]]] = {
    "client_secret_jwt": _shared_key,
    "private_key_jwt": _private_key,
}


def _authorization(name: str, secret: str) -> ClientCredentials:
    """Write Basic credentials (RFC 7617 section 2)."""
    value = b64encode(f"{name}:{secret}".encode()).decode("ascii")
    return ClientCredentials(headers=(("authorization", f"Basic {value}"),))


def _assertion(
    client: ClientAuth, key: SigningKey, now: float, unique: str
) -> ClientCredentials:
    """Sign that we are who we are (RFC 7523 section 3), for this server alone."""
    if not client.client_id or not client.audience:
        raise ValueError("an assertion needs a client_id and an audience")
    issued = int(now)
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": client.audience,
        "jti": unique,
        "iat": issued,
        "exp": issued + ASSERTION_LIFETIME,
    }
    return ClientCredentials(
        fields=(
            ("client_id", client.client_id),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", sign_compact(claims, key, typ=client.typ)),
        )
    )
