"""Where our public keys are published, for the routes of one configuration."""

from collections.abc import Collection, Iterable, Sequence

from sso_proxy.endpoints.desks import BrowserEndpoints
from sso_proxy.endpoints.jwks import KeysAlone
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.routing import Route, build_own_route
from sso_proxy.specs.jose.public_jwk import PublicKey, check_names

Place = tuple[str, str]
"""The pattern of hosts, and where our endpoints are there."""

ENDPOINTS = "/.sso/"
"""Where they are on hosts that are for keys alone."""


class KeyPlaces:
    """Collects public keys: one set for each place, whatever the keys are for."""

    def __init__(self) -> None:
        self._keys: dict[Place, list[PublicKey]] = {}

    def add(self, path: str, place: Place, keys: Iterable[PublicKey]) -> None:
        """
        Publish *keys* at *place*, too.

        Args:
            path: What wants it, for mistakes.
            place: Where.
            keys: The keys.

        Raises:
            ConfigError: Another key there has the name of one of them: who looks it up
                could take the wrong one.
        """
        known = self._keys.get(place, [])
        new = _once(key for key in keys if key not in known)
        try:
            check_names((*known, *new))
        except ValueError as e:
            raise ConfigError(Mistake(path, str(e))) from None
        if new:
            self._keys.setdefault(place, known).extend(new)

    def at(self, place: Place) -> Sequence[PublicKey]:
        """Give the keys at *place*, of which there may come more."""
        return self._keys.setdefault(place, [])

    def routes(self, besides: Collection[Place]) -> list[Route]:
        """Give the entries for places with keys that are not among *besides*."""
        return [
            build_own_route(
                host, where, BrowserEndpoints(where, None, [KeysAlone(keys)])
            )
            for (host, where), keys in self._keys.items()
            if keys and (host, where) not in besides
        ]


def _once(keys: Iterable[PublicKey]) -> list[PublicKey]:
    """Give each of *keys* once."""
    once: list[PublicKey] = []
    for key in keys:
        if key not in once:
            once.append(key)
    return once


def pattern_of(host: str, patterns: Collection[str]) -> str:
    """
    Give the pattern under which *host* is served.

    A pattern of its own would take it from the routes that serve it now.
    """
    for pattern in (host, "*." + host.partition(".")[2], "*"):
        if pattern in patterns:
            return pattern
    return host
