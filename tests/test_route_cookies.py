"""Routes say which cookies of their applications are bound."""

from typing import Any

import attrs
import pytest

from sso_proxy.bound_cookies import COUNTS, BoundCookies
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import BindingConfig, CookieBindingConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.route_cookies import build_bound_cookies
from sso_proxy.testing.fakes import FakeTools


def build(tools: Any = None, **options: Any) -> BoundCookies | None:  # noqa: ANN401
    cookies = CookieBindingConfig(**options) if options else None
    route = RouteConfig(
        host="app.example.com",
        authenticate=("anonymous",),
        backend="http://127.0.0.1:9",
        binding=BindingConfig(cookies=cookies),
    )
    return build_bound_cookies("route[0]", route, tools or FakeTools())


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
