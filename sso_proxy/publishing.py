"""What a configuration has routes tell clients: CORS, challenges and metadata."""

from collections.abc import Iterable
from typing import Any, Final

from sso_proxy.config.answer_rules import identifier_of
from sso_proxy.config.model import RouteConfig
from sso_proxy.endpoints.protected_resource import ProtectedResource
from sso_proxy.interfaces import ITakesTokens
from sso_proxy.specs.http.cors import CorsRules
from sso_proxy.specs.oauth.offer import Offer
from sso_proxy.specs.oauth.protected_resource import BEARER_METHODS, build_metadata

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_EXPOSED: Final = ("DPoP-Nonce", "WWW-Authenticate")


def build_cors(route: RouteConfig) -> CorsRules | None:
    """Make the rules of ``[route.cors]``."""
    config = route.cors
    if config is None:
        return None
    return CorsRules(
        origins=frozenset(config.origins),
        credentials=config.credentials,
        methods=", ".join(config.methods or route.methods or _METHODS),
        headers=", ".join(config.headers),
        exposed=", ".join(dict.fromkeys((*_EXPOSED, *config.expose))),
        max_age=config.max_age,
        preflight=config.preflight,
    )


def build_offer(route: RouteConfig, dpop: Any) -> Offer:  # noqa: ANN401
    """
    Say what the route's challenges offer.

    Args:
        route: The route.
        dpop: The binding to a key that signs each request, if tokens of this route
            may have one.
    """
    identifier = identifier_of(route)
    metadata = "" if identifier is None else identifier.metadata_url
    if dpop is None:
        return Offer(resource_metadata=metadata)
    return Offer(
        dpop="require" if route.binding.dpop == "require" else "accept",
        algorithms=dpop.algorithms,
        resource_metadata=metadata,
    )


def build_resource(
    route: RouteConfig, authenticators: Iterable[Any], offer: Offer
) -> ProtectedResource | None:
    """
    Make the metadata of ``[route.resource]``.

    Args:
        route: The route.
        authenticators: Those that it asks.
        offer: What its challenges say.
    """
    config, identifier = route.resource, identifier_of(route)
    if config is None or identifier is None:
        return None
    taking = [a for a in authenticators if ITakesTokens.providedBy(a)]
    issuers = config.authorization_servers
    if issuers is None:
        issuers = tuple(dict.fromkeys(i for a in taking for i in a.issuers if i))
    methods: Iterable[str] | None = config.bearer_methods_supported
    if methods is None:
        methods = [
            m for m in BEARER_METHODS if any(m in a.bearer_methods for a in taking)
        ]
    members = {
        "authorization_servers": issuers,
        "scopes_supported": config.scopes_supported,
        "bearer_methods_supported": methods,
        "resource_name": config.resource_name,
        "resource_documentation": config.documentation,
        "resource_policy_uri": config.policy_uri,
        "resource_tos_uri": config.tos_uri,
        "tls_client_certificate_bound_access_tokens": (
            True if route.binding.certificate else None
        ),
        "authorization_details_types_supported": (
            config.authorization_details_types_supported
        ),
        "dpop_signing_alg_values_supported": offer.algorithms,
        "dpop_bound_access_tokens_required": True if offer.dpop == "require" else None,
        **config.extra,
    }
    return ProtectedResource(identifier, build_metadata(identifier, members))
