"""What is asked of token endpoints without a browser, and what their refusals mean."""

from base64 import b64encode, urlsafe_b64encode
from contextlib import suppress
from typing import Final
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.grants import (
    MAX_ASSERTION,
    MAX_PASSWORD,
    Target,
    UnfitError,
    build_client_credentials,
    build_jwt_bearer,
    build_password,
    build_refresh,
    build_saml2_bearer,
    check_resource,
    encode_saml,
    read_rotated,
)

SAML: Final = (
    '<saml2:Assertion xmlns:saml2="urn:oasis:names:tc:SAML:2.0:assertion" ID="_1">'
    "<saml2:Subject>J\u00fcrgen</saml2:Subject></saml2:Assertion>"
)
ENCODED: Final = urlsafe_b64encode(SAML.encode()).decode().rstrip("=")
TEXT: Final = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=50
)


def test_a_name_and_a_password_are_sent_as_the_standard_has_it() -> None:
    """RFC 6749 section 4.3.2, but for the client's credentials."""
    fields = build_password("johndoe", "A3ddj3w")
    assert urlencode(fields) == "grant_type=password&username=johndoe&password=A3ddj3w"


@given(user=TEXT, password=TEXT)
def test_names_and_passwords_are_sent_as_they_are(user: str, password: str) -> None:
    found = dict(build_password(user, password))
    assert (found["username"], found["password"]) == (user, password)


@pytest.mark.parametrize("text", ["", "a\nb", "a\r", "\0", "\x7f", "\ud800"])
def test_control_characters_are_no_part_of_a_password(text: str) -> None:
    """RFC 6749 appendices A.15 and A.16."""
    with pytest.raises(UnfitError, match="control characters"):
        build_password("alice", text)
    with pytest.raises(UnfitError, match="control characters"):
        build_password(text, "secret")


def test_a_password_has_bounds() -> None:
    build_password("alice", "x" * MAX_PASSWORD)
    with pytest.raises(UnfitError, match="password has more than"):
        build_password("alice", "x" * (MAX_PASSWORD + 1))


def test_what_a_token_is_for_stands_once_for_each() -> None:
    """ "Multiple resource parameters MAY be used" (RFC 8707 section 2)."""
    target = Target(
        scope=("orders.read", "orders.write"),
        resource=("https://a.example", "urn:b"),
        audience=("shop",),
    )
    assert build_client_credentials(target) == (
        ("grant_type", "client_credentials"),
        ("scope", "orders.read orders.write"),
        ("resource", "https://a.example"),
        ("resource", "urn:b"),
        ("audience", "shop"),
    )


def test_nothing_is_asked_for_that_nobody_wants() -> None:
    assert build_client_credentials() == (("grant_type", "client_credentials"),)


def test_a_refresh_is_asked_for_with_its_resource() -> None:
    """RFC 8707 section 2.2, figure 5."""
    target = Target(resource=("https://contacts.example.com/",))
    assert dict(build_refresh("4LTC8lb0acc6Oy4esc1Nk9BWC0imAwH7kic16BDC2", target)) == {
        "grant_type": "refresh_token",
        "refresh_token": "4LTC8lb0acc6Oy4esc1Nk9BWC0imAwH7kic16BDC2",
        "resource": "https://contacts.example.com/",
    }


@pytest.mark.parametrize("token", ["", "a\nb", "\u00e4"])
def test_a_refresh_token_is_printable(token: str) -> None:
    with pytest.raises(UnfitError, match="refresh token"):
        build_refresh(token)


@pytest.mark.parametrize("jwt", ["eyJ.e30.c2ln", "eyJ.e30.", "a.b.c.d.e", "a..c.d.e"])
def test_a_jwt_is_an_assertion(jwt: str) -> None:
    """RFC 7523 section 2.1."""
    assert build_jwt_bearer(jwt) == (
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", jwt),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "opaque",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e.f",
        "a.b.c\n",
        "a.b.c=",
        "<a/>",
        " a.b.c",
    ],
)
def test_what_is_no_jwt_is_no_assertion(text: str) -> None:
    """A legacy token that nobody has looked at is never sent as something else."""
    with pytest.raises(UnfitError, match="no signed or encrypted JWT"):
        build_jwt_bearer(text)


def test_a_jwt_has_bounds() -> None:
    with pytest.raises(UnfitError, match="more than"):
        build_jwt_bearer("a.b." + "c" * MAX_ASSERTION)


@pytest.mark.parametrize(
    "text",
    [
        SAML,
        f"\n<?xml version='1.0' encoding='UTF-8'?>\n{SAML}\n".strip(),
        ENCODED,
        f"{ENCODED}==",
        b64encode(SAML.encode()).decode(),
        "\r\n".join(ENCODED[at : at + 64] for at in range(0, len(ENCODED), 64)),
    ],
)
def test_an_assertion_is_encoded_once(text: str) -> None:
    """ "SHOULD NOT be line wrapped and "=" SHOULD NOT be included" (RFC 7522 2.1)."""
    encoded = encode_saml(text)
    assert "=" not in encoded
    assert encode_saml(encoded) == encoded
    if not text.startswith("<?xml"):
        assert encoded == ENCODED


def test_an_assertion_of_saml_is_sent_as_the_standard_has_it() -> None:
    assert build_saml2_bearer(SAML, Target(scope=("a",))) == (
        ("grant_type", "urn:ietf:params:oauth:grant-type:saml2-bearer"),
        ("assertion", ENCODED),
        ("scope", "a"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a/>",
        "not base64!",
        "b\u00e4se",
        "<Assertion>",
        f"{SAML}<more/>",
        f'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>{SAML}',
        SAML.replace("<saml2:Subject>", "<!ENTITY x><saml2:Subject>"),
        b64encode(f"<!doctype a>{SAML}".encode()).decode(),
        b64encode(SAML.encode("utf-16")).decode(),
        f"<?xml version='1.0' encoding='utf-7'?>{SAML}",
        b64encode(SAML.encode("latin-1")).decode(),
        SAML.replace("SAML:2.0", "SAML:1.0"),
        SAML.replace("Assertion", "Response"),
        SAML.replace("J\u00fcrgen", "alice<!-- -->@evil.example"),
    ],
)
def test_what_is_no_assertion_is_not_sent(text: str) -> None:
    with pytest.raises(UnfitError):
        encode_saml(text)


def test_an_assertion_has_bounds() -> None:
    padding = "x" * (MAX_ASSERTION - len(SAML.encode()))
    encode_saml(SAML.replace("</saml2:Subject>", f"{padding}</saml2:Subject>"))
    with pytest.raises(UnfitError, match="more than"):
        encode_saml(SAML.replace("</saml2:Subject>", f"{padding}x</saml2:Subject>"))
    with pytest.raises(UnfitError, match="more than"):
        encode_saml("<" * 3 * MAX_ASSERTION)


@given(st.text(max_size=200))
def test_anything_else_is_refused_in_one_way(text: str) -> None:
    """No other exception, whatever somebody sends for an assertion."""
    for build in (build_jwt_bearer, build_saml2_bearer, build_refresh):
        with suppress(UnfitError):
            build(text)


@pytest.mark.parametrize("uri", ["https://a.example/b?c=d", "urn:example:a", "api://x"])
def test_a_resource_is_an_absolute_uri(uri: str) -> None:
    check_resource(uri)


@pytest.mark.parametrize(
    "uri", ["", "orders", "/a", "https://a#b", "https://a b", "a:"]
)
def test_what_is_no_resource_is_refused(uri: str) -> None:
    """ "an absolute URI … MUST NOT include a fragment component" (RFC 8707 2)."""
    with pytest.raises(ValueError, match="no absolute URI"):
        check_resource(uri)


@pytest.mark.parametrize(
    "body",
    [
        b'{"refresh_token": "r1"}',
        b'{"access_token": "a\\n", "refresh_token": "r1", "token_type": "unknown"}',
        b'{"access_token": "a", "expires_in": -1, "refresh_token": "r1"}',
    ],
)
def test_a_new_refresh_token_is_found_in_an_answer_of_no_use(body: bytes) -> None:
    assert read_rotated(200, "application/json", body) == "r1"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"{}"),
        (200, b"[]"),
        (200, b'{"refresh_token": "r\\n1"}'),
        (200, b'{"error": "invalid_grant", "refresh_token": "r1"}'),
        (400, b'{"refresh_token": "r1"}'),
        (302, b'{"refresh_token": "r1"}'),
    ],
)
def test_nothing_else_is_a_new_refresh_token(status: int, body: bytes) -> None:
    assert read_rotated(status, "application/json", body) == ""
