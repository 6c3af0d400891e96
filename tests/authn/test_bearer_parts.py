"""The options of a bearer authenticator become its parts."""

from sso_proxy.authn.bearer_config import BearerConfig
from sso_proxy.authn.bearer_parts import build_rules, build_source
from sso_proxy.net.jwks import FixedKeys, JwksSource
from sso_proxy.specs.oauth.claims import ClaimRules
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.tokens import TokenSigner, jwks

ISSUER = "https://login.example.com"


def test_options_become_rules() -> None:
    config = BearerConfig(
        issuer=ISSUER,
        audience=("api",),
        jwks_uri=ISSUER + "/jwks",
        leeway=3.0,
        subject=("sub", "client_id"),
        required_claims=("jti",),
        clients=("portal",),
        max_age=60.0,
    )
    assert build_rules(config) == ClaimRules(
        issuer=ISSUER,
        audiences=frozenset({"api"}),
        leeway=3.0,
        subject=("sub", "client_id"),
        required=("jti",),
        clients=frozenset({"portal"}),
        max_age=60.0,
    )


def test_keys_are_fetched_or_fixed() -> None:
    uri = BearerConfig(issuer=ISSUER, audience=("api",), jwks_uri=ISSUER + "/jwks")
    assert isinstance(build_source(uri, FakeTools()), JwksSource)
    text = jwks(TokenSigner.create()).decode()
    fixed = BearerConfig(issuer=ISSUER, audience=("api",), jwk=text)
    assert isinstance(build_source(fixed, FakeTools()), FixedKeys)
