"""What the documentation says of metrics and commands is so."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client.core import Metric

from sso_proxy.metrics import GatewayCollector
from sso_proxy.session import Session
from sso_proxy.session_log import SESSIONS, SessionLog
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.traffic import Traffic

DOCS = Path(__file__).parent.parent.parent / "docs"
ROW = re.compile(r"^\| `(sso_proxy_\w+)` \| ([^|]*) \|", re.MULTILINE)


def collected() -> dict[str, set[str]]:
    """Give the metrics of a proxy that has done something, with their labels."""
    log, traffic = SessionLog(), Traffic()
    session = Session(id="1", identity=make_identity(), created=1, used=1, expires=9)
    log.note("web", make_request(), session)
    log.ended["web", "one"] += 1
    log.renewed["web"] += 1
    traffic.note("orders", 200, 0.1, 1000.0)
    traffic.decisions["permit", ""] = 1
    traffic.bindings["dpop"] = 1
    gateway: Any = SimpleNamespace(
        counts={(200, ""): 1},
        listeners=[SimpleNamespace(site=SimpleNamespace(name="l", connections=()))],
        parts=None,
        shared={SESSIONS: log},
        traffic=traffic,
    )
    metrics: list[Metric] = list(GatewayCollector(gateway).collect())
    return {
        metric.name + ("_total" if metric.type == "counter" else ""): {
            label for s in metric.samples for label in s.labels if label != "le"
        }
        for metric in metrics
        if metric.samples
    }


def test_metrics_are_in_the_table_with_their_labels() -> None:
    text = (DOCS / "operate.md").read_text()
    rows = {
        name: set(re.findall(r"`(\w+)`", labels)) for name, labels in ROW.findall(text)
    }
    for name, labels in collected().items():
        assert rows[name] == labels, name
