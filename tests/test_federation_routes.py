"""Each host says with whom it shares keys, and only one thing."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.federation_routes import FederationRoutes
from sso_proxy.routing import RouteTable
from sso_proxy.sessions.device_federation import FederationConfig
from sso_proxy.specs.dbsc.federation import WELL_KNOWN
from sso_proxy.testing.fakes import make_request

IDP = "https://login.example.com"
RP = "https://app.example.org"


def store(federation: FederationConfig | None = None) -> Any:  # noqa: ANN401
    """Make what stands for sessions that are bound to devices."""
    return SimpleNamespace(
        devices=SimpleNamespace(config=SimpleNamespace(federation=federation))
    )


PROVIDER = store(FederationConfig(relying=(RP,)))
RELYING = store(FederationConfig(provider=IDP))
ALONE = store()
UNBOUND = SimpleNamespace(devices=None)


def build(*begun: tuple[str, Any]) -> FederationRoutes:
    federation = FederationRoutes()
    for number, (host, sessions) in enumerate(begun):
        federation.add(f"route[{number}]", host, sessions)
    return federation


def test_both_sides_say_so() -> None:
    federation = build(
        ("login.example.com", PROVIDER),
        ("app.example.org", RELYING),
        ("app.example.org", RELYING),
        ("app.example.org", ALONE),
        ("x.example.org", ALONE),
        ("y.example.org", UNBOUND),
    )
    said = {}
    for route in federation.routes():
        assert route.path == WELL_KNOWN
        assert route.published is not None
        answer = route.published.answer(make_request(path=WELL_KNOWN).head)
        said[route.host] = json.loads(answer.body)
    assert said == {
        "login.example.com": {"relying_origins": [RP]},
        "app.example.org": {"provider_origin": IDP},
    }


def test_a_host_is_not_both_sides() -> None:
    with pytest.raises(ConfigError, match=r"route\[1\]\.session: other"):
        build(("a.example.org", PROVIDER), ("a.example.org", RELYING))


def test_the_document_is_found_before_any_route_of_its_host() -> None:
    routes = build(("app.example.org", RELYING)).routes()
    found = RouteTable(routes).of_host("app.example.org")
    assert found is not None
    assert found.find(WELL_KNOWN) is routes[0]
    assert found.find(f"{WELL_KNOWN}/x") is None
