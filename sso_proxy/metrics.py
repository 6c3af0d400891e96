"""The gateway's state as Prometheus metrics; no identities in any label."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from sso_proxy.authz.policies import DIFFERENCES
from sso_proxy.bound_cookies import COUNTS
from sso_proxy.interfaces import ISessionStore
from sso_proxy.interfaces.tokens import ICountsTokens
from sso_proxy.net.http_client import HttpClient
from sso_proxy.session_log import SESSIONS, SessionLog
from sso_proxy.traffic import Histogram
from sso_proxy.upstream_metrics import upstream_metrics

if TYPE_CHECKING:
    from sso_proxy.assembly import Gateway


class GatewayCollector:
    """Reads numbers that are kept anyway, when somebody asks for them."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        """Give all metrics."""
        gateway = self._gateway
        yield _counter(
            "sso_proxy_requests",
            "Requests answered, by status and the reason for our own answers.",
            ["status", "reason"],
            (([str(status), why], n) for (status, why), n in gateway.counts.items()),
        )
        connections = GaugeMetricFamily(
            "sso_proxy_client_connections", "Open connections.", labels=["listener"]
        )
        for listener in gateway.listeners:
            site = listener.site
            connections.add_metric([site.name], len(site.connections))
        yield connections
        yield from self._traffic()
        yield from self._outward()
        yield from self._sessions()
        yield from self._parts()

    def _traffic(self) -> Iterator[Metric]:
        traffic = self._gateway.traffic
        durations = HistogramMetricFamily(
            "sso_proxy_request_duration_seconds",
            "From a request's head to the end of its answer, by route.",
            labels=["route"],
        )
        for route, histogram in traffic.durations.items():
            durations.add_metric([route], histogram.buckets(), histogram.sum)
        yield durations
        decisions = CounterMetricFamily(
            "sso_proxy_decisions",
            "Requests by what was decided on them, and why.",
            labels=["decision", "reason"],
        )
        others = sum(traffic.decisions.values())
        plain = sum(self._gateway.counts.values()) - others
        decisions.add_metric(["permit", ""], plain)
        for labels, count in traffic.decisions.items():
            decisions.add_metric(labels, count)
        yield decisions
        yield _counter(
            "sso_proxy_bindings",
            "Requests that came with a proof of a key, by its kind.",
            ["kind"],
            (([kind], count) for kind, count in traffic.bindings.items()),
        )

    def _outward(self) -> Iterator[Metric]:
        durations = HistogramMetricFamily(
            "sso_proxy_outbound_duration_seconds",
            "Requests of ours to providers, decision points and others, by whom.",
            labels=["server"],
        )
        clients = (
            c for c in self._gateway.shared.values() if isinstance(c, HttpClient)
        )
        total: dict[str, Histogram] = {}
        for client in clients:
            for server, histogram in client.durations.by_name.items():
                total.setdefault(server, Histogram()).add(histogram)
        for server, histogram in total.items():
            durations.add_metric([server], histogram.buckets(), histogram.sum)
        yield durations

    def _sessions(self) -> Iterator[Metric]:
        log: SessionLog | None = self._gateway.shared.get(SESSIONS)
        if log is None:
            return
        yield _counter(
            "sso_proxy_logins",
            "Sessions that began, by what keeps them and who logged their users in.",
            ["session", "authenticator"],
            log.begun.items(),
        )
        yield _counter(
            "sso_proxy_session_endings",
            "Ends of sessions before their time: of one, or of a group at once.",
            ["session", "of"],
            log.ended.items(),
        )
        yield _counter(
            "sso_proxy_session_refreshes",
            "Sessions that were given new tokens.",
            ["session"],
            (([session], count) for session, count in log.renewed.items()),
        )
        parts = self._gateway.parts
        if parts is not None:
            yield _sessions(parts.sessions, log, self._gateway.clock.time())

    def _parts(self) -> Iterator[Metric]:
        parts = self._gateway.parts
        if parts is None:
            return
        yield _durations(
            parts.named,
            ("cache.",),
            "sso_proxy_cache_duration_seconds",
            "What was asked of caches, by cache.",
            "cache",
        )
        yield _durations(
            parts.named,
            ("checker.", "mapper."),
            "sso_proxy_directory_duration_seconds",
            "Searches and tries of passwords in directories, by what asks.",
            "part",
        )
        pools = GaugeMetricFamily(
            "sso_proxy_backend_connections",
            "Connections to backends.",
            labels=["backend", "state"],
        )
        for upstream in parts.upstreams:
            busy, idle = upstream.counts()
            pools.add_metric([upstream.name, "busy"], busy)
            pools.add_metric([upstream.name, "idle"], idle)
        yield pools
        yield from upstream_metrics(parts.upstreams)
        expiry = GaugeMetricFamily(
            "sso_proxy_certificate_expiry_seconds",
            "When a certificate or revocation list ends, seconds since the epoch.",
            labels=["what"],
        )
        for tls in parts.tls:
            for what, not_after in tls.expiries if tls is not None else ():
                expiry.add_metric([what], not_after)
        yield expiry
        tokens = CounterMetricFamily(
            "sso_proxy_tokens",
            "What became of requests for tokens for backends, by source of tokens.",
            labels=["token", "outcome"],
        )
        for part in filter(ICountsTokens.providedBy, parts.healthy):
            for outcome, count in part.counts.items():
                tokens.add_metric([part.name, outcome], count)
        yield tokens
        yield _counter(
            "sso_proxy_shadow_differences",
            "Requests of which a shadow policy says something else than was decided.",
            ["policy", "decided", "says"],
            self._gateway.shared.get(DIFFERENCES, {}).items(),
        )
        yield _counter(
            "sso_proxy_bound_cookies",
            "Cookies of applications that were not passed on, by route and reason.",
            ["route", "reason"],
            self._gateway.shared.get(COUNTS, {}).items(),
        )


def _sessions(
    stores: Mapping[str, ISessionStore], begun: SessionLog, now: float
) -> Metric:
    """Count those of the stores that hear of ends; others would only grow."""
    found = GaugeMetricFamily(
        "sso_proxy_sessions",
        "Sessions that began lately here and may go on, 500 at most.",
        labels=["session", "bound"],
    )
    counts = begun.counts(now)
    for name, store in stores.items():
        if store.revocable:
            kinds = {kinds: n for (of, kinds), n in counts.items() if of == name}
            for bound, count in (kinds or {"": 0}).items():
                found.add_metric([name, bound], count)
    return found


def _counter(
    name: str,
    what: str,
    labels: Sequence[str],
    counts: Iterable[tuple[Sequence[str], float]],
) -> Metric:
    """Give *counts*, each with the values of *labels*."""
    found = CounterMetricFamily(name, what, labels=labels)
    for values, count in counts:
        found.add_metric(values, count)
    return found


def _durations(
    named: Iterable[tuple[str, Any]],
    families: tuple[str, ...],
    name: str,
    what: str,
    label: str,
) -> Metric:
    """Give how quickly parts of *families* are answered, those that know it."""
    found = HistogramMetricFamily(name, what, labels=[label])
    for place, part in named:
        durations = getattr(part, "durations", None)
        if place.startswith(families) and isinstance(durations, Histogram):
            # Those of one family are told apart by their names alone.
            shown = place if len(families) > 1 else place.removeprefix(families[0])
            found.add_metric([shown], durations.buckets(), durations.sum)
    return found
