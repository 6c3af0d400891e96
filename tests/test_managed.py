"""Whatever any route sets, no client may set, however it is spelled."""

from typing import Any

from sso_proxy.config.model import Config, ListenerConfig, RouteConfig, ServerConfig
from sso_proxy.config.route_parts import HeadersConfig
from sso_proxy.config.token_parts import RouteTokenConfig
from sso_proxy.managed import managed_names


def config(*routes: dict[str, Any], **server: Any) -> Config:  # noqa: ANN401
    given: dict[str, Any] = {"host": "a", "backend": "b"}
    given["authenticate"] = ("anonymous",)
    return Config(
        listener=(ListenerConfig(address="127.0.0.1", tls=False),),
        route=tuple(RouteConfig(**{**given, **route}) for route in routes),
        server=ServerConfig(**server),
    )


def test_what_routes_send_is_managed() -> None:
    names = managed_names(
        config(
            {"headers": HeadersConfig(user="X-User", claim_names={"a": "X-A"})},
            {"headers": HeadersConfig(claim_prefix="X-C-")},
            {"headers": HeadersConfig(tokens={"id_token": "X-T"})},
        )
    )
    for name in ("x_user", "x.a", "x-c-anything", "x-claim-anything", "x_t"):
        assert names.covers(name)
    assert not names.covers("x-other")


def test_where_tokens_are_delivered_is_managed() -> None:
    token = RouteTokenConfig(name="t", to="header", field="X-Token")
    names = managed_names(config({"token": (token, RouteTokenConfig(name="t"))}))
    assert names.covers("x_token")
    assert not names.covers("authorization"), "others' clients need it"


def test_what_policies_set_and_operators_name_is_managed() -> None:
    names = managed_names(config({}, managed_headers=("X-Ours",)), {"x-purpose"})
    assert names.covers("x-ours")
    assert names.covers("x_purpose")
