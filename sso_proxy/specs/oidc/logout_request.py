"""
Send somebody who logs out to the provider (OpenID Connect RP-Initiated Logout 1.0).

The provider then asks them, or knows by the ID token whom and where from.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import attrs

from sso_proxy.specs.oidc.request import check_url

LONGEST: Final = 7500
"""Octets of a URL that servers take, which have 8,000 for the whole first line."""

OURS: Final = frozenset(
    {
        "client_id",
        "id_token_hint",
        "logout_hint",
        "post_logout_redirect_uri",
        "state",
        "ui_locales",
    }
)
"""Parameters that nobody else sets."""


@attrs.frozen(kw_only=True)
class LogoutRequest:
    """
    What a provider is told (section 2); what is empty is left out.

    Attributes:
        client_id: Who we are.
        id_token_hint: The ID token of the login, signed and not encrypted.
        logout_hint: Whom it is about, as the provider knows them.
        post_logout_redirect_uri: Where it sends the browser back.
        state: Comes back there.
        ui_locales: Languages for its pages, the best first.
        extra: Further parameters.
    """

    client_id: str
    id_token_hint: str = attrs.field(default="", repr=False)
    logout_hint: str = attrs.field(default="", repr=False)
    post_logout_redirect_uri: str = ""
    state: str = attrs.field(default="", repr=False)
    ui_locales: tuple[str, ...] = ()
    extra: Mapping[str, str] = attrs.field(factory=dict)


def build_logout_url(endpoint: str, request: LogoutRequest) -> str:
    """
    Give the URL that the browser is sent to.

    An ID token that makes it longer than `LONGEST` is left out: it is a hint, and the
    provider asks the user without.

    Args:
        endpoint: The provider's ``end_session_endpoint``; its query is retained.
        request: What to tell.

    Raises:
        ValueError: *endpoint* is no URL, has a parameter of ours already, or the URL is
            too long without the ID token, too.
    """
    query = check_url("end_session_endpoint", endpoint)
    fields = {
        "id_token_hint": request.id_token_hint,
        "client_id": request.client_id,
        "logout_hint": request.logout_hint,
        "post_logout_redirect_uri": request.post_logout_redirect_uri,
        "state": request.state if request.post_logout_redirect_uri else "",
        "ui_locales": " ".join(request.ui_locales),
    }
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in OURS or name in request.extra:
            raise ValueError(f"end_session_endpoint has {name} already")
    added = {name: value for name, value in fields.items() if value} | {
        name: value for name, value in request.extra.items() if name not in OURS
    }
    start = endpoint.removesuffix("?") + ("&" if query else "?")
    url = start + _encode(added)
    if len(url) > LONGEST:
        added.pop("id_token_hint", None)
        url = start + _encode(added)
    if len(url) > LONGEST:
        raise ValueError(f"the request has more than {LONGEST} characters")
    return url


def _encode(fields: Mapping[str, str]) -> str:
    return urlencode(fields, quote_via=quote, safe="")
