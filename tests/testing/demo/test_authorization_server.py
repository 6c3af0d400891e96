import base64
import hashlib
import json
from typing import Any

import pytest
from twisted.web.test.requesthelper import DummyRequest

from sso_proxy.testing.demo.authorization_server import (
    LIFETIME,
    AuthorizationServer,
    AuthorizationServerResource,
    common_name,
)
from sso_proxy.testing.pki import Pki

NOW = 1_800_000_000.5
FORM = {
    "grant_type": "client_credentials",
    "client_id": "orders-app",
    "scope": "orders.read",
}
PKI = Pki.create()
MINE = PKI.issue("orders-app", client=True)
SERVER = AuthorizationServer(
    issuer="https://login.example.com",
    audience="https://api.example.com",
    clients={"orders-app": frozenset({"orders.read", "orders.write"})},
    now=lambda: NOW,
)


def decoded(part: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return value


def test_token_is_bound_to_the_certificate_that_asked_for_it() -> None:
    status, answer = SERVER.answer(FORM, MINE.der)
    header, claims, _ = answer["access_token"].split(".")
    assert status == 200
    assert decoded(header)["typ"] == "at+jwt"
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(MINE.der).digest())
    assert decoded(claims)["cnf"] == {"x5t#S256": thumbprint.decode().rstrip("=")}


def test_token_says_who_for_whom_and_how_long() -> None:
    _, answer = SERVER.answer(FORM, MINE.der)
    claims = decoded(answer["access_token"].split(".")[1])
    assert claims["iss"] == "https://login.example.com"
    assert claims["aud"] == "https://api.example.com"
    assert claims["sub"] == claims["client_id"] == "orders-app"
    assert claims["scope"] == answer["scope"] == "orders.read"
    assert claims["exp"] - int(NOW) == LIFETIME


def test_no_scope_asked_for_is_every_scope() -> None:
    form = {name: value for name, value in FORM.items() if name != "scope"}
    _, answer = SERVER.answer(form, MINE.der)
    assert answer["scope"] == "orders.read orders.write"


def test_two_tokens_differ() -> None:
    tokens = {SERVER.answer(FORM, MINE.der)[1]["access_token"] for _ in range(2)}
    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("changes", "certificate", "error"),
    [
        ({}, None, "invalid_client"),
        ({}, PKI.issue("somebody", client=True).der, "invalid_client"),
        ({"client_id": ""}, MINE.der, "invalid_client"),
        ({"client_id": "somebody"}, PKI.issue("somebody").der, "invalid_client"),
        ({"grant_type": "password"}, MINE.der, "unsupported_grant_type"),
        ({"scope": "orders.read admin"}, MINE.der, "invalid_scope"),
    ],
)
def test_what_is_not_as_agreed_gets_no_token(
    changes: dict[str, str], certificate: bytes | None, error: str
) -> None:
    status, answer = SERVER.answer({**FORM, **changes}, certificate)
    assert status in {400, 401}
    assert answer == {"error": error}


def test_common_name_of_a_certificate_is_read() -> None:
    assert common_name(MINE.der) == "orders-app"


@pytest.mark.parametrize(
    "path",
    ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"],
)
def test_metadata_names_the_token_endpoint_and_the_keys(path: str) -> None:
    answer = get(path)
    assert answer["issuer"] == "https://login.example.com"
    assert answer["token_endpoint"] == "https://login.example.com/token"
    assert answer["jwks_uri"] == "https://login.example.com/jwks"
    assert answer["tls_client_certificate_bound_access_tokens"] is True


def test_keys_are_public_only() -> None:
    (key,) = get("/jwks")["keys"]
    assert key["alg"] == "ES256"
    assert "d" not in key


def test_nothing_else_is_there() -> None:
    assert get("/admin") == {"error": "not_found"}


def get(path: str) -> Any:  # noqa: ANN401 - JSON
    request: Any = DummyRequest([])
    request.path = path.encode()
    return json.loads(AuthorizationServerResource(SERVER).render_GET(request))
