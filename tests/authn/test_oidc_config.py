"""Options that contradict themselves, or ask nobody anything, are refused at load."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError
from sso_proxy.specs.oidc.response_type import RESPONSE_TYPES

ISSUER = "https://login.example.com"
SMALL = {"issuer": ISSUER, "client_id": "app", "auth": "none"}
HAND = {
    "authorization_endpoint": ISSUER + "/authorize",
    "token_endpoint": ISSUER + "/token",
    "jwks_uri": ISSUER + "/jwks",
}
DPOP = {"dpop": "required", "dpop_key": "k.pem"}
TENANTS = {"issuer": ISSUER + "/{tenantid}/v2.0", "tenants": ["acme"]}


def read(**options: Any) -> OidcConfig:  # noqa: ANN401
    """Read options as from a file."""
    given = {**SMALL, **options}
    return structure(given, OidcConfig, path="authenticator.corp", directory=Path())


def problem(**options: Any) -> str:  # noqa: ANN401
    with pytest.raises(ConfigError) as caught:
        read(**options)
    return str(caught.value)


def test_issuer_and_client_are_enough() -> None:
    config = read()
    assert not config.by_hand
    assert not config.fapi
    assert config.overrides.par_required is None


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"issuer": "http://login.example.com"}, "issuer"),
        ({"issuer": ""}, "issuer"),
        ({"issuer": ISSUER + "?a=b"}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"tenants": ["acme"]}, "tenants"),
        ({**HAND, "issuer": TENANTS["issuer"]}, "tenants"),
        ({**TENANTS}, "metadata"),
        ({**TENANTS, **HAND, "response_mode": "jwt"}, "response_mode"),
        ({"token_endpoint": "http://login.example.com/token"}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"metadata": "http://login.example.com/"}, "metadata"),
        ({"scope": ["profile"]}, "openid"),
        ({"scope": ["openid", "a b"]}, "scope"),
        ({"response_mode": "web_message"}, "response_mode"),
        ({"response_type": "token"}, "response_type"),
        ({"response_type": "code code"}, "response_type"),
        ({"response_type": "id_token", "response_mode": "query"}, "no tokens"),
        ({"response_type": "code token", "response_mode": "query.jwt"}, "no tokens"),
        ({"response_type": "id_token", "required_hashes": ["c_hash"]}, "c_hash"),
        ({"response_type": "id_token", "userinfo_signed": True}, "userinfo_signed"),
        ({"response_type": "id_token", "refresh_failed": "keep"}, "refresh_failed"),
        ({"response_type": "id_token", "cache": ""}, "cache = ''"),
        ({"cache": "", "backchannel_logout": "on"}, "backchannel_logout"),
        ({"cache": "", "request_object": "reference"}, "needs a cache"),
        ({**DPOP, "response_type": "code token"}, "bound to no key"),
        ({**DPOP, "response_type": "code id_token", "profile": "fapi2"}, "'code'"),
        ({"prompt": ["none", "login"]}, "prompt"),
        ({"prompt": ["whatever"]}, "prompt"),
        ({"max_age": -1}, "max_age"),
        ({"acr_values": ["two words"]}, "acr_values"),
        ({"claims": {"access_token": {}}}, "access_token"),
        ({"claims": {"id_token": {"acr": "gold"}}}, "claims"),
        ({"resource": ["api"]}, "resource"),
        ({"params": {"state": "x"}}, "state"),
        ({"params": {"redirect_uri": "https://evil.example"}}, "redirect_uri"),
        ({"redirect_uri": "http://app.example.com/x"}, "redirect_uri"),
        ({"request_object": "value"}, "signing_keys"),
        ({"request_object_alg": "RSA1_5"}, "request_object_alg"),
        ({"request_object_alg": "dir"}, "request_object"),
        ({"pkce": "plain"}, "whoever sees the request: 'S256', or 'off'"),
        ({"pkce": "none"}, "'none' is neither 'S256' nor 'off'"),
        ({"pkce": "s256"}, "'s256' is neither"),
        ({"pkce": "off"}, "pkce = 'off' needs auth other than 'none'"),
        ({"pkce": "off", "response_type": "id_token"}, "pkce has no effect"),
        ({"par": "sometimes"}, "par"),
        ({"id_token_algorithms": ["none"]}, "none"),
        ({"id_token_algorithms": ["HS256"]}, "client_secret"),
        ({"id_token_encrypted": True}, "decryption_keys"),
        ({"userinfo": False, "userinfo_signed": True}, "userinfo"),
        ({"required_hashes": ["x_hash"]}, "x_hash"),
        ({"claims_providers": ["http://bank.example"]}, "claims_providers"),
        ({"claims_origins": ["https://bank.example"]}, "claims_origins"),
        ({"keep": ["id_token"], "refresh_failed": "keep"}, "refresh_failed"),
        ({"refresh_failed": "ignore"}, "refresh_failed"),
        ({"alow_alg_none": True}, "allow_alg_none"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], word: str) -> None:
    assert word in problem(**options)


def test_all_mistakes_are_told_at_once() -> None:
    text = problem(scope=["profile"], id_token_encrypted=True)
    assert "openid" in text
    assert "decryption_keys" in text


def test_without_a_code_the_keys_are_what_is_needed_by_hand() -> None:
    hand = {"authorization_endpoint": ISSUER + "/a", "jwks_uri": ISSUER + "/jwks"}
    assert read(**hand, response_type="id_token").by_hand
    assert not read(**hand, response_type="code id_token").by_hand
    assert not read(**hand).by_hand


def test_endpoints_by_hand_need_no_metadata() -> None:
    config = read(**HAND)
    assert config.by_hand
    assert config.overrides.token == ISSUER + "/token"
    assert read(**TENANTS, **{k: v for k, v in HAND.items() if k != "issuer"}).by_hand


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({}, "query"),
        ({"response_mode": "jwt"}, "query.jwt"),
        ({"response_mode": "fragment"}, "fragment"),
        ({"response_type": "token id_token"}, "fragment"),
        ({"response_type": "id_token", "response_mode": "jwt"}, "fragment.jwt"),
        ({"response_type": "code token", "response_mode": "form_post"}, "form_post"),
        ({"response_type": "code id_token", "response_mode": "fragment"}, "fragment"),
    ],
)
def test_tokens_come_behind_the_number_sign(options: dict[str, Any], mode: str) -> None:
    """In the query they would be in everybody's logs."""
    config = read(**options)
    assert config.mode == mode
    assert config.answer_type.text in RESPONSE_TYPES


def test_a_provider_is_told_what_is_not_the_default() -> None:
    def asked(**options: Any) -> str | None:  # noqa: ANN401
        challenge = {"code_challenge": 43 * "A"}
        more = {"redirect_uri": ISSUER, "state": "s", "nonce": "n", **challenge}
        return read(**options).ask(**more).response_mode

    assert asked() is None
    assert asked(response_mode="query") is None
    assert asked(response_type="code token", response_mode="fragment") is None
    assert asked(response_mode="jwt") == "jwt"
    assert asked(response_mode="fragment") == "fragment"


def test_the_profile_signs_requests_and_wants_signed_answers() -> None:
    profile = {
        **DPOP,
        "profile": "fapi2",
        "auth": "private_key_jwt",
        "signing_keys": ["sign.pem"],
    }
    config = read(**profile)
    assert (config.requests, config.mode) == ("value", "query.jwt")
    assert config.signed_answers
    assert "needs signing_keys" in problem(**{**profile, "signing_keys": []})
    config = read(**profile, request_object="off", response_mode="query")
    assert (config.requests, config.mode) == ("off", "query")
    assert (read().requests, read().mode) == ("off", "query")


def test_pkce_is_used_unless_the_operator_says_otherwise() -> None:
    assert read().challenges
    assert read(pkce="S256").challenges
    known = {"auth": "tls_client_auth", "certificate": "c.pem", "key": "k.pem"}
    assert not read(**known, pkce="off").challenges
    assert not read(response_type="id_token").challenges
    assert read(**known).notes == ()
    (note,) = read(**known, pkce="off").notes
    assert "pkce = 'off'" in note


def test_userinfo_can_be_left_out() -> None:
    assert read(userinfo=False).overrides.userinfo == ""
    assert read(userinfo_endpoint="").overrides.userinfo == ""


def test_requests_are_pushed_if_the_operator_says_so() -> None:
    assert read(par="on").overrides.par_required is True


def test_no_secret_is_shown() -> None:
    config = attrs.evolve(read(), login_hint="alice")
    assert "Secret(" not in repr(config)
