"""Routes get the policies that they name."""

from typing import Any

import pytest

from sso_proxy.authz.conditions import compile_requirements
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import HeadersConfig
from sso_proxy.errors import ConfigError
from sso_proxy.route_policies import Found, RoutePolicies
from sso_proxy.testing.fakes import FakeLocalPolicy, FakePolicy


def find(**options: Any) -> Found:  # noqa: ANN401
    policies: dict[str, Any] = {
        "rules": FakeLocalPolicy(),
        "pdp": FakePolicy(sets=frozenset({"x-purpose"})),
    }
    given: dict[str, Any] = {
        "host": "a",
        "authenticate": ("anonymous",),
        "backend": "b",
    }
    route = RouteConfig(**given, **options)
    return RoutePolicies(policies, {}).find("route[0]", route)


def test_a_route_without_policies_has_none() -> None:
    assert find() == Found(None)


def test_a_route_has_what_it_names() -> None:
    found = find(policy=("rules", "pdp"))
    assert found.asked is not None
    assert found.asked.waits
    assert found.settable == {"x-purpose"}


def test_a_shadow_asks_nobody() -> None:
    assert find(policy=("pdp",), shadow=("rules",)).asked is not None
    with pytest.raises(ConfigError) as caught:
        find(policy=("rules",), shadow=("pdp",))
    (mistake,) = caught.value.mistakes
    assert mistake.path == "route[0].shadow[0]"


def test_a_shadow_sets_nothing() -> None:
    found = find(shadow=("rules",))
    assert found.settable == frozenset()


def test_what_could_not_be_made_was_said_already() -> None:
    with pytest.raises(ConfigError) as caught:
        find(policy=("broken",))
    assert caught.value.mistakes == ()


def test_no_client_sends_what_any_policy_sets() -> None:
    policies = {"a": FakePolicy(sets=frozenset({"x-a"})), "b": FakePolicy()}
    assert RoutePolicies(policies, {}).settable == {"x-a"}


@pytest.mark.parametrize(
    "name",
    ["content-type", "authorization", "cookie", "x_request.id", "via", "forwarded"],
)
def test_no_policy_sets_what_requests_are_read_by(name: str) -> None:
    policies = {"pdp": FakePolicy(sets=frozenset({name}))}
    (mistake,) = RoutePolicies(policies, {}).mistakes
    assert mistake.path == "policy.pdp"


@pytest.mark.parametrize(
    "headers",
    [
        HeadersConfig(user="X_Purpose"),
        HeadersConfig(claims=("urpose",), claim_prefix="X-P"),
        HeadersConfig(claim_names={"email": "X-Purpose"}),
    ],
)
def test_the_backend_gets_no_field_twice(headers: HeadersConfig) -> None:
    with pytest.raises(ConfigError) as caught:
        find(policy=("pdp",), headers=headers)
    assert "which the route gives" in caught.value.mistakes[0].problem


def test_the_names_of_our_obligations_are_taken() -> None:
    other: Any = object()
    (mistake,) = RoutePolicies({}, {"log": other, "page": other}).mistakes
    assert mistake.path == "obligation.log"


def test_conditions_are_a_policy_that_sets_nothing() -> None:
    assert compile_requirements([], "r").sets == frozenset()


def test_differences_are_counted_on_by_the_next_configuration() -> None:
    kept: dict[Any, Any] = {}
    made = [
        RoutePolicies({}, {}, lambda key, make: kept.setdefault(key, make()))
        for _ in range(2)
    ]
    assert made[0].differences is made[1].differences
