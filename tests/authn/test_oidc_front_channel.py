"""Tokens that a browser brings are checked for all that anybody could do to them."""

import json
from typing import Any

import attrs
import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.login import Finished, InFragment
from sso_proxy.model import Authenticated, Response
from sso_proxy.specs.oidc.hashes import half_hashes
from sso_proxy.testing.tokens import TokenSigner
from tests.support.caching import now
from tests.support.oidc_scene import ISSUER, OidcScene, asked

FRONT = "front-token"
CODE = "code-1"


def half(value: str) -> str:
    return half_hashes(value, "ES256")[0]


class FrontScene(OidcScene):
    """A browser that brings tokens."""

    def __init__(self, response_type: str, **options: Any) -> None:  # noqa: ANN401
        super().__init__(response_type=response_type, **options)
        self.words = response_type.split()
        self.fragment = self.parts.config.mode.startswith("fragment")

    def answer(self, **claims: object) -> dict[str, str]:
        """Begin, and give the answer of a good provider; *claims* of its ID token."""
        state = self.state()
        found = {"state": state, "iss": ISSUER, "session_state": "ignored"}
        said: dict[str, object] = {"s_hash": half(state)}
        if "code" in self.words:
            found["code"], said["c_hash"] = CODE, half(CODE)
        if "token" in self.words:
            found |= {"access_token": FRONT, "token_type": "bearer"}
            found |= {"expires_in": "60"}
            said["at_hash"] = half(FRONT)
        if "id_token" in self.words:
            found["id_token"] = self.provider.id_token(**{**said, **claims})
        return found

    def bring(self, answer: dict[str, str]) -> Finished | Response:
        return self.callback(answer, form=not self.fragment, fragment=self.fragment)

    def good_front(self, **claims: object) -> Finished:
        found = self.bring(self.answer(**claims))
        assert isinstance(found, Finished), found
        return found

    def refused_front(self, answer: dict[str, str] | None = None) -> Response:
        found = self.bring(self.answer() if answer is None else answer)
        assert isinstance(found, Response), found
        assert found.status >= 400
        assert self.request().session is None
        return found

    def session_data(self) -> dict[str, Any]:
        session = self.request().session
        assert session is not None
        return dict(session.data)


ALL = ["id_token", "id_token token", "code id_token", "code token"]
ALL += ["code id_token token"]


@pytest.mark.parametrize("mode", ["fragment", "form_post"])
@pytest.mark.parametrize("text", ALL)
def test_each_response_type_logs_in_each_way(text: str, mode: str) -> None:
    scene = FrontScene(text, response_mode=mode)
    found = scene.good_front()
    assert found.identity.subject == "alice"
    assert found.wanted.target == "/page?x=1"
    assert len(scene.provider.redeemed) == ("code" in scene.words)


@pytest.mark.parametrize("text", ALL)
def test_the_provider_is_asked_for_it(text: str) -> None:
    scene = FrontScene(" ".join(reversed(text.split())))
    fields = asked(scene.begin())
    assert fields["response_type"] == text
    assert ("code_challenge" in fields) == ("code" in text.split())
    assert fields["nonce"]
    assert "response_mode" not in fields


def test_a_code_can_come_behind_the_number_sign() -> None:
    scene = OidcScene(response_mode="fragment")
    fields = {"state": scene.state(), "code": CODE}
    assert isinstance(scene.callback(fields, fragment=True), Finished)


def test_the_login_is_kept_for_our_own_page_alone() -> None:
    """Which posts from our own origin: no other site's form has the cookie."""
    for mode, same_site in (("fragment", "Lax"), ("form_post", "None")):
        scene = FrontScene("code id_token", response_mode=mode)
        cookie = dict(scene.begin().headers)["set-cookie"]
        assert f"SameSite={same_site}" in cookie


class FragmentTests(TestCase):
    """What is behind the number sign is read by a page of ours."""

    def test_the_page_is_made_for_whoever_comes_without_a_query(self) -> None:
        scene = FrontScene("id_token")
        page = now(scene.login.finish(scene.request(path="/.sso/callback/corp")))
        assert isinstance(page, InFragment)

    def test_there_is_no_such_page_for_other_modes(self) -> None:
        for scene in (OidcScene(), FrontScene("id_token", response_mode="form_post")):
            found = now(scene.login.finish(scene.request(path="/.sso/callback/corp")))
            assert isinstance(found, Response)
            assert found.status == 400

    def test_without_anything_behind_it_nobody_is_logged_in(self) -> None:
        scene = FrontScene("id_token")
        scene.begin()
        found = scene.callback({}, fragment=True)
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (400, "login-state")

    def test_who_goes_back_to_it_is_sent_on(self) -> None:
        scene = FrontScene("id_token")
        scene.good_front()
        found = scene.callback({}, fragment=True)
        assert isinstance(found, Response)
        assert (found.status, dict(found.headers)["location"]) == (303, "/")

    def test_a_token_in_the_query_is_refused(self) -> None:
        scene = FrontScene("id_token")
        found = scene.callback(scene.answer())
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (400, "login-refused")

    def test_an_answer_is_good_once(self) -> None:
        scene = FrontScene("id_token")
        answer = scene.answer()
        copied = dict(scene.browser.cookies)
        assert isinstance(scene.bring(answer), Finished)
        scene.browser.cookies = copied
        scene.refused_front(answer)


@pytest.mark.parametrize("text", ALL)
def test_what_is_missing_or_was_not_asked_for_is_refused(text: str) -> None:
    every = {"code": CODE, "id_token": "a.b.c"}
    for name in ("code", "id_token", "access_token"):
        scene = FrontScene(text)
        answer = scene.answer()
        if name in answer:
            del answer[name]
        elif name == "access_token":
            answer |= {"access_token": FRONT, "token_type": "bearer"}
        else:
            answer[name] = every[name]
        assert scene.refused_front(answer).reason == "login-refused"
        assert not scene.provider.redeemed


WITH_ID_TOKEN = [text for text in ALL if "id_token" in text.split()]


@pytest.mark.parametrize("text", WITH_ID_TOKEN)
@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": None},
        {"nonce": "another"},
        {"iss": ISSUER + "/x"},
        {"aud": "other"},
        {"sub": None},
        {"exp": 1},
        {"s_hash": half("other")},
    ],
)
def test_a_bad_id_token_is_refused_before_the_code_is_used(
    text: str, claims: dict[str, object]
) -> None:
    scene = FrontScene(text)
    scene.refused_front(scene.answer(**claims))
    assert not scene.provider.redeemed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("id_token token", "at_hash"),
        ("code id_token", "c_hash"),
        ("code id_token token", "at_hash"),
        ("code id_token token", "c_hash"),
    ],
)
def test_what_comes_along_is_vouched_for(text: str, name: str) -> None:
    """Core 3.2.2.10 and 3.3.2.11: these hashes are REQUIRED."""
    for value in (None, half("other"), ""):
        scene = FrontScene(text)
        scene.refused_front(scene.answer(**{name: value}))
        assert not scene.provider.redeemed


def test_a_state_is_vouched_for_if_the_operator_wants_it() -> None:
    FrontScene("code id_token").good_front(s_hash=None)
    scene = FrontScene("code id_token", required_hashes=["s_hash"])
    scene.refused_front(scene.answer(s_hash=None))
    FrontScene("code id_token", required_hashes=["s_hash", "c_hash"]).good_front()


def test_another_code_or_token_is_refused() -> None:
    for name in ("code", "access_token"):
        scene = FrontScene("code id_token token")
        answer = {**scene.answer(), name: "of-another-login"}
        scene.refused_front(answer)
        assert not scene.provider.redeemed


@pytest.mark.parametrize("text", WITH_ID_TOKEN)
def test_nobody_is_believed_who_signs_nothing(text: str) -> None:
    """``allow_alg_none`` is about the token endpoint (Core 3.2.2.11, 3.3.2.12)."""
    scene = FrontScene(text, allow_alg_none=True)
    answer = scene.answer()
    _, claims, _ = answer["id_token"].split(".")
    answer["id_token"] = f"eyJhbGciOiJub25lIn0.{claims}."
    scene.refused_front(answer)


def test_a_stranger_is_not_believed() -> None:
    scene = FrontScene("id_token")
    good = scene.provider.signers
    scene.provider.signers = [TokenSigner.create("ES256", "first")]
    answer = scene.answer()
    scene.provider.signers = good
    scene.refused_front(answer)


class HybridTests(TestCase):
    """There are two channels; the one without the browser counts."""

    def test_another_user_is_refused(self) -> None:
        scene = FrontScene("code id_token")
        answer = scene.answer()
        scene.provider.claims = {"sub": "mallory"}
        scene.refused_front(answer)
        assert scene.provider.redeemed

    def test_another_login_is_refused(self) -> None:
        scene = FrontScene("code id_token")
        answer = scene.answer(auth_time=1)
        scene.provider.claims = {"auth_time": 2}
        scene.refused_front(answer)

    def test_what_the_token_endpoint_says_counts(self) -> None:
        scene = FrontScene("code id_token token")
        answer = scene.answer(team="front")
        scene.provider.claims = {"team": "back"}
        found = scene.bring(answer)
        assert isinstance(found, Finished)
        assert found.identity.claims["team"] == "back"
        data = scene.session_data()
        assert data["access_token"] == "access-1"
        assert data["refresh_token"] == "refresh-1"
        assert data["id_token"] != answer["id_token"]

    def test_a_context_that_was_asked_for_is_the_second_tokens(self) -> None:
        """The first one need not have all claims (Core 3.3.3.6)."""
        scene = FrontScene("code id_token", acr_values=["gold"])
        answer = scene.answer()
        scene.provider.claims = {"acr": "gold"}
        assert isinstance(scene.bring(answer), Finished)
        scene = FrontScene("code id_token", acr_values=["gold"])
        scene.refused_front(scene.answer(acr="gold"))

    def test_a_provider_says_which_types_it_has_in_any_order(self) -> None:
        def typed(*texts: str) -> Response:
            scene = FrontScene("code id_token")
            types = frozenset(frozenset(text.split()) for text in texts)
            place = attrs.evolve(scene.provider.place, response_types=types)
            scene.provider.place = place
            return scene.begin()

        assert typed("code", "id_token code").status == 303
        refused = typed("code", "code id_token token")
        assert (refused.status, refused.reason) == (502, "provider-error")


class ImplicitTests(TestCase):
    """There is nothing but what the browser brings."""

    def test_the_session_keeps_what_there_is(self) -> None:
        scene = FrontScene("id_token")
        scene.good_front()
        data = scene.session_data()
        assert data["id_token"]
        rest = {"access_token", "refresh_token", "token_type", "access_since"}
        assert not rest & data.keys()

    def test_an_access_token_is_kept_until_it_expires(self) -> None:
        scene = FrontScene("id_token token")
        scene.provider.place = attrs.evolve(scene.provider.place, userinfo=None)
        scene.good_front()
        data = scene.session_data()
        assert (data["access_token"], data["token_type"]) == (FRONT, "Bearer")
        assert data["access_expires"] == scene.clock.time() + 60

    def test_the_user_is_asked_about_with_the_token_of_the_browser(self) -> None:
        scene = FrontScene("id_token token")
        provider, came = scene.provider, []

        async def userinfo(token: str, kind: str) -> tuple[int, str, bytes]:
            came.append((token, kind))
            return 200, "application/json", json.dumps(about).encode()

        about = {"sub": "alice", "email": "alice@example.com"}
        provider.place = attrs.evolve(provider.place, userinfo=ISSUER + "/userinfo")
        provider.userinfo = userinfo  # type: ignore[assignment,method-assign]
        found = scene.good_front()
        assert found.identity.claims["email"] == "alice@example.com"
        assert came == [(FRONT, "Bearer")]
        about["sub"] = "mallory"
        scene.browser.cookies.clear()
        scene.refused_front()

    def test_without_an_access_token_nobody_is_asked(self) -> None:
        scene = FrontScene("id_token")
        place = attrs.evolve(scene.provider.place, userinfo=ISSUER + "/userinfo")
        scene.provider.place = place
        scene.good_front()

    def test_what_was_asked_for_is_enforced(self) -> None:
        scene = FrontScene("id_token", acr_values=["gold"])
        scene.refused_front(scene.answer(acr="silver"))
        scene = FrontScene("id_token", max_age=60)
        scene.refused_front()
        FrontScene("id_token", acr_values=["gold"]).good_front(acr="gold")

    def test_a_session_without_a_refresh_token_goes_on(self) -> None:
        scene = FrontScene("id_token token")
        scene.good_front()
        scene.clock.advance(120)
        found = now(scene.login.authenticate(scene.request()))
        assert isinstance(found, Authenticated)
        assert found.identity.subject == "alice"

    def test_an_error_of_the_provider_is_told(self) -> None:
        scene = FrontScene("id_token")
        found = scene.bring({"state": scene.state(), "error": "access_denied"})
        assert isinstance(found, Response)
        assert (found.status, found.reason) == (403, "login-denied")
