"""What we sign is the request, and only the provider can read it if it is to."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.decrypt import decrypt_compact, read_decryption_keys
from sso_proxy.specs.jose.encrypt import read_encryption_key
from sso_proxy.specs.jose.keys import KeySet, read_jwks
from sso_proxy.specs.jose.public_jwk import public_members
from sso_proxy.specs.jose.sign import read_signing_key
from sso_proxy.specs.jose.verify import verify
from sso_proxy.specs.oauth.claims import ANY_TYPE, check_type
from sso_proxy.specs.oauth.pkce import challenge_of
from sso_proxy.specs.oidc.request import (
    AuthorizationRequest,
    front_url,
    request_object_claims,
)
from sso_proxy.specs.oidc.request_object import (
    MAX_REFERENCE,
    build_request_object,
    object_fields,
    reference_fields,
)
from tests.support.rsa_key import RSA_KEY as THEIRS

NOW = 1_800_000_000.0
PRIVATE = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
KEY = read_signing_key(PRIVATE, kid="ours")
REQUEST = AuthorizationRequest(
    client_id="proxy",
    redirect_uri="https://app.example.com/.sso/callback/op",
    scope=("openid", "email"),
    state="a-state",
    nonce="a-nonce",
    code_challenge=challenge_of("v" * 43),
    login_hint="ålice",
)
OPTIONS: dict[str, Any] = {
    "issuer": "https://op.example",
    "now": NOW,
    "lifetime": 60,
    "jti": "said-once",
}
OUTSIDE = (
    ("client_id", "proxy"),
    ("response_type", "code"),
    ("scope", "openid email"),
)


def our_keys() -> KeySet:
    jwk = {**public_members(PRIVATE), "kid": "ours"}
    return read_jwks(json.dumps({"keys": [jwk]}).encode())


def test_a_provider_reads_the_request_with_our_public_key() -> None:
    header, payload = verify(build_request_object(REQUEST, KEY, **OPTIONS), our_keys())
    assert json.loads(payload) == request_object_claims(REQUEST, **OPTIONS)
    assert (header.typ, header.kid) == ("oauth-authz-req+jwt", "ours")


def test_an_encrypted_request_is_signed_inside() -> None:
    """RFC 9101 4: signed, then encrypted."""
    jwks = json.dumps({"keys": [json.loads(JWK.from_pyca(THEIRS).export_public())]})
    key = read_encryption_key(jwks.encode(), alg="RSA-OAEP-256")
    token = build_request_object(REQUEST, KEY, encryption=key, **OPTIONS)
    keys = read_decryption_keys(JWK.from_pyca(THEIRS).export_private().encode())
    _, payload = verify(decrypt_compact(token, keys), our_keys())
    assert json.loads(payload)["state"] == "a-state"


def test_a_request_object_is_never_taken_for_a_token() -> None:
    """RFC 8725 3.11: its type says what it is."""
    header, _ = verify(build_request_object(REQUEST, KEY, **OPTIONS), our_keys())
    with pytest.raises(TokenError):
        check_type(header.typ, [ANY_TYPE])


def test_a_request_by_value_says_outside_what_openid_connect_wants() -> None:
    """OpenID Connect Core 6.1; the rest is inside."""
    text = build_request_object(REQUEST, KEY, **OPTIONS)
    assert object_fields(REQUEST, text) == (*OUTSIDE, ("request", text))
    assert "a-state" not in front_url(
        "https://op.example/a", object_fields(REQUEST, text)
    )


def test_a_request_by_reference_names_where_it_is() -> None:
    uri = "https://app.example.com/.sso/request/op/abc"
    assert reference_fields(REQUEST, uri) == (*OUTSIDE, ("request_uri", uri))


@pytest.mark.parametrize(
    "uri",
    [
        "urn:example:request",
        "https://app.example.com/#request",
        "/.sso/request",
        f"https://app.example.com/{'a' * MAX_REFERENCE}",
    ],
)
def test_a_reference_is_a_url_that_is_not_too_long(uri: str) -> None:
    """OpenID Connect Core 6.2: the URI "MUST NOT exceed 512 ASCII characters"."""
    with pytest.raises(ValueError, match=r"^request_uri"):
        reference_fields(REQUEST, uri)


def test_a_lifetime_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="a lifetime is"):
        build_request_object(REQUEST, KEY, **{**OPTIONS, "lifetime": 86400})
