"""Numbers for operators, and whose they are not."""

from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from sso_proxy.metrics import GatewayCollector
from tests.support.doubles import Scene


def text(gateway: Any) -> list[str]:  # noqa: ANN401
    registry = CollectorRegistry()
    registry.register(GatewayCollector(gateway))
    return generate_latest(registry).decode().splitlines()


def gateway(parts: object = None) -> Any:  # noqa: ANN401
    counts = GatewayCollector.new_counts()
    counts[200, ""] += 2
    counts[502, "backend-tls"] += 1
    listener = SimpleNamespace(site=Scene().site)
    return SimpleNamespace(counts=counts, listeners=[listener], parts=parts)


def test_requests_and_connections_are_counted() -> None:
    lines = text(gateway())
    assert 'sso_proxy_requests_total{reason="",status="200"} 2.0' in lines
    assert 'sso_proxy_requests_total{reason="backend-tls",status="502"} 1.0' in lines
    assert 'sso_proxy_client_connections{listener="127.0.0.1:443"} 1.0' in lines


def test_backends_and_certificates_are_shown() -> None:
    upstream = SimpleNamespace(name="http://b", counts=lambda: (3, 4))
    tls = SimpleNamespace(expiries=(("certificate", 1.8e9),))
    lines = text(gateway(SimpleNamespace(upstreams=(upstream,), tls=(None, tls))))
    pool = 'sso_proxy_backend_connections{backend="http://b",state="%s"} %s'
    assert pool % ("busy", "3.0") in lines
    assert pool % ("idle", "4.0") in lines
    assert 'sso_proxy_certificate_expiry_seconds{what="certificate"} 1.8e+09' in lines


def test_no_series_stands_there_twice() -> None:
    lines = [line for line in text(gateway()) if not line.startswith("#")]
    names = [line.rpartition(" ")[0] for line in lines]
    assert len(names) == len(set(names))
