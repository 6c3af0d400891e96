"""Tests for `sso_proxy.specs.oauth.protected_resource`."""

import json

import pytest

from sso_proxy.specs.oauth.protected_resource import build_metadata, read_identifier


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        # RFC 9728 section 3.1, the two examples
        (
            "https://resource.example.com",
            "https://resource.example.com/.well-known/oauth-protected-resource",
        ),
        (
            "https://resource.example.com/resource1",
            "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
        ),
        # "any terminating slash following the host component MUST be removed"
        (
            "https://resource.example.com/",
            "https://resource.example.com/.well-known/oauth-protected-resource",
        ),
        (
            "https://resource.example.com:8443/a/b/",
            "https://resource.example.com:8443/.well-known/oauth-protected-resource/a/b/",
        ),
        (
            "https://[::1]:8443/a",
            "https://[::1]:8443/.well-known/oauth-protected-resource/a",
        ),
    ],
)
def test_the_metadata_is_between_host_and_path(identifier: str, url: str) -> None:
    assert read_identifier(identifier).metadata_url == url


def test_an_identifier_has_its_parts() -> None:
    found = read_identifier("https://api.example.com:8443/orders/")
    assert (found.host, found.authority) == ("api.example.com", "api.example.com:8443")
    assert found.path == "/orders/"
    assert found.metadata_path == "/.well-known/oauth-protected-resource/orders/"
    assert read_identifier("https://[::1]").host == "[::1]"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.example.com",
        "http://api.example.com",
        "HTTPS://api.example.com",
        "https://",
        "https://a<b",
        "https://*.example.com",
        "https:///orders",
        "https://API.example.com",
        "https://api.example.com.",
        "https://api.example.com:",
        "https://api.example.com:0x1",
        "https://api.example.com:99999",
        "https://user@api.example.com",
        "https://api.example.com?x",
        "https://api.example.com/#x",
        "https://api.example.com/a b",
        'https://api.example.com/"',
        "https://api.example.com/a\r\nb",
        "https://api.example.com\\a",
        "https://api.example.com/a/../b",
        "https://api.example.com//a",
        "https://api.example.com/%61",
        "https://api.example.com/%2f",
        "https://api.example.com/\xe4",
    ],
    ids=repr,
)
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must have|must be"):
        read_identifier(text)


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("/orders", True),
        ("/orders/", True),
        ("/orders/1", True),
        ("/ordersx", False),
        ("/", False),
    ],
)
def test_a_resource_is_all_below_its_path(path: str, covered: bool) -> None:  # noqa: FBT001
    assert read_identifier("https://api.example.com/orders").covers(path) is covered
    assert read_identifier("https://api.example.com").covers(path)
    assert read_identifier("https://api.example.com/").covers(path)


def test_a_document_names_its_resource_exactly() -> None:
    """RFC 9728 3.3: identical to the identifier that the URL was made of."""
    identifier = read_identifier("https://api.example.com/orders/")
    document = json.loads(build_metadata(identifier, {}))
    assert document == {"resource": "https://api.example.com/orders/"}


def test_what_is_empty_is_left_out_and_false_is_not() -> None:
    """RFC 9728 3.2: claims with zero elements MUST be omitted."""
    members = {
        "scopes_supported": (),
        "authorization_servers": ("https://login.example.com",),
        "resource_name": None,
        "resource_name#de": "Aufträge",
        "resource_documentation": "",
        "dpop_bound_access_tokens_required": False,
    }
    document = build_metadata(read_identifier("https://a.example"), members)
    assert document.isascii()
    assert json.loads(document) == {
        "resource": "https://a.example",
        "authorization_servers": ["https://login.example.com"],
        "resource_name#de": "Auftr\xe4ge",
        "dpop_bound_access_tokens_required": False,
    }
