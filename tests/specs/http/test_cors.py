"""Tests for `sso_proxy.specs.http.cors`."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.cors import (
    CorsRules,
    allowed_origin,
    asks_for_method,
    build_cors_fields,
    build_preflight_fields,
    is_preflight,
    without_cors,
)

APP = "https://app.example.com"
RULES = CorsRules(
    origins=frozenset({APP, "http://localhost:3000"}),
    methods="GET, PUT",
    headers="Authorization, DPoP",
    exposed="DPoP-Nonce, WWW-Authenticate",
    max_age=600,
)
ANY = attrs.evolve(RULES, origins=frozenset({"*"}))


def head(method: str = "GET", *fields: tuple[str, str]) -> RequestHead:
    return RequestHead(
        method=method,
        scheme="https",
        host="api.example.com",
        port=443,
        path="/",
        headers=fields,
    )


ORIGIN = ("origin", APP)
METHOD = ("access-control-request-method", "PUT")


def test_a_preflight_has_a_method_and_an_origin() -> None:
    assert is_preflight(head("OPTIONS", ORIGIN, METHOD))
    assert not is_preflight(head("OPTIONS", ORIGIN))
    assert not is_preflight(head("OPTIONS", METHOD))
    assert not is_preflight(head("GET", ORIGIN, METHOD))
    assert not is_preflight(head("options", ORIGIN, METHOD))
    assert not is_preflight(head("OPTIONS", ORIGIN, ORIGIN, METHOD))
    assert not is_preflight(head("OPTIONS", ORIGIN, METHOD, METHOD))


@pytest.mark.parametrize("name", ["authorization", "cookie", "dpop"])
def test_a_request_with_a_credential_is_no_preflight(name: str) -> None:
    assert not is_preflight(head("OPTIONS", ORIGIN, METHOD, (name, "x")))


def test_what_would_be_a_preflight_is_known() -> None:
    assert asks_for_method(head("GET", METHOD))
    assert not asks_for_method(head("OPTIONS", ORIGIN))


def test_a_listed_origin_may_read_and_is_named() -> None:
    assert build_cors_fields(RULES, head("GET", ORIGIN)) == (
        ("vary", "Origin"),
        ("access-control-allow-origin", APP),
        ("access-control-expose-headers", "DPoP-Nonce, WWW-Authenticate"),
    )


def test_credentials_are_allowed_by_name_only() -> None:
    rules = attrs.evolve(RULES, credentials=True)
    allowed = ("access-control-allow-credentials", "true")
    assert allowed in build_cors_fields(rules, head("GET", ORIGIN))
    other = head("GET", ("origin", "https://evil.example"))
    assert allowed not in build_cors_fields(rules, other)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "HTTPS://APP.EXAMPLE.COM",
        f"{APP}/",
        f"{APP} https://evil.example",
        f"{APP}, https://evil.example",
        "*",
    ],
)
def test_an_origin_that_is_not_listed_is_not_named(origin: str) -> None:
    assert allowed_origin(RULES, head("GET", ("origin", origin))) == ""
    assert build_cors_fields(RULES, head("GET", ("origin", origin))) == (
        ("vary", "Origin"),
    )


def test_two_origins_are_none() -> None:
    assert allowed_origin(RULES, head("GET", ORIGIN, ORIGIN)) == ""
    assert allowed_origin(RULES, head()) == ""


@given(st.text())
def test_an_answer_never_has_anything_of_the_request(origin: str) -> None:
    for rules in (RULES, ANY):
        fields = build_cors_fields(rules, head("GET", ("origin", origin)))
        named = dict(fields).get("access-control-allow-origin")
        assert named in {None, "*", *RULES.origins}


def test_with_any_origin_the_answer_is_the_same_for_all() -> None:
    """So it may be cached without Vary."""
    assert build_cors_fields(ANY, head()) == build_cors_fields(ANY, head("GET", ORIGIN))
    assert build_cors_fields(ANY, head())[0] == ("access-control-allow-origin", "*")


def test_a_preflight_is_told_what_may_be_sent() -> None:
    assert build_preflight_fields(RULES) == (
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "Authorization, DPoP"),
        ("access-control-max-age", "600"),
    )


def test_a_backends_cors_fields_are_taken_out_and_nothing_else() -> None:
    block = (
        b"HTTP/1.1 200 OK\r\n"
        b"Access-Control-Allow-Origin: *\r\n"
        b"X-Note: Access-Control-Allow-Origin: *\r\n"
        b"Access-Control-Expose-Headers: a\r\n"
        b"Vary: Accept\r\n"
    )
    assert without_cors(block) == (
        b"HTTP/1.1 200 OK\r\nX-Note: Access-Control-Allow-Origin: *\r\nVary: Accept\r\n"
    )
    assert without_cors(b"HTTP/1.1 200 OK\r\n") == b"HTTP/1.1 200 OK\r\n"
