"""
Which paths of a host need the proof of a device-bound session.

They are computed from the routes: requests that no session is looked at for must not
wait for a proof, and all others have to.  Browsers match whole segments at the
beginning of a path and know no templates; where a template leaves a doubt, a path is
in scope: then a browser asks once more than it had to, and nobody is locked out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final

from sso_proxy.endpoints.desks import BrowserEndpoints, Part
from sso_proxy.endpoints.device_sessions import Bound, DeviceSessions, SessionHolders
from sso_proxy.endpoints.jwks import KeysAlone
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.interfaces import ISessionStore
from sso_proxy.key_places import KeyPlaces, Place, pattern_of
from sso_proxy.model import RequestHead
from sso_proxy.routing import Route, build_own_route
from sso_proxy.sessions.device_talk import DeviceScope
from sso_proxy.specs.dbsc.instructions import Kind, Rule

Uses = Callable[[Route], bool]
"""Says whether requests of a route need the proof."""

_HOSTS: Final = 256
"""Hosts of which is remembered what browsers are told."""

_PROOFS: Final = "dbsc/"
"""What must never wait for a proof: where proofs are sent to."""


class DevicePlaces:
    """
    Collects what is bound to devices, by host and place of endpoints.

    Args:
        limit: How many keys one address may register; None for any number.
    """

    def __init__(self, limit: AddressLimit | None = None) -> None:
        self._limit = limit
        self._bound: dict[Place, dict[str, Bound]] = {}
        self._uses: dict[tuple[Place, str], Uses] = {}
        self._routes: Mapping[str, Sequence[Route]] = {}
        self._scope = lru_cache(_HOSTS)(self._find_scope)

    def add(self, place: Place, bound: Bound, uses: Uses) -> None:
        """
        Have browsers bind something at *place*.

        Args:
            place: The pattern of hosts, and where our endpoints are there.
            bound: What.
            uses: Which routes need it.
        """
        tag = bound.devices.tag
        self._bound.setdefault(place, {})[tag] = bound
        self._uses[place, tag] = uses
        bound.devices.scope_of = partial(self._scope_of, tag)

    def add_sessions(self, place: Place, store: ISessionStore) -> None:
        """Have browsers bind the sessions of *store*, if they are to be bound."""
        if store.devices is not None:
            bound = SessionHolders(store)
            self.add(place, bound, lambda route: route.sessions is store)

    def find(self, host: str, endpoints: str, tag: str) -> Bound | None:
        """Give what can be bound on *host*, at a place of endpoints, under a tag."""
        return self._bound.get((self._pattern_of(host), endpoints), {}).get(tag)

    def build_part(self, endpoints: str) -> DeviceSessions:
        """Build what answers browsers at a place of *endpoints*."""
        return DeviceSessions(endpoints, self.find, self._limit)

    @property
    def places(self) -> Collection[Place]:
        """Give where something can be bound."""
        return self._bound.keys()

    def routes(self, besides: Collection[Place], keys: KeyPlaces) -> list[Route]:
        """Give the entries for places that are not among *besides*, with our *keys*."""
        return [
            build_own_route(host, where, self._alone(host, where, keys))
            for host, where in self._bound
            if (host, where) not in besides
        ]

    def _alone(self, host: str, where: str, keys: KeyPlaces) -> BrowserEndpoints:
        known = keys.at((host, where))
        parts: list[Part] = [self.build_part(where), KeysAlone(known)]
        return BrowserEndpoints(where, None, parts)

    def settle(self, routes: Iterable[Route]) -> None:
        """Take all routes, once they have been built."""
        by_host: dict[str, list[Route]] = {}
        for route in routes:
            by_host.setdefault(route.host, []).append(route)
        self._routes = by_host
        self._scope.cache_clear()

    def _scope_of(self, tag: str, head: RequestHead) -> DeviceScope:
        return self._scope(tag, head.host)

    def _find_scope(self, tag: str, host: str) -> DeviceScope:
        """
        Say what browsers are told of a *host*.

        One that is told of nothing to be excluded asks too often, no more.
        """
        pattern = self._pattern_of(host)
        places = (p for p, bound in self._bound.items() if tag in bound)
        place = next((p for p in places if p[0] == pattern), None)
        if place is None:
            return DeviceScope()
        where, uses = place[1], self._uses[place, tag]

        def needs(route: Route) -> bool:
            return uses(route) or route.path == where

        rules = build_rules(self._routes[pattern], needs, host, where)
        return DeviceScope(endpoints=where, rules=rules)

    def _pattern_of(self, host: str) -> str:
        return pattern_of(host, self._routes.keys())


def build_rules(
    routes: Iterable[Route],
    uses: Uses,
    host: str,
    endpoints: str = "",
) -> tuple[Rule, ...]:
    """
    Give the rules for requests to *host*: of two, the one with the longer path counts.

    Args:
        routes: All routes of the host.
        uses: Says whether a route needs the proof.
        host: What the rules are for.
        endpoints: Where our endpoints are; those that take proofs need none.
    """
    kinds = _kinds_of(routes, uses)
    if endpoints:
        kinds[endpoints + _PROOFS] = "exclude"
    rules: list[Rule] = []
    for path, kind in sorted(kinds.items(), key=lambda item: len(item[0])):
        around = [rule for rule in rules if rule.matches(host, path)]
        now = max(around, key=_length).kind if around else "include"
        if now != kind:
            rules.append(Rule(kind, host, path))
    return tuple(rules)


def _kinds_of(routes: Iterable[Route], uses: Uses) -> dict[str, Kind]:
    """Say of paths whether they need the proof, and all below that has no own entry."""
    kinds: dict[str, Kind] = {}
    templates: list[str] = []
    for route in routes:
        used = uses(route)
        before, brace, _ = route.path.partition("{")
        if not brace:
            _note(kinds, route.path, used=used)
        elif used:
            templates.append(route.path)
            _note(kinds, before, used=True)
    for template in templates:
        for path in [path for path, kind in kinds.items() if kind == "exclude"]:
            if _may_win(template, path):
                del kinds[path]
    for path in [path for path, kind in kinds.items() if kind == "include"]:
        if kinds.get(path + "/") == "exclude":
            del kinds[path + "/"]  # the first of both in the file has what is below
    return kinds


def _note(kinds: dict[str, Kind], path: str, *, used: bool) -> None:
    """Note what is said of *path*; who needs the proof is heard first."""
    if used or kinds.get(path) != "include":
        kinds[path] = "include" if used else "exclude"


def _may_win(template: str, path: str) -> bool:
    """Say whether *template* may be the better match for something below *path*."""
    segments, others = template.strip("/").split("/"), path.strip("/").split("/")
    if others == [""] or len(segments) <= len(others):
        return False  # what is excluded there is the longer match, or includes this
    pairs = list(zip(segments, others, strict=False))
    begins = next(i for i, one in enumerate(segments) if one.startswith("{"))
    if begins >= len(others):
        return False  # what the template begins with has a rule of its own
    return all(one.startswith("{") or one == other for one, other in pairs)


def _length(rule: Rule) -> int:
    return len(rule.path)
