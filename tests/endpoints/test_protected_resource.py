"""Tests for `sso_proxy.endpoints.protected_resource`."""

import pytest

from sso_proxy.endpoints.protected_resource import (
    ProtectedResource,
    PublishedResources,
)
from sso_proxy.specs.oauth.protected_resource import WELL_KNOWN, read_identifier
from sso_proxy.testing.fakes import make_request

ORDERS = ProtectedResource(read_identifier("https://a.example.com/orders"), b"orders")
OTHERS = ProtectedResource(read_identifier("https://b.example.com/orders"), b"others")
ODD = ProtectedResource(read_identifier("https://a.example.com/x@y%2Fz"), b"odd")
PUBLISHED = PublishedResources([ORDERS, OTHERS, ODD])


def answer(
    path: str, method: str = "GET", host: str = "a.example.com"
) -> tuple[int, bytes]:
    response = PUBLISHED.answer(make_request(method, path, host=host).head)
    return response.status, response.body


def test_only_exact_paths_are_ours() -> None:
    assert PUBLISHED.get(f"{WELL_KNOWN}/orders") is not None
    for path in (WELL_KNOWN, f"{WELL_KNOWN}/orders/", f"{WELL_KNOWN}/orders/1", "/"):
        assert PUBLISHED.get(path) is None


def test_each_host_has_its_own_document() -> None:
    assert answer(f"{WELL_KNOWN}/orders") == (200, b"orders")
    assert answer(f"{WELL_KNOWN}/orders", host="b.example.com") == (200, b"others")


@pytest.mark.parametrize("host", ["evil.example", "c.example.com", "[::1]"])
def test_a_host_that_is_no_resource_has_none(host: str) -> None:
    assert answer(f"{WELL_KNOWN}/orders", host=host) == (404, b"")


def test_a_path_is_found_in_every_spelling_that_rules_take_for_it() -> None:
    assert answer(f"{WELL_KNOWN}/x@y%2Fz") == (200, b"odd")
    assert answer(f"{WELL_KNOWN}/x%40y%2Fz") == (200, b"odd")


def test_anybody_may_read_and_keep_a_document() -> None:
    request = make_request("GET", f"{WELL_KNOWN}/orders", host="a.example.com")
    headers = dict(PUBLISHED.answer(request.head).headers)
    assert headers == {
        "content-type": "application/json",
        "cache-control": "public, max-age=300",
        "x-content-type-options": "nosniff",
        "access-control-allow-origin": "*",
    }


def test_only_reading_is_allowed() -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "X"):
        assert answer(f"{WELL_KNOWN}/orders", method) == (405, b"")
    assert answer(f"{WELL_KNOWN}/orders", "HEAD")[0] == 200


def test_pages_may_send_fields_of_their_own() -> None:
    """Clients of the Model Context Protocol name its version in one."""
    request = make_request("OPTIONS", f"{WELL_KNOWN}/orders", host="a.example.com")
    response = PUBLISHED.answer(request.head)
    assert response.status == 204
    headers = dict(response.headers)
    assert headers["access-control-allow-origin"] == "*"
    assert headers["access-control-allow-headers"] == "*"
    assert headers["access-control-allow-methods"] == "GET, HEAD"
    assert "access-control-allow-credentials" not in headers
