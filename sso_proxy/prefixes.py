"""Routes whose backend has other paths, or another name, than its clients see."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import attrs

from sso_proxy.bound_cookies import both
from sso_proxy.config.model import RouteConfig
from sso_proxy.errors import BadMessageError
from sso_proxy.model import Request
from sso_proxy.outgoing import authority
from sso_proxy.routing import HostRoutes, Route
from sso_proxy.specs.http.prefix import (
    AnswerPaths,
    PathPrefix,
    host_of,
    plain_authorities,
)
from sso_proxy.specs.http.target import canonical_path, readings

Rewrite = Callable[[bytes], bytes]


class RoutePrefix:
    """
    Changes the paths of one route, and sees that no other route is got around.

    A backend that has only another name has the same paths, but redirects to that name.

    Attributes:
        claim: The pattern of the backend's paths that the route is for.
        told: What the backend may put before its paths; empty: not that alone.

    Args:
        prefix: How paths are changed.
        path: The route's.
        host: What the backend is called, or None for what the client calls it.
        places: Where it is; some think that this is their name, or their port.
    """

    def __init__(
        self,
        prefix: PathPrefix,
        path: str,
        host: str | None = None,
        places: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._prefix = prefix
        self.claim = prefix.to_backend(path)
        self._changes = bool(prefix.strip or prefix.add)
        self.told = "" if prefix.add else prefix.strip
        self._host = host
        self._places = places
        self._claims: HostRoutes | None = None
        self._paths = lru_cache(maxsize=1024)(self._answer_paths)

    def settle(self, route: Route, routes: Sequence[Route]) -> None:
        """Learn which paths of the backend are for which of all *routes*."""
        backend = _backend_of(route)
        self._claims = HostRoutes(
            [
                attrs.evolve(each, path=_claim_of(each))
                for each in routes
                if each.host == route.host and backend & _backend_of(each)
            ]
        )

    def to_backend(self, path: str) -> str:
        """
        Give the backend's form of a canonical *path*.

        Raises:
            BadMessageError: 400: it is not canonical, or it is a path of the backend
                that another route is for (B12).
        """
        if not (self._changes and path.startswith("/")):  # or a server-wide OPTIONS
            return path
        found = self._prefix.to_backend(path)
        if canonical_path(found) != found:
            raise BadMessageError(400, "ambiguous-path")
        for reading in readings(found):
            other = None if self._claims is None else self._claims.find(reading)
            if other is None or other.path != self.claim:
                raise BadMessageError(400, "ambiguous-path")
        return found

    def rewriting(self, request: Request, then: Rewrite | None) -> Rewrite:
        """Give what changes an answer's fields, and then does *then*."""
        head = request.head
        return both(self._paths(head.scheme, head.host, head.port), then)

    def _answer_paths(self, scheme: str, host: str, port: int) -> Rewrite:
        called = authority(host, port, scheme)
        names = {called, self._host or called}
        for server, its_port in self._places:
            name = f"[{server}]" if ":" in server else server
            names |= {f"{name}:{its_port}", f"{host}:{its_port}"}
        return AnswerPaths(
            prefix=self._prefix,
            authorities=plain_authorities(names),
            origin=f"{scheme}://{called}",
            host=host,
            names=frozenset({server for server, _ in self._places})
            | ({host_of(self._host)} if self._host else set()),
        ).rewrite


def build_prefix(
    route: RouteConfig, places: Sequence[tuple[str, int]] = ()
) -> RoutePrefix | None:
    """
    Make what changes paths of *route*, or names in its answers, if anything does.

    Args:
        route: The route.
        places: Hosts and ports of its backend.
    """
    host = route.upstream.host
    name = None if host == "client" else host
    if not (route.strip_prefix or route.add_prefix or name):
        return None
    prefix = PathPrefix(route.strip_prefix, route.add_prefix)
    return RoutePrefix(prefix, route.path, name, places)


def settle_prefixes(routes: Sequence[Route | None]) -> None:
    """Let all that change paths learn of all *routes*; None is one with mistakes."""
    made = [route for route in routes if route is not None]
    for route in made:
        if route.prefix is not None:
            route.prefix.settle(route, made)


def _claim_of(route: Route) -> str:
    """Give the pattern of the backend's paths that *route* is for."""
    if route.prefix is None:
        return route.path
    claim: str = route.prefix.claim
    return claim


def _backend_of(route: Route) -> frozenset[object]:
    """Give what another route's backend has some of if it is the same."""
    places: frozenset[object] = getattr(route.upstream, "places", frozenset())
    return places | {getattr(route.upstream, "name", "")}
