"""Each host says with whom it shares keys, and only one thing."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.federation_routes import build_federation_routes
from sso_proxy.routing import RouteTable
from sso_proxy.sessions.device_federation import FederationConfig
from sso_proxy.specs.dbsc.federation import WELL_KNOWN

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
STORES = {"login": PROVIDER, "app": RELYING, "other": ALONE, "plain": UNBOUND}


def build(*begun: tuple[str, Any]) -> dict[str, Any]:
    """Give what each host says."""
    places = [(host, "/.sso/", store) for host, store in begun]
    routes = build_federation_routes(places, STORES)
    assert {route.path for route in routes} <= {WELL_KNOWN}
    return {
        route.host: json.loads(route.published.document)  # type: ignore[union-attr]
        for route in routes
    }


def test_both_sides_say_so() -> None:
    said = build(
        ("login.example.com", PROVIDER),
        ("app.example.org", RELYING),
        ("app.example.org", RELYING),
        ("app.example.org", ALONE),
        ("x.example.org", ALONE),
        ("y.example.org", UNBOUND),
        ("z.example.org", object()),
    )
    assert said == {
        "login.example.com": {"relying_origins": [RP]},
        "app.example.org": {"provider_origin": IDP},
    }


def test_a_host_is_not_both_sides() -> None:
    with pytest.raises(ConfigError, match=r"session\.app\.device\.federation: other"):
        build(("a.example.org", PROVIDER), ("a.example.org", RELYING))


def test_the_document_is_found_before_any_route_of_its_host() -> None:
    places = [("app.example.org", "/.sso/", RELYING)]
    routes = build_federation_routes(places, STORES)
    found = RouteTable(routes).of_host("app.example.org")
    assert found is not None
    assert found.find(WELL_KNOWN) is routes[0]
    assert found.find(f"{WELL_KNOWN}/x") is None
