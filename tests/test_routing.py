"""Which route a request takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.endpoints.protected_resource import ProtectedResource
from sso_proxy.routing import HostRoutes, RouteTable
from sso_proxy.specs.http.target import canonical_path
from sso_proxy.specs.oauth.protected_resource import WELL_KNOWN, read_identifier
from tests.support.doubles import FakeUpstream, make_route


def table(*places: tuple[str, str]) -> RouteTable:
    return RouteTable(
        [
            make_route(FakeUpstream(), host=host, path=path, name=host + path)
            for host, path in places
        ]
    )


def found(routes: HostRoutes | None, path: str) -> str | None:
    route = routes.find(path) if routes is not None else None
    return route.path if route is not None else None


PATHS = [
    *("/", "/orders/", "/orders/{id}/items/", "/exact", "/%40admin/", "/a.b/"),
    "/users/{id}",
]
ROUTES = table(*(("a.example", path) for path in PATHS)).of_host("a.example")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/", "/"),
        ("/x", "/"),
        ("/orders", "/"),
        ("/orders/", "/orders/"),
        ("/orders/7", "/orders/"),
        ("/ordersx/", "/"),
        ("/orders/7/items", "/orders/"),
        ("/orders/7/items/", "/orders/{id}/items/"),
        ("/orders/7/items/8", "/orders/{id}/items/"),
        ("/orders/7/8/items/", "/orders/"),
        ("/users/7", "/users/{id}"),
        ("/users/7/8", "/users/{id}"),
        ("/users/", "/"),
        ("/exact", "/exact"),
        ("/exact/below", "/exact"),
        ("/exactly", "/"),
        ("/@admin/", "/%40admin/"),
        ("/%40admin/x", "/%40admin/"),
        ("/aXb/", "/"),
    ],
)
def test_the_longest_path_wins(path: str, wanted: str) -> None:
    assert found(ROUTES, path) == wanted


@given(st.text("/@a.%40orders", max_size=12))
def test_a_path_and_its_escaped_form_take_the_same_route(text: str) -> None:
    path = "/" + text.replace("%", "")
    escaped = path.replace("@", "%40")
    assert found(ROUTES, path) == found(ROUTES, escaped)


def test_nothing_else_has_a_route() -> None:
    routes = table(("a.example", "/orders/")).of_host("a.example")
    assert found(routes, "*") is None
    assert found(routes, "/") is None


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("a.example", "a.example"),
        ("b.example", "*.example"),
        ("b.a.example", "*.a.example"),
        ("c.b.a.example", "*"),
        ("other", "*"),
    ],
)
def test_the_most_specific_host_alone_counts(host: str, wanted: str) -> None:
    hosts = ["a.example", "*.example", "*.a.example", "*"]
    routes = table(*((each, "/") for each in hosts)).of_host(host)
    assert routes is not None
    route = routes.find("/")
    assert route is not None
    assert route.host == wanted


def test_an_unknown_host_has_no_routes() -> None:
    assert table(("a.example", "/")).of_host("b.example") is None


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        *(("/.sso/x", True), ("/.sso/", True), ("/.sso", True), ("/%2Esso/", True)),
        *(("/.sso%2Fx", True), ("/.sso%5Cx", True), ("/.ssox", False), ("/", False)),
    ],
)
def test_our_own_paths_are_ours_however_they_are_written(
    path: str,
    ours: bool,  # noqa: FBT001
) -> None:
    assert make_route(FakeUpstream()).is_own(canonical_path(path)) == ours


def published(*identifiers: str) -> RouteTable:
    documents = [
        ProtectedResource(read_identifier(text), text.encode()) for text in identifiers
    ]
    routes = [
        make_route(FakeUpstream(), host=host, path="/", name=host)
        for host in ("a.example", "*.example.com", "*")
    ]
    return RouteTable(routes, documents)


def test_documents_are_found_at_their_exact_paths() -> None:
    routes = published("https://a.example", "https://a.example/x").of_host("a.example")
    assert routes is not None
    for path in (WELL_KNOWN, f"{WELL_KNOWN}/x"):
        route = routes.find(path)
        assert route is not None
        assert route.published is not None
    for path in (f"{WELL_KNOWN}/", f"{WELL_KNOWN}/y", f"{WELL_KNOWN}/x/", "/"):
        assert found(routes, path) == "/"
    escaped = WELL_KNOWN.replace("/oauth", "%2Foauth")
    assert found(routes, escaped) == "/"


def test_documents_stand_with_the_routes_of_their_host() -> None:
    table = published("https://x.example.com/o", "https://other.example/o")

    def has_document(host: str) -> bool:
        routes = table.of_host(host)
        assert routes is not None
        route = routes.find(f"{WELL_KNOWN}/o")
        return route is not None and route.published is not None

    assert has_document("x.example.com")
    assert has_document("other.example")
    assert not has_document("a.example")


def test_hosts_without_documents_do_not_look_for_any() -> None:
    routes = published().of_host("a.example")
    assert routes is not None
    assert found(routes, WELL_KNOWN) == "/"
