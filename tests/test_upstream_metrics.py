"""What operators see of servers."""

from prometheus_client import CollectorRegistry, generate_latest

from sso_proxy.upstream_metrics import upstream_metrics
from tests.support.upstream_lab import Lab


class Collector:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def collect(self) -> object:
        return upstream_metrics([object(), self.lab.group, self.lab.group])


def test_servers_are_shown_with_what_became_of_requests() -> None:
    lab = Lab(failures=1)
    lab.servers[0].refuse()
    lab.who_gets()
    lab.servers[1].refuse()
    lab.send()[1].abandon()
    registry = CollectorRegistry()
    registry.register(Collector(lab))  # type: ignore[arg-type]
    text = generate_latest(registry).decode()
    first, second = (f'server="{each.url}",upstream="shop"' for each in lab.servers)
    for line in (
        f"sso_proxy_upstream_server_up{{{first}}} 0.0",
        f"sso_proxy_upstream_server_up{{{second}}} 1.0",
        f"sso_proxy_upstream_server_busy{{{second}}} 0.0",
        f"sso_proxy_upstream_server_requests_total{{{first}}} 1.0",
        f"sso_proxy_upstream_server_requests_total{{{second}}} 2.0",
        f'sso_proxy_upstream_server_failures_total{{failure="connect",{first}}} 1.0',
        'sso_proxy_upstream_waiting{upstream="shop"} 0.0',
        'sso_proxy_upstream_retries_total{upstream="shop"} 1.0',
    ):
        assert f"\n{line}\n" in text, line
    lab.close()
