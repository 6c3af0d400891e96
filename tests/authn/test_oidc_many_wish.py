"""What we register as is what our options say."""

import pytest

from sso_proxy.authn.oidc_many_config import ProviderConfig
from sso_proxy.authn.oidc_many_wish import Places, apply_registration, build_wish
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.specs.oauth.metadata import ServerMetadata
from sso_proxy.specs.oauth.registration import Registration

ISSUER = "https://login.example.com"
ORIGIN = "https://app.example.com"
PLACES = Places(name="people", origins=(ORIGIN,), endpoints="/.sso/")
CONFIG = ProviderConfig(
    issuer=ISSUER,
    client_id="-",
    client_secret=Secret("x" * 40),
    register=True,
    client_name="App",
    registration={"contacts": ["admin@example.com"]},
)


def metadata(*auth: str) -> ServerMetadata:
    return ServerMetadata(issuer=ISSUER, token_endpoint_auth_methods_supported=auth)


def test_all_our_places_are_told() -> None:
    wish = build_wish(CONFIG, PLACES, metadata(), fixed_auth=False)
    assert wish["redirect_uris"] == [f"{ORIGIN}/.sso/callback/people"]
    assert wish["initiate_login_uri"] == f"{ORIGIN}/.sso/login"
    assert wish["post_logout_redirect_uris"] == [f"{ORIGIN}/.sso/logout/done"]
    logouts = f"{ORIGIN}/.sso/logout"
    assert wish["backchannel_logout_uri"] == f"{logouts}/backchannel/people"
    assert wish["frontchannel_logout_uri"] == f"{logouts}/frontchannel/people"
    assert wish["client_name"] == "App"
    assert wish["contacts"] == ["admin@example.com"]
    assert "jwks_uri" not in wish


def test_we_authenticate_as_the_provider_can() -> None:
    wish = build_wish(CONFIG, PLACES, metadata("client_secret_post"), fixed_auth=False)
    assert wish["token_endpoint_auth_method"] == "client_secret_post"


def test_what_an_operator_says_about_that_counts() -> None:
    wish = build_wish(CONFIG, PLACES, metadata("client_secret_post"), fixed_auth=True)
    assert wish["token_endpoint_auth_method"] == "client_secret_basic"


def test_what_came_is_used() -> None:
    came = Registration(client_id="us", client_secret="s3", auth_method="none")
    config = apply_registration(CONFIG, came)
    assert (config.client_id, config.auth, config.client_secret) == ("us", "none", None)
    came = Registration(
        client_id="us", client_secret="s3", auth_method="client_secret_post"
    )
    config = apply_registration(CONFIG, came)
    assert config.client_secret is not None
    assert config.client_secret.reveal() == "s3"


@pytest.mark.parametrize("auth", ["private_key_jwt", "something", "client_secret_post"])
def test_what_does_not_go_together_is_refused(auth: str) -> None:
    with pytest.raises(UnavailableError, match="registration with"):
        apply_registration(CONFIG, Registration(client_id="us", auth_method=auth))
