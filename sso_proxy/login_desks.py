"""Where people log in, for the routes of one configuration."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs

from sso_proxy.config.model import RouteConfig
from sso_proxy.endpoints.desks import BrowserEndpoints, Desk
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ILogin, ILogout, ISessionStore
from sso_proxy.key_places import KeyPlaces, Place
from sso_proxy.routing import Route, build_own_route
from sso_proxy.specs.jose.public_jwk import PublicKey

MakeEndpoints = Callable[
    [str, Mapping[str, Desk], Sequence[PublicKey]], BrowserEndpoints
]
"""Makes what answers at some endpoints; desks and keys may be added to what it is
given."""


class LoginDesks:
    """
    Collects the ways to log in that routes have, by host and place of endpoints.

    Args:
        make: Makes what answers there.
        keys: Our public keys there.
    """

    def __init__(self, make: MakeEndpoints, keys: KeyPlaces) -> None:
        self._make = make
        self._keys = keys
        self._desks: dict[Place, dict[str, Desk]] = {}
        self._made: dict[Place, BrowserEndpoints] = {}
        self._stores: dict[str, list[ISessionStore]] = {}

    def find(
        self,
        path: str,
        route: RouteConfig,
        authenticators: Mapping[str, Any],
        sessions: ISessionStore | None,
    ) -> tuple[BrowserEndpoints | None, tuple[str, ...]]:
        """
        Give what has people of *route* log in, and the names of their ways to do so.

        Args:
            path: Where the route is in the configuration.
            route: The route.
            authenticators: All that there are, by name.
            sessions: The route's.

        Raises:
            ConfigError: A way to log in begins other sessions on another route of the
                host: who comes back can only get one of them.  Or two ways have
                different keys with one name, and providers could take the wrong one.
                Or a provider is to end sessions that only browsers can end.  Or nobody
                knows which login comes back to the redirect path of Apache.
        """
        names = tuple(
            name
            for name in route.authenticate
            if ILogin.providedBy(authenticators.get(name))
        )
        if not names or sessions is None:
            return None, ()
        place = (route.host, route.endpoints)
        desks = self._desks.setdefault(place, {})
        callback = _callback_of(path, route, names)
        for name in names:
            desk = Desk(name=name, login=authenticators[name], sessions=sessions)
            other = desks.setdefault(name, desk)
            if (
                callback
            ):  # of all logins there by that name, whichever route they are for
                if other.callback not in {"", callback}:
                    problem = f"another route of {route.host} has another redirect_path"
                    raise ConfigError(Mistake(f"{path}.mod_auth_openidc", problem))
                desks[name] = attrs.evolve(other, callback=callback)
            if other.sessions is not sessions:
                problem = (
                    f"another route of {route.host} begins other sessions by {name!r};"
                    " make a second authenticator for them"
                )
                raise ConfigError(Mistake(f"{path}.session", problem))
            _check_ends(path, name, desk)
            stores = self._stores.setdefault(name, [])
            if sessions not in stores:
                stores.append(sessions)
        keys = [key for desk in desks.values() for key in desk.login.public_keys]
        self._keys.add(f"{path}.authenticate", place, keys)
        if place not in self._made:
            there = self._keys.at(place)
            self._made[place] = self._make(route.endpoints, desks, there)
        return self._made[place], names

    def stores_of(self, name: str) -> Sequence[ISessionStore]:
        """Give all sessions that logins by *name* begin, on whichever host."""
        return self._stores.get(name, ())

    def stores(self) -> list[ISessionStore]:
        """Give all sessions that any login begins."""
        every = (store for stores in self._stores.values() for store in stores)
        return [*{id(store): store for store in every}.values()]

    @property
    def places(self) -> Collection[Place]:
        """Give where people log in."""
        return self._made.keys()

    def routes(self) -> list[Route]:
        """Give the entries for all endpoints, for the table of routes."""
        return [
            build_own_route(host, endpoints, made)
            for (host, endpoints), made in self._made.items()
        ]


def _callback_of(path: str, route: RouteConfig, names: Sequence[str]) -> str:
    """
    Give where the logins of *route* come back, if that is another place than ours.

    Raises:
        ConfigError: There are several, and what comes back does not say whose it is.
    """
    config = route.mod_auth_openidc
    if config is None or not config.redirect_path:
        return ""
    if len(names) > 1:
        problem = (
            "needs a single authenticator that logs people in; for several providers,"
            " make it an oidc_discovery one"
        )
        raise ConfigError(Mistake(f"{path}.mod_auth_openidc.redirect_path", problem))
    return config.redirect_path


def _check_ends(path: str, name: str, desk: Desk) -> None:
    """
    Check that a provider can end sessions, if an operator relies on that.

    Raises:
        ConfigError: It cannot.
    """
    login: Any = desk.login
    if (
        ILogout.providedBy(login)
        and login.relies_on_notices
        and not desk.sessions.revocable
    ):
        problem = (
            f"authenticator {name!r} has backchannel_logout = 'on', but only browsers"
            " can end these sessions: give them a cache, and leave listed on"
        )
        raise ConfigError(Mistake(f"{path}.session", problem))
