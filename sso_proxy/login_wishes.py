"""What routes ask of the logins that begin there, for one configuration."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from sso_proxy.config.login_parts import RouteLoginConfig
from sso_proxy.config.model import RouteConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ILogin, ILoginWishes
from sso_proxy.login import Wishes
from sso_proxy.routing import LoginCheck, RouteTable


class LoginWishes:
    """
    Knows what each route asks for.

    Args:
        routes: All routes, as they are configured.
    """

    def __init__(self, routes: Sequence[RouteConfig]) -> None:
        # Where nobody asks for anything else, all sessions of a login are alike.
        self._differing = frozenset(
            name
            for route in routes
            if route.login is not None and _read(route.login) != Wishes()
            for name in route.authenticate
        )
        self._table: RouteTable | None = None

    def find(
        self, path: str, route: RouteConfig, authenticators: Mapping[str, Any]
    ) -> tuple[Wishes | None, Mapping[str, LoginCheck]]:
        """
        Give what *route* asks for, and what says whether a session is enough for that.

        Args:
            path: Where the route is in the configuration.
            route: The route.
            authenticators: All that there are, by name.

        Raises:
            ConfigError: Nobody there can be asked that.
        """
        config = route.login
        wishes = None if config is None else _read(config)
        logins = {
            name: authenticators[name]
            for name in route.authenticate
            if ILoginWishes.providedBy(authenticators.get(name))
        }
        if config is not None and wishes is not None:
            if wishes == Wishes() and config.refresh_failed is None:
                problem = "says nothing; leave it out"
                raise ConfigError(Mistake(f"{path}.login", problem))
            _check(f"{path}.login", wishes, route, authenticators, logins)
        checks = {
            name: partial(login.lacks, wishes=wishes)
            for name, login in logins.items()
            if name in self._differing
        }
        return wishes, checks

    def settle(self, table: RouteTable) -> None:
        """Take the routes, all of which have been built."""
        self._table = table

    def at(self, host: str, path: str) -> Wishes | None:
        """Give what the route of a canonical *path* asks for."""
        routes = None if self._table is None else self._table.of_host(host)
        route = None if routes is None else routes.find(path)
        return None if route is None else route.wishes


def _read(config: RouteLoginConfig) -> Wishes:
    names = (field.name for field in attrs.fields(Wishes))
    return Wishes(**{name: getattr(config, name) for name in names})


def _check(
    path: str,
    wishes: Wishes,
    route: RouteConfig,
    authenticators: Mapping[str, Any],
    logins: Mapping[str, Any],
) -> None:
    """
    Check that all who log people in can ask for what is wanted.

    Raises:
        ConfigError: One of them cannot, or there is none.
    """
    all_of_them = [
        name
        for name in route.authenticate
        if ILogin.providedBy(authenticators.get(name))
    ]
    if not all_of_them:
        problem = "has no effect: no authenticator here logs anybody in"
        raise ConfigError(Mistake(path, problem))
    for name in all_of_them:
        if name not in logins:
            problem = f"has no effect on the logins of {name!r}"
            raise ConfigError(Mistake(path, problem))
        try:
            logins[name].check_wishes(wishes)
        except ValueError as e:
            raise ConfigError(Mistake(path, str(e))) from None
