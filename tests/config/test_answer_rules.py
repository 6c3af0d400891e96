"""What a route tells clients is refused when it could not be true, or not be safe."""

from collections.abc import Callable

import pytest

from sso_proxy.config.answer_rules import identifier_of
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import ResourceConfig

Mistakes = Callable[..., dict[str, str]]


def route(extra: str, host: str = "api.example.com", path: str = "/orders/") -> str:
    return f"""
[[route]]
host = "{host}"
path = "{path}"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
{extra}
"""


def cors(options: str, methods: str = "[]") -> str:
    return route(f"methods = {methods}\n[route.cors]\n{options}")


def resource(options: str = "", **place: str) -> str:
    return route(f"[route.resource]\n{options}", **place)


def one(found: dict[str, str]) -> tuple[str, str]:
    """Give the only mistake."""
    assert len(found) == 1, found
    return next(iter(found.items()))


@pytest.mark.parametrize(
    "text",
    [
        cors('origins = ["https://app.example.com", "http://localhost:3000"]'),
        cors('origins = ["*"]\nexpose = ["X-Total"]'),
        cors('origins = ["https://a.example"]\ncredentials = true'),
        cors('origins = ["https://a.example"]\nmethods = ["GET"]', '["GET", "PUT"]'),
        cors('origins = ["https://a.example"]\npreflight = "backend"'),
        resource(),
        resource('identifier = "https://api.example.com"'),
        resource('identifier = "https://api.example.com:8443/orders"'),
        resource('identifier = "https://x.example.com/orders/"', host="*.example.com"),
        resource('identifier = "https://x.example.com"', host="*", path="/{tenant}/"),
        resource('authorization_servers = ["https://login.example.com/t/"]'),
        resource('extra = { "resource_name#de" = "Auftr\\u00e4ge", n = [1, true] }'),
        resource('documentation = "https://docs.example.com/?page=orders#top"'),
    ],
)
def test_it_is_accepted(mistakes: Mistakes, text: str) -> None:
    assert mistakes(route=text) == {}


LISTED = 'origins = ["https://a.example"]\n'


@pytest.mark.parametrize(
    ("text", "option", "problem"),
    [
        (cors("origins = []"), "cors.origins", "must not be empty"),
        (cors('origins = ["null"]'), "cors.origins[0]", "is no origin"),
        (cors('origins = ["https://a.example/"]'), "cors.origins[0]", "is no origin"),
        (cors('origins = ["https://*.example"]'), "cors.origins[0]", "is no origin"),
        (cors('origins = ["https://A.example"]'), "cors.origins[0]", "is no origin"),
        (
            cors('origins = ["https://a.example:443"]'),
            "cors.origins[0]",
            "browsers write 'https://a.example'",
        ),
        (
            cors('origins = ["https://a.example", "*"]'),
            "cors.origins[1]",
            "stands alone",
        ),
        (
            cors('origins = ["*"]\ncredentials = true'),
            "cors.credentials",
            "list the origins",
        ),
        (cors(LISTED + 'methods = ["*"]'), "cors.methods[0]", "is no method"),
        (cors(LISTED + 'methods = ["TRACE"]'), "cors.methods[0]", "never forwarded"),
        (
            cors(LISTED + 'methods = ["PUT"]', '["GET"]'),
            "cors.methods[0]",
            "none of the route's",
        ),
        (cors(LISTED + 'headers = ["*"]'), "cors.headers[0]", "is no header"),
        (cors(LISTED + 'headers = ["a, b"]'), "cors.headers[0]", "is no header"),
        (cors(LISTED + 'expose = ["a\\r\\nb"]'), "cors.expose[0]", "is no header"),
        (cors(LISTED + "max_age = -1"), "cors.max_age", "from 0 to 86400"),
        (
            cors(LISTED + 'preflight = "backend"\nmax_age = 5'),
            "cors.max_age",
            "no effect",
        ),
        (
            cors(LISTED + 'preflight = "backend"\nheaders = ["X-A"]'),
            "cors.headers",
            "no effect",
        ),
        (resource(host="*.example.com"), "resource.identifier", "is missing"),
        (resource(path="/{tenant}/"), "resource.identifier", "is missing"),
        (
            resource('identifier = "http://api.example.com"'),
            "resource.identifier",
            "https URL",
        ),
        (
            resource('identifier = "https://other.example.com/orders/"'),
            "resource.identifier",
            "do not come",
        ),
        (
            resource('identifier = "https://api.example.com/ord"'),
            "resource.identifier",
            "not below",
        ),
        (
            resource('identifier = "https://a.b.example.com"', host="*.example.com"),
            "resource.identifier",
            "do not come",
        ),
        (
            resource('authorization_servers = ["login.example.com"]'),
            "resource.authorization_servers[0]",
            "no issuer",
        ),
        (
            resource('authorization_servers = ["https://a.example/?x"]'),
            "resource.authorization_servers[0]",
            "no issuer",
        ),
        (
            resource('scopes_supported = ["a b"]'),
            "resource.scopes_supported[0]",
            "no scope",
        ),
        (
            resource('bearer_methods_supported = ["cookie"]'),
            "resource.bearer_methods_supported[0]",
            "must be one of",
        ),
        (
            resource('tos_uri = "javascript:alert(1)"'),
            "resource.tos_uri",
            "no URL of a page",
        ),
        (
            resource('extra = { resource = "https://evil.example" }'),
            "resource.extra.resource",
            "made of the other options",
        ),
        (resource("extra = { t = 2027-01-01 }"), "resource.extra.t", "JSON cannot"),
        (resource("extra = { n = nan }"), "resource.extra.n", "JSON cannot"),
    ],
)
def test_it_is_refused(
    mistakes: Mistakes, text: str, option: str, problem: str
) -> None:
    path, said = one(mistakes(route=text))
    assert path == f"route[0].{option}"
    assert problem in said


def test_another_route_may_serve_the_host_of_an_identifier(mistakes: Mistakes) -> None:
    text = resource('identifier = "https://x.example.com"', host="*.example.com")
    text += route("", host="x.example.com")
    path, said = one(mistakes(route=text))
    assert path == "route[0].resource.identifier"
    assert "do not come to this route's host" in said


def test_an_identifier_is_the_place_of_its_route() -> None:
    config = RouteConfig(
        host="api.example.com",
        path="/orders/",
        authenticate=("anonymous",),
        backend="http://127.0.0.1:9",
    )
    assert identifier_of(config) is None
    config = RouteConfig(
        host="api.example.com",
        path="/orders/",
        authenticate=("anonymous",),
        backend="http://127.0.0.1:9",
        resource=ResourceConfig(),
    )
    found = identifier_of(config)
    assert found is not None
    assert found.text == "https://api.example.com/orders/"
