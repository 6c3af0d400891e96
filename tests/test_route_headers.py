"""What backends are told, as routes say it."""

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import HeadersConfig
from sso_proxy.route_headers import build_headers
from sso_proxy.routing import RouteHeaders


def build(**headers: object) -> RouteHeaders:
    written = HeadersConfig(**headers)  # type: ignore[arg-type]
    return build_headers(
        RouteConfig(
            host="a", authenticate=("anonymous",), backend="http://b", headers=written
        )
    )


def test_claims_get_fields_by_their_prefix_or_names_of_their_own() -> None:
    found = build(
        claims=("a", "b"), claim_prefix="X-", claim_names={"b": "Bee", "c": "Sea"}
    )
    assert found.claims == (("a", "X-a"), ("b", "Bee"), ("c", "Sea"))


def test_what_is_not_written_is_the_user_alone() -> None:
    assert build() == RouteHeaders()


def test_what_the_connection_proves_is_told_if_it_is_written() -> None:
    assert build(client_certificate=True).of_connection
    assert build(token_binding=("provided",)).of_connection
