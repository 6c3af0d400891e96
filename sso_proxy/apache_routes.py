"""What applications behind Apache find again, for the routes of one configuration."""

import attrs

from sso_proxy.apache import Apache
from sso_proxy.config.model import RouteConfig
from sso_proxy.endpoints.apache_hooks import ApacheHooks
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.pages import Pages
from sso_proxy.routing import CALLBACK_OCTETS, Route
from sso_proxy.specs.apache_fields import PREFIX, ApacheFields
from sso_proxy.specs.http.names import fold


class ApacheRoutes:
    """Collects the redirect paths that routes have."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self._said: dict[tuple[str, str], RouteConfig] = {}

    def add(self, path: str, config: RouteConfig, route: Route, pages: Pages) -> None:
        """
        Take what *route* says; of several that say the same, the first does.

        Args:
            path: Where the route is in the configuration.
            config: The route as it is configured.
            route: The route.
            pages: Says what is wrong.

        Raises:
            ConfigError: Nobody logs in there, or two routes say different things.  Or a
                field has two values.
        """
        wanted = config.mod_auth_openidc
        if wanted is not None:
            _check_names(path, config)
        if wanted is None or not wanted.redirect_path:
            return
        path = f"{path}.mod_auth_openidc.redirect_path"
        redirect = wanted.redirect_path
        if route.logins is None:
            problem = "has no effect: no authenticator here logs anybody in"
            raise ConfigError(Mistake(path, problem))
        if redirect.startswith(route.endpoints):
            raise ConfigError(Mistake(path, f"is below our own {route.endpoints!r}"))
        place = (route.host, redirect)
        if not _is_alike(self._said.setdefault(place, config), config):
            problem = (
                "another route has it, too, and other authenticators, conditions or"
                " options; give one of them no mod_auth_openidc.redirect_path"
            )
            raise ConfigError(Mistake(path, problem))
        hooks = ApacheHooks(
            redirect,
            route.endpoints,
            route.login_names[0],
            route.logins,
            wanted.logged_out,
        )
        self._routes.setdefault(
            place,
            attrs.evolve(
                route,
                name=route.host + redirect,
                path=redirect,
                apache=Apache(hooks, wanted.info, pages),
                body_bytes=CALLBACK_OCTETS,
            ),
        )

    def routes(self) -> list[Route]:
        """Give the entries for the table of routes."""
        return [*self._routes.values()]


def _check_names(path: str, config: RouteConfig) -> None:
    """
    Check that no other option makes fields whose names begin like these.

    Raises:
        ConfigError: One does: what a backend would read is up to it.
    """
    headers, managed = config.headers, tuple(map(fold, apache_prefixes(config)))
    names = (
        headers.user,
        *(headers.claim_prefix + claim for claim in headers.claims),
        *headers.claim_names.values(),
        *headers.tokens.values(),
    )
    for name in names:
        if fold(name).startswith(managed):
            problem = f"{name!r} may be a field of mod_auth_openidc, too"
            raise ConfigError(Mistake(f"{path}.headers", problem))


def _is_alike(one: RouteConfig, other: RouteConfig) -> bool:
    """Say whether two routes answer alike at their redirect path."""
    alike = (
        "mod_auth_openidc",
        "authenticate",
        "session",
        "binding",
        "map_user",
        "require",
        "policy",
        "cors",
        "endpoints",
    )
    return all(getattr(one, name) == getattr(other, name) for name in alike)


def build_apache_fields(config: RouteConfig) -> ApacheFields | None:
    """Make what writes header fields for a route's backend as Apache did, if it is."""
    wanted = config.mod_auth_openidc
    if wanted is None:
        return None
    return ApacheFields(
        claims=frozenset(wanted.claims),
        pass_claims=wanted.pass_claims,
        prefix=wanted.claim_prefix,
        delimiter=wanted.claim_delimiter,
        encoding=wanted.claim_encoding,
        pass_on=frozenset(wanted.pass_on),
    )


def apache_prefixes(config: RouteConfig) -> set[str]:
    """Give how the names of fields begin that no client may send."""
    wanted = config.mod_auth_openidc
    return set() if wanted is None else {PREFIX, wanted.claim_prefix}
