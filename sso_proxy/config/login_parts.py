"""What a route asks of the logins that begin there."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import between
from sso_proxy.config.protocol_checks import one_of

RefreshFailed = Literal["end", "keep", "unavailable"]

_PROMPTS: Final = ("login", "consent", "select_account", "create")


@attrs.frozen(kw_only=True)
class RouteLoginConfig:
    """
    What is asked of the provider for this route, instead of what its table says.

    What is not set here is as the authenticator's table says.  A session that was begun
    elsewhere, with less, is not enough: the user is sent to log in again.

    Attributes:
        acr_values: Authentication contexts, the best first; the session has to have one
            of them.
        max_age: Seconds that may have passed since the user proved who they are, when
            they log in.
        prompt: What the provider shows: ``login``, ``consent``, ``select_account``,
            ``create``.
        login_hint: Who is going to log in, as far as that is known.
        ui_locales: Languages of its pages, the best first.
        claims: Single claims, as the parameter ``claims`` has them: tables ``id_token``
            and ``userinfo``.  Those that are ``essential`` have to come.
        resource: URIs of the servers that the access token is for (RFC 8707).
        refresh_failed: What becomes of requests here if a session gets no new tokens:
            ``end``, ``keep`` or ``unavailable``, as in the authenticator's table.
    """

    acr_values: tuple[str, ...] | None = None
    max_age: int | None = attrs.field(default=None, validator=optional(between(0, 2e9)))
    prompt: tuple[str, ...] | None = attrs.field(
        default=None, validator=optional(one_of(_PROMPTS))
    )
    login_hint: str | None = None
    ui_locales: tuple[str, ...] | None = None
    claims: Mapping[str, Any] | None = None
    resource: tuple[str, ...] | None = None
    refresh_failed: RefreshFailed | None = None
