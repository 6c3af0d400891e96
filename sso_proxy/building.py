"""Everything that a configuration names, built, or every reason why it cannot be."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from sso_proxy.account_names import AccountNames
from sso_proxy.authn.device_binding import demanded
from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.authz.facts import Context
from sso_proxy.browser_parts import build_browser_endpoints
from sso_proxy.config.forward_auth_rules import BACKEND as FORWARD_AUTH
from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    ListenerConfig,
    RouteConfig,
)
from sso_proxy.config.suggest import unknown
from sso_proxy.device_scope import DevicePlaces
from sso_proxy.endpoints.desks import BrowserEndpoints, Desk
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.protected_resource import ProtectedResource
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.federation_routes import FederationRoutes
from sso_proxy.info_routes import InfoRoutes
from sso_proxy.interfaces import (
    IHealth,
    IPasswordChecker,
    IPublishesKeys,
    ITokenSource,
    IUserMapper,
)
from sso_proxy.key_places import ENDPOINTS, KeyPlaces, pattern_of
from sso_proxy.login_desks import LoginDesks
from sso_proxy.login_wishes import LoginWishes
from sso_proxy.maintenance import build_maintenance
from sso_proxy.managed import told_names
from sso_proxy.named_parts import NamedParts
from sso_proxy.net.tls.context import ListenerTls, build_listener_tls
from sso_proxy.outgoing import sort_consumed, sort_removed
from sso_proxy.pages import default_pages, load_pages
from sso_proxy.parts import Parts
from sso_proxy.prefixes import build_prefix, settle_prefixes
from sso_proxy.publishing import build_cors, build_offer, build_resource
from sso_proxy.registry import Registry
from sso_proxy.revocation_list import check_shared
from sso_proxy.route_cookies import RouteCookies
from sso_proxy.route_headers import build_headers
from sso_proxy.route_policies import RoutePolicies
from sso_proxy.route_sessions import RouteSessions
from sso_proxy.route_signatures import build_signer
from sso_proxy.route_tokens import RouteTokens
from sso_proxy.route_upstreams import MakeUpstream, RouteUpstreams
from sso_proxy.routing import Route, RouteTable
from sso_proxy.signing import RequestSigner
from sso_proxy.specs.jose.public_jwk import PublicKey
from sso_proxy.specs.oauth.protected_resource import Identifier
from sso_proxy.storage import Storage, state_dir_of
from sso_proxy.ticket_routes import TicketRoutes
from sso_proxy.tools import Tools
from sso_proxy.tracing import make_tracing

_ALWAYS_CHECKED = ("certificate", "token_binding")
"""The bindings that need nothing: no configuration has to ask for them."""


class Builder:
    """Builds the parts of one configuration, and collects every mistake."""

    def __init__(
        self, config: Config, tools: Tools, make_upstream: MakeUpstream
    ) -> None:
        self._config = config
        self._tools = tools
        self._mistakes: list[Mistake] = []
        self._healthy: list[tuple[str, Any]] = []
        self._upstreams = RouteUpstreams(
            config.server.limits, make_upstream, config.upstream
        )
        self._published: dict[Identifier, ProtectedResource] = {}
        self._registry: Registry
        self._sessions: RouteSessions
        self._checkers: Mapping[str, IPasswordChecker] = {}
        self._mappers = NamedParts("mapper", config.mapper, self._make_mapper)
        self._tokens: RouteTokens
        self._tickets: TicketRoutes
        self._policies: RoutePolicies
        self._pages = default_pages()
        self._keys = KeyPlaces()
        self._logins = LoginDesks(self._make_desks, self._keys)
        self._wishes = LoginWishes(config.route)
        self._names = AccountNames()
        per_minute = config.server.limits.logins_per_minute
        self._devices = DevicePlaces(AddressLimit(tools.clock, per_minute))
        self._federation = FederationRoutes()
        self._infos = InfoRoutes()
        self._cookies = RouteCookies(self._devices)
        self._limit = AddressLimit(tools.clock, per_minute)
        self._storage = Storage(
            config, self._cache, checking=self._tools.reactor is None
        )

    def build(self) -> Parts:
        """
        Build everything.

        Raises:
            ConfigError: With all mistakes.
        """
        config = self._config
        self._registry = Registry.load(config.server.plugin_path)
        self._storage.make_configured()
        self._try(lambda _: check_shared(config, self._storage), "")
        pages = self._try(lambda _, c: load_pages(c.pages), "pages", config)
        self._pages = pages or self._pages
        known = {"anonymous": ComponentConfig(type="anonymous"), **config.authenticator}
        self._checkers = self._family("IPasswordChecker", "checker", config.checker)
        authenticators = self._family("IAuthenticator", "authenticator", known)
        self._mappers.make_all()
        bindings = self._family("IBinding", "binding", self._bindings())
        self._check_kinds(bindings)
        policies = self._family("IPolicy", "policy", config.policy)
        obligations = self._family("IObligation", "obligation", config.obligation)
        self._upstreams.decide_by(policies, config.policy, self._tools.clock)
        shared = self._tools.shared
        self._policies = RoutePolicies(policies, obligations, shared)
        self._tokens = RouteTokens(
            config.token, self._make_token, self._upstreams.options_of
        )
        self._tokens.make_all()
        self._tickets = TicketRoutes(self._tokens.source, self._tools.clock)
        self._sessions = RouteSessions(config.session, self._make_sessions)
        routes = [
            self._try(self._route, f"route[{i}]", route, authenticators, bindings)
            for i, route in enumerate(config.route)
        ]
        settle_prefixes(routes)
        for name, source in self._tokens.publishers.items():
            self._try(self._publish_elsewhere, f"token.{name}.publish_at", source)
        tls = [
            self._try(self._tls, f"listener[{i}]", listener)
            for i, listener in enumerate(config.listener)
        ]
        mistakes = (
            *self._mistakes,
            *self._mappers.mistakes,
            *self._policies.mistakes,
            *self._tokens.mistakes,
            *self._storage.mistakes,
        )
        if mistakes:
            raise ConfigError(*mistakes)
        every = [route for route in (*routes, *self._own_routes()) if route is not None]
        table = RouteTable(every, tuple(self._published.values()))
        self._wishes.settle(table)
        self._names.settle(table)
        self._devices.settle(every)
        return Parts(
            routes=table,
            tls=tuple(tls),
            named=(
                *self._healthy,
                *self._storage.states(),
                *self._upstreams.states(),
            ),
            upstreams=self._upstreams.made,
            sessions=self._sessions.stores,
            pages=self._pages,
            caches=tuple(self._storage.caches),
            needs=self._storage.needs(),
            settable=self._policies.settable,
            public_keys={
                name: source.public_keys
                for name, source in self._tokens.publishers.items()
            },
        )

    def _own_routes(self) -> list[Route]:
        """Give the entries for paths that are ours, whatever routes there are."""
        logins, bound = self._logins.places, self._devices.places
        return [
            *self._logins.routes(),
            *self._devices.routes(logins, self._keys),
            *self._keys.routes(besides={*logins, *bound}),
            *self._infos.routes(),
            *self._federation.routes(),
        ]

    def _bindings(self) -> dict[str, ComponentConfig]:
        """Give the bindings that any route uses; what none does may need a cache."""
        config = self._config
        kinds = (*_ALWAYS_CHECKED, *(k for r in config.route for k in _levels(r)))
        given = {kind: ComponentConfig(type=kind) for kind in kinds}
        return {**given, **config.binding}

    def _make_desks(
        self, endpoints: str, desks: Mapping[str, Desk], keys: Sequence[PublicKey]
    ) -> BrowserEndpoints:
        """Make what answers at the endpoints of a host."""
        return build_browser_endpoints(
            endpoints,
            desks,
            keys,
            pages=self._pages,
            limit=self._limit,
            clock=self._tools.clock,
            logins=self._logins,
            wishes=self._wishes,
            tickets=self._tickets,
            devices=self._devices,
            names=self._names,
        )

    def _make_sessions(self, name: str, component: ComponentConfig) -> Any:  # noqa: ANN401
        """Make browser sessions; None if that cannot be done."""
        made = self._family("ISessionStore", "session", {name: component})
        return made.get(name)

    def _make_token(self, name: str, component: ComponentConfig) -> ITokenSource:
        """Make what gives tokens, perhaps out of those that another one gives."""
        tools = attrs.evolve(self._tools_for(name), token=self._tokens.source)
        made: ITokenSource
        made = self._make(f"token.{name}", "ITokenSource", component, tools)
        return made

    def _make_mapper(self, name: str, component: ComponentConfig) -> IUserMapper:
        """Make what names users, perhaps by asking others."""
        path, tools = f"mapper.{name}", self._tools_for(name)
        made: IUserMapper = self._make(path, "IUserMapper", component, tools)
        return made

    def _make(
        self, path: str, interface: str, component: ComponentConfig, tools: Tools
    ) -> Any:  # noqa: ANN401
        """Make a component; if it has a state, that matters."""
        made = self._registry.build(interface, component, tools, path)
        if IHealth.providedBy(made):
            self._healthy.append((path, made))
        return made

    def _check_kinds(self, bindings: Mapping[str, Any]) -> None:
        """Check that each binding is of the kind that its table is named after."""
        for name, binding in bindings.items():
            if binding.kind != name:
                problem = f"makes the kind {binding.kind!r}; name the table after it"
                self._mistakes.append(Mistake(f"binding.{name}.type", problem))

    def _try(self, build: Callable[..., Any], path: str, *arguments: Any) -> Any:  # noqa: ANN401
        try:
            return build(path, *arguments)
        except ConfigError as e:
            self._mistakes.extend(e.mistakes)
            return None

    def _family(
        self,
        interface: str,
        table: str,
        components: Mapping[str, ComponentConfig],
    ) -> dict[str, Any]:
        built = {}
        for name, component in components.items():
            tools, path = self._tools_for(name), f"{table}.{name}"
            made = self._try(self._make, path, interface, component, tools)
            if made is not None:
                built[name] = made
        return built

    def _tools_for(self, name: str) -> Tools:
        """Give what the component *name* may use."""
        return attrs.evolve(
            self._tools,
            name=name,
            state_dir=state_dir_of(self._config),
            cache=self._storage.cache,
            sealer=self._storage.sealer,
            checker=self._checker,
            mapper=self._mappers.give,
        )

    def _checker(self, name: str) -> IPasswordChecker:
        """Give a password checker, as `ITools` says."""
        known = self._config.checker
        if name not in known:
            raise ConfigError(Mistake("checker", unknown("checker", name, known)))
        found = self._checkers.get(name)
        if found is None:
            problem = f"needs checker.{name}, which cannot be used"
            raise ConfigError(Mistake("checker", problem))
        return found

    def _cache(self, name: str, component: ComponentConfig) -> Any:  # noqa: ANN401
        """Make a cache; it needs nothing that is kept."""
        tools = attrs.evolve(
            self._tools, name=name, state_dir=state_dir_of(self._config)
        )
        return self._registry.build("ICache", component, tools, f"cache.{name}")

    def _tls(self, path: str, listener: ListenerConfig) -> ListenerTls | None:
        if not listener.tls:
            return None
        return build_listener_tls(listener, now=self._tools.clock.time(), path=path)

    def _route(
        self,
        path: str,
        route: RouteConfig,
        authenticators: Mapping[str, Any],
        bindings: Mapping[str, Any],
    ) -> Route | None:
        conditions = [
            self._try(_condition, f"{path}.require[{i}]", text, route.path)
            for i, text in enumerate(route.require)
        ]
        upstream = self._try(self._upstreams.find, path, route)
        supplies = self._try(self._tokens.find, path, route)
        tls = self._upstreams.speaks_tls(route)
        signer = self._try(build_signer, path, route, self._tools.clock, tls)
        policies = self._try(self._policies.find, path, route)
        asked = [authenticators.get(name) for name in route.authenticate]
        mapped = [self._mappers.find(name) for name in route.map_user]
        levels = _levels(route)
        checked = dict.fromkeys((*_ALWAYS_CHECKED, *self._config.binding, *levels))
        bound = {kind: bindings[kind] for kind in checked if kind in bindings}
        missing = len(bound) < len(checked)
        unmade = None in conditions or None in asked or None in mapped
        if missing or unmade or any(x is None for x in (upstream, supplies, policies)):
            return None  # said already
        limits, host = self._config.server.limits, route.upstream.host
        tools = self._tools_for(path)
        consumed = sort_consumed((*asked, *supplies))
        removed, cookies = sort_removed(route.headers.remove, signer, consumed["field"])
        posts_tokens = any(token.to == "form" for token in route.token)
        offer = build_offer(route, bound.get("dpop"))
        self._publish(f"{path}.resource", build_resource(route, asked, offer))
        sessions = self._sessions.find(path, route, asked)
        logins, names = self._logins.find(path, route, authenticators, sessions)
        if sessions is not None:
            self._devices.add_sessions((route.host, route.endpoints), sessions)
        if sessions is not None and logins is not None:
            self._try(self._federation.add, path, route.host, sessions)
        wishes, login_checks = self._wishes.find(path, route, authenticators)
        self._publish_keys(path, route, signer)
        made = Route(
            name=route.host + route.path,
            host=route.host,
            path=route.path,
            authenticators=tuple(a for a in asked if a is not None),
            bindings={m: b for b in bound.values() for m in b.members},
            demanded=demanded(bound, levels),
            sessions=sessions,
            logins=logins,
            login_names=names,
            wishes=wishes,
            login_checks=login_checks,
            refresh_failed=(route.login and route.login.refresh_failed) or "",
            cookies=self._try(self._cookies.find, path, route, tools),
            mappers=tuple(m for m in mapped if m is not None),
            requirements=Requirements(tuple(conditions)),
            policies=policies.asked,
            obligations=self._policies.obligations,
            settable=policies.settable,
            consumed=consumed["field"],
            removed=removed,
            consumed_parameters=tuple(consumed["parameter"]),
            consumed_cookies=(*consumed["cookie"], *cookies),
            consumed_fields=tuple(consumed["form"]),
            reads_form=posts_tokens
            or (signer is not None and signer.digest)
            or any(getattr(a, "reads_form", False) for a in asked),
            reads_query=any(getattr(a, "reads_query", False) for a in asked)
            or any(name.startswith("?") for s in supplies for name in s.consumes),
            headers=build_headers(route),
            supplies=supplies,
            posts_tokens=posts_tokens,
            signer=signer,
            upstream=upstream,
            tracing=make_tracing(route.trace, self._config.server.traces, os.urandom),
            keeps_ids=route.backend.startswith("decisions:"),
            own=self._upstreams.own(route),
            own_names=self._upstreams.own_names(),
            asked=told_names(route) if route.backend == FORWARD_AUTH else None,
            prefix=build_prefix(route, self._upstreams.places(route)),
            maintenance=self._try(build_maintenance, path, route, tools),
            upstream_host=None if host == "client" else host,
            methods=frozenset(route.methods),
            encoded_slashes=route.encoded_slashes,
            path_parameters=route.path_parameters,
            upgrades=frozenset(name.lower() for name in route.upgrade),
            origins=route.origins,
            endpoints=route.endpoints,
            cors=build_cors(route),
            offer=offer,
            body_bytes=route.limits.body_bytes or limits.body_bytes,
            upgrade_idle_timeout=route.limits.upgrade_idle_timeout
            or limits.upgrade_idle_timeout,
            request_timeout=route.limits.request_timeout,
        )
        self._infos.add(path, route, made, self._pages)
        return self._tickets.add(path, route, made, self._pages)

    def _publish_keys(
        self, path: str, route: RouteConfig, signer: RequestSigner | None
    ) -> None:
        """Publish what tokens and requests of *route* are signed with, on its host."""
        place = route.host, route.endpoints
        if signer is not None:
            self._keys.add(f"{path}.signature.key", place, signer.public_keys)
        for number, token in enumerate(route.token):
            for source in self._tokens.publishing(token.name):
                self._keys.add(f"{path}.token[{number}]", place, source.public_keys)

    def _publish_elsewhere(self, path: str, source: IPublishesKeys) -> None:
        """Publish keys where their options say, too."""
        patterns = {route.host for route in self._config.route}
        for host in source.publish_at:
            place = pattern_of(host, patterns), ENDPOINTS
            self._keys.add(path, place, source.public_keys)

    def _publish(self, path: str, resource: ProtectedResource | None) -> None:
        """Keep what clients may read; routes may be parts of one resource."""
        if resource is None:
            return
        other = self._published.setdefault(resource.identifier, resource)
        if other != resource:
            problem = (
                f"another route says something else about {resource.identifier.text!r}"
            )
            self._mistakes.append(Mistake(path, problem))


def _levels(route: RouteConfig) -> dict[str, Any]:
    """Give the kinds of binding that a route says something about, and what."""
    levels = attrs.asdict(route.binding)  # and a table, of cookies
    return {kind: level for kind, level in levels.items() if isinstance(level, str)}


def _condition(path: str, text: str, template: str) -> Any:  # noqa: ANN401
    return compile_condition(text, path, Context(template=template))
