"""Tests for `sso_proxy.publishing`."""

import json
from typing import Any

from zope.interface import implementer

from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import BindingConfig, CorsConfig, ResourceConfig
from sso_proxy.interfaces import ITakesTokens
from sso_proxy.publishing import build_cors, build_offer, build_resource
from sso_proxy.specs.oauth.offer import NOTHING
from sso_proxy.testing.fakes import FakeAuthenticator

METADATA = "https://api.example.com/.well-known/oauth-protected-resource/orders/"


class Dpop:
    """A binding that knows two algorithms."""

    algorithms = ("ES256", "EdDSA")


@implementer(ITakesTokens)
class Taking(FakeAuthenticator):
    """An authenticator that takes tokens of some issuers."""

    def __init__(self, issuers: tuple[str, ...], *methods: str) -> None:
        super().__init__()
        self.issuers = issuers
        self.bearer_methods = methods


def route(**options: Any) -> RouteConfig:  # noqa: ANN401
    given = {
        "host": "api.example.com",
        "path": "/orders/",
        "authenticate": ("api",),
        "backend": "http://127.0.0.1:9",
    }
    return RouteConfig(**(given | options))


def document(config: RouteConfig, *authenticators: Any, dpop: Any = None) -> Any:  # noqa: ANN401
    made = build_resource(config, authenticators, build_offer(config, dpop))
    assert made is not None
    return json.loads(made.document)


def test_without_tables_nothing_is_told() -> None:
    assert build_cors(route()) is None
    assert build_offer(route(), None) == NOTHING
    assert build_resource(route(), [], NOTHING) is None


def test_pages_may_use_the_routes_methods() -> None:
    cors = CorsConfig(origins=("https://a.example",))
    made = build_cors(route(cors=cors))
    assert made is not None
    assert made.methods == "GET, HEAD, POST, PUT, PATCH, DELETE"
    assert made.exposed == "DPoP-Nonce, WWW-Authenticate"
    made = build_cors(route(cors=cors, methods=("GET", "PROPFIND")))
    assert made is not None
    assert made.methods == "GET, PROPFIND"
    cors = CorsConfig(origins=("*",), methods=("GET",), expose=("X-A", "DPoP-Nonce"))
    made = build_cors(route(cors=cors, methods=("GET", "PROPFIND")))
    assert made is not None
    assert made.methods == "GET"
    assert made.exposed == "DPoP-Nonce, WWW-Authenticate, X-A"


def test_dpop_is_offered_where_tokens_may_be_bound_to_a_key() -> None:
    def offered(level: Any) -> str:  # noqa: ANN401
        binding = BindingConfig(dpop=level)
        return build_offer(route(binding=binding), Dpop()).dpop

    assert offered(None) == offered("observe") == offered("prefer") == "accept"
    assert offered("require") == "require"
    assert build_offer(route(), Dpop()).algorithms == ("ES256", "EdDSA")
    assert build_offer(route(), None) == NOTHING


def test_challenges_point_at_the_metadata() -> None:
    offer = build_offer(route(resource=ResourceConfig()), None)
    assert offer.resource_metadata == METADATA


def test_a_document_says_what_the_route_does() -> None:
    config = route(
        resource=ResourceConfig(scopes_supported=("orders.read",)),
        binding=BindingConfig(certificate="prefer", dpop="require"),
    )
    found = document(
        config,
        Taking(("https://a.example", "https://b.example"), "query", "header"),
        Taking(("https://b.example", ""), "header"),
        FakeAuthenticator(),
        dpop=Dpop(),
    )
    assert found == {
        "resource": "https://api.example.com/orders/",
        "authorization_servers": ["https://a.example", "https://b.example"],
        "scopes_supported": ["orders.read"],
        "bearer_methods_supported": ["header", "query"],
        "tls_client_certificate_bound_access_tokens": True,
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "dpop_bound_access_tokens_required": True,
    }


def test_a_document_says_what_it_is_told() -> None:
    resource = ResourceConfig(
        identifier="https://api.example.com",
        authorization_servers=(),
        bearer_methods_supported=("header",),
        resource_name="Orders",
        documentation="https://docs.example.com/",
        policy_uri="https://docs.example.com/policy",
        tos_uri="https://docs.example.com/tos",
        authorization_details_types_supported=("order",),
        extra={"resource_name#de": "Auftr\xe4ge"},
    )
    found = document(route(resource=resource), Taking(("https://a.example",), "query"))
    assert found == {
        "resource": "https://api.example.com",
        "bearer_methods_supported": ["header"],
        "resource_name": "Orders",
        "resource_name#de": "Auftr\xe4ge",
        "resource_documentation": "https://docs.example.com/",
        "resource_policy_uri": "https://docs.example.com/policy",
        "resource_tos_uri": "https://docs.example.com/tos",
        "authorization_details_types_supported": ["order"],
    }
