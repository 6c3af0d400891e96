"""What a token endpoint answers becomes tokens or an error, never half of both."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oidc.token_response import (
    MAX_ANSWER,
    MAX_VALUE,
    TokenResponse,
    TokenResponseError,
    read_token_response,
)

JSON = "application/json"
GOOD: dict[str, Any] = {
    "access_token": "at",
    "token_type": "Bearer",
    "expires_in": 3600,
    "refresh_token": "rt",
    "id_token": "a.b.c",
    "scope": "openid email",
}
WITHOUT = object()


def read(**changes: object) -> TokenResponse:
    members = {**GOOD, **changes}
    kept = {name: value for name, value in members.items() if value is not WITHOUT}
    return read_token_response(200, JSON, json.dumps(kept).encode())


def refusal(
    body: bytes | dict[str, object], status: int = 200, content_type: str | None = JSON
) -> TokenResponseError:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(TokenResponseError) as caught:
        read_token_response(status, content_type, octets)
    assert caught.value.status == status
    return caught.value


def detail_of(**changes: object) -> str:
    with pytest.raises(TokenResponseError) as caught:
        read(**changes)
    assert caught.value.error == ""
    return caught.value.detail


def test_all_members_are_read() -> None:
    assert read() == TokenResponse(
        access_token="at",
        token_type="Bearer",
        expires_in=3600,
        refresh_token="rt",
        id_token="a.b.c",
        scope="openid email",
    )


def test_tokens_do_not_show() -> None:
    shown = repr(read(access_token="secret-1", refresh_token="secret-2", id_token="s3"))
    assert "secret" not in shown
    assert "s3" not in shown


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("bearer", "Bearer"), ("BEARER", "Bearer"), ("dpop", "DPoP"), ("DPOP", "DPoP")],
)
def test_token_type_other_case(written: str, read_as: str) -> None:
    """RFC 6749 section 5.1: "Value is case insensitive"."""
    assert read(token_type=written).token_type == read_as


@pytest.mark.parametrize("value", ["mac", "", "N_A", None, 1, ["Bearer"], WITHOUT])
def test_token_type_unknown(value: object) -> None:
    """RFC 6749 7.1: one must not use an access token if one does not know the type."""
    assert "token_type" in detail_of(token_type=value)


def test_without_expires_in() -> None:
    assert read(expires_in=WITHOUT).expires_in is None
    assert read(expires_in=None).expires_in is None


@pytest.mark.parametrize("value", ["3600", 3600, 3600.0])
def test_expires_in_as_string(value: object) -> None:
    assert read(expires_in=value).expires_in == 3600


@pytest.mark.parametrize(
    "value", ["", "1e3", "-1", " 1", "1" * 11, -1, 1e300, 0.5, True, [], {}, 10**11]
)
def test_lifetime_that_is_none_is_refused(value: object) -> None:
    assert "expires_in" in detail_of(expires_in=value)


def test_lifetime_that_is_no_number_of_json_is_refused() -> None:
    body = b'{"access_token":"a","token_type":"Bearer","expires_in":NaN}'
    assert refusal(body).error == ""


def test_without_scope() -> None:
    assert read(scope=WITHOUT).scope is None


@pytest.mark.parametrize("value", [["openid"], 1, "open\nid", 'a"b', "ä"])
def test_scope_that_is_none_is_refused(value: object) -> None:
    assert "scope" in detail_of(scope=value)


@pytest.mark.parametrize("value", [WITHOUT, None, ""])
def test_missing_access_token(value: object) -> None:
    assert "access_token is missing" in detail_of(access_token=value)


@pytest.mark.parametrize("value", [WITHOUT, None, ""])
def test_tokens_that_need_not_be_there(value: object) -> None:
    tokens = read(id_token=value, refresh_token=value)
    assert tokens.id_token is None
    assert tokens.refresh_token is None


@pytest.mark.parametrize("name", ["access_token", "refresh_token", "id_token"])
@pytest.mark.parametrize("value", [1, True, ["a"], "a b", "a\r\nX: y", "ä", "a\x00"])
def test_token_that_cannot_be_sent_on_is_refused(name: str, value: object) -> None:
    assert name in detail_of(**{name: value})


@pytest.mark.parametrize("name", ["access_token", "refresh_token", "id_token"])
def test_longer_token_is_refused(name: str) -> None:
    read(**{name: "a" * MAX_VALUE})
    assert name in detail_of(**{name: "a" * (MAX_VALUE + 1)})


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'"x"', b"1", b"null", b"{", b'{"a":1}{}', b"\xff"]
)
def test_not_json(body: bytes) -> None:
    assert refusal(body).error == ""


def test_truncated() -> None:
    whole = json.dumps(GOOD).encode()
    for end in range(len(whole)):
        assert refusal(whole[:end]).error == ""


@pytest.mark.parametrize(
    "content_type",
    [
        *(None, "", "text/html", "text/plain", "application/x-www-form-urlencoded"),
        *("application/json, text/html", "application/jsonp", "application/jwt"),
        "application/json; charset=utf-16",
    ],
)
def test_wrong_content_type(content_type: str | None) -> None:
    body = json.dumps(GOOD).encode()
    assert refusal(body, content_type=content_type).detail == "no application/json"


def test_charset_may_stand_there() -> None:
    body = json.dumps(GOOD).encode()
    assert read_token_response(200, "application/json;charset=UTF-8", body) == read()


def test_member_that_occurs_twice_is_refused() -> None:
    body = b'{"access_token":"a","access_token":"b","token_type":"Bearer"}'
    assert refusal(body).error == ""


def test_larger_answer_is_refused() -> None:
    short = json.dumps(GOOD).encode()
    longest = short + b" " * (MAX_ANSWER - len(short))
    assert read_token_response(200, JSON, longest) == read()
    assert "octets" in refusal(longest + b" ").detail


def test_error_200() -> None:
    """An error counts whatever the status and the other members say."""
    error = refusal({**GOOD, "error": "invalid_grant"})
    assert error.error == "invalid_grant"
    assert refusal({**GOOD, "error": 0}).error == ""


def test_error_that_is_null_is_none() -> None:
    assert read(error=None).access_token == "at"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect(status: int) -> None:
    error = refusal(GOOD, status)
    assert error.error == ""
    assert error.detail == f"status {status}"


@pytest.mark.parametrize("status", [100, 201, 204, 206, 404, 405, 500, 502, 503])
def test_other_status_is_no_answer(status: int) -> None:
    assert refusal(GOOD, status).error == ""
    assert refusal({"error": "invalid_grant"}, status).error == ""


@pytest.mark.parametrize("status", [400, 401, 403, 429])
def test_refusal_says_its_code(status: int) -> None:
    """RFC 6749 section 5.2."""
    body: dict[str, object] = {"error": "invalid_grant", "error_description": "Gone."}
    error = refusal(body, status)
    assert error.error == "invalid_grant"
    assert error.detail == "Gone."


@pytest.mark.parametrize("body", [b"no", b"{}", b'{"error":1}', b'{"error":"a\\nb"}'])
def test_refusal_without_a_code_is_no_answer(body: bytes) -> None:
    assert refusal(body, 400).error == ""


def test_wish_for_a_nonce_is_told() -> None:
    """RFC 9449 section 8."""
    assert refusal({"error": "use_dpop_nonce"}, 400).error == "use_dpop_nonce"


def test_description_is_trimmed_and_printable() -> None:
    text = "bad\r\n\x1b[31mcode\u202eabc " + "x" * 1000
    body: dict[str, object] = {"error": "invalid_grant", "error_description": text}
    detail = refusal(body, 400).detail
    assert detail.startswith("bad [31mcode abc xxx")
    assert detail.isprintable()
    assert len(detail) == 200


def test_description_of_another_kind_is_left_out() -> None:
    body: dict[str, object] = {"error": "invalid_grant", "error_description": ["x"]}
    assert refusal(body, 400).detail == ""


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    members=st.dictionaries(st.sampled_from([*GOOD, "error"]), VALUES),
    status=st.sampled_from([200, 400]),
)
def test_anything_is_tokens_or_an_error(members: dict[str, Any], status: int) -> None:
    try:
        tokens = read_token_response(status, JSON, json.dumps(members).encode())
    except TokenResponseError:
        return
    assert status == 200
    assert tokens.access_token
    assert tokens.token_type in {"Bearer", "DPoP"}


@given(st.binary())
def test_any_octets_are_an_error(body: bytes) -> None:
    with pytest.raises(TokenResponseError):
        read_token_response(200, JSON, body)
