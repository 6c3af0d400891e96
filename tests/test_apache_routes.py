"""Redirect paths and header fields of mod_auth_openidc, by what routes say."""

from typing import Any

import attrs
import pytest

from sso_proxy.apache_routes import ApacheRoutes, build_apache_fields
from sso_proxy.config.apache_parts import ModAuthOpenidcConfig
from sso_proxy.config.model import Config, ListenerConfig, RouteConfig
from sso_proxy.config.route_parts import HeadersConfig
from sso_proxy.endpoints.desks import BrowserEndpoints
from sso_proxy.errors import ConfigError
from sso_proxy.managed import managed_names
from sso_proxy.pages import default_pages
from sso_proxy.routing import HostRoutes, Route
from tests.support.doubles import FakeUpstream, make_route
from tests.support.login_scene import LoginScene

PATH = "/oauth2callback"
WANTED = ModAuthOpenidcConfig(redirect_path=PATH)


def config(**options: Any) -> RouteConfig:  # noqa: ANN401
    given = {
        "host": "app.example.com",
        "authenticate": ("corp",),
        "backend": "http://127.0.0.1:9000",
        "mod_auth_openidc": WANTED,
        **options,
    }
    return RouteConfig(**given)


def route(**parts: Any) -> Route:  # noqa: ANN401
    scene = LoginScene()
    desk: BrowserEndpoints = scene.desk
    given = {"sessions": scene.store, "logins": desk, "login_names": ("corp",), **parts}
    return make_route(FakeUpstream(), **given)


def add(routes: ApacheRoutes, wanted: RouteConfig, made: Route) -> None:
    routes.add("route[0]", wanted, made, default_pages())


def test_it_is_an_entry_of_its_own_with_all_that_the_route_demands() -> None:
    routes, first = ApacheRoutes(), route()
    add(routes, config(), first)
    add(routes, config(path="/more/"), route(path="/more/"))
    add(routes, config(mod_auth_openidc=None), route())
    add(routes, config(mod_auth_openidc=ModAuthOpenidcConfig()), route())
    (found,) = routes.routes()
    assert (found.path, found.host) == (PATH, "app.example.com")
    assert found.apache is not None
    for part in ("sessions", "mappers", "requirements", "bindings", "demanded", "cors"):
        assert getattr(found, part) is getattr(first, part)


def test_it_is_that_path_and_nothing_else() -> None:
    routes, first = ApacheRoutes(), route()
    add(routes, config(), first)
    below = route(path=PATH + "/")
    host = HostRoutes([below, first, *routes.routes()])
    found = host.find(PATH)
    assert found is not None
    assert found.apache is not None
    assert host.find(PATH + "/") is below
    assert host.find(PATH + "/x") is below
    assert host.find(PATH + "x") is first


@pytest.mark.parametrize(
    ("wanted", "parts"),
    [
        (config(), {"logins": None}),
        (config(mod_auth_openidc=ModAuthOpenidcConfig(redirect_path="/.sso/x")), {}),
    ],
)
def test_a_path_that_cannot_be_is_a_mistake(
    wanted: RouteConfig, parts: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError) as e:
        add(ApacheRoutes(), wanted, route(**parts))
    (mistake,) = e.value.mistakes
    assert mistake.path == "route[0].mod_auth_openidc.redirect_path"


@pytest.mark.parametrize(
    "other",
    [
        {"authenticate": ("partner",)},
        {"require": ("sub == 'alice'",)},
        {"mod_auth_openidc": attrs.evolve(WANTED, info=("exp",))},
    ],
)
def test_routes_that_share_a_path_say_the_same(other: dict[str, Any]) -> None:
    routes = ApacheRoutes()
    add(routes, config(), route())
    with pytest.raises(ConfigError, match="another route"):
        add(routes, config(path="/b/", **other), route())


@pytest.mark.parametrize(
    "headers",
    [
        {"user": "OIDC-User"},
        {"claims": ("a",), "claim_prefix": "oidc_claim_"},
        {"claim_names": {"a": "OIDC.CLAIM.a"}},
        {"tokens": {"id_token": "OIDC_id_token"}},
    ],
)
def test_no_field_has_two_values(headers: dict[str, Any]) -> None:
    wanted = config(headers=HeadersConfig(**headers))
    with pytest.raises(ConfigError, match="mod_auth_openidc, too"):
        add(ApacheRoutes(), wanted, route())


def test_fields_are_those_of_the_options() -> None:
    assert build_apache_fields(config(mod_auth_openidc=None)) is None
    wanted = ModAuthOpenidcConfig(
        claims=("a",), claim_prefix="X-", claim_delimiter=";", claim_encoding="none"
    )
    fields = build_apache_fields(config(mod_auth_openidc=wanted))
    assert fields is not None
    assert fields.build({"a": ["1", "2"], "b": 1}, {}, {}, "") == [("X-a", b"1;2")]


def test_no_client_may_set_fields_that_begin_like_these() -> None:
    wanted = ModAuthOpenidcConfig(claim_prefix="Claim-")
    names = managed_names(
        Config(
            listener=(ListenerConfig(address="127.0.0.1", tls=False),),
            route=(config(mod_auth_openidc=wanted), config(path="/b/")),
        )
    )
    for name in (
        *("oidc_claim_sub", "OIDC_CLAIM_sub", "oidc-claim-sub", "oidc.claim.sub"),
        *("oidc_access_token", "oidc-anything", "claim-x", "claim_x"),
    ):
        assert names.covers(name)
    assert not names.covers("x-other")
