"""Where pages learn of their user's session, for the routes of one configuration."""

import attrs

from sso_proxy.apache_routes import ApacheRoutes
from sso_proxy.config.model import RouteConfig
from sso_proxy.endpoints.session_info import PATH, SessionInfo
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.pages import Pages
from sso_proxy.routing import Route


class InfoRoutes:
    """Collects the routes that say so, by host and place of endpoints."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self._apache = ApacheRoutes()

    def add(self, path: str, config: RouteConfig, route: Route, pages: Pages) -> None:
        """
        Take what *route* says; of several that say the same, the first does.

        Args:
            path: Where the route is in the configuration.
            config: The route as it is configured.
            route: The route.
            pages: Says what is wrong.

        Raises:
            ConfigError: It has no sessions.
        """
        self._apache.add(path, config, route, pages)
        wanted = config.session_info
        if wanted is None:
            return
        if route.sessions is None:
            problem = "has no effect: no authenticator here logs anybody in"
            raise ConfigError(Mistake(f"{path}.session_info", problem))
        place = route.endpoints + PATH
        self._routes.setdefault(
            (route.host, place),
            attrs.evolve(
                route,
                name=route.host + place,
                path=place,
                session_info=SessionInfo(wanted, route.cors, pages),
            ),
        )

    def routes(self) -> list[Route]:
        """Give the entries for the table of routes."""
        return [*self._routes.values(), *self._apache.routes()]
