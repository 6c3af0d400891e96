"""Which header fields are ours to set: no client may send them."""

from collections.abc import Iterable

from sso_proxy.apache_routes import apache_prefixes
from sso_proxy.config.model import Config
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
        headers = route.headers
        ours = (token.field for token in route.token if token.to == "header")
        others = (*headers.claim_names.values(), *headers.tokens.values(), *ours)
        names.update(name for name in (headers.user, *others) if name)
        prefixes |= {headers.claim_prefix, *apache_prefixes(route)}
    return ManagedNames(names, prefixes)
