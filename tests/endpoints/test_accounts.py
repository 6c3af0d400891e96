"""The page for somebody who is logged in: who they are, and their sessions."""

import html
import re
from typing import Any

import pytest

from sso_proxy.endpoints import accounts
from sso_proxy.endpoints.accounts import Moment, moment
from sso_proxy.model import Request, Response
from tests.support.account_scene import (
    ROOT,
    SAME,
    AccountScene,
    ids,
    listed,
    text_of,
)
from tests.support.fake_login import LOGOUT as AWAY
from tests.support.fake_login import FakeLogin, FakeLogout
from tests.support.login_scene import PAGE
from tests.support.sessions import Browser


def test_people_see_who_they_are_here() -> None:
    scene = AccountScene()
    scene.log_in()
    scene.tools.clock.advance(185)
    scene.page()

    seen = scene.page(ROOT)
    assert (seen.status, scene.reason) == (200, "account")
    text = text_of(seen)
    assert "You are logged in as Alice B. " in text
    assert "Account Corporate login" in text
    assert "Logged in 3 min ago" in text
    assert "Ends in 8 h at the latest, in 30 min without use" in text
    assert "Bound to nothing" in text
    assert "You are logged in nowhere else here." in text
    headers = dict(seen.headers)
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_the_page_speaks_german() -> None:
    scene = AccountScene()
    scene.log_in()
    seen = scene.ask(ROOT, *PAGE, b"Accept-Language: de")
    assert "Sie sind angemeldet als Alice B. " in text_of(seen)
    assert "Endet spätestens in 8 Std. , ungenutzt in 30 Min." in text_of(seen)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b"), "You are logged in as a, b "),
        ((), "Known here as nobody: no application here has a name for you"),
        (None, "Known here as not to be found out just now"),
    ],
)
def test_names_may_differ_or_be_missing(
    names: tuple[str, ...] | None, said: str
) -> None:
    scene = AccountScene()
    scene.names = names
    scene.log_in()
    assert said in text_of(scene.page(ROOT))


@pytest.mark.parametrize(
    ("claims", "person"),
    [
        ({"name": " Alice  ", "email": "a@b"}, "Alice"),
        ({"name": " ", "preferred_username": ["x"], "email": "a@b"}, "a@b"),
        ({"name": "x" * 300}, "x" * 200),
    ],
)
def test_people_are_called_what_their_provider_calls_them(
    claims: dict[str, Any], person: str
) -> None:
    """A subject may be a number in which nobody recognises themselves."""
    scene = AccountScene()
    scene.logins["corp"].claims = claims
    scene.log_in()
    text = text_of(scene.page(ROOT))
    assert f"You are logged in as {person} Known here as Alice B. Account" in text


def test_a_users_sessions_are_listed_this_one_first_then_the_last_used() -> None:
    scene = AccountScene()
    old = scene.another()
    scene.tools.clock.advance(600)
    scene.log_in()
    scene.another()
    scene.another(user="mallory")
    scene.tools.clock.advance(600)

    seen = scene.page(ROOT)
    times = [text.removesuffix(" End") for text in listed(seen)]
    assert times == [
        "This browser logged in 10 min ago · last used just now",
        "Another browser logged in 10 min ago · last used 10 min ago",
        "Another browser logged in 20 min ago · last used 20 min ago",
    ]
    assert ids(seen)[1] == scene.session(old).id
    assert scene.session().id not in seen.body


def test_of_very_many_sessions_those_used_last_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accounts, "_MOST_LINES", 2)
    scene = AccountScene()
    for _ in range(4):
        scene.another()
    scene.log_in()
    seen = scene.page(ROOT)
    assert len(listed(seen)) == 2
    assert "… and 3 more." in text_of(seen)


def test_one_of_ones_own_sessions_is_ended() -> None:
    scene = AccountScene()
    scene.log_in()
    lost, kept = scene.another(), scene.another()
    ended = scene.session(lost).id

    seen = scene.post(do="end", session=ended)
    assert (seen.status, seen.location) == (303, "/.sso/?ended")
    assert not scene.has_session(lost)
    assert scene.has_session(kept)
    assert scene.has_session()
    after = scene.ask(seen.location, *PAGE, SAME)
    assert "That session has ended." in text_of(after)
    assert len(listed(after)) == 2

    again = scene.post(do="end", session=ended)
    assert again.location == "/.sso/?gone"
    assert "over already" in text_of(scene.ask(again.location, *PAGE, SAME))


def test_ones_present_session_ends_as_by_a_logout() -> None:
    scene = AccountScene()
    scene.log_in()
    scene.post(do="end", session=scene.session().id)
    assert scene.reason == "logged-out"
    assert "__Host-sso" not in scene.browser.cookies


@pytest.mark.parametrize("kind", ["server", "cookie"])
def test_people_log_out_everywhere(kind: str) -> None:
    scene = AccountScene(kind)
    scene.log_in()
    others = [scene.another(), scene.another()]
    mallory = scene.another(user="mallory")
    copy = Browser(**scene.browser.cookies)
    scene.tools.clock.advance(1)

    seen = scene.post(do="everywhere")
    assert (seen.status, scene.reason) == (200, "logged-out")
    assert "Your session at this site has ended." in seen.body
    assert "__Host-sso" not in scene.browser.cookies
    assert not any(scene.has_session(each) for each in (*others, copy))
    assert scene.has_session(mallory)
    scene.tools.clock.advance(0.01)
    assert scene.log_in().status == 303
    assert scene.page(ROOT).status == 200


def test_the_provider_hears_of_a_logout_everywhere_as_of_any_other() -> None:
    class Scene(AccountScene):
        def make_login(self, name: str) -> FakeLogin:
            return FakeLogout(name=name)

    scene = Scene()
    scene.log_in()
    seen = scene.post(do="everywhere")
    assert (seen.status, seen.location) == (303, AWAY)
    assert len(scene.logins["corp"].ended) == 1


def test_if_others_cannot_be_ended_nothing_has_happened() -> None:
    scene = AccountScene()
    scene.log_in()
    scene.cache.broken = frozenset({"index_list"})
    seen = scene.post(do="everywhere")
    assert (seen.status, scene.reason) == (503, "logout-failed")
    scene.cache.broken = frozenset()
    assert scene.has_session()


def test_where_only_browsers_know_of_sessions_the_page_says_so() -> None:
    scene = AccountScene("cookie", options={"cache": None})
    scene.log_in()
    theirs = scene.another()
    seen = scene.page(ROOT)
    assert "cannot be listed here" in text_of(seen)
    assert 'value="everywhere"' not in seen.body
    assert 'action="/.sso/logout"' in seen.body
    assert (scene.post(do="everywhere").status, scene.has_session()) == (400, True)
    assert scene.has_session(theirs)
    assert scene.post(do="end", session=scene.session(theirs).id).status == 503


def test_with_a_cache_cookie_sessions_end_everywhere_although_none_is_listed() -> None:
    scene = AccountScene("cookie")
    scene.log_in()
    seen = scene.page(ROOT)
    assert "cannot be listed here" in text_of(seen)
    assert 'value="everywhere"' in seen.body


def test_who_is_not_logged_in_logs_in_and_comes_back() -> None:
    scene = AccountScene()
    away = scene.page(f"{ROOT}?ended")
    assert away.status == 302
    assert "alice" not in away.body.lower()
    back = scene.come_back(away)
    assert (back.status, back.location) == (303, ROOT)
    assert scene.page(back.location).status == 200


def test_who_may_log_in_in_two_ways_chooses_and_comes_back() -> None:
    scene = AccountScene("server", "corp", "other")
    choice = scene.page(ROOT)
    assert scene.reason == "login-choice"
    link = re.search(r'href="([^"]*with=other[^"]*)"', choice.body)
    assert link is not None
    away = scene.page(html.unescape(link[1]))
    assert scene.come_back(away, name="other").location == ROOT


def test_programs_that_ask_for_the_same_path_get_their_document() -> None:
    """Those that check an OpenID realm ask for HTML by name, among others."""

    class Document:
        told: Response | None = Response(status=200, reason="document")

        async def answer(self, request: Request, name: str, rest: str) -> Any:  # noqa: ANN401
            assert (request.head.method, name, rest) == ("GET", "", "")
            return self.told

    class Scene(AccountScene):
        document = Document()

    scene = Scene()
    scene.log_in()
    program = (b"Accept: text/html; q=0.3, application/xrds+xml",)
    scene.ask(ROOT, *program)
    assert scene.reason == "document"
    scene.page(ROOT)
    assert scene.reason == "account"
    scene.document.told = None
    scene.ask(ROOT, *program)
    assert scene.reason == "account"


def test_a_list_that_cannot_be_read_hides_no_logout() -> None:
    scene = AccountScene()
    scene.log_in()
    scene.cache.broken = frozenset({"index_list"})
    seen = scene.page(ROOT)
    assert "cannot be listed here" in text_of(seen)
    assert 'action="/.sso/logout"' in seen.body


@pytest.mark.parametrize(
    ("away", "unit", "count"),
    [
        (0, "now", 0),
        (-29, "now", 0),
        (31, "minutes", 1),
        (-7199, "minutes", 120),
        (7201, "hours", 2),
        (-172_799, "hours", 48),
        (200_000, "days", 2),
    ],
)
def test_a_time_is_told_as_people_say_it(away: float, unit: str, count: int) -> None:
    iso = "2027-01-15T08:00:00Z"
    assert moment(1_800_000_000, 1_800_000_000 - away) == Moment(iso, unit, count)
