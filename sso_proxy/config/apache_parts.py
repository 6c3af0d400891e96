"""What an application that has lived behind Apache finds again: options of a route."""

from typing import Literal

import attrs

from sso_proxy.config.checks import path_prefix
from sso_proxy.specs.http.names import ManagedNames

InfoMember = Literal[
    "iat",
    "access_token",
    "access_token_expires",
    "id_token_hint",
    "id_token",
    "userinfo",
    "exp",
    "timeout",
    "remote_user",
    "session",
]
PassedOn = Literal[
    "access_token",
    "access_token_type",
    "access_token_expires",
    "scope",
    "id_token",
    "id_token_payload",
    "userinfo_json",
]
ClaimEncoding = Literal["latin1", "base64url", "none"]


def own_path(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    """Refuse what is no path of this site, or has a pattern."""
    if value:
        path_prefix(_instance, attribute, value)
    if "{" in value or value == "/":
        raise ValueError(f"{value!r} is not one path, such as '/oauth2callback'")


def one_character(
    _instance: object, _attribute: "attrs.Attribute[str]", value: str
) -> None:
    """Refuse what cannot stand between the elements of a list."""
    if (
        len(value) != 1
        or not "\x20" <= value <= "~"
        or value == "\\"
        or value.isalnum()
    ):
        raise ValueError(f"{value!r} is not one character such as ','")


def managed_prefix(
    _instance: object, _attribute: "attrs.Attribute[str]", value: str
) -> None:
    """Refuse what cannot begin the names of fields that no client may send."""
    ManagedNames(prefixes=(value,))


@attrs.frozen(kw_only=True)
class ModAuthOpenidcConfig:
    """
    What an application knows from Apache's mod_auth_openidc, instead of our own forms.

    Every header field whose name begins with ``OIDC_`` is then ours, in every spelling.

    Attributes:
        redirect_path: The path of ``OIDCRedirectURI``, such as ``/oauth2callback``:
            logins come back there, and the hooks are there (``?logout=``, ``?info=``
            and the others).  Unset, there are none, and ours are used.
        logged_out: Where people are after ``?logout=`` without a URL, such as
            ``/goodbye``; unset, on our page.  ``OIDCDefaultLoggedOutURL``.
        info: What ``?info=`` tells pages, ``OIDCInfoHook``; none: there is no such
            hook.  Whatever script is in a page can take the ``access_token`` along.
        claims: Claims that become ``OIDC_CLAIM_<name>``, ``OIDCWhiteListedClaims``;
            none: all that there are.
        pass_claims: Whether any claims do (``OIDCPassClaimsAs``).
        claim_prefix: What stands before a claim's name.
        claim_delimiter: What stands between the elements of a list.
        claim_encoding: How values are written: ``latin1``; ``none``, which is UTF-8; or
            ``base64url`` of UTF-8.
        pass_on: What becomes a field ``OIDC_<name>`` besides: ``access_token``,
            ``access_token_type``, ``access_token_expires`` (seconds since the epoch),
            ``scope``, the ``id_token`` as it was signed, the ``id_token_payload`` and
            the ``userinfo_json``.  Whoever has the first can do what the user may do;
            give it to no backend that does not need it.
    """

    redirect_path: str = attrs.field(default="", validator=own_path)
    logged_out: str = attrs.field(default="", validator=own_path)
    info: tuple[InfoMember, ...] = ()
    claims: tuple[str, ...] = ()
    pass_claims: bool = True
    claim_prefix: str = attrs.field(default="OIDC_CLAIM_", validator=managed_prefix)
    claim_delimiter: str = attrs.field(default=",", validator=one_character)
    claim_encoding: ClaimEncoding = "latin1"
    pass_on: tuple[PassedOn, ...] = ()
