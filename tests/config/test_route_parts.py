"""The defaults of a route's tables are safe."""

from sso_proxy.config.route_parts import (
    BindingConfig,
    CorsConfig,
    HeadersConfig,
    ResourceConfig,
)


def test_pages_of_other_origins_act_for_nobody_unless_told() -> None:
    config = CorsConfig(origins=("https://a.example",))
    assert not config.credentials
    assert config.preflight == "answer"
    assert "Authorization" in config.headers


def test_nothing_is_said_of_a_resource_that_does_not_follow_from_the_route() -> None:
    config = ResourceConfig()
    assert config.identifier is None
    assert config.authorization_servers is None
    assert config.bearer_methods_supported is None
    assert not config.extra


def test_a_route_demands_no_key_and_tells_no_claims() -> None:
    assert BindingConfig().certificate is None
    assert HeadersConfig().claims == ()
