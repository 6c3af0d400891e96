"""Browsers are sent to the provider with all that the options say, and nothing else."""

from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from twisted.trial.unittest import TestCase

from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.login import Finished, Wishes
from sso_proxy.net.client_keys import ClientKeys
from sso_proxy.net.provider import ProviderError
from sso_proxy.specs.jose.decrypt import decrypt_compact, derive_decryption_keys
from sso_proxy.specs.jose.keys import read_pem
from sso_proxy.specs.jose.sign import read_signing_key
from sso_proxy.specs.jose.strict import encode_base64url, read_json_object
from sso_proxy.specs.jose.verify import verify
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, OidcScene, asked

_SECRET = Secret("a client secret")


class BeginTests(TestCase):
    """The usual request."""

    def test_the_browser_is_sent_with_all_that_protects_a_login(self) -> None:
        response = OidcScene().begin()
        fields = asked(response)
        location = dict(response.headers)["location"]
        assert response.status == 303
        assert ("cache-control", "no-store") in response.headers
        assert location.startswith(ISSUER + "/authorize?")
        assert fields["client_id"] == "app"
        assert fields["response_type"] == "code"
        assert fields["scope"] == "openid profile email"
        assert fields["redirect_uri"] == "https://app.example.com/.sso/callback/corp"
        assert fields["code_challenge_method"] == "S256"
        assert len(fields["code_challenge"]) == 43
        assert len(fields["state"]) >= 43
        assert len(fields["nonce"]) >= 43

    def test_no_two_logins_have_anything_secret_in_common(self) -> None:
        scene = OidcScene()
        first, second = asked(scene.begin()), asked(scene.begin())
        for name in ("state", "nonce", "code_challenge"):
            assert first[name] != second[name]

    def test_the_verifier_never_leaves_but_for_the_token_endpoint(self) -> None:
        scene = OidcScene()
        response = scene.begin()
        fields = asked(response)
        scene.callback({"state": fields["state"], "code": "c"})
        verifier = scene.provider.redeemed[0]["code_verifier"]
        assert verifier not in repr(response.headers)
        hashed = encode_base64url(sha256(verifier.encode()).digest())
        assert hashed == fields["code_challenge"]

    def test_without_pkce_there_is_no_verifier_and_all_else_is_the_same(self) -> None:
        scene = OidcScene(pkce="off", auth="client_secret_basic", client_secret=_SECRET)
        fields, usual = asked(scene.begin()), asked(OidcScene().begin())
        changed = {"code_challenge", "code_challenge_method"}
        assert fields.keys() == usual.keys() - changed
        found = scene.callback({"state": fields["state"], "code": "c"})
        assert isinstance(found, Finished)
        (form,) = scene.provider.redeemed
        assert form.keys() == {"code", "redirect_uri"}

    def test_a_login_ends_as_it_began_though_the_option_has_changed(self) -> None:
        options: dict[str, Any] = {"auth": "client_secret_basic"}
        options["client_secret"] = _SECRET
        for before, after in (("S256", "off"), ("off", "S256")):
            scene = OidcScene(pkce=before, **options)
            state = asked(scene.begin())["state"]
            config = attrs.evolve(scene.parts.config, pkce=after)
            scene.login = type(scene.login)(attrs.evolve(scene.parts, config=config))
            assert isinstance(scene.callback({"state": state, "code": "c"}), Finished)
            (form,) = scene.provider.redeemed
            assert ("code_verifier" in form) == (before == "S256")

    def test_options_are_asked_for(self) -> None:
        scene = OidcScene(
            scope=("openid", "groups"),
            acr_values=("gold", "silver"),
            max_age=600,
            prompt=("login", "consent"),
            login_hint="alice",
            ui_locales=("de", "en"),
            claims={"id_token": {"email": {"essential": True}}},
            resource=("https://api.example.com",),
            params={"hd": "example.com"},
            response_mode="form_post",
        )
        fields = asked(scene.begin())
        assert fields["scope"] == "openid groups"
        assert fields["acr_values"] == "gold silver"
        assert fields["max_age"] == "600"
        assert fields["prompt"] == "login consent"
        assert fields["login_hint"] == "alice"
        assert fields["ui_locales"] == "de en"
        assert fields["claims"] == '{"id_token":{"email":{"essential":true}}}'
        assert fields["resource"] == "https://api.example.com"
        assert fields["hd"] == "example.com"
        assert fields["response_mode"] == "form_post"

    def test_what_a_route_wants_is_asked_for_instead(self) -> None:
        scene = OidcScene(acr_values=("silver",), max_age=600, login_hint="bob")
        fields = asked(
            scene.begin(acr_values=("gold",), max_age=60, login_hint="alice")
        )
        assert fields["acr_values"] == "gold"
        assert fields["max_age"] == "60"
        assert fields["login_hint"] == "alice"

    def test_a_route_can_ask_for_something_else_in_all_of_it(self) -> None:
        scene = OidcScene(
            acr_values=("silver",),
            max_age=60,
            login_hint="bob",
            prompt=("login",),
            resource=("https://other.example.com",),
            claims={"userinfo": {"email": None}},
        )
        wishes = Wishes(
            acr_values=("gold",),
            max_age=600,
            login_hint="alice",
            prompt=(),
            ui_locales=("de",),
            claims={"id_token": {"groups": None}},
            resource=("https://api.example.com",),
        )
        fields = asked(scene.begin(wishes=wishes))
        assert fields["acr_values"] == "gold"
        assert fields["max_age"] == "600"
        assert fields["login_hint"] == "alice"
        assert fields["ui_locales"] == "de"
        assert fields["claims"] == '{"id_token":{"groups":null}}'
        assert fields["resource"] == "https://api.example.com"
        assert "prompt" not in fields

    def test_conditions_and_hints_of_one_login_count_more(self) -> None:
        wishes = Wishes(acr_values=("silver",), max_age=600, login_hint="bob")
        scene = OidcScene()
        fields = asked(
            scene.begin(
                wishes=wishes, acr_values=("gold",), max_age=60, login_hint="alice"
            )
        )
        assert fields["acr_values"] == "gold"
        assert fields["max_age"] == "60"
        assert fields["login_hint"] == "alice"

    def test_what_the_session_has_is_asked_for_again(self) -> None:
        scene = OidcScene(resource=("https://one.example.com",))
        scene.good()
        fields = scene.begin(wishes=Wishes(resource=("https://two.example.com",)))
        location = dict(fields.headers)["location"]
        assert parse_qs(urlsplit(location).query)["resource"] == [
            "https://two.example.com",
            "https://one.example.com",
        ]

    def test_a_route_cannot_want_less_than_the_options(self) -> None:
        fields = asked(OidcScene(max_age=60).begin(max_age=600))
        assert fields["max_age"] == "60"

    def test_forms_of_other_sites_need_another_cookie(self) -> None:
        """Browsers send no others along (SameSite)."""
        for mode, same_site in (("query", "Lax"), ("form_post", "None")):
            response = OidcScene(response_mode=mode).begin()
            (cookie,) = (v for n, v in response.headers if n == "set-cookie")
            assert f"SameSite={same_site}" in cookie

    def test_a_redirect_uri_can_be_given(self) -> None:
        uri = "https://public.example.com/.sso/callback/corp"
        assert asked(OidcScene(redirect_uri=uri).begin())["redirect_uri"] == uri

    def test_endpoints_may_be_elsewhere(self) -> None:
        fields = asked(OidcScene().begin(endpoints="/_login/"))
        expected = "https://app.example.com/_login/callback/corp"
        assert fields["redirect_uri"] == expected

    def test_nothing_secret_is_in_the_cookie_as_it_is(self) -> None:
        scene = OidcScene()
        nonce = asked(scene.begin())["nonce"]
        assert nonce not in repr(scene.browser.cookies)


class TroubleTests(TestCase):
    """Nobody can log in."""

    def test_a_provider_that_is_down_is_503(self) -> None:
        scene = OidcScene()
        scene.provider.failures["endpoints"] = UnavailableError("login.example.com")
        with pytest.raises(UnavailableError):
            scene.begin()

    def test_a_provider_that_refuses_the_request_is_told(self) -> None:
        scene = OidcScene(par="on")
        scene.provider.failures["push"] = ProviderError("invalid_client", "who?")
        response = scene.begin()
        assert (response.status, response.reason) == (502, "provider-error")
        assert response.again == "/page?x=1"
        assert not scene.browser.cookies

    def test_an_endpoint_with_a_parameter_of_ours_is_the_provider_s_mistake(
        self,
    ) -> None:
        scene = OidcScene()
        url = ISSUER + "/authorize?state=x"
        scene.provider.place = attrs.evolve(scene.provider.place, authorization=url)
        assert scene.begin().status == 502

    def test_contexts_that_nobody_can_be_asked_for_are_refused(self) -> None:
        """Whoever makes up a URL of ours gets there."""
        response = OidcScene().begin(acr_values=("ü",))
        assert response.status == 400


class ProfileTests(TestCase):
    """FAPI 2.0."""

    def test_a_provider_that_binds_no_tokens_is_refused(self) -> None:
        scene = OidcScene(
            profile="fapi2",
            request_object="off",
            response_mode="query",
            auth="tls_client_auth",
            certificate="client.crt",
            key="client.key",
        )
        assert scene.begin().reason == "provider-error"
        place = attrs.evolve(scene.provider.place, bound_tokens=True)
        scene.provider.place = place
        assert asked(scene.begin()).keys() == {"client_id", "request_uri"}


class PushedTests(TestCase):
    """PAR (RFC 9126)."""

    def test_the_browser_carries_nothing_but_a_name(self) -> None:
        scene = OidcScene(par="on")
        fields = asked(scene.begin())
        assert fields == {"client_id": "app", "request_uri": "urn:example:1"}
        assert scene.provider.pushed[0]["scope"] == "openid profile email"
        assert "code_challenge" in scene.provider.pushed[0]

    def test_requests_are_pushed_if_the_provider_wants_it(self) -> None:
        scene = OidcScene()
        place = attrs.evolve(scene.provider.place, par_required=True)
        scene.provider.place = place
        assert "request_uri" in asked(scene.begin())

    def test_they_are_not_if_the_operator_does_not(self) -> None:
        scene = OidcScene(par="off")
        place = attrs.evolve(scene.provider.place, par_required=True)
        scene.provider.place = place
        assert "request_uri" not in asked(scene.begin())

    def test_the_key_of_tokens_is_named(self) -> None:
        scene = OidcScene(par="on")
        scene.provider.proof_thumbprint = 43 * "A"
        scene.begin()
        assert scene.provider.pushed[0]["dpop_jkt"] == 43 * "A"


class SignedTests(TestCase):
    """Request objects (RFC 9101)."""

    def setUp(self) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        self.public = read_pem(public, kid="ours")
        self.keys = ClientKeys(signing=(read_signing_key(pem, kid="ours"),))

    def scene(self, **options: Any) -> OidcScene:  # noqa: ANN401
        return OidcScene(keys=self.keys, signing_keys=("key.pem",), **options)

    def claims(self, text: str) -> dict[str, Any]:
        header, payload = verify(text, self.public)
        assert header.typ == "oauth-authz-req+jwt"
        return read_json_object(payload)

    def test_by_value(self) -> None:
        fields = asked(self.scene(request_object="value").begin(max_age=5))
        assert fields.keys() == {"client_id", "response_type", "scope", "request"}
        claims = self.claims(fields["request"])
        assert claims["iss"] == "app"
        assert claims["aud"] == ISSUER
        assert claims["max_age"] == 5
        assert claims["code_challenge_method"] == "S256"

    def test_pushed(self) -> None:
        scene = self.scene(request_object="value", par="on")
        scene.begin()
        assert scene.provider.pushed[0].keys() == {"client_id", "request"}

    def test_by_reference_the_provider_fetches_it(self) -> None:
        scene = self.scene(request_object="reference")
        uri = asked(scene.begin())["request_uri"]
        base = "https://app.example.com/.sso/request/corp/"
        assert uri.startswith(base)
        name = uri.removeprefix(base)
        response = now(scene.login.request_object(name))
        assert response is not None
        types = dict(response.headers)["content-type"]
        assert types == "application/oauth-authz-req+jwt"
        assert self.claims(response.body.decode())["iss"] == "app"
        assert now(scene.login.request_object(name + "x")) is None

    def test_it_is_encrypted_with_a_key_of_the_client_secret(self) -> None:
        scene = self.scene(
            request_object="value",
            request_object_alg="dir",
            auth="client_secret_basic",
            client_secret=Secret("a client secret"),
        )
        text = asked(scene.begin())["request"]
        keys = derive_decryption_keys("a client secret")
        claims = self.claims(decrypt_compact(text, keys).decode())
        assert claims["aud"] == ISSUER

    def test_a_provider_without_a_key_to_encrypt_to_is_told(self) -> None:
        scene = self.scene(request_object="value", request_object_alg="RSA-OAEP-256")
        response = scene.begin()
        assert (response.status, response.reason) == (502, "provider-error")

    def test_it_is_gone_when_its_time_is_over(self) -> None:
        scene = self.scene(request_object="reference")
        uri = asked(scene.begin())["request_uri"]
        scene.clock.advance(301)
        assert now(scene.login.request_object(uri.rpartition("/")[2])) is None
