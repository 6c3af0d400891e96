"""The demo's provider gives tokens to whom it has sent back, once."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sso_proxy.testing.demo.people import PEOPLE
from sso_proxy.testing.demo.provider import (
    CODE_LIFETIME,
    LIFETIME,
    MOST,
    Client,
    NotInOrderError,
    OpenIdProvider,
)

ISSUER = "https://127.0.0.1:8447"
CLIENT = Client(client_id="demo", secret="s3", redirect_uris=("https://app/cb",))
BASIC = "Basic " + base64.b64encode(b"demo:s3").decode()
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest())
    .rstrip(b"=")
    .decode()
)
REQUEST = {
    "client_id": "demo",
    "redirect_uri": "https://app/cb",
    "response_type": "code",
    "scope": "openid profile",
    "state": "st&te",
    "nonce": "n-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


class Clock:
    now = 1_800_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> OpenIdProvider:
    return OpenIdProvider(issuer=ISSUER, client=CLIENT, now=clock)


def log_in(provider: OpenIdProvider, person: str = "alice") -> dict[str, str]:
    url = provider.send_back(provider.read_request(REQUEST), person)
    assert url.startswith("https://app/cb?")
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def redeem(provider: OpenIdProvider, code: str, /, **changes: str) -> tuple[int, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": "https://app/cb",
        "code_verifier": VERIFIER,
        **changes,
    }
    return provider.answer(form, BASIC)


def claims_of(answer: dict[str, Any]) -> dict[str, Any]:
    part = answer["id_token"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return claims


def test_a_login_ends_in_tokens_for_who_logged_in(provider: OpenIdProvider) -> None:
    answer = log_in(provider)
    assert answer["state"] == "st&te"
    assert answer["iss"] == ISSUER
    status, tokens = redeem(provider, answer["code"])
    assert status == 200
    claims = claims_of(tokens)
    assert claims["sub"] == PEOPLE["alice"].subject
    assert claims["nonce"] == "n-1"
    assert claims["aud"] == "demo"
    assert claims["exp"] - claims["iat"] == LIFETIME


def test_userinfo_says_more(provider: OpenIdProvider) -> None:
    _, tokens = redeem(provider, log_in(provider, "bob")["code"])
    status, claims = provider.userinfo(f"Bearer {tokens['access_token']}")
    assert status == 200
    assert claims["name"] == "Bob Baker"
    assert claims["groups"] == ["partner"]
    assert claims["sub"] == claims_of(tokens)["sub"]


def test_nobody_is_denied(provider: OpenIdProvider) -> None:
    answer = log_in(provider, "nobody")
    assert answer["error"] == "access_denied"
    assert "code" not in answer


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "other"},
        {"redirect_uri": "https://evil.example/"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"state": ""},
        {"scope": "profile"},
    ],
)
def test_a_request_that_is_not_in_order_leads_nowhere(
    provider: OpenIdProvider, changes: dict[str, str]
) -> None:
    with pytest.raises(NotInOrderError):
        provider.read_request({**REQUEST, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "other"},
        {"redirect_uri": "https://evil.example/"},
        {"code_verifier": "w" * 43},
    ],
)
def test_a_code_is_for_who_began(
    provider: OpenIdProvider, changes: dict[str, str]
) -> None:
    answer = redeem(provider, log_in(provider)["code"], **changes)
    assert answer == (400, {"error": "invalid_grant"})


def test_a_code_is_good_once(provider: OpenIdProvider) -> None:
    code = log_in(provider)["code"]
    assert redeem(provider, code)[0] == 200
    assert redeem(provider, code)[0] == 400


def test_a_code_is_good_for_a_minute(provider: OpenIdProvider, clock: Clock) -> None:
    code = log_in(provider)["code"]
    clock.now += CODE_LIFETIME
    assert redeem(provider, code)[0] == 400


def test_an_access_token_ends(provider: OpenIdProvider, clock: Clock) -> None:
    _, tokens = redeem(provider, log_in(provider)["code"])
    clock.now += LIFETIME
    assert provider.userinfo(f"Bearer {tokens['access_token']}")[0] == 401
    assert provider.userinfo("Bearer x")[0] == 401


def test_a_refresh_token_is_good_once(provider: OpenIdProvider, clock: Clock) -> None:
    _, first = redeem(provider, log_in(provider)["code"])
    clock.now += 1000
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    status, second = provider.answer(form, BASIC)
    assert status == 200
    assert claims_of(second)["sub"] == claims_of(first)["sub"]
    assert claims_of(second)["auth_time"] == claims_of(first)["auth_time"]
    assert provider.answer(form, BASIC)[0] == 400


@pytest.mark.parametrize("authorization", ["", "Basic x", BASIC[:-2], "Bearer s3"])
def test_only_the_client_gets_tokens(
    provider: OpenIdProvider, authorization: str
) -> None:
    form = {"grant_type": "authorization_code", "code": log_in(provider)["code"]}
    assert provider.answer(form, authorization) == (401, {"error": "invalid_client"})


def test_other_grants_are_refused(provider: OpenIdProvider) -> None:
    assert provider.answer({}, BASIC) == (400, {"error": "unsupported_grant_type"})


def test_the_oldest_codes_are_forgotten(provider: OpenIdProvider) -> None:
    first = log_in(provider)["code"]
    for _ in range(MOST):
        last = log_in(provider)["code"]
    assert redeem(provider, first)[0] == 400
    assert redeem(provider, last)[0] == 200


def test_metadata_name_what_there_is(provider: OpenIdProvider) -> None:
    metadata = provider.metadata()
    assert metadata["issuer"] == ISSUER
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
