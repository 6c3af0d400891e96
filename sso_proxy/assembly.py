"""The composition root: a configuration becomes objects that serve."""

import functools
import os
import socket
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from sso_proxy.accepting import Opening, name_of
from sso_proxy.authz.revocations import Revocations
from sso_proxy.building import Builder
from sso_proxy.config.model import Config, ListenerConfig
from sso_proxy.config.operator_parts import AuditConfig
from sso_proxy.edge.ids import RequestIds
from sso_proxy.edge.listener import Listener, ListenerRules
from sso_proxy.edge.recorder import Recorder
from sso_proxy.edge.redirect import RedirectOnly
from sso_proxy.edge.site import Rules, Site
from sso_proxy.edge.timing import make_told
from sso_proxy.errors import ConfigError
from sso_proxy.grouping import Groups
from sso_proxy.interfaces import IAuditSink, IClock, IClosable, IUpstream
from sso_proxy.managed import managed_names
from sso_proxy.metrics import GatewayCollector
from sso_proxy.model import WARNING
from sso_proxy.net.audit_sinks import Sink, build_sink
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.dispatch import Watcher
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.reactor_nest import open_nest
from sso_proxy.net.resolve import Resolver
from sso_proxy.net.ticker import Ticker
from sso_proxy.notes import notes_of, notes_of_routes
from sso_proxy.parts import Parts
from sso_proxy.pipeline import Pipeline
from sso_proxy.pipelines import pipeline_for
from sso_proxy.recent_decisions import RecentDecisions
from sso_proxy.recent_refusals import RecentRefusals
from sso_proxy.session_desk import close_ended, manage_sessions
from sso_proxy.session_log import SESSIONS
from sso_proxy.specs.http.forwarded import trusted_ranges
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.revocations import Revocation
from sso_proxy.status import describe_gateway
from sso_proxy.tools import Tools
from sso_proxy.tracing import open_spans
from sso_proxy.traffic import Traffic
from sso_proxy.upstream.http import HttpUpstream
from sso_proxy.upstream.resource import ResourceUpstream, hosted_resource
from sso_proxy.upstream.target import Patience, Target

_log = Logger()

_DAY = 86400.0


class Generation:
    """What serves under one configuration."""

    def __init__(self, gateway: "Gateway", config: Config) -> None:
        self.config = config
        self._gateway = gateway
        self.shared: dict[tuple[Any, ...], Any] = {}
        outbound = config.server.outbound
        tools = Tools(
            name="",
            clock=gateway.clock,
            http_client=self._share(
                ("http-client", outbound), lambda: HttpClient(gateway.reactor, outbound)
            ),
            reactor=gateway.reactor,
            spawn=_spawn,
            shared=self._share,
            decide_anew=gateway.decide_anew,
        )
        self._upstreams: list[Any] = []
        self._groups = Groups(self._share, self._new_upstream, gateway.ticker)
        try:
            self.parts = Builder(config, tools, self._make_upstream).build()
            by_format = self._open_streams()
            for cache in self.parts.caches:
                cache.open()
        except ConfigError:
            self.close(kept=gateway.shared)
            raise
        server = config.server
        self.trusted = trusted_ranges(server.trusted_proxies)
        self.managed = managed_names(config, self.parts.settable)
        self.recorder = Recorder(
            json=by_format["json"],
            combined=by_format["combined"],
            clock=gateway.clock,
            counts=gateway.counts,
            traffic=gateway.traffic,
            decisions=gateway.decisions,
            spans=open_spans(server.traces, tools, os.urandom),
        )
        self._deciding: dict[str, Any] = {
            "clock": gateway.clock,
            "trusted": self.trusted,
            "via": server.name,
            "new_id": gateway.new_id,
            "revoked": gateway.revocations.decide,
            "refused": gateway.refusals.note,
        }
        self.pipeline = Pipeline(self.parts.routes, **self._deciding)
        self._groups.start()

    def _pipeline_for(self, listener: ListenerConfig) -> Pipeline:
        """Give what decides on requests that come in at *listener*."""
        routes = self.parts.routes
        return pipeline_for(listener, self.pipeline, routes, **self._deciding)

    def _share(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Take over what the generation before had for *key*, or make it."""
        if key not in self.shared:
            before = self._gateway.shared
            self.shared[key] = before[key] if key in before else make()
        return self.shared[key]

    @property
    def sinks(self) -> list[Sink]:
        """Give all streams of records, each once."""
        return [part for part in self.shared.values() if isinstance(part, Sink)]

    @property
    def flush_interval(self) -> float:
        """Give the seconds between two writes of all streams."""
        return min(stream.flush_interval for _, stream in self._streams())

    def _streams(self) -> list[tuple[str, AuditConfig]]:
        server = self.config.server
        streams = [("server.audit", server.audit)]
        if server.access_log is not None:
            streams.append(("server.access_log", server.access_log))
        return streams

    def _open_streams(self) -> dict[str, list[IAuditSink]]:
        """
        Open the streams of records, by their format.

        Two writers of one file could tear each other's lines, in one generation or in
        two; so there is one.
        """
        by_format: dict[str, list[IAuditSink]] = {"json": [], "combined": []}
        for path, stream in self._streams():
            key = ("stream", stream.to, stream.file, stream.syslog)
            sink = self._share(key, functools.partial(build_sink, stream, path))
            by_format[stream.format].append(sink)
        return by_format

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
                pipeline=self._pipeline_for(listener) if serves else redirect,
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
                pages=self.parts.pages,
                timing=make_told(server.timing.networks),
            ),
            tls=tls,
            trusted=self.trusted,
            forwarded_certificate=listener.forwarded_certificate,
            speaks_proxy=speaks,
            handshake_timeout=listener.handshake_timeout,
            connections=server.connections,
            per_address=server.connections_per_address,
        )

    def close(self, kept: Mapping[tuple[Any, ...], Any]) -> None:
        """Let go of what is ours alone; *kept* is what another generation shares."""
        for part in (self._groups, *self._upstreams):
            part.close()
        for sink in self.sinks:
            if sink not in kept.values():
                sink.flush()
                sink.close()
        for part in self.shared.values():
            if IClosable.providedBy(part) and part not in kept.values():
                part.close()

    def flush(self) -> None:
        """Write the records that wait."""
        self.recorder.flush()
        for sink in self.sinks:
            sink.flush()

    def _make_upstream(self, target: Target, patience: Patience) -> Any:  # noqa: ANN401
        upstream = self._new_upstream(target, patience)
        self._upstreams.append(upstream)
        return upstream

    def _new_upstream(self, target: Target, patience: Patience) -> IUpstream:
        gateway = self._gateway
        if target.servers:
            return self._groups.make(target, patience)
        if target.application is not None:
            return ResourceUpstream(
                target.name,
                hosted_resource(target, gateway.reactor),
                depth=target.depth,
                patience=patience,
                ticker=gateway.ticker,
                reactor=gateway.reactor,
            )
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
        reactor: Any,  # noqa: ANN401
        config: Config,
        sockets: Sequence[socket.socket],
        make_nest: Callable[[Any], Watcher] = open_nest,
    ) -> None:
        self.reactor = reactor
        self._make_nest = make_nest
        self.clock: IClock = SystemClock()
        self.revocations = Revocations(self.clock)
        self.refusals = RecentRefusals(self.clock)
        self.new_id = RequestIds().next
        self._opening = Opening(reactor)
        self.counts: dict[tuple[int, str], int] = {}
        self.traffic = Traffic()
        self.decisions = RecentDecisions()
        self._config = config
        self._sockets = sockets
        self._listeners: list[Listener] = []
        self._generation: Generation | None = None
        self._report_at = 0.0

    def start(self) -> None:
        """
        Open everything and begin to accept.

        Raises:
            ConfigError: Something named cannot be built.
        """
        self.nest = self._make_nest(self.reactor)
        self.ticker = Ticker(self.reactor, self.clock)
        self.resolver = Resolver(self.reactor, self.clock)
        generation = self._generation = Generation(self, self._config)
        for i, (sock, config) in enumerate(
            zip(self._sockets, self._config.listener, strict=True)
        ):
            rules = generation.listener_rules(i)
            site = Site(name_of(config), rules.rules, self.clock)
            self._listeners.append(Listener(self.nest, sock, site, rules))
        self.ticker.call_each(self._sweep)
        self.ticker.start()
        self._flusher = LoopingCall(self._flush)
        self._flusher.clock = self.reactor
        self._flusher.start(generation.flush_interval, now=False)
        self._opening.begin(self._listeners, doubted=self.revocations.doubted)

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
            old.flush()
            old.close(kept=new.shared)
        if self._flusher.interval != new.flush_interval:
            self._flusher.stop()
            self._flusher.start(new.flush_interval, now=False)
        self.report()

    def revoke(
        self, add: Iterable[Revocation], remove: Iterable[str], *, doubted: bool | None
    ) -> None:
        """
        Refuse what is in *add*, and no longer what *remove* names.

        What was decided before is decided anew, too.
        """
        self.revocations.change(add, remove, doubted=doubted)
        self.decide_anew()
        if not self.revocations.doubted:
            self._opening.hurry()

    def decide_anew(self) -> None:
        """Decide again on what was decided before, whatever is remembered of it."""
        for listener in self._listeners:
            listener.site.decide_anew()

    async def drain(self) -> None:
        """Stop accepting, finish what is under way, and close."""
        self._opening.hurry()  # who waits is answered, even now
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
        self._flush()
        if self._generation is not None:
            self._generation.close(kept={})
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
        self._flush()
        if self._generation is not None:
            for sink in self._generation.sinks:
                sink.reopen()

    def metrics(self) -> bytes:
        """Give the state as Prometheus text."""
        self._flush()
        registry = CollectorRegistry()
        registry.register(GatewayCollector(self))
        return generate_latest(registry)

    def refusal(self, id_: str) -> dict[str, Any] | None:
        """Say why a request was refused lately; None if that is not known here."""
        return self.refusals.find(id_)

    async def status(self) -> dict[str, Any]:
        """Give what the status page shows of this process, in the types of JSON."""
        self._flush()
        return await describe_gateway(self)

    async def sessions(self, document: object) -> dict[str, Any]:
        """Do what an operator says about browser sessions."""
        stores = self.parts.sessions if self.parts is not None else {}
        return await manage_sessions(stores, document)

    @property
    def shared(self) -> Mapping[tuple[Any, ...], Any]:
        """Give what the current generation would leave to the next."""
        return self._generation.shared if self._generation is not None else {}

    @property
    def listeners(self) -> Sequence[Listener]:
        """Give the listeners, for metrics."""
        return self._listeners

    @property
    def parts(self) -> Parts | None:
        """Give what the current configuration built, for metrics."""
        return self._generation.parts if self._generation is not None else None

    def report(self) -> None:
        """Log what will be a problem soon, and what is less safe than it could be."""
        if self.parts is not None:
            parts, now = self.parts, self.clock.time()
            options = self._config.listener
            notes = notes_of(options, parts.tls, parts.healthy, now)
            for line in (*notes, *notes_of_routes(self._config)):
                _log.warn("{line}", line=line.removeprefix(WARNING))

    def _sweep(self, now: float) -> None:
        for listener in self._listeners:
            listener.sweep(now)
        if self.parts is not None:
            sites = (each.site for each in self._listeners)
            close_ended(self.parts.sessions, sites, _spawn, self.shared.get(SESSIONS))
        self.refusals.forget()
        if now >= self._report_at:
            self._report_at = now + _DAY
            self.report()

    def _flush(self) -> None:
        if self._generation is not None:
            self._generation.flush()


def _spawn(coroutine: Coroutine[Any, Any, Any]) -> None:
    deferred: Deferred[Any] = ensureDeferred(coroutine)
    deferred.addErrback(
        lambda failure: _log.failure("A task in the background failed.", failure)
    )
