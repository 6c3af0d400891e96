"""Which header fields are ours to set: no client may send them."""

from collections.abc import Iterable

from sso_proxy.apache_routes import apache_prefixes
from sso_proxy.config.model import Config, RouteConfig
from sso_proxy.specs.http.names import ManagedNames


def managed_names(config: Config, settable: Iterable[str] = ()) -> ManagedNames:
    """
    Collect every field name that we set on any route: clients may set none.

    Args:
        config: The configuration.
        settable: Names of fields that its policies may set.
    """
    names = {*config.server.managed_headers, *settable}
    prefixes = set()
    for route in config.route:
        names.update(_names_of(route))
        prefixes |= {route.headers.claim_prefix, *apache_prefixes(route)}
    return ManagedNames(names, prefixes)


def _names_of(route: RouteConfig) -> set[str]:
    """Give the names that the backend of *route* gets besides those of a prefix."""
    headers = route.headers
    ours = (token.field for token in route.token if token.to == "header")
    others = (*headers.claim_names.values(), *headers.tokens.values(), *ours)
    return {name for name in (headers.user, *others) if name}


def told_names(route: RouteConfig) -> frozenset[str]:
    """Give the lower-case names of all fields that the backend of *route* may get."""
    headers = route.headers
    claims = {headers.claim_prefix + claim for claim in headers.claims}
    return frozenset(name.lower() for name in _names_of(route) | claims)
