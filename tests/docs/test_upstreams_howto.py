"""What the page about several servers shows is so."""

import re
from pathlib import Path
from typing import Final

from prometheus_client.core import Metric

from sso_proxy.config.load import parse_config
from sso_proxy.upstream_metrics import upstream_metrics
from tests.support.upstream_lab import Lab
from tests.support.upstream_scene import UpstreamScene

PAGE: Final = Path("docs/howto/upstreams.md").read_text()
UPSTREAM, ADMIN, MAINTENANCE = re.findall(
    r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
)
REST: Final = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "tls/www.crt"
key = "tls/www.key"
client_certificate = "required"
client_ca = "tls/customers-ca.crt"
[authenticator.customers]
type = "mtls"
"""


def test_the_tables_are_read(tmp_path: Path) -> None:
    config = parse_config(REST + UPSTREAM + MAINTENANCE, tmp_path / "sso-proxy.toml")
    assert config.upstream["shop"].server[1].weight == 2
    (route,) = config.route
    assert route.maintenance is not None
    assert route.maintenance.retry_after == 600


def test_another_route_is_no_way_around(tmp_path: Path) -> None:
    changes = {
        "http://127.0.0.1:9000": "{0}",
        "staff": "anonymous",
        "www.example.com": "app.example.com",
    }
    text = ADMIN
    for old, new in changes.items():
        text = text.replace(old, new)
    proxy = UpstreamScene(tmp_path, text, count=1)
    refused = proxy.answer(proxy.send("/public/admin/users"))
    assert refused.startswith(b"HTTP/1.1 400")
    client = proxy.send("/public/users")
    proxy.servers[0].hear().send(b"HTTP/1.1 204 X\r\n\r\n")
    assert proxy.answer(client).startswith(b"HTTP/1.1 204")
    proxy.close()


def test_the_metrics_have_these_names() -> None:
    lab = Lab(count=1)
    named = {each.name.removeprefix("sso_proxy_upstream_") for each in found(lab)}
    lab.close()
    shown = PAGE[PAGE.index("Metrics begin with") :]
    assert named == {
        name
        for name in re.findall(r"`(\w+?)(?:_total)?`", shown[: shown.index("`/health")])
        if not name.startswith("sso_proxy")
    }


def found(lab: Lab) -> list[Metric]:
    return list(upstream_metrics([lab.group]))
