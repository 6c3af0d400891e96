"""Who we are is said as the standards say it, and to one server at a time."""

import json
from base64 import b64decode
from typing import Any
from urllib.parse import unquote_plus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.sign import read_signing_key
from sso_proxy.specs.oauth.client_auth import (
    ClientAuth,
    ClientCredentials,
    build_credentials,
)

NOW = 1_800_000_000.7
KEY = ec.generate_private_key(ec.SECP256R1())
SECRET = "0123456789abcdef0123456789abcdef"
ISSUER = "https://as.example.com"


def build(**options: Any) -> ClientCredentials:  # noqa: ANN401
    options = {"client_id": "s6BhdRkqt3", "secret": "7Fjfp0ZBr1KtDRbnfVdmIw", **options}
    return build_credentials(ClientAuth(**options), now=NOW, unique="jti-1")


def read(credentials: ClientCredentials, key: JWK) -> tuple[dict[str, Any], Any]:
    """Check the assertion with another implementation."""
    jws = JWS()
    jws.allowed_algs = ["ES256", "HS256"]
    jws.deserialize(dict(credentials.fields)["client_assertion"], key)
    return jws.jose_header, json.loads(jws.payload)


def test_basic_is_the_example_of_rfc_6749() -> None:
    """RFC 6749 2.3.1."""
    made = build(method="client_secret_basic")
    expected = "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
    assert made == ClientCredentials(headers=(("authorization", expected),))


def test_id_and_secret_are_encoded_before_they_are_joined() -> None:
    """RFC 6749 2.3.1, appendix B: the example " %&+£€"."""
    made = build(method="client_secret_basic", client_id="a:b", secret=" %&+£€")
    value = dict(made.headers)["authorization"].removeprefix("Basic ")
    assert b64decode(value) == b"a%3Ab:+%25%26%2B%C2%A3%E2%82%AC"


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_server_reads_what_was_meant(name: str, secret: str) -> None:
    try:
        (name + secret).encode()
    except UnicodeEncodeError:
        return
    made = build(method="client_secret_basic", client_id=name, secret=secret)
    value = dict(made.headers)["authorization"].removeprefix("Basic ")
    left, _, right = b64decode(value).decode().partition(":")
    assert (unquote_plus(left), unquote_plus(right)) == (name, secret)


def test_basic_without_encoding_leaves_everything_as_it_is() -> None:
    made = build(method="basic", client_id="user", secret="a:b %")
    value = dict(made.headers)["authorization"].removeprefix("Basic ")
    assert b64decode(value) == b"user:a:b %"
    with pytest.raises(ValueError, match="colon"):
        build(method="basic", client_id="a:b")


def test_post_puts_both_into_the_form() -> None:
    assert build(method="client_secret_post") == ClientCredentials(
        fields=(
            ("client_id", "s6BhdRkqt3"),
            ("client_secret", "7Fjfp0ZBr1KtDRbnfVdmIw"),
        )
    )


def test_a_bearer_token_stands_in_authorization() -> None:
    """RFC 7662 2.1: the example's "Authorization: Bearer 23410913-abewfq.123483"."""
    made = build(method="bearer", secret="23410913-abewfq.123483")
    expected = (("authorization", "Bearer 23410913-abewfq.123483"),)
    assert made == ClientCredentials(headers=expected)


@pytest.mark.parametrize(
    "method", ["none", "tls_client_auth", "self_signed_tls_client_auth"]
)
def test_who_proves_nothing_here_says_a_name(method: Any) -> None:  # noqa: ANN401
    """RFC 8705 2: "the client MUST include the client_id parameter"."""
    made = build(method=method)
    assert made == ClientCredentials(fields=(("client_id", "s6BhdRkqt3"),))
    assert build(method=method, client_id="") == ClientCredentials()


def test_an_assertion_is_for_one_server_and_one_minute() -> None:
    """RFC 7523 section 3, draft-ietf-oauth-rfc7523bis section 4."""
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made = build(
        method="private_key_jwt",
        key=read_signing_key(pem, kid="our-key"),
        audience=ISSUER,
    )
    header, claims = read(made, JWK.from_pyca(KEY.public_key()))
    assert header == {
        "alg": "ES256",
        "kid": "our-key",
        "typ": "client-authentication+jwt",
    }
    assert claims == {
        "iss": "s6BhdRkqt3",
        "sub": "s6BhdRkqt3",
        "aud": ISSUER,
        "jti": "jti-1",
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
    }
    fields = dict(made.fields)
    assert fields["client_id"] == "s6BhdRkqt3"
    assert fields["client_assertion_type"] == (
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    )
    assert made.headers == ()


def test_a_secret_can_sign() -> None:
    made = build(method="client_secret_jwt", secret=SECRET, audience=ISSUER, typ="JWT")
    header, claims = read(made, JWK.from_password(SECRET))
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert claims["aud"] == ISSUER


def test_what_is_missing_is_an_error() -> None:
    with pytest.raises(ValueError, match="a key"):
        build(method="private_key_jwt", audience=ISSUER)
    for lack in ({"client_id": ""}, {"audience": ""}):
        options = {"secret": SECRET, "audience": ISSUER, **lack}
        with pytest.raises(ValueError, match="an audience"):
            build(method="client_secret_jwt", **options)
    with pytest.raises(KeyRefusedError):
        build(method="client_secret_jwt", audience=ISSUER)


def test_nothing_secret_is_shown() -> None:
    client = ClientAuth(method="client_secret_post", client_id="id", secret=SECRET)
    assert SECRET not in repr(client)
    made = build_credentials(client, now=NOW, unique="x")
    assert repr(made) == "ClientCredentials()"
