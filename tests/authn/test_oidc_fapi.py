"""The FAPI 2.0 Security Profile, all of it or not at all."""

from typing import Any

import attrs
import pytest

from sso_proxy.authn.oidc_fapi import fapi_problems, weak_algorithms

ISSUER = "https://login.example.com"


@attrs.frozen(kw_only=True)
class Options:
    """Good ones, unless told otherwise."""

    issuer: str = ISSUER
    response_type: str = "code"
    auth: str = "private_key_jwt"
    assertion_audience: str | None = None
    dpop: str = "required"
    certificate: str | None = None
    pkce: str = "S256"
    par: str = "auto"
    request_object: str = "off"
    iss_required: bool | None = None
    allow_alg_none: bool = False
    id_token_audiences: tuple[str, ...] = ()
    id_token_algorithms: tuple[str, ...] = ()
    response_algorithms: tuple[str, ...] = ()
    userinfo_algorithms: tuple[str, ...] = ()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"auth": "tls_client_auth", "dpop": "off", "certificate": "c.pem"},
        {"assertion_audience": ISSUER},
        {"request_object": "value", "par": "on"},
        {"iss_required": True},
        {"id_token_algorithms": ("PS256", "ES256", "EdDSA")},
    ],
)
def test_what_the_profile_allows(options: dict[str, Any]) -> None:
    assert not list(fapi_problems(Options(**options)))


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "client_secret_basic"},
        {"auth": "client_secret_jwt"},
        {"auth": "none"},
        {"assertion_audience": ISSUER + "/token"},
        {"dpop": "off"},
        {"dpop": "on"},
        {"pkce": "off"},
        {"par": "off"},
        {"request_object": "reference"},
        {"iss_required": False},
        {"allow_alg_none": True},
        {"id_token_audiences": ("other",)},
        {"id_token_algorithms": ("PS256", "RS256")},
        {"response_algorithms": ("RS256",)},
        {"userinfo_algorithms": ("ES384",)},
    ],
)
def test_what_contradicts_the_profile_is_refused(options: dict[str, Any]) -> None:
    (problem,) = fapi_problems(Options(**options))
    assert problem.startswith("profile = 'fapi2' needs ")


def test_keys_sign_with_what_the_profile_allows() -> None:
    assert weak_algorithms(["RS256", "PS256", "ES256"]) == ["RS256"]
