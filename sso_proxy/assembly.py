"""The composition root: a configuration becomes objects that serve."""

import itertools
import os
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.config.backend import Backend, read_backend
from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    ListenerConfig,
    RouteConfig,
)
from sso_proxy.edge.listener import Listener, ListenerRules
from sso_proxy.edge.recorder import Recorder
from sso_proxy.edge.redirect import RedirectOnly
from sso_proxy.edge.site import Rules, Site
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IAuditSink, IClock, IHealth, ITools
from sso_proxy.metrics import GatewayCollector
from sso_proxy.net.audit_sinks import build_sink
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.nest import Nest
from sso_proxy.net.resolve import Resolver
from sso_proxy.net.ticker import Ticker
from sso_proxy.net.tls.client import build_client_context
from sso_proxy.net.tls.context import ListenerTls, build_listener_tls
from sso_proxy.net.tls.material import MaterialError
from sso_proxy.net.tls.stream import ClientContext
from sso_proxy.pipeline import Pipeline
from sso_proxy.registry import Registry
from sso_proxy.routing import Route, RouteHeaders, RouteTable
from sso_proxy.specs.http.forwarded import trusted_ranges
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.upstream.http import HttpUpstream, Patience, Target

_log = Logger()


@implementer(ITools)
@attrs.frozen(kw_only=True)
class Tools:
    """What components may use of the proxy."""

    name: str
    clock: IClock
    http_client: Any
    reactor: Any
    spawn: Callable[[Coroutine[Any, Any, Any]], None]


MakeUpstream = Callable[[Target, Patience], Any]


@attrs.frozen(kw_only=True)
class Parts:
    """
    Everything that one configuration names, built.

    Attributes:
        routes: All routes.
        tls: Contexts of each listener, or None for a plain one.
        healthy: Parts whose state matters.
        upstreams: Backends by name.
    """

    routes: RouteTable
    tls: tuple[ListenerTls | None, ...]
    healthy: tuple[Any, ...]
    upstreams: tuple[Any, ...]


class Builder:
    """Builds the parts of one configuration, and collects every mistake."""

    def __init__(
        self, config: Config, tools: Tools, make_upstream: MakeUpstream
    ) -> None:
        self._config = config
        self._tools = tools
        self._make_upstream = make_upstream
        self._mistakes: list[Mistake] = []
        self._healthy: list[Any] = []
        self._upstreams: dict[Any, Any] = {}

    def build(self) -> Parts:
        """
        Build everything.

        Raises:
            ConfigError: With all mistakes.
        """
        config = self._config
        registry = Registry.load(config.server.plugin_path)
        known = {"anonymous": ComponentConfig(type="anonymous")}
        authenticators = self._family(
            registry,
            "IAuthenticator",
            "authenticator",
            {**known, **config.authenticator},
        )
        mappers = self._family(registry, "IUserMapper", "mapper", config.mapper)
        bindings = self._family(
            registry,
            "IBinding",
            "binding",
            {"certificate": ComponentConfig(type="certificate")},
        )
        routes = [
            self._try(
                self._route, f"route[{i}]", route, authenticators, mappers, bindings
            )
            for i, route in enumerate(config.route)
        ]
        tls = [
            self._try(self._tls, f"listener[{i}]", listener)
            for i, listener in enumerate(config.listener)
        ]
        if self._mistakes:
            raise ConfigError(*self._mistakes)
        return Parts(
            routes=RouteTable([route for route in routes if route is not None]),
            tls=tuple(tls),
            healthy=tuple(self._healthy),
            upstreams=tuple(self._upstreams.values()),
        )

    def _try(self, build: Callable[..., Any], path: str, *arguments: Any) -> Any:  # noqa: ANN401
        try:
            return build(path, *arguments)
        except ConfigError as e:
            self._mistakes.extend(e.mistakes)
            return None

    def _family(
        self,
        registry: Registry,
        interface: str,
        table: str,
        components: Mapping[str, ComponentConfig],
    ) -> dict[str, Any]:
        built = {}
        for name, component in components.items():
            tools = attrs.evolve(self._tools, name=name)
            path = f"{table}.{name}"
            try:
                built[name] = registry.build(interface, component, tools, path)
            except ConfigError as e:
                self._mistakes.extend(e.mistakes)
                continue
            if IHealth.providedBy(built[name]):
                self._healthy.append(built[name])
        return built

    def _tls(self, path: str, listener: ListenerConfig) -> ListenerTls | None:
        if not listener.tls:
            return None
        return build_listener_tls(listener, now=self._tools.clock.time(), path=path)

    def _route(
        self,
        path: str,
        route: RouteConfig,
        authenticators: Mapping[str, Any],
        mappers: Mapping[str, Any],
        bindings: Mapping[str, Any],
    ) -> Route | None:
        conditions = [
            self._try(_condition, f"{path}.require[{i}]", text)
            for i, text in enumerate(route.require)
        ]
        upstream = self._upstream(path, route)
        asked = [authenticators.get(name) for name in route.authenticate]
        mapped = [mappers.get(name) for name in route.map_user]
        if None in conditions or None in asked or None in mapped:
            return None  # said already
        limits = self._config.server.limits
        headers = route.headers
        claims = [
            (claim, headers.claim_names.get(claim, headers.claim_prefix + claim))
            for claim in dict.fromkeys((*headers.claims, *headers.claim_names))
        ]
        demanded = [
            bindings[kind]
            for kind, level in attrs.asdict(route.binding).items()
            if level == "require"
        ]
        return Route(
            name=route.host + route.path,
            host=route.host,
            path=route.path,
            authenticators=tuple(a for a in asked if a is not None),
            bindings={m: b for b in bindings.values() for m in b.members},
            demanded=tuple(demanded),
            mappers=tuple(m for m in mapped if m is not None),
            requirements=Requirements(tuple(conditions)),
            consumed=frozenset(n for a in asked if a is not None for n in a.consumes),
            headers=RouteHeaders(
                user=headers.user,
                claims=tuple(claims),
                client_certificate=headers.client_certificate,
            ),
            upstream=upstream,
            upstream_host=None
            if route.upstream.host == "client"
            else route.upstream.host,
            methods=frozenset(route.methods),
            encoded_slashes=route.encoded_slashes,
            path_parameters=route.path_parameters,
            upgrades=frozenset(name.lower() for name in route.upgrade),
            origins=route.origins,
            endpoints=route.endpoints,
            body_bytes=route.limits.body_bytes or limits.body_bytes,
            upgrade_idle_timeout=route.limits.upgrade_idle_timeout
            or limits.upgrade_idle_timeout,
        )

    def _upstream(self, path: str, route: RouteConfig) -> Any:  # noqa: ANN401
        """Give the route's backend; routes that reach one alike share it."""
        limits, wanted = self._config.server.limits, route.limits
        patience = Patience(
            connect_timeout=wanted.connect_timeout or limits.connect_timeout,
            response_timeout=wanted.response_timeout or limits.response_timeout,
            idle_timeout=route.upstream.idle_timeout,
            idle=route.upstream.idle,
        )
        key = (route.backend, route.upstream, patience)
        if key not in self._upstreams:
            target = self._target(path, route, read_backend(route.backend))
            self._upstreams[key] = self._make_upstream(target, patience)
        return self._upstreams[key]

    def _target(self, path: str, route: RouteConfig, backend: Backend) -> Target:
        context: ClientContext | None = None
        if backend.kind == "https":
            options = route.upstream
            context = self._try(
                _client_context,
                f"{path}.upstream",
                options.ca,
                options.certificate,
                options.key,
            )
        return Target(
            name=route.backend,
            kind=backend.kind,
            host=backend.host,
            port=backend.port,
            path=backend.target,
            tls=context,
            server_name=route.upstream.server_name or backend.host,
        )


def _condition(path: str, text: str) -> Any:  # noqa: ANN401
    return compile_condition(text, path)


def _client_context(
    path: str, ca: str | None, certificate: str | None, key: str | None
) -> ClientContext:
    try:
        return build_client_context(
            ca=_read(ca), certificate=_read(certificate), key=_read(key)
        )
    except (OSError, MaterialError) as e:
        raise ConfigError(Mistake(path, str(e))) from e


def _read(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()


def check(config: Config) -> list[str]:
    """
    Build everything that needs no socket, to see that it can be built.

    Returns:
        Notes for the operator, such as certificates that expire soon.

    Raises:
        ConfigError: With every mistake.
    """
    clock = SystemClock()
    tools = Tools(
        name="",
        clock=clock,
        http_client=HttpClient(None, config.server.outbound),
        reactor=None,
        spawn=lambda coroutine: coroutine.close(),
    )
    parts = Builder(config, tools, lambda target, _: target).build()
    now = clock.time()
    return [note for tls in parts.tls if tls is not None for note in tls.health(now)]


class Generation:
    """What serves under one configuration."""

    def __init__(self, gateway: "Gateway", config: Config) -> None:
        self.config = config
        self._gateway = gateway
        tools = Tools(
            name="",
            clock=gateway.clock,
            http_client=HttpClient(gateway.reactor, config.server.outbound),
            reactor=gateway.reactor,
            spawn=_spawn,
        )
        self.parts = Builder(config, tools, self._make_upstream).build()
        server = config.server
        self.trusted = trusted_ranges(server.trusted_proxies)
        self.managed = _managed(config)
        streams = [server.audit] + ([server.access_log] if server.access_log else [])
        self.sinks = [build_sink(stream) for stream in streams]
        by_format: dict[str, list[IAuditSink]] = {"json": [], "combined": []}
        for stream, sink in zip(streams, self.sinks, strict=True):
            by_format[stream.format].append(sink)
        self.recorder = Recorder(
            json=by_format["json"],
            combined=by_format["combined"],
            clock=gateway.clock,
            counts=gateway.counts,
        )
        self.pipeline = Pipeline(
            self.parts.routes,
            clock=gateway.clock,
            trusted=self.trusted,
            via=server.name,
            new_id=gateway.new_id,
        )

    def listener_rules(self, index: int) -> ListenerRules:
        """Give what this configuration says to its listener number *index*."""
        server, listener = self.config.server, self.config.listener[index]
        limits = server.limits
        tls = self.parts.tls[index]
        serves = tls is not None or listener.allow_plaintext
        redirect = RedirectOnly(
            self.parts.routes, listener.redirect_port, self._gateway.new_id
        )
        hsts = b""
        if tls is not None and listener.hsts:
            hsts = b"Strict-Transport-Security: max-age=%d\r\n" % listener.hsts
        speaks = None
        if listener.proxy_protocol:
            speaks = trusted_ranges(listener.proxy_protocol)
        return ListenerRules(
            rules=Rules(
                pipeline=self.pipeline if serves else redirect,
                limits=limits,
                head_limits=HeadLimits(
                    request_line=limits.request_line,
                    header_bytes=limits.header_bytes,
                    headers=limits.headers,
                ),
                managed=self.managed,
                via=server.name,
                hsts=hsts,
                record=self.recorder.record,
                new_id=self._gateway.new_id,
            ),
            tls=tls,
            trusted=self.trusted,
            speaks_proxy=speaks,
            handshake_timeout=listener.handshake_timeout,
            connections=server.connections,
            per_address=server.connections_per_address,
        )

    def close(self) -> None:
        """Let go of what the next generation does not use."""
        for upstream in self.parts.upstreams:
            upstream.close()
        for sink in self.sinks:
            sink.flush()
            sink.close()

    def _make_upstream(self, target: Target, patience: Patience) -> Any:  # noqa: ANN401
        gateway = self._gateway
        return HttpUpstream(
            target,
            patience,
            nest=gateway.nest,
            resolver=gateway.resolver,
            ticker=gateway.ticker,
        )


class Gateway:
    """Everything that serves in one process."""

    def __init__(
        self,
        reactor: Any,
        config: Config,
        sockets: Sequence[socket.socket],
    ) -> None:
        self.reactor = reactor
        self.clock: IClock = SystemClock()
        self.new_id = _id_maker()
        self.counts: Any = GatewayCollector.new_counts()
        self._config = config
        self._sockets = sockets
        self._listeners: list[Listener] = []
        self._generation: Generation | None = None

    def start(self) -> None:
        """
        Open everything and begin to accept.

        Raises:
            ConfigError: Something named cannot be built.
        """
        self.nest = Nest(self.reactor)
        self.ticker = Ticker(self.reactor, self.clock)
        self.resolver = Resolver(self.reactor, self.clock)
        generation = self._generation = Generation(self, self._config)
        for i, (sock, config) in enumerate(
            zip(self._sockets, self._config.listener, strict=True)
        ):
            rules = generation.listener_rules(i)
            site = Site(_name(config), rules.rules, self.clock)
            self._listeners.append(Listener(self.nest, sock, site, rules))
        self.ticker.call_each(self._sweep)
        self.ticker.start()
        self._flusher = LoopingCall(self._flush)
        self._flusher.clock = self.reactor
        self._flusher.start(self._config.server.audit.flush_interval, now=False)
        for listener in self._listeners:
            listener.start()
        self.report()

    async def reload(self, config: Config) -> None:
        """
        Serve by *config* from the next request on.

        Raises:
            ConfigError: It cannot be used; nothing has changed.
        """
        old, new = self._generation, Generation(self, config)
        self._generation, self._config = new, config
        for i, listener in enumerate(self._listeners):
            listener.reload(new.listener_rules(i))
        if old is not None:
            old.close()
        self.report()

    async def drain(self) -> None:
        """Stop accepting, finish what is under way, and close."""
        for listener in self._listeners:
            listener.stop()
            listener.site.drain()
        until = self.clock.monotonic() + self._config.server.drain_timeout
        while any(listener.site.connections for listener in self._listeners):
            now = self.clock.monotonic()
            if now >= until:
                break
            for listener in self._listeners:
                listener.site.close_idle()
            await deferLater(self.reactor, 0.05)
        for listener in self._listeners:
            listener.site.abort()
        self.ticker.stop()
        if self._flusher.running:
            self._flusher.stop()
        if self._generation is not None:
            self._generation.close()
        self.nest.close()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing."""
        generation = self._generation
        if generation is None:
            return ("not started",)
        now = self.clock.time()
        missing = [
            line for tls in generation.parts.tls if tls for line in tls.health(now)
        ]
        for part in generation.parts.healthy:
            missing.extend(await part.probe())
        for sink in generation.sinks:
            missing.extend(sink.health())
        return tuple(missing)

    def reopen_logs(self) -> None:
        """Open audit and access files anew."""
        if self._generation is not None:
            for sink in self._generation.sinks:
                sink.reopen()

    def metrics(self) -> bytes:
        """Give the state as Prometheus text."""
        registry = CollectorRegistry()
        registry.register(GatewayCollector(self))
        return generate_latest(registry)

    @property
    def listeners(self) -> Sequence[Listener]:
        """Give the listeners, for metrics."""
        return self._listeners

    @property
    def parts(self) -> Parts | None:
        """Give what the current configuration built, for metrics."""
        return self._generation.parts if self._generation is not None else None

    def report(self) -> None:
        """Log what will be a problem soon."""
        if self.parts is not None:
            now = self.clock.time()
            for tls in self.parts.tls:
                for line in tls.health(now) if tls is not None else ():
                    _log.warn("{line}", line=line)

    def _sweep(self, now: float) -> None:
        for listener in self._listeners:
            listener.sweep(now)

    def _flush(self) -> None:
        if self._generation is not None:
            for sink in self._generation.sinks:
                sink.flush()


def _managed(config: Config) -> ManagedNames:
    """Collect every field name that we set on any route: clients may set none."""
    names = {*config.server.managed_headers}
    prefixes = set()
    for route in config.route:
        headers = route.headers
        names.update(n for n in (headers.user, *headers.claim_names.values()) if n)
        prefixes.add(headers.claim_prefix)
    return ManagedNames(names, prefixes)


def _name(listener: ListenerConfig) -> str:
    if listener.address.startswith("unix:"):
        return listener.address
    address = f"[{listener.address}]" if ":" in listener.address else listener.address
    return f"{address}:{listener.port}"


def _id_maker() -> Callable[[], str]:
    """Make request ids: unique everywhere by their first half, here by the second."""
    prefix = os.urandom(6).hex()
    count = itertools.count(1).__next__
    return lambda: f"{prefix}-{count():x}"


def _spawn(coroutine: Coroutine[Any, Any, Any]) -> None:
    deferred: Deferred[Any] = ensureDeferred(coroutine)
    deferred.addErrback(
        lambda failure: _log.failure("A task in the background failed.", failure)
    )
