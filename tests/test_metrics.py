"""Numbers for operators, and whose they are not."""

from types import SimpleNamespace
from typing import Any, ClassVar

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from zope.interface import implementer

from sso_proxy.authz.policies import DIFFERENCES
from sso_proxy.bound_cookies import COUNTS
from sso_proxy.config.model import OutboundConfig
from sso_proxy.interfaces.tokens import ICountsTokens
from sso_proxy.metrics import GatewayCollector
from sso_proxy.net.http_client import HttpClient
from sso_proxy.session import Session
from sso_proxy.session_log import SESSIONS, SessionLog
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.traffic import Histogram, Traffic
from tests.support.doubles import Scene


def text(gateway: Any) -> list[str]:  # noqa: ANN401
    registry = CollectorRegistry()
    registry.register(GatewayCollector(gateway))
    return generate_latest(registry).decode().splitlines()


def gateway(parts: object = None) -> Any:  # noqa: ANN401
    counts = {(200, ""): 2, (502, "backend-tls"): 1}
    listener = SimpleNamespace(site=Scene().site)
    return SimpleNamespace(
        counts=counts, listeners=[listener], parts=parts, shared={}, traffic=Traffic()
    )


def parts(**some: Any) -> Any:  # noqa: ANN401
    return SimpleNamespace(
        **{"upstreams": (), "tls": (), "healthy": (), "named": ()} | some
    )


def test_requests_and_connections_are_counted() -> None:
    lines = text(gateway())
    assert 'sso_proxy_requests_total{reason="",status="200"} 2.0' in lines
    assert 'sso_proxy_requests_total{reason="backend-tls",status="502"} 1.0' in lines
    assert 'sso_proxy_client_connections{listener="127.0.0.1:443"} 1.0' in lines


def test_backends_and_certificates_are_shown() -> None:
    upstream = SimpleNamespace(name="http://b", counts=lambda: (3, 4))
    tls = SimpleNamespace(expiries=(("certificate", 1.8e9),))
    lines = text(gateway(parts(upstreams=(upstream,), tls=(None, tls))))
    pool = 'sso_proxy_backend_connections{backend="http://b",state="%s"} %s'
    assert pool % ("busy", "3.0") in lines
    assert pool % ("idle", "4.0") in lines
    assert 'sso_proxy_certificate_expiry_seconds{what="certificate"} 1.8e+09' in lines


def test_durations_and_decisions_are_told_by_route_and_reason() -> None:
    watched = gateway()
    watched.traffic.note("orders", 200, 0.003, 1000.0)
    watched.traffic.decisions["deny", "scope"] = 2
    watched.traffic.bindings["dpop"] = 1
    lines = text(watched)
    name = "sso_proxy_request_duration_seconds"
    assert f'{name}_bucket{{le="0.0025",route="orders"}} 0.0' in lines
    assert f'{name}_bucket{{le="0.005",route="orders"}} 1.0' in lines
    assert f'{name}_count{{route="orders"}} 1.0' in lines
    assert 'sso_proxy_decisions_total{decision="deny",reason="scope"} 2.0' in lines
    assert 'sso_proxy_bindings_total{kind="dpop"} 1.0' in lines


def test_who_answers_us_how_quickly_is_told() -> None:
    watched = gateway()
    for key in ("a", "b"):
        client = HttpClient(None, OutboundConfig())
        client.durations.note("https://op.example", 0.2)
        watched.shared["http-client", key] = client
    name = "sso_proxy_outbound_duration_seconds"
    lines = text(watched)
    assert f'{name}_bucket{{le="0.25",server="https://op.example"}} 2.0' in lines
    assert f'{name}_sum{{server="https://op.example"}} 0.4' in lines


def test_how_quickly_caches_elsewhere_answer_is_told() -> None:
    durations = Histogram()
    durations.note(0.0004)
    named = (("cache.shared", SimpleNamespace(durations=durations)), ("cache.x", None))
    lines = text(gateway(parts(named=named)))
    name = "sso_proxy_cache_duration_seconds"
    assert f'{name}_count{{cache="shared"}} 1.0' in lines
    assert not any('cache="x"' in line for line in lines)


def test_how_quickly_directories_answer_is_told() -> None:
    durations = Histogram()
    durations.note(0.02)
    named = (("checker.staff", SimpleNamespace(durations=durations)),)
    lines = text(gateway(parts(named=named)))
    name = "sso_proxy_directory_duration_seconds"
    assert f'{name}_bucket{{le="0.025",part="checker.staff"}} 1.0' in lines


def test_what_is_told_is_what_prometheus_reads() -> None:
    """Its own parser finds every family, and no more labels than are configured."""
    durations = Histogram()
    durations.note(0.0004)
    named = (("cache.shared", SimpleNamespace(durations=durations)),)
    watched = gateway(parts(named=named))
    watched.counts[200, ""] = 3
    found = text_string_to_metric_families("\n".join(text(watched)) + "\n")
    kinds = {family.name: family.type for family in found}
    assert kinds["sso_proxy_requests"] == "counter"
    assert kinds["sso_proxy_cache_duration_seconds"] == "histogram"
    assert kinds["sso_proxy_client_connections"] == "gauge"


def test_sessions_are_counted_and_nobody_is_named() -> None:
    watched = gateway()
    log = watched.shared[SESSIONS] = SessionLog()
    log.note("web", make_request(), make_session())
    log.ended["web", "one"] += 1
    log.renewed["web"] += 3
    lines = text(watched)
    authenticator = make_session().identity.authenticator
    labels = f'authenticator="{authenticator}",session="web"'
    assert f"sso_proxy_logins_total{{{labels}}} 1.0" in lines
    assert 'sso_proxy_session_endings_total{of="one",session="web"} 1.0' in lines
    assert 'sso_proxy_session_refreshes_total{session="web"} 3.0' in lines
    assert "alice" not in "".join(lines)


def test_sessions_that_may_go_on_are_counted_where_ends_are_heard() -> None:
    heard, unheard = SimpleNamespace(revocable=True), SimpleNamespace(revocable=False)
    stores = {"web": heard, "empty": heard, "light": unheard}
    watched = gateway(parts(sessions=stores))
    watched.clock = SettableClock(5.0)
    log = watched.shared[SESSIONS] = SessionLog()
    for store in ("web", "light"):
        log.note(store, make_request(), make_session())
    keys = {"dpop": "planted", "certificate": "planted"}
    log.note("web", make_request(), attrs.evolve(make_session(), keys=keys))
    found = [line for line in text(watched) if line.startswith("sso_proxy_sessions{")]
    assert sorted(found) == [
        'sso_proxy_sessions{bound="",session="empty"} 0.0',
        'sso_proxy_sessions{bound="",session="web"} 1.0',
        'sso_proxy_sessions{bound="certificate,dpop",session="web"} 1.0',
    ]


def make_session() -> Session:
    return Session(id="1", identity=make_identity(), created=1, used=1, expires=9)


def test_where_shadow_policies_differ_is_counted() -> None:
    counted = gateway(parts())
    counted.shared[DIFFERENCES] = {("new", "permit", "deny"): 3}
    name = "sso_proxy_shadow_differences_total"
    labels = 'decided="permit",policy="new",says="deny"'
    assert f"{name}{{{labels}}} 3.0" in text(counted)


def test_cookies_that_are_not_passed_on_are_counted() -> None:
    counted = gateway(parts())
    counted.shared[COUNTS] = {("app.example.com/", "refused"): 2}
    labels = 'reason="refused",route="app.example.com/"'
    assert f"sso_proxy_bound_cookies_total{{{labels}}} 2.0" in text(counted)


def test_what_became_of_tokens_is_counted_by_their_source() -> None:
    @implementer(ICountsTokens)
    class Source:
        name = "orders"
        counts: ClassVar = {"kept": 7, "issued": 1}

    lines = text(gateway(parts(healthy=(object(), Source()))))
    total = 'sso_proxy_tokens_total{outcome="%s",token="orders"} %s'
    assert total % ("kept", "7.0") in lines
    assert total % ("issued", "1.0") in lines


def test_no_series_stands_there_twice() -> None:
    lines = [line for line in text(gateway()) if not line.startswith("#")]
    names = [line.rpartition(" ")[0] for line in lines]
    assert len(names) == len(set(names))
