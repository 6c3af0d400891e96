"""Who somebody is, by tokens: the ID token first, and nothing that contradicts it."""

import json
from typing import Any

import attrs
import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.authn.oidc_identity import Identifier
from sso_proxy.authn.oidc_others import Others
from sso_proxy.authn.oidc_refresh import RefreshRefusedError
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.login import Finished
from sso_proxy.net.jwks import FixedKeys
from sso_proxy.net.provider import ProviderError
from sso_proxy.session import Session
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.testing.fakes import NOW
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, SIGNER, OidcScene


def with_userinfo(scene: OidcScene, **claims: object) -> OidcScene:
    """Have *scene* ask for more claims, and get these."""
    place = attrs.evolve(scene.provider.place, userinfo=ISSUER + "/userinfo")
    scene.provider.place = place
    members = {"sub": "alice", **claims}
    scene.provider.about = (200, "application/json", json.dumps(members).encode())
    return scene


class IdTokenTests(TestCase):
    """The ID token decides."""

    def test_its_claims_are_the_identity_s(self) -> None:
        scene = OidcScene()
        scene.provider.claims |= {"email": "alice@example.com", "acr": "gold"}
        identity = scene.good().identity
        assert identity.claims["email"] == "alice@example.com"
        assert identity.sources["id_token"]["acr"] == "gold"
        assert identity.expires is None

    def test_scopes_are_those_that_were_given(self) -> None:
        scene = OidcScene()
        assert scene.good().identity.scopes == {"openid", "profile", "email"}
        scene.provider.tokens["scope"] = "openid groups"
        assert scene.good().identity.scopes == {"openid", "groups"}

    def test_without_one_nobody_logs_in(self) -> None:
        scene = OidcScene()
        scene.provider.tokens["id_token"] = None
        scene.refused()

    def test_what_is_wrong_in_it_is_refused(self) -> None:
        wrong: list[dict[str, Any]] = [
            {"iss": ISSUER + "/x"},
            {"aud": "other"},
            {"aud": ["app", "other"]},
            {"azp": "other"},
            {"sub": None},
            {"exp": NOW - 60},
            {"iat": NOW - 6000},
            {"nonce": "x"},
            {"nonce": None},
            {"at_hash": "x"},
            {"cnf": {"jkt": "x"}},
            {"cnf": {}},
        ]
        for changes in wrong:
            scene = OidcScene()
            scene.provider.claims |= changes
            scene.refused()

    def test_a_key_of_ours_it_may_be_bound_to(self) -> None:
        scene = OidcScene()
        scene.provider.proof_thumbprint = 43 * "A"
        scene.provider.claims["cnf"] = {"jkt": 43 * "A"}
        scene.good()
        scene.provider.claims["cnf"] = {"jkt": 43 * "B"}
        assert scene.log_in().reason == "login-refused"  # type: ignore[union-attr]

    def test_a_new_key_is_fetched(self) -> None:
        scene = OidcScene()
        scene.provider.signers = [SIGNER, TokenSigner.create("ES256", "second")]
        scene.good()
        assert scene.provider.fetched == 1

    def test_a_key_without_a_name_that_changed_is_fetched(self) -> None:
        scene = OidcScene()
        scene.provider.signers = [TokenSigner.create("ES256", "first")]
        scene.good()

    def test_a_stranger_s_signature_is_refused(self) -> None:
        scene = OidcScene()
        stranger = TokenSigner.create("ES256", "first")
        scene.provider.tokens["id_token"] = stranger.sign({"sub": "alice"}, typ="JWT")
        scene.refused()

    def test_an_algorithm_that_is_not_pinned_is_refused(self) -> None:
        OidcScene(id_token_algorithms=("ES256",)).good()
        OidcScene(id_token_algorithms=("PS256",)).refused()

    def test_a_secret_signs_if_the_operator_says_so(self) -> None:
        secret = b"s" * 32
        options: dict[str, Any] = {
            "auth": "client_secret_basic",
            "client_secret": Secret(secret.decode()),
        }
        for algorithms, good in ((("HS256",), True), ((), False)):
            scene = OidcScene(**options, id_token_algorithms=algorithms)
            scene.provider.signers = [TokenSigner.of_secret(secret)]
            state = scene.state()
            token = scene.provider.id_token()
            scene.provider.tokens["id_token"] = token
            scene.provider.signers = [SIGNER]
            found = scene.callback({"state": state, "code": "c"})
            assert hasattr(found, "identity") is good


class AskedTests(TestCase):
    """What was asked for is enforced."""

    def test_another_context_is_refused(self) -> None:
        scene = OidcScene(acr_values=("gold",))
        scene.provider.claims["acr"] = "silver"
        scene.refused()
        scene.provider.claims["acr"] = "gold"
        scene.good()

    def test_an_old_login_is_refused(self) -> None:
        scene = OidcScene(max_age=60)
        scene.refused()
        scene.provider.claims["auth_time"] = NOW - 600
        scene.refused()
        scene.provider.claims["auth_time"] = NOW - 30
        scene.good()

    def test_time_that_people_take_at_the_provider_does_not_count(self) -> None:
        scene = OidcScene(max_age=60)
        state = scene.state()
        scene.provider.claims["auth_time"] = NOW - 50
        scene.clock.advance(300)
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Finished)

    def test_a_login_that_should_have_been_new_is_refused(self) -> None:
        scene = OidcScene(prompt=("login",))
        scene.provider.claims["auth_time"] = NOW - 600
        scene.refused()

    def test_an_essential_claim_must_be_there(self) -> None:
        scene = OidcScene(claims={"id_token": {"email": {"essential": True}}})
        scene.refused()
        scene.provider.claims["email"] = "alice@example.com"
        scene.good()

    def test_hashes_must_be_there_if_the_operator_says_so(self) -> None:
        OidcScene(required_hashes=("at_hash",)).refused()


class UserInfoTests(TestCase):
    """More claims."""

    def test_they_are_added_and_the_id_token_wins(self) -> None:
        scene = with_userinfo(OidcScene(), email="a@example.com", name="Other")
        scene.provider.claims["name"] = "Alice"
        identity = scene.good().identity
        assert identity.claims["email"] == "a@example.com"
        assert identity.claims["name"] == "Alice"
        assert identity.sources["userinfo"]["name"] == "Other"

    def test_another_user_s_are_refused(self) -> None:
        with_userinfo(OidcScene(), sub="mallory").refused()
        with_userinfo(OidcScene(), sub=None).refused()

    def test_an_answer_that_is_none_is_refused(self) -> None:
        for answer in (
            (401, "application/json", b'{"sub":"alice"}'),
            (200, "text/html", b'{"sub":"alice"}'),
            (200, "application/json", b"[]"),
            (302, None, b""),
        ):
            scene = with_userinfo(OidcScene())
            scene.provider.about = answer
            scene.refused()

    def test_it_must_be_signed_if_the_operator_says_so(self) -> None:
        scene = with_userinfo(OidcScene(userinfo_signed=True))
        scene.refused()
        signed = SIGNER.sign({"iss": ISSUER, "aud": "app", "sub": "alice"}, typ="JWT")
        scene.provider.about = (200, "application/jwt", signed.encode())
        scene.good()

    def test_an_endpoint_that_is_down_is_503(self) -> None:
        scene = with_userinfo(OidcScene())
        scene.provider.failures["userinfo"] = UnavailableError("login.example.com")
        with pytest.raises(UnavailableError):
            scene.log_in()

    def test_groups_that_are_elsewhere_are_told_in_the_log(self) -> None:
        scene = OidcScene()
        scene.provider.claims["_claim_names"] = {"groups": "src1"}
        scene.provider.claims["_claim_sources"] = {"src1": {"endpoint": "https://g"}}
        identity = scene.good().identity
        assert "_claim_names" not in identity.claims


class OthersTests(TestCase):
    """Claims of others."""

    def test_they_count_least(self) -> None:
        bank = TokenSigner.create("ES256", "bank")
        said = {"iss": "https://bank.example", "email": "bank", "name": "Bank", "x": 1}
        scene = with_userinfo(OidcScene(), name="Alice")
        scene.provider.claims |= {
            "email": "alice@example.com",
            "_claim_names": dict.fromkeys(("email", "name", "x"), "bank"),
            "_claim_sources": {"bank": {"JWT": bank.sign(said, typ="JWT")}},
        }
        others = Others(
            keys={"https://bank.example": FixedKeys(read_jwks(jwks(bank)))},
            client_id="app",
            leeway=10,
            http_client=scene.tools.http_client,
            clock=scene.clock,
        )
        parts = attrs.evolve(scene.parts, others=others)
        scene.login = type(scene.login)(parts)
        claims = scene.good().identity.claims
        assert claims["email"] == "alice@example.com"
        assert claims["name"] == "Alice"
        assert claims["x"] == 1
        assert "_claim_names" not in claims


class KeptTests(TestCase):
    """What the session keeps."""

    def test_all_tokens_and_when_they_expire(self) -> None:
        scene = OidcScene()
        scene.provider.claims["sid"] = "s1"
        data = scene.good().data
        assert data["access_token"] == "access-1"
        assert data["refresh_token"] == "refresh-1"
        assert data["id_token"].count(".") == 2
        assert data["token_type"] == "Bearer"
        assert data["access_expires"] == NOW + 300
        assert data["refresh_at"] == NOW + 240
        assert data["provider"] == ISSUER
        assert data["sid"] == "s1"

    def test_only_what_the_operator_wants_to_keep(self) -> None:
        data = OidcScene(keep=()).good().data
        assert not {"id_token", "access_token", "refresh_token"} & data.keys()


class RefreshTests(TestCase):
    """New tokens for a session."""

    def setUp(self) -> None:
        self.scene = OidcScene()
        self.scene.provider.claims |= {"acr": "gold", "auth_time": NOW - 10}
        self.scene.good()
        session = self.scene.request().session
        assert session is not None
        self.session: Session = session
        self.scene.clock.advance(250)
        self.scene.provider.claims = {"nonce": None}

    def refresh(self) -> tuple[Any, Any]:
        return now(Identifier(self.scene.parts).of_refresh(self.session))

    def refused(self) -> str:
        with pytest.raises(RefreshRefusedError) as caught:
            self.refresh()
        return str(caught.value)

    def test_new_tokens_take_the_place_of_the_old(self) -> None:
        identity, data = self.refresh()
        assert self.scene.provider.refreshed == ["refresh-1"]
        assert data["access_token"] == "access-2"
        assert data["refresh_token"] == "refresh-2"
        assert data["access_expires"] == NOW + 550
        assert data["login"] == self.session.data["login"]
        assert identity.subject == "alice"

    def test_what_does_not_come_stays(self) -> None:
        """An old refresh token is still good then (RFC 6749 section 6)."""
        self.scene.provider.tokens |= {"refresh_token": None, "id_token": None}
        identity, data = self.refresh()
        assert data["refresh_token"] == "refresh-1"
        assert data["id_token"] == self.session.data["id_token"]
        assert identity.claims == self.session.identity.claims

    def test_what_the_first_id_token_said_of_the_login_stays(self) -> None:
        self.scene.provider.claims["email"] = "new@example.com"
        identity, _ = self.refresh()
        assert identity.claims["acr"] == "gold"
        assert identity.claims["email"] == "new@example.com"

    def test_another_user_s_id_token_is_refused(self) -> None:
        self.scene.provider.claims["sub"] = "mallory"
        assert "sub" in self.refused()

    def test_another_issuer_s_id_token_is_refused(self) -> None:
        self.scene.provider.claims["iss"] = ISSUER + "/x"
        assert "iss" in self.refused()

    def test_a_stranger_s_id_token_is_refused(self) -> None:
        stranger = TokenSigner.create("ES256", "first")
        self.scene.provider.tokens["id_token"] = stranger.sign({}, typ="JWT")
        self.refused()

    def test_one_for_another_login_is_refused(self) -> None:
        self.scene.provider.claims["nonce"] = "another"
        self.refused()

    def test_a_session_that_lacks_the_first_id_token_gets_no_new_tokens(self) -> None:
        identity = attrs.evolve(self.session.identity, sources={})
        self.session = attrs.evolve(self.session, identity=identity)
        self.refused()

    def test_a_provider_that_refuses_is_told(self) -> None:
        self.scene.provider.failures["refresh"] = ProviderError("invalid_grant", "old")
        assert "invalid_grant old" in self.refused()

    def test_a_provider_that_is_down_is_not_one_that_refuses(self) -> None:
        self.scene.provider.failures["refresh"] = UnavailableError("x")
        with pytest.raises(UnavailableError):
            self.refresh()

    def test_tokens_that_do_not_say_when_they_expire_are_not_refreshed(self) -> None:
        self.scene.provider.tokens["expires_in"] = None
        _, data = self.refresh()
        assert data["refresh_at"] is None
        assert data["access_expires"] is None
