"""Clients that register themselves (RFC 7591), and look after that (RFC 7592)."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.urls import UrlRefusedError, check_published_url, read_issuer

MAX_REGISTRATION: Final = 65536
"""Octets of an answer."""

_CODE_GRANT: Final = "authorization_code"
_FRONT_GRANT: Final = "implicit"
_NOT_SENT_BACK: Final = frozenset(
    {
        "registration_access_token",
        "registration_client_uri",
        "client_secret_expires_at",
        "client_id_issued_at",
    }
)
"""RFC 7592 section 2.2: what an update must not have."""
_LONGEST: Final = 4096
_LATEST: Final = 10**11
_WITH_SECRET: Final = frozenset(
    {"client_secret_basic", "client_secret_post", "client_secret_jwt"}
)


@attrs.frozen
class RegistrationError(SsoProxyError):
    """
    There is no registration.

    Attributes:
        error: The code by which the provider refuses (RFC 7591 section 3.2.2); empty if
            what came is no answer.
        detail: Why, for the log.  Never holds a secret.
        status: The status of the answer.
    """

    error: str
    detail: str
    status: int = attrs.field(default=0, kw_only=True)


@attrs.frozen(kw_only=True)
class ClientWish:
    """
    What a client says of itself (RFC 7591 section 2, OpenID Registration section 2).

    None and what is empty is not said.

    Attributes:
        redirect_uris: Where browsers come back.
        response_types: How we are answered.
        auth_method: How we say who we are.
        auth_algorithm: What assertions are signed with.
        client_name: What people know us by.
        contacts: Who answers mail about us.
        jwks_uri: Where our public keys are.
        initiate_login_uri: Where others begin a login.
        post_logout_redirect_uris: Where browsers come back that logged out.
        frontchannel_logout_uri: Where a browser tells us of logouts.
        backchannel_logout_uri: Where the provider does.
        id_token_algorithm: What ID tokens are to be signed with.
        userinfo_algorithm: What claims are to be signed with.
        request_object_algorithm: What our requests are signed with.
        bound_tokens: Access tokens are to be bound to our certificate (RFC 8705).
        dpop_bound_tokens: They are to be bound to our key (RFC 9449 section 5.2).
        par_required: We push all requests (RFC 9126 section 6).
        scope: What is asked for.
        more: Further members, which count more than the others.
    """

    redirect_uris: tuple[str, ...]
    response_types: tuple[str, ...] = ("code",)
    auth_method: str = "client_secret_basic"
    auth_algorithm: str | None = None
    client_name: str = ""
    contacts: tuple[str, ...] = ()
    jwks_uri: str | None = None
    initiate_login_uri: str | None = None
    post_logout_redirect_uris: tuple[str, ...] = ()
    frontchannel_logout_uri: str | None = None
    backchannel_logout_uri: str | None = None
    id_token_algorithm: str | None = None
    userinfo_algorithm: str | None = None
    request_object_algorithm: str | None = None
    bound_tokens: bool = False
    dpop_bound_tokens: bool = False
    par_required: bool = False
    scope: tuple[str, ...] = ()
    more: Mapping[str, Any] = attrs.field(factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give the members of the request."""
        every: dict[str, Any] = {
            "application_type": "web",
            "redirect_uris": [*self.redirect_uris],
            "response_types": [*self.response_types],
            "grant_types": _grants(self.response_types),
            "token_endpoint_auth_method": self.auth_method,
            "token_endpoint_auth_signing_alg": self.auth_algorithm,
            "client_name": self.client_name,
            "contacts": [*self.contacts],
            "jwks_uri": self.jwks_uri,
            "initiate_login_uri": self.initiate_login_uri,
            "post_logout_redirect_uris": [*self.post_logout_redirect_uris],
            "frontchannel_logout_uri": self.frontchannel_logout_uri,
            "frontchannel_logout_session_required": bool(self.frontchannel_logout_uri),
            "backchannel_logout_uri": self.backchannel_logout_uri,
            "id_token_signed_response_alg": self.id_token_algorithm,
            "userinfo_signed_response_alg": self.userinfo_algorithm,
            "request_object_signing_alg": self.request_object_algorithm,
            "tls_client_certificate_bound_access_tokens": self.bound_tokens,
            "dpop_bound_access_tokens": self.dpop_bound_tokens,
            "require_pushed_authorization_requests": self.par_required,
            "scope": " ".join(self.scope),
            **self.more,
        }
        return {name: value for name, value in every.items() if value}


@attrs.frozen(kw_only=True)
class Registration:
    """
    What a provider knows us by.

    Attributes:
        client_id: Our name there.
        client_secret: The secret, or None.
        secret_expires_at: Seconds since the epoch when it is no longer good; 0: never.
        auth_method: How we say who we are; empty: as we wished.
        access_token: What changes the registration (RFC 7592), or None.
        client_uri: Where, or None.
        members: All that the provider said.
    """

    client_id: str
    client_secret: str | None = attrs.field(default=None, repr=False)
    secret_expires_at: int = 0
    auth_method: str = ""
    access_token: str | None = attrs.field(default=None, repr=False)
    client_uri: str | None = attrs.field(default=None, repr=False)
    members: Mapping[str, Any] = attrs.field(factory=dict, repr=False)

    def expires_before(self, time: float) -> bool:
        """Say whether the secret is no longer good at *time*."""
        return bool(self.secret_expires_at) and time >= self.secret_expires_at


def read_registration(
    status: int, body: bytes, *, issuer: str, before: Registration | None = None
) -> Registration:
    """
    Read what a provider answers to a registration or an update.

    Args:
        status: Its status: 201 for a registration, 200 for an update; either is taken.
        body: All of it.
        issuer: Whose answer it is.
        before: The registration that was updated.  What is not said again stays
            (RFC 7592 section 3).

    Raises:
        RegistrationError: The provider refuses, or what came is no registration: no
            strict JSON object, too large, no ``client_id``, another one than before,
            a secret without a date, or a ``registration_client_uri`` where we must not
            go.
    """
    members = _read_members(status, body)
    if status not in {200, 201}:
        code, text = members.get("error"), members.get("error_description")
        error = _printable(code) if isinstance(code, str) else ""
        detail = _printable(text) if isinstance(text, str) else ""
        raise RegistrationError(error, detail or f"status {status}", status=status)
    client_id = _text(members, "client_id")
    if client_id is None:
        raise RegistrationError("", "client_id is missing", status=status)
    if before is not None and client_id != before.client_id:
        raise RegistrationError("", "client_id is another", status=status)
    registration = Registration(
        client_id=client_id,
        client_secret=_text(members, "client_secret"),
        secret_expires_at=_read_expiry(members),
        auth_method=_text(members, "token_endpoint_auth_method") or "",
        access_token=_text(members, "registration_access_token"),
        client_uri=_read_uri(members, issuer),
        members=members,
    )
    return registration if before is None else _keep(registration, before)


def update_members(
    registration: Registration, wish: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Give the members of an update (RFC 7592 section 2.2).

    All that we want has to be in it; what is left out is deleted.

    Args:
        registration: The present one.
        wish: What we want to be known as (`ClientWish.as_json`).
    """
    kept = {name: value for name, value in wish.items() if name not in _NOT_SENT_BACK}
    kept["client_id"] = registration.client_id
    if registration.client_secret is not None:
        kept["client_secret"] = registration.client_secret
    return kept


def choose_auth(supported: tuple[str, ...], *, with_key: bool) -> str:
    """
    Choose how we say who we are, of what a provider has.

    One that does not say has ``client_secret_basic`` (RFC 8414 section 2).

    Args:
        supported: ``token_endpoint_auth_methods_supported``.
        with_key: We have a key to sign with, which is better than a shared secret.

    Raises:
        RegistrationError: There is none that we could register for.
    """
    order: tuple[str, ...] = (
        "client_secret_basic",
        "client_secret_post",
        "client_secret_jwt",
        "none",
    )
    if with_key:
        order = ("private_key_jwt", *order)
    for method in order:
        if method in (supported or ("client_secret_basic",)):
            return method
    raise RegistrationError("", "no way to authenticate that we could register for")


def needs_secret(auth_method: str) -> bool:
    """Say whether a method is one with a client secret."""
    return auth_method in _WITH_SECRET


def _grants(response_types: tuple[str, ...]) -> list[str]:
    """Give the grants that go with the response types (RFC 7591 section 2.1)."""
    words = {word for one in response_types for word in one.split()}
    grants = [_CODE_GRANT] if "code" in words else []
    if words & {"token", "id_token"}:
        grants.append(_FRONT_GRANT)
    return [*grants, "refresh_token"] if "code" in words else grants


def _read_members(status: int, body: bytes) -> dict[str, Any]:
    if len(body) > MAX_REGISTRATION:
        problem = f"more than {MAX_REGISTRATION} octets"
        raise RegistrationError("", problem, status=status)
    try:
        return read_json_object(body)
    except TokenError as e:
        problem = f"status {status}: {e.detail}"
        raise RegistrationError("", problem, status=status) from None


def _keep(new: Registration, before: Registration) -> Registration:
    """Keep what an answer to an update does not say again."""
    changes: dict[str, Any] = {}
    if new.client_secret is None and before.client_secret is not None:
        changes["client_secret"] = before.client_secret
        changes["secret_expires_at"] = before.secret_expires_at
    if new.access_token is None:
        changes["access_token"] = before.access_token
    if new.client_uri is None:
        changes["client_uri"] = before.client_uri
    return attrs.evolve(new, **changes)


def _text(members: Mapping[str, Any], name: str) -> str | None:
    """Give a text that may go into a header field."""
    value = members.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise RegistrationError("", f"{name} is no printable ASCII")
    if len(value) > _LONGEST:
        raise RegistrationError("", f"{name} has more than {_LONGEST} characters")
    return value


def _read_expiry(members: Mapping[str, Any]) -> int:
    """Read when the secret ends, which has to be said if there is one."""
    value = members.get("client_secret_expires_at")
    if value is None and not members.get("client_secret"):
        return 0
    if type(value) is not int or not 0 <= value <= _LATEST:  # bool is no int
        raise RegistrationError("", "client_secret_expires_at is no date")
    return value


def _read_uri(members: Mapping[str, Any], issuer: str) -> str | None:
    """Read where the registration can be changed."""
    value = _text(members, "registration_client_uri")
    if value is not None:
        try:
            check_published_url(value, read_issuer(issuer))
        except UrlRefusedError as e:
            problem = f"registration_client_uri: {e.detail}"
            raise RegistrationError("", problem) from None
    return value


def _printable(text: str) -> str:
    """Give the beginning of *text*, as it may stand in a log."""
    return "".join(c if c.isprintable() else " " for c in text[:200]).strip()
