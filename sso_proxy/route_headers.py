"""What the backends of one configuration's routes are told about callers."""

from sso_proxy.apache_routes import build_apache_fields
from sso_proxy.config.model import RouteConfig
from sso_proxy.routing import RouteHeaders


def build_headers(route: RouteConfig) -> RouteHeaders:
    """Say what the backend of *route* is told."""
    headers = route.headers
    claims = dict.fromkeys((*headers.claims, *headers.claim_names))
    return RouteHeaders(
        user=headers.user,
        claims=tuple(
            (claim, headers.claim_names.get(claim, headers.claim_prefix + claim))
            for claim in claims
        ),
        tokens=tuple(headers.tokens.items()),
        client_certificate=headers.client_certificate,
        token_binding=headers.token_binding,
        apache=build_apache_fields(route),
    )
