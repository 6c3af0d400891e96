"""What an authorization server says about a token is read in one way only."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.oauth.introspection import (
    JSON_TYPE,
    JWT_TYPE,
    MAX_AGE,
    AnswerError,
    build_fields,
    check_status,
    read_json_answer,
    read_jwt_answer,
    split_jwt_answer,
)
from sso_proxy.testing.tokens import TokenSigner

NOW = 1_800_000_000.0
ISSUER = "https://as.example.com/"
US = "https://rs.example.com/resource"
SIGNER = TokenSigner.create()

RFC_7662 = b"""{
  "active": true,
  "client_id": "l238j323ds-23ij4",
  "username": "jdoe",
  "scope": "read write dolphin",
  "sub": "Z5O3upPC88QrAjx00dis",
  "aud": "https://protected.example.net/resource",
  "iss": "https://server.example.com/",
  "exp": 1419356238,
  "iat": 1419350238,
  "extension_field": "twenty-seven"
}"""
"""Section 2.2."""

RFC_9701 = {
    "iss": "https://as.example.com/",
    "aud": "https://rs.example.com/resource",
    "iat": 1514797892,
    "token_introspection": {
        "active": True,
        "iss": "https://as.example.com/",
        "aud": "https://rs.example.com/resource",
        "iat": 1514797822,
        "exp": 1514797942,
        "client_id": "paiB2goo0a",
        "scope": "read write dolphin",
        "sub": "Z5O3upPC88QrAjx00dis",
        "birthdate": "1982-02-01",
        "given_name": "John",
        "family_name": "Doe",
        "jti": "t1FoCCaZd4Xv4ORJUWVUeTZfsKhW30CQCrWDDjwXy6w",
    },
}
"""Section 5, the example's payload."""


def signed(claims: Any, **header: Any) -> bytes:  # noqa: ANN401
    header = {"typ": "token-introspection+jwt", **header}
    return SIGNER.sign(claims, **header).encode()


def claims(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    made = {
        "iss": ISSUER,
        "aud": US,
        "iat": NOW,
        "token_introspection": {"active": True, "sub": "u"},
    } | changes
    return {name: value for name, value in made.items() if value is not None}


def read_jwt(members: Any) -> Any:  # noqa: ANN401
    payload = json.dumps(members).encode()
    return read_jwt_answer(payload, issuer=ISSUER, audience=US, now=NOW, leeway=10)


def test_the_question_is_the_example_of_rfc_7662() -> None:
    """Section 2.1: token=mF_9.B5f-4.1JqM&token_type_hint=access_token."""
    assert build_fields("mF_9.B5f-4.1JqM") == (
        ("token", "mF_9.B5f-4.1JqM"),
        ("token_type_hint", "access_token"),
    )


def test_the_question_may_be_put_in_another_way() -> None:
    fields = build_fields("t", token_param="access_token", hint="", params={"a": "b"})
    assert fields == (("access_token", "t"), ("a", "b"))


@pytest.mark.parametrize(
    "name",
    ["token", "t", "token_type_hint", "client_id", "client_secret", "client_assertion"],
)
def test_what_has_a_meaning_cannot_be_set_twice(name: str) -> None:
    with pytest.raises(ValueError, match="set already"):
        build_fields("secret", token_param="t", params={name: "x"})


def test_the_answer_of_rfc_7662_is_read() -> None:
    members = read_json_answer(JSON_TYPE, RFC_7662)
    assert members["sub"] == "Z5O3upPC88QrAjx00dis"
    assert members["scope"] == "read write dolphin"
    assert members["extension_field"] == "twenty-seven"


def test_parameters_of_the_content_type_do_not_matter() -> None:
    assert read_json_answer("Application/JSON; charset=UTF-8", b'{"active":true}')


@pytest.mark.parametrize(
    "active", ["false", "null", "1", '"true"', '"false"', "[true]", '{"a":true}', "1.0"]
)
def test_only_true_is_active(active: str) -> None:
    """RFC 7662 2.2: "Boolean indicator of whether or not ... is currently active"."""
    with pytest.raises(TokenError) as caught:
        read_json_answer(JSON_TYPE, b'{"active":%b,"sub":"u"}' % active.encode())
    assert caught.value.reason == "token-inactive"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
)
def test_nothing_but_true_is_true(active: object) -> None:
    body = json.dumps({"active": active}).encode()
    if active is True:
        assert read_json_answer(JSON_TYPE, body) == {"active": True}
        return
    with pytest.raises((TokenError, AnswerError)):
        read_json_answer(JSON_TYPE, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"true",
        b"[]",
        b"{}",
        b'{"sub":"u"}',
        b'{"active":true',
        b'{"active":true}{}',
        b'{"active":false,"active":true}',
        b'{"active":true,"sub":"a","sub":"b"}',
        b'{"active":true,"cnf":{"jkt":"a","jkt":"b"}}',
        b'{"active":true,"exp":NaN}',
        b'{"active":true,"sub":"\xff"}',
        b'\xef\xbb\xbf{"active":true}',
        b'{"active":true,"a":' + b"[" * 99 + b"]" * 99 + b"}",
        b"<html>active</html>",
    ],
)
def test_what_is_no_answer_is_a_failure_and_no_verdict(body: bytes) -> None:
    with pytest.raises(AnswerError):
        read_json_answer(JSON_TYPE, body)


@pytest.mark.parametrize("kind", [None, "", "text/html", "text/plain", JWT_TYPE])
def test_an_answer_of_another_type_is_none(kind: str | None) -> None:
    with pytest.raises(AnswerError, match="no application/json"):
        read_json_answer(kind, RFC_7662)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 404, 500, 503])
def test_only_200_is_an_answer(status: int) -> None:
    with pytest.raises(AnswerError, match=f"status {status}") as caught:
        check_status(status, RFC_7662)
    assert not caught.value.refused
    assert not caught.value.busy
    assert caught.value.disliked is (status == 400)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b""),
        (403, b"<html>"),
        (400, b'{"error":"invalid_client"}'),
        (400, b'{"error":"unauthorized_client"}'),
    ],
)
def test_who_refuses_us_says_nothing_about_the_token(status: int, body: bytes) -> None:
    """RFC 7662 2.3: "responds with an HTTP 401 code as described in"..."""
    with pytest.raises(AnswerError, match="refuses our credentials") as caught:
        check_status(status, body)
    assert caught.value.refused


def test_who_has_too_much_to_do_says_so() -> None:
    with pytest.raises(AnswerError) as caught:
        check_status(429, b"")
    assert caught.value.busy


def test_error_codes_are_told_if_they_are_some() -> None:
    with pytest.raises(AnswerError) as caught:
        check_status(400, b'{"error":"unsupported_token_type"}')
    assert caught.value.detail == "status 400 unsupported_token_type"
    for body in (b'{"error":"SECRET TOKEN"}', b'{"error":{"a":1}}', b"invalid_client"):
        with pytest.raises(AnswerError) as caught:
            check_status(400, body)
        assert caught.value.detail == "status 400"


def test_200_is_an_answer() -> None:
    check_status(200, b"")


def test_the_answer_of_rfc_9701_is_read() -> None:
    jws = split_jwt_answer(JWT_TYPE, signed(RFC_9701))
    members = read_jwt_answer(
        jws.payload, issuer=ISSUER, audience=US, now=1514797892.0, leeway=0
    )
    assert members == RFC_9701["token_introspection"]


@pytest.mark.parametrize(
    "typ", [None, "JWT", "at+jwt", "token-introspection", "logout+jwt", "dpop+jwt"]
)
def test_another_jwt_is_no_answer(typ: str | None) -> None:
    """An ID token or an access token has the same issuer, and maybe our audience."""
    with pytest.raises(AnswerError, match="typ"):
        split_jwt_answer(JWT_TYPE, signed(claims(), typ=typ))


def test_the_long_form_of_the_type_is_the_same() -> None:
    body = signed(claims(), typ="application/Token-Introspection+JWT")
    assert split_jwt_answer(JWT_TYPE, body).header.alg == "ES256"


@pytest.mark.parametrize("kind", [None, JSON_TYPE, "application/jwt", "text/plain"])
def test_an_unsigned_answer_does_not_stand_for_a_signed_one(kind: str | None) -> None:
    with pytest.raises(AnswerError, match="is no application/token-introspection"):
        split_jwt_answer(kind, signed(claims()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"active":true}',
        b"a.b.c",
        b"\xff.a.b",
        SIGNER.sign_octets(b'{"alg":"none","typ":"token-introspection+jwt"}', b"{}")
        .rpartition(".")[0]
        .encode()
        + b".",
        b"a.b.c.d.e",
    ],
)
def test_what_is_no_signed_answer_is_a_failure(body: bytes) -> None:
    with pytest.raises(AnswerError):
        split_jwt_answer(JWT_TYPE, body)


def test_an_encrypted_answer_is_decrypted() -> None:
    inner = signed(claims())
    seen = []

    def decrypt(text: str) -> bytes:
        seen.append(text)
        return inner

    jws = split_jwt_answer(JWT_TYPE, b"a.b.c.d.e", decrypt=decrypt)
    assert json.loads(jws.payload) == claims()
    assert seen == ["a.b.c.d.e"]
    split_jwt_answer(JWT_TYPE, inner, decrypt=decrypt)
    assert len(seen) == 1


def test_what_cannot_be_decrypted_is_a_failure_and_no_verdict() -> None:
    def decrypt(_: str) -> bytes:
        raise TokenError("no key")

    with pytest.raises(AnswerError, match="no key"):
        split_jwt_answer(JWT_TYPE, b"a.b.c.d.e", decrypt=decrypt)


def test_what_is_inside_an_encrypted_answer_is_a_signed_one() -> None:
    with pytest.raises(AnswerError):
        split_jwt_answer(JWT_TYPE, b"a.b.c.d.e", decrypt=lambda _: b'{"active":true}')
    with pytest.raises(AnswerError):
        split_jwt_answer(JWT_TYPE, b"a.b.c.d.e", decrypt=lambda _: b"a.b.c.d.e")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": None},
        {"iss": "https://as.example.com"},
        {"aud": None},
        {"aud": "https://rs.example.com"},
        {"aud": 1},
        {"aud": {US: 1}},
        {"aud": []},
        {"iat": None},
        {"iat": "1800000000"},
        {"iat": True},
        {"iat": NOW + 11},
        {"iat": NOW - MAX_AGE - 11},
        {"token_introspection": None},
        {"token_introspection": True},
        {"token_introspection": [{"active": True}]},
        {"token_introspection": {}},
        {"token_introspection": None, "active": True},
    ],
)
def test_an_answer_of_another_or_for_another_or_of_old_is_none(
    changes: dict[str, Any],
) -> None:
    """RFC 9701 5: iss, aud and iat are REQUIRED."""
    with pytest.raises(AnswerError):
        read_jwt(claims(**changes))


def test_an_answer_for_several_is_for_us_too() -> None:
    assert read_jwt(claims(aud=["https://other.example.com", US])) == {
        "active": True,
        "sub": "u",
    }


@pytest.mark.parametrize("active", [False, 1, "true", None])
def test_only_true_is_active_in_a_signed_answer(active: object) -> None:
    with pytest.raises(TokenError) as caught:
        read_jwt(claims(token_introspection={"active": active}))
    assert caught.value.reason == "token-inactive"


def test_a_payload_that_is_no_object_is_no_answer() -> None:
    for payload in (b"", b"[]", b'{"iss":1,"iss":2}'):
        with pytest.raises(AnswerError):
            read_jwt_answer(payload, issuer=ISSUER, audience=US, now=NOW, leeway=10)
