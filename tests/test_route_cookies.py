"""Routes say which cookies of their applications are bound."""

from typing import Any

import attrs
import pytest

from sso_proxy.bound_cookies import COUNTS, BoundCookies
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import BindingConfig, CookieBindingConfig
from sso_proxy.device_scope import DevicePlaces
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.route_cookies import RouteCookies
from sso_proxy.testing.fakes import FakeTools
from tests.support.device_application import route_of


def build(tools: Any = None, **options: Any) -> BoundCookies | None:  # noqa: ANN401
    cookies = CookieBindingConfig(**options) if options else None
    route = RouteConfig(
        host="app.example.com",
        authenticate=("anonymous",),
        backend="http://127.0.0.1:9",
        binding=BindingConfig(cookies=cookies),
    )
    made = RouteCookies(DevicePlaces())
    return made.find("route[0]", route, tools or FakeTools())


def test_a_route_without_the_table_has_none() -> None:
    assert build() is None


def test_levels_and_names_are_those_of_the_table() -> None:
    made = build(names=("a", "b*"), certificate="prefer", token_binding="require")
    assert made is not None
    assert made.levels == {"certificate": "prefer", "token_binding": "require"}
    assert made.names.find("bcd") == "b*"
    assert made.route == "app.example.com/"
    alone = build(names=("a",), token_binding="prefer")
    assert alone is not None
    assert alone.levels == {"token_binding": "prefer"}


def test_what_became_of_them_is_counted_for_all_routes() -> None:
    shared: dict[Any, Any] = {}

    class Tools(FakeTools):
        def shared(self, key: tuple[Any, ...], make: Any) -> Any:  # noqa: ANN401
            return shared.setdefault(key, make())

    first, second = (build(Tools(), names=("a",), certificate="require") for _ in "ab")
    assert first is not None
    assert second is not None
    assert first.counts is second.counts is shared[COUNTS]


def test_without_a_key_of_ours_the_route_cannot_be() -> None:
    @attrs.define
    class Tools(FakeTools):
        def sealer(self, kind: str) -> Any:  # noqa: ANN401, ARG002
            raise ConfigError(Mistake("", "needs our own keys"))

    with pytest.raises(ConfigError) as caught:
        build(Tools(), names=("a",), certificate="require")
    (mistake,) = caught.value.mistakes
    assert mistake == Mistake("route[0].binding.cookies", "needs our own keys")


def find(made: RouteCookies, **options: Any) -> BoundCookies:  # noqa: ANN401
    """Give what binds the cookies of one more route."""
    path = options.pop("path", "/")
    route = attrs.evolve(route_of(**options), path=path)
    found = made.find("route[1]", route, FakeTools())
    assert found is not None
    return found


def test_routes_of_one_host_that_say_the_same_are_one_application() -> None:
    places = DevicePlaces()
    made = RouteCookies(places)
    first, second = find(made), find(made, path="/more/")
    assert first.devices is not None
    assert first.devices is second.devices
    tag = first.devices.tag
    assert places.find("app.example.com", "/.sso/", tag) is first.devices
    for other in (find(made, host="other.example.com"), find(made, names=("a",))):
        assert other.devices is not None
        assert other.devices.tag != tag


def test_options_do_not_change_what_an_application_is_called() -> None:
    """Or who changes one would log everybody out."""
    options = {"lifetime": 200, "grace": 10, "ends_after": 1000, "exclude": ("/a",)}
    first = find(RouteCookies(DevicePlaces()))
    second = find(RouteCookies(DevicePlaces()), device_options=options)
    assert first.devices is not None
    assert second.devices is not None
    assert first.devices.tag == second.devices.tag
    assert second.devices.ends_after == 1000
    config = second.devices.devices.config
    assert (config.lifetime, config.grace, config.exclude) == (200, 10, ("/a",))
    assert not config.clear_site_data


def test_two_tables_for_the_same_cookies_are_a_mistake() -> None:
    made = RouteCookies(DevicePlaces())
    find(made)
    with pytest.raises(ConfigError) as caught:
        find(made, device="prefer")
    (mistake,) = caught.value.mistakes
    assert mistake.path == "route[1].binding.cookies"
    assert "another route of app.example.com" in mistake.problem


def test_keys_of_devices_need_a_cache() -> None:
    @attrs.define
    class Tools(FakeTools):
        def cache(self, name: str | None, needs: frozenset[str]) -> Any:  # noqa: ANN401, ARG002
            raise ConfigError(Mistake("cache", "there is none"))

    made = RouteCookies(DevicePlaces())
    with pytest.raises(ConfigError) as caught:
        made.find("route[0]", route_of(), Tools())
    assert caught.value.mistakes == (
        Mistake("route[0].binding.cookies", "there is none"),
    )
