"""Which routes of one configuration are login servers, and which tickets they give."""

from collections.abc import Callable
from typing import Any

import attrs

from sso_proxy.config.backend import read_backend
from sso_proxy.config.model import RouteConfig
from sso_proxy.endpoints.tickets import TicketDesk
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock, ITicketSource, ITokenSource
from sso_proxy.model import Headers, RequestHead
from sso_proxy.pages import Pages
from sso_proxy.routing import Route
from sso_proxy.specs.http.back_target import read_pattern
from sso_proxy.specs.http.domain_cookie import DomainCookie


class TicketRoutes:
    """
    Makes what gives tickets, and knows which cookies a logout takes away.

    Args:
        source: Gives a token source; raises ConfigError.
        clock: The time.
    """

    def __init__(self, source: Callable[[str], ITokenSource], clock: IClock) -> None:
        self._source = source
        self._clock = clock
        self._cookies: list[DomainCookie] = []

    def add(self, path: str, config: RouteConfig, route: Route, pages: Pages) -> Route:
        """
        Give *route* with what gives tickets there, if it does.

        Args:
            path: Where the route is in the configuration.
            config: The route as it is configured.
            route: The route.
            pages: Makes its pages.

        Raises:
            ConfigError: Its token is no ticket, or cannot be made.
        """
        wanted = config.ticket
        if wanted is None:
            return route
        name = read_backend(config.backend).target
        try:
            source: Any = self._source(name)
        except ConfigError:
            raise ConfigError from None  # said already
        if not ITicketSource.providedBy(source):
            problem = (
                f"token {name!r} is no ticket; its type has to be pubtkt or auth_tkt"
            )
            raise ConfigError(Mistake(f"{path}.backend", problem))
        cookie = DomainCookie(
            name=wanted.cookie or source.cookie,
            domain=wanted.domain,
            secure=wanted.secure,
            http_only=wanted.http_only,
            same_site=wanted.same_site,
        )
        self._cookies.append(cookie)
        desk = TicketDesk(
            source=source,
            cookie=cookie,
            back=tuple(map(read_pattern, wanted.back)),
            argument=wanted.back_argument,
            back_cookie=attrs.evolve(cookie, name=wanted.back_cookie)
            if wanted.back_cookie
            else None,
            path=route.path,
            logout="" if route.logins is None else f"{route.endpoints}logout",
            pages=pages,
            clock=self._clock,
        )
        return attrs.evolve(route, ticket=desk)

    def clear(self, head: RequestHead, *, framed: bool = False) -> Headers:
        """
        Give what takes away the tickets of who logs out.

        Args:
            head: Of the request that says so.
            framed: Whether a page of another site has the answer in a frame.
        """
        framed = framed and head.scheme == "https"
        cookies = (each for each in self._cookies if each.covers(head.host))
        fields = (cookie.clear(framed=framed) for cookie in cookies)
        return tuple(("set-cookie", field) for field in dict.fromkeys(fields))
