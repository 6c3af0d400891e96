"""Who comes back is let in if, and only if, everything about the answer is right."""

import attrs
import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.errors import UnavailableError
from sso_proxy.login import Finished, Wishes
from sso_proxy.model import Response
from sso_proxy.net.provider import ProviderError
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, OidcScene


class GoodTests(TestCase):
    """Somebody logs in."""

    def test_the_code_is_redeemed_with_what_belongs_to_it(self) -> None:
        scene = OidcScene()
        found = scene.good()
        assert found.wanted.target == "/page?x=1"
        (form,) = scene.provider.redeemed
        assert form["code"] == "code-1"
        assert form["redirect_uri"] == "https://app.example.com/.sso/callback/corp"
        assert len(form["code_verifier"]) == 43

    def test_the_session_is_that_of_who_logged_in(self) -> None:
        scene = OidcScene()
        scene.good()
        session = scene.request().session
        assert session is not None
        assert session.identity.subject == "alice"
        assert session.identity.issuer == ISSUER
        assert session.identity.authenticator == "corp"

    def test_the_login_is_taken_from_the_browser(self) -> None:
        scene = OidcScene()
        state = scene.state()
        assert isinstance(scene.callback({"state": state, "code": "c"}), Finished)
        assert scene.store.logins.take(scene.request(), state) == (None, ())

    def test_nothing_is_left_of_a_login_that_nobody_looked_at(self) -> None:
        scene = OidcScene()
        before = set(scene.browser.cookies)
        scene.begin(silent_for=(ISSUER, "alice"))
        (name,) = set(scene.browser.cookies) - before
        state = name.removeprefix("__Host-sso-login-")
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Finished)
        assert name not in scene.browser.cookies

    def test_ten_tabs_all_end_logged_in(self) -> None:
        scene = OidcScene()
        states = [scene.state() for _ in range(10)]
        nonces = []
        for state in states:
            request = scene.request()
            kept, _ = scene.store.logins.take(request, state)
            nonces.append(kept["nonce"])
        for state, nonce in zip(states, nonces, strict=True):
            scene.provider.nonce = nonce
            found = scene.callback({"state": state, "code": "c"})
            assert isinstance(found, Finished)

    def test_a_form_brings_the_answer_where_it_was_to(self) -> None:
        scene = OidcScene(response_mode="form_post")
        found = scene.callback({"state": scene.state(), "code": "c"}, form=True)
        assert isinstance(found, Finished)

    def test_nothing_is_stored_if_the_operator_wants_nothing(self) -> None:
        scene = OidcScene(cache="")
        scene.good()
        assert now(scene.login.request_object("name")) is None

    def test_an_issuer_is_taken_that_names_itself(self) -> None:
        OidcScene().good(iss=ISSUER)


class WishesTests(TestCase):
    """A route has asked for something else than the table."""

    def test_what_was_asked_for_is_kept_and_enough_for_that(self) -> None:
        scene = OidcScene(claims={"id_token": {"groups": {"essential": True}}})
        wishes = Wishes(
            acr_values=("gold",),
            max_age=60,
            claims={"id_token": {"email": {"essential": True}}},
            resource=("https://api.example.com",),
        )
        scene.provider.claims = {"acr": "gold", "email": "alice@example.com"}
        scene.provider.claims["auth_time"] = int(scene.clock.time())
        found = self.log_in(scene, wishes)
        assert isinstance(found, Finished), found
        session = scene.request().session
        assert session is not None
        assert scene.login.lacks(session, wishes) is None
        refusal = scene.login.lacks(session, None)
        assert refusal is not None
        assert refusal.error == "insufficient_user_authentication"

    def test_what_was_asked_for_is_enforced(self) -> None:
        essential = Wishes(claims={"id_token": {"email": {"essential": True}}})
        for wishes in (Wishes(acr_values=("gold",)), Wishes(max_age=60), essential):
            scene = OidcScene()
            found = self.log_in(scene, wishes)
            assert isinstance(found, Response)
            assert (found.status, found.reason) == (403, "login-refused")

    def log_in(self, scene: OidcScene, wishes: Wishes) -> Finished | Response:
        before = set(scene.browser.cookies)
        scene.begin(wishes=wishes)
        (name,) = set(scene.browser.cookies) - before
        state = name.removeprefix("__Host-sso-login-")
        return scene.callback({"state": state, "code": "code-1"})


class AnswerTests(TestCase):
    """The answer is not good."""

    def refused_before_the_provider(self, scene: OidcScene, **answer: str) -> Response:
        refused = scene.refused(**answer)
        assert not scene.provider.redeemed
        return refused

    def test_another_issuer_is_refused(self) -> None:
        refused = self.refused_before_the_provider(OidcScene(), iss=ISSUER + "/x")
        assert refused.reason == "login-refused"
        assert refused.again == "/page?x=1"

    def test_a_provider_that_names_itself_always_does(self) -> None:
        scene = OidcScene()
        scene.provider.place = attrs.evolve(scene.provider.place, iss_required=True)
        self.refused_before_the_provider(scene)

    def test_a_token_in_the_url_is_refused(self) -> None:
        self.refused_before_the_provider(OidcScene(), access_token="t")

    def test_another_mode_is_refused(self) -> None:
        self.refused_before_the_provider(OidcScene(response_mode="form_post"))
        scene = OidcScene()
        found = scene.callback({"state": scene.state(), "code": "c"}, form=True)
        assert isinstance(found, Response)
        assert not scene.provider.redeemed

    def test_who_is_denied_hears_so(self) -> None:
        scene = OidcScene()
        fields = {"state": scene.state(), "error": "access_denied"}
        found = scene.callback(fields)
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (403, "login-denied")
        assert found.again == "/page?x=1"
        assert not scene.browser.cookies

    def test_an_error_of_the_provider_is_502(self) -> None:
        scene = OidcScene()
        found = scene.callback({"state": scene.state(), "error": "server_error"})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (502, "provider-error")

    def test_nothing_that_came_is_shown(self) -> None:
        scene = OidcScene()
        found = scene.callback(
            {
                "state": scene.state(),
                "error": "x<script>",
                "error_description": "<script>alert(1)</script>",
            }
        )
        assert isinstance(found, Response)
        assert "script" not in repr(found)


class StateTests(TestCase):
    """The answer belongs to nothing that this browser has begun."""

    def test_another_browser_is_refused(self) -> None:
        scene = OidcScene()
        state = scene.state()
        scene.browser.cookies.clear()
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (400, "login-no-cookie")
        assert not scene.provider.redeemed

    def test_a_login_that_took_too_long_is_refused(self) -> None:
        scene = OidcScene()
        state = scene.state()
        scene.clock.advance(4000)
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert found.reason == "login-expired"

    def test_without_a_state_there_is_no_login(self) -> None:
        scene = OidcScene()
        scene.state()
        found = scene.callback({"code": "c"})
        assert isinstance(found, Response)
        assert found.reason == "login-state"

    def test_an_answer_is_good_once(self) -> None:
        scene = OidcScene()
        state = scene.state()
        copied = dict(scene.browser.cookies)
        scene.callback({"state": state, "code": "c"})
        scene.browser.cookies = copied  # and no session
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert found.status == 400
        assert len(scene.provider.redeemed) == 1

    def test_an_answer_to_another_authenticator_is_refused(self) -> None:
        """A provider that is in bad hands would get the other's codes (mix-up)."""
        scene, other = OidcScene(), OidcScene()
        other.parts = attrs.evolve(other.parts, name="other")
        other.login = type(other.login)(other.parts)
        other.store, other.browser = scene.store, scene.browser
        state = other.state()
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert found.reason == "login-state"
        assert not scene.provider.redeemed

    def test_the_back_button_goes_to_the_page(self) -> None:
        scene = OidcScene()
        state = scene.state()
        scene.callback({"state": state, "code": "c"})
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert found.status == 303
        assert ("location", "/page?x=1") in found.headers
        assert len(scene.provider.redeemed) == 1

    def test_the_back_button_of_each_tab_goes_to_its_page(self) -> None:
        scene = OidcScene()
        state = scene.state()
        scene.callback({"state": state, "code": "c"})
        scene.begin(target="/other")
        scene.good()
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert ("location", "/page?x=1") in found.headers

    def test_the_back_button_begins_again_once_after_a_logout(self) -> None:
        scene = OidcScene()
        state = scene.state()
        scene.callback({"state": state, "code": "c"})
        scene.callback({"state": state, "code": "c"})
        scene.browser.take(now(scene.store.end(scene.request())))
        assert scene.request().session is None
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (303, "login-again")
        assert ("location", "/page?x=1") in found.headers
        assert ("cache-control", "no-store") in found.headers
        found = scene.callback({"state": state, "code": "c"})
        assert isinstance(found, Response)
        assert found.status == 400
        assert len(scene.provider.redeemed) == 1

    def test_a_login_that_was_refused_does_not_begin_again(self) -> None:
        scene = OidcScene()
        state = scene.state()
        for _ in range(2):
            found = scene.callback({"state": state, "error": "access_denied"})
            assert isinstance(found, Response)
            assert found.status >= 400

    def test_an_older_answer_leads_to_the_start(self) -> None:
        scene = OidcScene()
        scene.good()
        found = scene.callback({"state": "another", "code": "c"})
        assert isinstance(found, Response)
        assert ("location", "/") in found.headers

    def test_a_session_of_another_authenticator_helps_nobody(self) -> None:
        scene = OidcScene()
        scene.good()
        scene.parts = attrs.evolve(scene.parts, name="other")
        scene.login = type(scene.login)(scene.parts)
        found = scene.callback({"state": "another", "code": "c"})
        assert isinstance(found, Response)
        assert found.status == 400


class ProviderTests(TestCase):
    """The provider gives no good tokens."""

    def test_a_code_that_it_refuses_logs_nobody_in(self) -> None:
        scene = OidcScene()
        scene.provider.failures["redeem"] = ProviderError("invalid_grant", "")
        refused = scene.refused()
        assert (refused.status, refused.reason) == (403, "login-refused")

    def test_what_is_no_answer_is_502(self) -> None:
        scene = OidcScene()
        scene.provider.failures["redeem"] = ProviderError("", "no application/json")
        assert scene.refused().status == 502

    def test_a_provider_that_is_down_is_503(self) -> None:
        scene = OidcScene()
        scene.provider.failures["redeem"] = UnavailableError("login.example.com")
        with pytest.raises(UnavailableError):
            scene.log_in()
        assert scene.request().session is None

    def test_a_token_that_is_not_good_logs_nobody_in(self) -> None:
        scene = OidcScene()
        scene.provider.claims["nonce"] = "another"
        refused = scene.refused()
        assert (refused.status, refused.reason) == (403, "login-refused")
        assert refused.again == "/page?x=1"


def test_the_tokens_of_a_session_are_not_shown() -> None:
    found = OidcScene().good()
    assert "access-1" not in repr(found)
    assert "refresh-1" not in repr(found)


def test_a_login_is_finished_once_in_all_processes() -> None:
    """What is known of it is in the cache that they share."""
    scene = OidcScene()
    state = scene.state()
    copied = dict(scene.browser.cookies)
    scene.callback({"state": state, "code": "c"})
    other = type(scene.login)(attrs.evolve(scene.parts))
    scene.login, scene.browser.cookies = other, copied
    found = scene.callback({"state": state, "code": "c"})
    assert isinstance(found, Response)
    assert now(scene.store.load(scene.request())).session is None
