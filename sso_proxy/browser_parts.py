"""Makes what answers browsers at our endpoints, where people log in."""

from collections.abc import Mapping, Sequence
from functools import partial

from sso_proxy.account_names import AccountNames
from sso_proxy.device_scope import DevicePlaces
from sso_proxy.endpoints.accounts import Accounts
from sso_proxy.endpoints.desks import BrowserEndpoints, Desk, Part
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.logins import Logins
from sso_proxy.endpoints.logouts import Logouts
from sso_proxy.endpoints.openid import OpenIds
from sso_proxy.endpoints.provider_logouts import ProviderLogouts
from sso_proxy.endpoints.session_iframes import SessionFrames
from sso_proxy.interfaces import IClock
from sso_proxy.login_desks import LoginDesks
from sso_proxy.login_wishes import LoginWishes
from sso_proxy.pages import Pages
from sso_proxy.refusals import ask_for_device_again
from sso_proxy.specs.jose.public_jwk import PublicKey
from sso_proxy.ticket_routes import TicketRoutes


def build_browser_endpoints(  # noqa: PLR0913 - all that they share with others
    endpoints: str,
    desks: Mapping[str, Desk],
    keys: Sequence[PublicKey],
    *,
    pages: Pages,
    limit: AddressLimit,
    clock: IClock,
    logins: LoginDesks,
    wishes: LoginWishes,
    tickets: TicketRoutes,
    devices: DevicePlaces,
    names: AccountNames,
) -> BrowserEndpoints:
    """
    Make what answers at the endpoints of a host.

    Args:
        endpoints: Where they are, such as ``/.sso/``.
        desks: The ways to log in there; more may be added.
        keys: Our public keys there; more may be added.
        pages: Makes pages.
        limit: How many logins may begin.
        clock: The time.
        logins: Knows what keeps sessions of all hosts.
        wishes: Knows what routes ask of logins.
        tickets: Takes tickets away at a logout.
        devices: Knows what is bound to devices.
        names: Knows what applications call people.
    """
    begins = Logins(
        endpoints,
        desks,
        pages=pages,
        limit=limit,
        clock=clock,
        keys=keys,
        wishes_at=wishes.at,
    )
    ends = Logouts(endpoints, desks, pages, tickets.clear, logins.stores)
    openids = OpenIds(endpoints, desks, pages=pages, limit=limit)
    parts: list[Part] = [
        begins,
        ends,
        openids,
        Accounts(
            endpoints,
            desks,
            pages=pages,
            clock=clock,
            logins=begins,
            logouts=ends,
            names=names.of,
            stores=logins.stores,
            ask_again=ask_for_device_again,
            document=openids,
        ),
        ProviderLogouts(desks, logins.stores_of, partial(tickets.clear, framed=True)),
        SessionFrames(endpoints, desks),
        devices.build_part(endpoints),
    ]
    return BrowserEndpoints(endpoints, begins, parts)
