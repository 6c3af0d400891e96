"""Routes get the backends that they name, and mistakes are said."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.config.limits import LimitsConfig, RouteLimitsConfig
from sso_proxy.config.model import RouteConfig, UpstreamConfig
from sso_proxy.config.upstream_parts import ServerOptions, UpstreamOptions
from sso_proxy.endpoints.decision_point import DecisionPoint
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.model import PERMIT
from sso_proxy.route_upstreams import RouteUpstreams
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeLocalPolicy, FakePolicy
from sso_proxy.upstream.target import Patience, Target


class Made:
    """Backends, and what they were made of."""

    def __init__(self, **named: UpstreamOptions) -> None:
        self.targets: list[tuple[Target, Patience]] = []
        self.upstreams = RouteUpstreams(LimitsConfig(), self.make, named)

    def make(self, target: Target, patience: Patience) -> object:
        self.targets.append((target, patience))
        return object()

    def route(self, **options: Any) -> RouteConfig:  # noqa: ANN401
        given: dict[str, Any] = {"backend": "http://127.0.0.1:9", **options}
        given |= {"host": "a.example", "authenticate": ("anonymous",)}
        return RouteConfig(**given)

    def find(self, **options: Any) -> object:  # noqa: ANN401
        found: object = self.upstreams.find("route[0]", self.route(**options))
        return found


def test_routes_that_reach_a_backend_alike_share_it() -> None:
    made = Made()
    first = made.find()
    assert made.find(path="/b/") is first
    assert made.find(path="/c/", backend="unix:/c") is not first
    assert len(made.upstreams.made) == 2


def test_limits_are_the_servers_unless_the_route_has_its_own() -> None:
    made = Made()
    made.find()
    made.find(path="/b/", limits=RouteLimitsConfig(connect_timeout=1.0))
    assert [p.connect_timeout for _, p in made.targets] == [5.0, 1.0]


def test_a_directory_is_hosted(tmp_path: Path) -> None:
    made = Made()
    made.find(path="/files/", backend=f"static:{tmp_path}")
    ((target, _),) = made.targets
    assert (target.kind, target.application, target.depth) == (
        "static",
        str(tmp_path),
        1,
    )


def test_our_own_paths_are_served_once_for_each_depth() -> None:
    made = Made()
    route = RouteConfig(host="a", authenticate=("anonymous",), backend="unix:/a")
    assert made.upstreams.own(route) is made.upstreams.own(route)
    ((target, _),) = made.targets
    assert (target.kind, target.depth) == ("resource", 1)
    assert "static" not in made.upstreams.own_names()


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"backend": "static:/no/such/directory"}, "route[0].backend"),
        ({"backend": "wsgi:no.such.module:app"}, "route[0].backend"),
        (
            {"backend": "https://b", "upstream": UpstreamConfig(ca="/no/such")},
            "route[0].upstream",
        ),
    ],
)
def test_a_backend_that_cannot_be_had_is_said(
    options: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Made().find(**options)
    assert [mistake.path for mistake in caught.value.mistakes] == [path]


RULES = FakeLocalPolicy(PERMIT)


def deciding() -> Made:
    made = Made()
    policies = {"main": RULES, "pdp": FakePolicy(PERMIT)}
    made.upstreams.decide_by(policies, {"main", "pdp", "bad"}, SettableClock())
    return made


def test_a_policy_may_be_what_a_route_leads_to() -> None:
    made = deciding()
    made.find(backend="decisions:main", path="/authz/")
    ((target, _),) = made.targets
    assert isinstance(target.application, DecisionPoint)
    assert (target.kind, target.depth) == ("decisions", 1)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("none", "there is no [policy.none]"),
        ("pdp", "'pdp' asks somebody; only rules can be asked"),
    ],
)
def test_only_rules_that_there_are_decide_for_others(name: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        deciding().find(backend=f"decisions:{name}")
    assert caught.value.mistakes == (Mistake("route[0].backend", problem),)


def test_what_is_wrong_with_a_policy_is_said_once() -> None:
    with pytest.raises(ConfigError) as caught:
        deciding().find(backend="decisions:bad")
    assert caught.value.mistakes == ()


def test_a_login_server_has_nothing_behind_it() -> None:
    made = Made()
    made.find(backend="ticket:main", path="/login")
    ((target, _),) = made.targets
    assert (target.kind, target.depth) == ("ticket", 1)
    assert target.application.listNames() == []


UPSTREAM = UpstreamOptions(
    server=(
        ServerOptions(url="https://a.example:8443", weight=2),
        ServerOptions(url="https://10.0.0.1"),
    ),
    server_name="inside.example",
    idle=7,
)


def test_an_upstream_has_its_servers_and_says_how_they_are_reached() -> None:
    made = Made(shop=UPSTREAM)
    route = made.route(backend="upstream:shop")
    made.find(backend="upstream:shop")
    ((target, patience),) = made.targets
    assert (target.name, target.kind, patience.idle) == ("upstream:shop", "upstream", 7)
    assert [(t.host, t.port, t.server_name) for t in target.servers] == [
        ("a.example", 8443, "inside.example"),
        ("10.0.0.1", 443, "inside.example"),
    ]
    assert all(each.tls is target.servers[0].tls for each in target.servers)
    assert made.upstreams.options_of(route) is UPSTREAM
    assert made.upstreams.speaks_tls(route)
    assert made.upstreams.places(route) == (("a.example", 8443), ("10.0.0.1", 443))


def test_what_one_server_says_is_its_routes() -> None:
    made = Made()
    route = made.route(backend="http://a.example")
    assert made.upstreams.options_of(route) is route.upstream
    assert not made.upstreams.speaks_tls(route)
    assert made.upstreams.places(route) == (("a.example", 80),)
    assert made.upstreams.places(made.route(backend="unix:/a")) == ()


def test_certificates_of_an_upstream_that_cannot_be_read_are_said() -> None:
    made = Made(shop=attrs.evolve(UPSTREAM, ca="/no/such"))
    with pytest.raises(ConfigError) as caught:
        made.find(backend="upstream:shop")
    assert [mistake.path for mistake in caught.value.mistakes] == ["upstream.shop"]
