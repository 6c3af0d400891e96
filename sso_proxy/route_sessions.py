"""Which browser sessions the routes of one configuration have."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sso_proxy.config.model import ComponentConfig, RouteConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ISessionStore

DEFAULT: Final = "default"
"""The sessions of routes that name none, where several are configured or none are."""

MakeSessions = Callable[[str, ComponentConfig], ISessionStore | None]
"""Makes the sessions of this name; None if they cannot be made, and that was said."""


class RouteSessions:
    """
    Gives routes their sessions; makes what is configured, or asked for.

    Args:
        configured: The ``[session.N]`` tables.
        make: Makes sessions.

    Attributes:
        stores: All that were made, by name.
    """

    def __init__(
        self, configured: Mapping[str, ComponentConfig], make: MakeSessions
    ) -> None:
        self._configured = configured
        self._make = make
        made = {name: make(name, each) for name, each in configured.items()}
        self.stores = {name: store for name, store in made.items() if store is not None}

    def find(
        self, path: str, route: RouteConfig, authenticators: Iterable[Any]
    ) -> ISessionStore | None:
        """
        Give the sessions of *route*, which asks *authenticators*.

        None if it asks nobody who goes by them, or they could not be made.

        Raises:
            ConfigError: It says nothing that makes sense.
        """
        if not any(getattr(each, "reads_session", False) for each in authenticators):
            if route.session is not None:
                problem = "has no effect: no authenticator here logs anybody in"
                raise ConfigError(Mistake(f"{path}.session", problem))
            _check_device(path, "", route, None)
            return None
        name = self._choose(f"{path}.session", route.session)
        if name not in self._configured and name not in self.stores:
            made = self._make(name, ComponentConfig(type="server"))
            if made is not None:
                self.stores[name] = made
        store = self.stores.get(name)
        if store is not None:
            _check_scope(path, name, route, store)
            _check_device(path, name, route, store)
        return store

    def _choose(self, path: str, name: str | None) -> str:
        configured = list(self._configured)
        if name is None and len(configured) == 1:
            return configured[0]
        if name is None and configured and DEFAULT not in configured:
            names = ", ".join(configured)
            problem = f"there are {names}; say which, or call one default"
            raise ConfigError(Mistake(path, problem))
        return name or DEFAULT


def _check_device(
    path: str, name: str, route: RouteConfig, store: ISessionStore | None
) -> None:
    """Check that a route asks for no device where none can be proved."""
    level = route.binding.device
    if level is None or (store is not None and store.devices is not None):
        return
    problem = (
        f"nobody proves one: let binding of [session.{name}] have device, too"
        if store is not None
        else "nobody proves one: no authenticator here logs anybody in"
    )
    raise ConfigError(Mistake(f"{path}.binding.device", problem))


def _check_scope(
    path: str, name: str, route: RouteConfig, store: ISessionStore
) -> None:
    """Check that browsers send the cookie to all of a route, so that a login ends."""
    host = "any-host.invalid" if route.host == "*" else route.host.replace("*", "any")
    for option, where in (("path", route.path), ("endpoints", route.endpoints)):
        if not store.covers(host, where):
            problem = (
                f"browsers do not send the cookie of [session.{name}] to"
                f" {route.host}{where}; see its domain and path"
            )
            raise ConfigError(Mistake(f"{path}.{option}", problem))
