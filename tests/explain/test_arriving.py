"""Where a request arrives, and why it takes the route that it takes."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.checking import build_parts
from sso_proxy.config.load import load_config
from sso_proxy.config.model import Config, ListenerConfig, NameConfig
from sso_proxy.errors import ConfigError
from sso_proxy.explain.arriving import Arrival, arrive, client_mode
from sso_proxy.explain.situation import Situation, read_client_certificate
from sso_proxy.net.clock import SystemClock
from sso_proxy.testing.pki import Pki
from tests.support.explain_scene import CONFIG, make_situation, write_config


def load(directory: Path, text: str = CONFIG) -> Config:
    return load_config(write_config(directory, text))


def arrived(config: Config, situation: Situation) -> Arrival:
    return arrive(config, build_parts(config, SystemClock()), situation)


def told(arrival: Arrival) -> tuple[int, str]:
    assert arrival.refused is not None
    return arrival.refused.status, arrival.refused.reason


def test_a_request_takes_its_route(tmp_path: Path) -> None:
    arrival = arrived(load(tmp_path), make_situation("/orders/17?a=b"))
    assert (arrival.refused, arrival.number) == (None, 0)
    assert arrival.request is not None
    assert arrival.request.head.query == "a=b"
    assert arrival.missing == {"client"}


@pytest.mark.parametrize(
    ("path", "status", "reason", "why"),
    [
        ("/other", 404, "no-route", "no path of the host"),
        ("http://b.example/", 404, "no-route", "none has the host b.example"),
        ("/orders/a%2Fb", 400, "encoded-slash", "encoded slash"),
        ("/orders/a;b", 400, "path-parameters", "parameters"),
        ("/orders/%00", 400, "path-control", "cannot be read"),
        ("/orders/.sso/login", 200, "own-endpoint", ""),
    ],
)
def test_why_it_gets_no_farther_is_said(
    tmp_path: Path, path: str, status: int, reason: str, why: str
) -> None:
    if reason == "own-endpoint":
        path = "/.sso/login"
    text = CONFIG.replace('path = "/open/"', 'path = "/"')
    if status == 404:
        text = CONFIG
    arrival = arrived(load(tmp_path, text), make_situation(path))
    assert told(arrival)[0] == status
    if reason != "path-control":
        assert told(arrival)[1] == reason
    assert why in arrival.steps[-1].text


def test_a_method_that_the_route_does_not_have_is_refused(tmp_path: Path) -> None:
    arrival = arrived(load(tmp_path), make_situation("/open/", method="POST"))
    assert told(arrival) == (405, "method")


def test_what_is_no_url_is_a_mistake(tmp_path: Path) -> None:
    config = load(tmp_path)
    for url in ("ftp://app.example.com/", "https://[", "http://"):
        with pytest.raises(ConfigError):
            arrived(config, make_situation(url))


def test_a_listener_that_only_redirects_does_so(tmp_path: Path) -> None:
    text = CONFIG + '[[listener]]\naddress = "::1"\nport = 8081\ntls = false\n'
    situation = make_situation("http://app.example.com:8081/orders/17")
    arrival = arrived(load(tmp_path, text), situation)
    assert told(arrival) == (301, "to-https")


def test_tls_may_end_before_us(tmp_path: Path) -> None:
    situation = make_situation("https://app.example.com/orders/1")
    arrival = arrived(load(tmp_path), situation)
    assert "TLS ends before us" in arrival.steps[0].text
    assert "certificate" in arrival.missing


TLS = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "server.crt"
key = "server.key"
client_ca = "ca.crt"
client_certificate = "%s"
[[listener.name]]
host = ["other.example.com"]
client_certificate = "none"
[[route]]
host = "*"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
"""


def tls_config(directory: Path, mode: str) -> Config:
    pki = Pki.create()
    pki.write(directory)
    pki.issue("app.example.com").write(directory, "server")
    pki.issue("client").write(directory, "client")
    return load(directory, TLS % mode)


def ask(directory: Path, **given: Any) -> Situation:  # noqa: ANN401
    if given.pop("cert", False):
        given["certificate"] = read_client_certificate(directory / "client.crt")
        given["certificate_known"] = True
    return make_situation("https://app.example.com/", **given)


def test_a_required_certificate_that_is_missing_ends_it(tmp_path: Path) -> None:
    config = tls_config(tmp_path, "required")
    arrival = arrived(config, ask(tmp_path, certificate_known=True))
    assert told(arrival) == (0, "handshake")


def test_a_certificate_of_a_known_ca_is_a_fact(tmp_path: Path) -> None:
    config = tls_config(tmp_path, "required")
    arrival = arrived(config, ask(tmp_path, cert=True))
    assert arrival.request is not None
    assert arrival.request.tls is not None
    assert arrival.request.tls.certificate is not None
    assert arrival.missing == {"client", "tls.version"}


def test_whether_any_certificate_is_verified_is_not_known(tmp_path: Path) -> None:
    config = tls_config(tmp_path, "optional_no_ca")
    arrival = arrived(config, ask(tmp_path, cert=True))
    assert "certificate.verified" in arrival.missing
    assert "certificate" in arrived(config, ask(tmp_path)).missing


def test_another_name_in_the_handshake_is_misdirected(tmp_path: Path) -> None:
    config = tls_config(tmp_path, "optional")
    situation = ask(tmp_path, server_name="other.example.com")
    assert told(arrived(config, situation)) == (421, "misdirected")


def test_names_have_rules_of_their_own() -> None:
    name = NameConfig(host=("*.a.example",), client_certificate="required")
    listener = ListenerConfig(address="::", client_certificate="none", name=(name,))
    assert client_mode(listener, "x.a.example") == "required"
    assert client_mode(listener, "a.example") == "none"


def test_maintenance_is_said(tmp_path: Path) -> None:
    text = CONFIG.replace(
        'path = "/open/"', 'path = "/open/"\nmaintenance = { on = true }'
    )
    arrival = arrived(load(tmp_path, text), make_situation("/open/"))
    assert told(arrival) == (503, "maintenance")
