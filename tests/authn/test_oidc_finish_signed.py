"""Signed answers are taken while they are good, and lead back once when they were."""

from typing import Any

from twisted.trial.unittest import TestCase

from sso_proxy.login import Finished
from sso_proxy.model import Response
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object
from sso_proxy.testing.tokens import TokenSigner
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, SIGNER, OidcScene


class SignedTests(TestCase):
    """Signed answers (JARM)."""

    def scene(self) -> OidcScene:
        return OidcScene(response_mode="jwt")

    def answer(self, scene: OidcScene, state: str, **changes: object) -> str:
        time = int(scene.clock.time())
        claims = {
            "iss": ISSUER,
            "aud": "app",
            "exp": time + 60,
            "state": state,
            "code": "code-1",
            **changes,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return SIGNER.sign(kept, typ=None)

    def test_a_signed_answer_is_taken(self) -> None:
        scene = self.scene()
        found = scene.callback({"response": self.answer(scene, scene.state())})
        assert isinstance(found, Finished)

    def test_only_the_providers_answers_can_be_opened(self) -> None:
        scene = self.scene()
        state = scene.state()
        assert now(scene.login.opens(self.answer(scene, state)))
        assert now(scene.login.opens(self.answer(scene, state, exp=1)))
        for bad in ("a.b.c.d.e", self.answer(scene, state, aud="other")):
            assert not now(scene.login.opens(bad))

    def test_an_answer_that_should_be_signed_has_to_be(self) -> None:
        scene = self.scene()
        scene.refused(iss=ISSUER)
        assert not scene.provider.redeemed

    def test_what_is_wrong_in_it_is_refused(self) -> None:
        for changes in (
            {"iss": ISSUER + "/x"},
            {"iss": None},
            {"aud": "other"},
            {"aud": None},
            {"exp": 1},
            {"exp": None},
            {"access_token": "t"},
            {"code": None},
        ):
            scene = self.scene()
            text = self.answer(scene, scene.state(), **changes)
            found = scene.callback({"response": text})
            assert isinstance(found, Response), changes
            assert found.status == 400, changes
            assert not scene.provider.redeemed

    def over(self, scene: OidcScene, **more: object) -> str:
        """Log in, log out, and give an answer to that login whose time is over."""
        state = scene.state()
        answer = {"response": self.answer(scene, state)}
        assert isinstance(scene.callback(answer), Finished)
        scene.browser.take(now(scene.store.end(scene.request())))
        assert scene.request().session is None
        scene.clock.advance(120)
        ended = {"exp": scene.clock.time() - 60, **more}
        return self.answer(scene, state, **ended)

    def test_the_back_button_begins_again_once_though_the_answer_is_over(self) -> None:
        scene = self.scene()
        text = self.over(scene)
        found = scene.callback({"response": text})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (303, "login-again")
        assert ("location", "/page?x=1") in found.headers
        found = scene.callback({"response": text})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (400, "login-refused")
        assert scene.request().session is None
        assert len(scene.provider.redeemed) == 1

    def test_the_back_button_goes_to_the_page_though_the_answer_is_over(self) -> None:
        scene = self.scene()
        answer = {"response": self.answer(scene, scene.state())}
        assert isinstance(scene.callback(answer), Finished)
        scene.clock.advance(120)
        found = scene.callback(answer)
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (303, "login-done-before")
        assert ("location", "/page?x=1") in found.headers
        assert len(scene.provider.redeemed) == 1

    def test_nobody_else_begins_again_with_an_answer_that_is_over(self) -> None:
        scene = self.scene()
        text = self.over(scene)
        scene.browser.cookies.clear()
        found = scene.callback({"response": text})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (400, "login-refused")

    def test_an_answer_that_is_over_takes_no_login_that_waits(self) -> None:
        scene = self.scene()
        state = scene.state()
        text = self.answer(scene, state, exp=scene.clock.time() - 60)
        found = scene.callback({"response": text})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (400, "login-refused")
        assert isinstance(
            scene.callback({"response": self.answer(scene, state)}), Finished
        )

    def test_nobody_is_sent_round_by_a_provider_whose_answers_are_always_over(
        self,
    ) -> None:
        """Somebody with a session needs a better login, and this one is none."""
        scene = self.scene()
        answer = {"response": self.answer(scene, scene.state())}
        assert isinstance(scene.callback(answer), Finished)
        text = self.answer(scene, scene.state(), exp=scene.clock.time() - 60)
        found = scene.callback({"response": text})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (400, "login-refused")
        assert scene.request().session is not None

    def test_what_is_over_and_never_was_good_begins_nothing_again(self) -> None:
        for changes in ({"iss": ISSUER + "/x"}, {"aud": "other"}, {"code": 1}):
            scene = self.scene()
            found = scene.callback({"response": self.over(scene, **changes)})
            assert isinstance(found, Response), changes
            assert (found.status, found.reason) == (400, "login-refused"), changes

    def test_what_nobody_can_check_begins_nothing_again(self) -> None:
        for over in (True, False):
            scene = self.scene()
            changes = {} if over else {"exp": scene.clock.time() + 600}
            good = self.over(scene, **changes)
            stranger = TokenSigner.create("ES256", "first")
            claims = {
                "iss": ISSUER,
                "aud": "app",
                "exp": scene.clock.time() + (-60 if over else 60),
                "state": decoded(good)["state"],
                "code": "c",
            }
            signed = stranger.sign(claims, typ=None)
            unsigned = f"{good.rpartition('.')[0]}."
            for text in (signed, unsigned, good[:-4] + "AAAA"):
                found = scene.callback({"response": text})
                assert isinstance(found, Response), text
                assert (found.status, found.reason) == (400, "login-refused")
            found = scene.callback({"response": good})
            assert isinstance(found, Response)
            assert found.reason == "login-again"  # it would have

    def test_another_signature_is_refused(self) -> None:
        scene = self.scene()
        stranger = TokenSigner.create("ES256", "first")
        claims = {"iss": ISSUER, "aud": "app", "exp": scene.clock.time() + 60}
        text = stranger.sign({**claims, "state": scene.state(), "code": "c"}, typ=None)
        found = scene.callback({"response": text})
        assert isinstance(found, Response)
        assert not scene.provider.redeemed

    def test_a_new_key_is_fetched(self) -> None:
        scene = self.scene()
        second = TokenSigner.create("ES256", "second")
        scene.provider.signers = [SIGNER, second]
        time = int(scene.clock.time())
        claims = {"iss": ISSUER, "aud": "app", "exp": time + 60}
        text = second.sign({**claims, "state": scene.state(), "code": "c"}, typ=None)
        found = scene.callback({"response": text})
        assert isinstance(found, Finished)


def decoded(token: str) -> dict[str, Any]:
    """Give the claims of a token, unchecked."""
    return read_json_object(decode_base64url(token.split(".")[1].encode()))
