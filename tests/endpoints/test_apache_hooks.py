"""
What mod_auth_openidc does at its redirect URI, row by row, and where we differ.

The rows are those of its own dispatch, in its order; a test whose name has "instead"
shows a difference that docs/howto/from-mod-auth-openidc.md lists.
"""

import json
from urllib.parse import quote

import pytest

from sso_proxy.endpoints.apache_hooks import choose_hook
from sso_proxy.errors import BadMessageError
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Request, Response
from sso_proxy.testing.fakes import make_request
from tests.support.apache_scene import (
    REDIRECT,
    ApacheScene,
    come_back,
    is_in,
    logged_in,
)
from tests.support.login_scene import OWN_PAGE, PAGE
from tests.support.told_login import ToldLogin
from tests.support.watched_login import FRAME, WatchedLogin

FOREIGN = (*PAGE, b"Sec-Fetch-Site: cross-site")
FORM = b"Content-Type: application/x-www-form-urlencoded"
NOTICE = LogoutNotice(issuer="https://login.example", subject="alice", mark="m")


class ReadingLogin(ToldLogin):
    """A login that reads what its provider posts."""

    async def back_channel(self, request: Request) -> LogoutNotice | Response:
        assert request.body is not None
        assert await request.body.read(100) == b"logout_token=x"
        return self.told


@pytest.mark.parametrize(
    ("method", "query", "hook"),
    [
        ("GET", "code=1&state=2", "answer"),
        ("GET", "id_token=1", "answer"),
        ("GET", "response=1", "answer"),
        ("GET", "code=1&iss=https%3A%2F%2Flogin.example", "answer"),
        ("GET", "code=1&logout=", "answer"),
        ("GET", "logout=", "logout"),
        ("POST", "logout=backchannel", "logout"),
        ("POST", "code=1", "answer"),
        ("POST", "code=1&logout=backchannel", "logout"),
        ("POST", None, "answer"),
        ("POST", "iss=1", "answer"),
        ("GET", "iss=1&info=json", "login"),
        ("GET", "disc_user=alice", "login"),
        ("GET", "jwks=rsa", "jwks"),
        ("GET", "session=check&refresh=/", "session"),
        ("GET", "refresh=/&request_uri=1", "refresh"),
        ("GET", "request_uri=1&info=json", "request_uri"),
        ("GET", "remove_at_cache=1&info=json", "remove_at_cache"),
        ("GET", "revoke_session=1&info=json", "revoke_session"),
        ("GET", "dpop=1&info=json", "dpop"),
        ("GET", "info=json&error=1", "info"),
        ("GET", None, "answer"),
        ("GET", "", "answer"),
        ("GET", "error=access_denied&state=1", "answer"),
        ("GET", "error=access_denied&state=1&iss=https%3A%2F%2Flogin", "answer"),
        ("GET", "xcode=1", ""),
        ("GET", "foo=code=1", ""),
    ],
)
def test_the_first_that_fits_is_meant(
    method: str, query: str | None, hook: str
) -> None:
    assert choose_hook(make_request(method, query=query).head) == hook


def test_what_stands_behind_a_semicolon_is_refused() -> None:
    with pytest.raises(BadMessageError):
        choose_hook(make_request(query="a=1;logout=").head)


# 1: an answer by query


def test_a_login_comes_back_to_the_redirect_path_and_goes_on() -> None:
    scene = ApacheScene()
    away = scene.page("/a?b=1")
    assert scene.login.began[-1].callback == REDIRECT
    back = come_back(scene, away)
    assert (back.status, back.location) == (302, "/a?b=1")
    assert is_in(scene)


def test_an_answer_to_nothing_that_began_here_is_refused() -> None:
    scene = ApacheScene()
    assert scene.page(f"{REDIRECT}?code=c&state=x").status == 400
    assert scene.reason == "login-state"


# 2: logouts


def test_people_log_out_and_go_where_the_application_wants() -> None:
    for target in ("/bye?x=1", "https://app.example.com/bye?x=1"):
        scene = logged_in()
        seen = scene.ask(f"{REDIRECT}?logout={quote(target, safe='')}", *OWN_PAGE)
        assert (seen.status, seen.location) == (302, "/bye?x=1")
        assert not is_in(scene)


def test_without_a_target_there_is_a_page_or_the_configured_path() -> None:
    scene = logged_in()
    seen = scene.ask(f"{REDIRECT}?logout=", *OWN_PAGE)
    assert (seen.status, scene.reason) == (200, "logged-out")
    scene = logged_in(options={"logged_out": "/goodbye"})
    seen = scene.ask(f"{REDIRECT}?logout=", *OWN_PAGE)
    assert (seen.status, seen.location) == (302, "/goodbye")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/%09/evil.example",
        "https:evil.example",
        "javascript:alert(1)",
    ],
)
def test_nobody_is_sent_elsewhere_by_a_logout(target: str) -> None:
    scene = logged_in()
    seen = scene.ask(f"{REDIRECT}?logout={quote(target, safe='')}", *OWN_PAGE)
    assert seen.status == 400
    assert not seen.location
    assert is_in(scene)


def test_a_page_of_others_gets_a_question_instead_of_a_logout() -> None:
    scene = logged_in()
    seen = scene.ask(f"{REDIRECT}?logout=%2Fbye", *FOREIGN)
    assert (seen.status, scene.reason) == (200, "logout-ask")
    assert is_in(scene)


def test_an_image_of_others_gets_403_instead_of_a_logout() -> None:
    scene = logged_in()
    image = (b"Accept: image/*", b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: cors")
    assert scene.ask(f"{REDIRECT}?logout=%2Fbye", *image).status == 403
    assert is_in(scene)


@pytest.mark.parametrize("word", ["get", "img"])
def test_a_provider_ends_a_session_by_a_frame_or_an_image(word: str) -> None:
    login = ToldLogin(told=NOTICE)
    scene = logged_in(login=login)
    seen = scene.page(f"{REDIRECT}?logout={word}")
    assert seen.status == 200
    assert not is_in(scene)


def test_a_frame_that_is_not_the_providers_ends_nothing() -> None:
    scene = logged_in(login=ToldLogin())
    assert scene.page(f"{REDIRECT}?logout=get&sid=x").status == 400
    assert is_in(scene)


def test_a_provider_ends_sessions_by_itself() -> None:
    login = ReadingLogin(told=NOTICE)
    scene = logged_in(login=login)
    seen = scene.ask(
        f"{REDIRECT}?logout=backchannel", FORM, method="POST", body=b"logout_token=x"
    )
    assert seen.status == 200
    assert login.settles == ["m"]
    assert not is_in(scene)


def test_a_notice_that_is_not_the_providers_is_400() -> None:
    scene = logged_in(login=ReadingLogin())
    for method in ("POST", "GET"):
        body = b"logout_token=x" if method == "POST" else None
        url = f"{REDIRECT}?logout=backchannel"
        assert scene.ask(url, FORM, method=method, body=body).status == 400
    assert is_in(scene)


# 3: an answer by form


def test_an_empty_form_is_400_instead_of_500() -> None:
    scene = ApacheScene()
    scene.login.refuses = None
    seen = scene.ask(f"{REDIRECT}?state=x&user=y", FORM, method="POST", body=b"")
    assert seen.status == 400


# 4: logins that others begin


def test_a_provider_begins_a_login_of_its_users() -> None:
    scene = ApacheScene()
    issuer = quote("https://login.example", safe="")
    target = quote("https://app.example.com/a", safe="")
    seen = scene.ask(f"{REDIRECT}?iss={issuer}&target_link_uri={target}", *FOREIGN)
    assert seen.status == 302
    assert scene.login.began[-1].target == "/a"


@pytest.mark.parametrize(
    "query",
    [
        "iss=https%3A%2F%2Fevil.example",
        "iss=https%3A%2F%2Flogin.example&target_link_uri=https%3A%2F%2Fevil.example",
    ],
)
def test_an_unknown_provider_or_a_foreign_target_begins_nothing(query: str) -> None:
    scene = ApacheScene()
    assert scene.ask(f"{REDIRECT}?{query}", *FOREIGN).status == 400
    assert not scene.login.began


def test_what_is_typed_counts_in_ones_own_browser_alone() -> None:
    scene = ApacheScene()
    for fields, account in ((OWN_PAGE, "alice@example.com"), (FOREIGN, "")):
        scene.ask(f"{REDIRECT}?disc_user=alice%40example.com", *fields)
        assert scene.login.began[-1].account == account


# 5 to 11


def test_keys_are_published_as_json() -> None:
    scene = ApacheScene()
    seen = scene.ask(f"{REDIRECT}?jwks=rsa")
    assert (seen.status, json.loads(seen.body)) == (200, {"keys": []})
    assert dict(seen.headers)["content-type"] == "application/json"


def test_a_session_is_ended_by_the_word_logout() -> None:
    scene = logged_in()
    assert scene.ask(f"{REDIRECT}?session=logout", *OWN_PAGE).status == 200
    assert not is_in(scene)


def test_frames_that_watch_a_session_are_ours() -> None:
    login = WatchedLogin(data={"session_state": "s-1"})
    scene = logged_in(login=login)
    seen = scene.ask(f"{REDIRECT}?session=iframe_op", *OWN_PAGE)
    assert (seen.status, seen.location) == (302, FRAME)
    seen = scene.ask(f"{REDIRECT}?session=iframe_rp&login_uri=%2F%2Fevil", *OWN_PAGE)
    assert (seen.status, seen.location) == (302, "/.sso/iframe/rp/corp")
    scene.ask("/.sso/iframe/again/corp", *OWN_PAGE)
    assert login.began[-1].callback == REDIRECT


@pytest.mark.parametrize("word", ["iframe_op", "iframe_rp", "check", "", "other"])
def test_other_words_for_sessions_are_404(word: str) -> None:
    assert logged_in().ask(f"{REDIRECT}?session={word}", *OWN_PAGE).status == 404


@pytest.mark.parametrize(
    ("query", "status"),
    [("request_uri=", 400), ("request_uri=unknown", 404), ("request_uri=a/b", 404)],
)
def test_signed_requests_are_given_once_known(query: str, status: int) -> None:
    assert ApacheScene().ask(f"{REDIRECT}?{query}").status == status


@pytest.mark.parametrize(
    "query",
    [
        "remove_at_cache=token",
        "revoke_session=id",
        "dpop=token&url=https%3A%2F%2Fapi.example.com&method=GET",
    ],
)
def test_hooks_that_ask_nobody_who_they_are_are_404_instead(query: str) -> None:
    scene = logged_in()
    assert scene.ask(f"{REDIRECT}?{query}", *OWN_PAGE).status == 404
    assert is_in(scene)


# 13 to 15


def test_the_page_for_a_fragment_sends_it_back_to_the_redirect_path() -> None:
    scene = ApacheScene()
    scene.login.fragment = "__sso_fragment"
    seen = scene.page(REDIRECT)
    assert (seen.status, scene.reason) == (200, "login-fragment")
    assert f'action="{REDIRECT}"' in seen.body


def test_what_is_nothing_is_400_instead_of_500() -> None:
    scene = ApacheScene()
    assert scene.page(f"{REDIRECT}?foo=bar").status == 400
    assert scene.page(f"{REDIRECT}?jwks=1&session=a&session=b").status == 200
    assert scene.page(f"{REDIRECT}?session=a&session=b").status == 400


def test_other_methods_are_405_instead() -> None:
    scene = ApacheScene()
    assert scene.ask(f"{REDIRECT}?foo=bar", method="PUT").status == 405


def test_what_is_below_or_beside_the_path_is_the_applications() -> None:
    scene = logged_in()
    for path in (f"{REDIRECT}/", f"{REDIRECT}/more", f"{REDIRECT}2"):
        asked = len(scene.scene.backend.asked)
        assert scene.page(f"{path}?logout=").status == 200
        assert len(scene.scene.backend.asked) == asked + 1
