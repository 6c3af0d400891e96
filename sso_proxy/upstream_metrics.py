"""The state of backends of several servers as Prometheus metrics."""

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from sso_proxy.upstream.servers import Member, Servers

_OF_SERVER = ("upstream", "server")


def upstream_metrics(upstreams: Iterable[Any]) -> Iterator[Metric]:
    """Give the metrics of those of *upstreams* that have several servers."""
    groups = (getattr(upstream, "servers", None) for upstream in upstreams)
    found = dict.fromkeys(each for each in groups if isinstance(each, Servers))
    yield from _of_servers([(group, m) for group in found for m in group.members])
    waiting = GaugeMetricFamily(
        "sso_proxy_upstream_waiting",
        "Requests that wait for a server with room.",
        labels=["upstream"],
    )
    retries = CounterMetricFamily(
        "sso_proxy_upstream_retries",
        "Requests that went on to another server.",
        labels=["upstream"],
    )
    refused = CounterMetricFamily(
        "sso_proxy_upstream_refused",
        "Requests that no server got, by reason.",
        labels=["upstream", "reason"],
    )
    for group in found:
        waiting.add_metric([group.name], group.waiting)
        retries.add_metric([group.name], group.retries)
        for reason, count in group.refused.items():
            refused.add_metric([group.name, reason], count)
    yield from (waiting, retries, refused)


def _of_servers(found: Iterable[tuple[Servers, Member]]) -> Iterator[Metric]:
    up = GaugeMetricFamily(
        "sso_proxy_upstream_server_up",
        "Whether a server is well, as far as this worker knows.",
        labels=_OF_SERVER,
    )
    busy = GaugeMetricFamily(
        "sso_proxy_upstream_server_busy",
        "Requests and tunnels that a server has.",
        labels=_OF_SERVER,
    )
    requests = CounterMetricFamily(
        "sso_proxy_upstream_server_requests",
        "Requests that a server got.",
        labels=_OF_SERVER,
    )
    failures = CounterMetricFamily(
        "sso_proxy_upstream_server_failures",
        "Requests that failed at a server, by what was wrong.",
        labels=(*_OF_SERVER, "failure"),
    )
    for group, member in found:
        server = member.server
        labels = [group.name, server.name]
        up.add_metric(labels, server.standing.up)
        busy.add_metric(labels, server.busy)
        requests.add_metric(labels, server.requests)
        for kind, count in server.failures.items():
            failures.add_metric([*labels, kind], count)
    yield from (up, busy, requests, failures)
