"""The table ``[route.ticket]``: options, as in `sso_proxy.config.model`."""

import attrs

from sso_proxy.config.checks import Attribute, non_empty
from sso_proxy.specs.http.back_target import read_pattern
from sso_proxy.specs.http.cookies import SameSite


def _patterns(_instance: object, _attribute: Attribute, value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError("must not be empty: nobody would come back from a login")
    for text in value:
        read_pattern(text)


@attrs.frozen(kw_only=True)
class RouteTicketConfig:
    """
    How a login server gives tickets; for ``backend = "ticket:NAME"``.

    Attributes:
        domain: The domain whose hosts get the cookie: ``example.com``.  The host of
            this route is one of them.
        back: Sites that browsers may be sent back to: ``app.example.com``,
            ``*.example.com`` (every host below), ``https://app.example.com:8443``, or
            with ``http://`` sites without TLS.
        back_argument: What sites call the argument that says where to
            (``TKTAuthBackArgName``).
        back_cookie: The cookie that says so, without that argument
            (``TKTAuthBackCookieName`` of mod_auth_tkt, whose ``TKTAuthDomain`` has to
            be ``domain`` for that); unset, none does.
        cookie: The cookie's name (``TKTAuthCookieName``); unset, that of the kind of
            ticket.
        secure: Whether browsers send it over TLS only.
        http_only: Whether scripts cannot read it.
        same_site: From which pages a browser sends it: ``lax``, ``strict`` or ``none``.
    """

    domain: str = attrs.field(validator=non_empty)
    back: tuple[str, ...] = attrs.field(validator=_patterns)
    back_argument: str = attrs.field(default="back", validator=non_empty)
    back_cookie: str = ""
    cookie: str = ""
    secure: bool = True
    http_only: bool = True
    same_site: SameSite = "lax"
