"""What people type becomes one question to one host, and answers are read strictly."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oidc.webfinger import (
    ISSUER_REL,
    MAX_JRD,
    WebFingerError,
    read_answer,
    read_identifier,
)

ISSUER = "https://login.example.com/tenant"


def jrd(**changes: Any) -> bytes:  # noqa: ANN401
    link = {"rel": ISSUER_REL, "href": ISSUER, **changes}
    return json.dumps({"subject": "acct:a@example.com", "links": [link]}).encode()


@pytest.mark.parametrize(
    ("typed", "resource", "host"),
    [
        ("joe@example.com", "acct:joe@example.com", "example.com"),
        ("  joe@example.com ", "acct:joe@example.com", "example.com"),
        ("acct:joe@example.com", "acct:joe@example.com", "example.com"),
        ("ACCT:Joe@Example.COM", "acct:Joe@example.com", "example.com"),
        ("acct:juliet%40capulet.example@shopping.example.com",) * 2
        + ("shopping.example.com",),
        ("jörg@example.com", "acct:j%C3%B6rg@example.com", "example.com"),
        ("100%@example.com", "acct:100%25@example.com", "example.com"),
        ("example.com", "https://example.com", "example.com"),
        ("example.com:8080", "https://example.com:8080", "example.com"),
        ("example.com/joe", "https://example.com/joe", "example.com"),
        ("joe@example.com:8080", "https://joe@example.com:8080", "example.com"),
        ("https://example.com/joe", "https://example.com/joe", "example.com"),
        ("https://example.com/joe#me", "https://example.com/joe", "example.com"),
        ("HTTPS://example.com/?a=b", "https://example.com/?a=b", "example.com"),
        ("localhost:443/x", "https://localhost:443/x", "localhost"),
    ],
)
def test_what_is_typed_is_normalised(typed: str, resource: str, host: str) -> None:
    lookup = read_identifier(typed)
    assert (lookup.resource, lookup.host) == (resource, host)
    url = urlsplit(lookup.url)
    assert (url.scheme, url.hostname) == ("https", host)
    assert url.path == "/.well-known/webfinger"
    assert parse_qs(url.query) == {"resource": [resource], "rel": [ISSUER_REL]}


def test_a_port_that_was_typed_is_asked() -> None:
    url = read_identifier("example.com:8080/joe").url
    assert url.startswith("https://example.com:8080/.well-known/webfinger?")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "#",
        "=example",
        "@example",
        "!example",
        "http://example.com",
        "javascript:alert",
        "mailto:joe@example.com",
        "acct:example.com",
        "acct:joe@example.com:80",
        "joe:secret@example.com",
        "https://joe:secret@example.com/",
        "https://a@b@example.com/",
        "joe@exa mple.com",
        "joe@exämple.com",
        "https://example.com\\@evil.example/",
        "https://127.1/",
        "joe@2130706433",
        "a" * 400 + "@example.com",
        "example.com\r\nHost: evil.example",
    ],
)
def test_what_means_nothing_is_refused(typed: str) -> None:
    with pytest.raises(WebFingerError):
        read_identifier(typed)


@given(st.text(max_size=60))
def test_whatever_is_typed_asks_the_host_that_is_checked(typed: str) -> None:
    try:
        lookup = read_identifier(typed)
    except WebFingerError:
        return
    url = urlsplit(lookup.url)
    assert url.hostname is not None
    assert url.hostname.rstrip(".") == lookup.host.strip("[]")
    assert url.path == "/.well-known/webfinger"
    assert url.username is None


def test_what_was_typed_is_in_no_representation() -> None:
    assert "joe" not in repr(read_identifier("joe@example.com"))


def test_the_issuer_is_read() -> None:
    assert read_answer(200, jrd()) == ISSUER


def test_other_relations_are_passed_over() -> None:
    links = [
        {"rel": "http://openid.net/specs/connect/1.0/issuer/", "href": "https://a.b"},
        {"rel": ISSUER_REL.upper(), "href": "https://a.b"},
        "nothing",
        {"rel": ISSUER_REL, "href": ISSUER},
    ]
    assert read_answer(200, json.dumps({"links": links}).encode()) == ISSUER


@pytest.mark.parametrize(
    "href",
    [
        "http://login.example.com",
        "http://127.0.0.1:8080",
        "https://login.example.com/?a=b",
        "https://login.example.com/#a",
        "https://joe@login.example.com/",
        "javascript:alert(1)",
        "",
        None,
        [ISSUER],
    ],
)
def test_an_issuer_has_to_be_https(href: object) -> None:
    with pytest.raises(WebFingerError, match="href"):
        read_answer(200, jrd(href=href))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, jrd()),
        (302, jrd()),
        (200, b""),
        (200, b"[]"),
        (200, b'{"links": 1}'),
        (200, b'{"links": []}'),
        (200, b'{"links": [], "links": []}'),
        (200, jrd(rel="author")),
        (200, jrd(more="x" * MAX_JRD)),
    ],
)
def test_what_is_no_answer_is_refused(status: int, body: bytes) -> None:
    with pytest.raises(WebFingerError):
        read_answer(status, body)
