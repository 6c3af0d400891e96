"""Frames by which a page learns that its user has logged out at the provider."""

import json
from urllib.parse import urlencode

import pytest

from sso_proxy.login import Question
from tests.support.login_scene import Seen
from tests.support.watched_login import FRAME, WatchScene

RP = "/.sso/iframe/rp/corp"
OP = "/.sso/iframe/op/corp"
AGAIN = "/.sso/iframe/again/corp"
OWN = (b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Dest: iframe")


@pytest.fixture(params=["server", "cookie"])
def scene(request: pytest.FixtureRequest) -> WatchScene:
    made = WatchScene(request.param)
    made.log_in()
    return made


def end(
    scene: WatchScene, *states: str, origin: str = "https://app.example.com"
) -> Seen:
    """Have the page say that the session is over."""
    form = urlencode([("state", state) for state in states]).encode()
    kind = b"Content-Type: application/x-www-form-urlencoded"
    page = b"Origin: " + origin.encode()
    return scene.ask(RP, kind, page, method="POST", body=form)


def is_in(scene: WatchScene) -> bool:
    site = scene.scene
    site.client, site.connection = site.connect()
    return scene.ask("/").status == 200


def test_a_page_asks_the_providers_frame(scene: WatchScene) -> None:
    seen = scene.ask(RP, *OWN)
    assert seen.status == 200
    for text in (
        f'src="{FRAME}"',
        'data-client="app"',
        'data-state="s-1"',
        'data-provider="https://login.example"',
        'data-interval="10.0"',
        f'data-again="{AGAIN}"',
    ):
        assert text in seen.body
    policy = dict(seen.headers)["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "frame-src 'self' https://login.example;" in policy


def test_nothing_of_the_url_is_in_it(scene: WatchScene) -> None:
    """CVE-2019-1010247."""
    seen = scene.ask(f"{RP}?poll=1'%22%3Cscript%3Ealert(1)&state=x&login_uri=//evil")
    assert seen.body == scene.ask(RP).body
    assert "alert(1)" not in seen.body
    assert "evil" not in seen.body


def test_what_the_provider_says_stays_in_its_attribute() -> None:
    scene = WatchScene()
    scene.login.data["session_state"] = "'\"><script>alert(1)</script>"
    scene.log_in()
    body = scene.ask(RP).body
    assert "<script>alert" not in body
    assert body.count("<script") == 1


def test_a_page_without_a_session_hears_so() -> None:
    seen = WatchScene().ask(RP)
    assert seen.status == 200
    assert 'data-status="ended"' in seen.body
    assert "<iframe" not in seen.body


@pytest.mark.parametrize("what", ["frame", "state", "name"])
def test_where_nothing_can_be_watched_there_is_no_page(what: str) -> None:
    scene = WatchScene()
    if what == "state":
        scene.login.data.clear()
    scene.log_in()
    if what == "frame":
        scene.login.frame = ""
    path = "/.sso/iframe/rp/other" if what == "name" else RP
    assert scene.ask(path).status == 404


def test_the_providers_frame_is_where_it_says() -> None:
    scene = WatchScene()
    seen = scene.ask(OP)
    assert (seen.status, seen.location) == (302, FRAME)
    scene.login.frame = ""
    assert scene.ask(OP).status == 404


def test_the_page_is_no_use_of_the_session() -> None:
    scene = WatchScene()
    scene.log_in()
    for _ in range(5):
        scene.tools.clock.advance(500)
        scene.ask(RP)
    assert not is_in(scene)


def test_the_session_that_was_watched_ends(scene: WatchScene) -> None:
    seen = end(scene, "s-0", "s-1")
    assert json.loads(seen.body) == {"ended": True, "another": False}
    assert ("cache-control", "no-store") in seen.headers
    assert not is_in(scene)
    assert json.loads(end(scene, "s-1").body) == {"ended": False, "another": False}


def test_a_session_that_began_since_goes_on(scene: WatchScene) -> None:
    """Another tab has logged in anew."""
    assert json.loads(end(scene, "s-0").body) == {"ended": False, "another": True}
    assert is_in(scene)


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_no_page_of_others_ends_anything(scene: WatchScene, origin: str) -> None:
    assert end(scene, "s-1", origin=origin).status == 403
    assert is_in(scene)


def test_a_login_without_questions_is_for_the_same_user(scene: WatchScene) -> None:
    away = scene.ask(AGAIN, *OWN)
    assert away.status == 302
    wanted = scene.login.began[-1]
    assert wanted.silent_for == ("https://login.example", "alice")
    assert wanted.target == RP


def test_the_session_of_the_same_user_begins_anew(scene: WatchScene) -> None:
    before = dict(scene.browser.cookies)
    scene.login.data = {"session_state": "s-2"}
    seen = scene.come_back(scene.ask(AGAIN, *OWN))
    assert seen.status == 200
    assert 'data-status="same" data-state="s-2"' in seen.body
    assert scene.browser.cookies != before
    assert 'data-state="s-2"' in scene.ask(RP).body


def test_another_user_is_not_logged_in(scene: WatchScene) -> None:
    seen = scene.come_back(scene.ask(AGAIN, *OWN), user="bob")
    assert 'data-status="gone"' in seen.body
    assert 'data-state="s-1"' in scene.ask(RP).body, "the page ends it"


def test_without_a_cookie_the_session_stays_as_it_is(scene: WatchScene) -> None:
    """A browser may withhold it where the provider has a part in the request."""
    away = scene.ask(AGAIN, *OWN)
    kept = dict(scene.browser.cookies)
    logins = {n: v for n, v in kept.items() if n.startswith("__Host-sso-login")}
    scene.browser.cookies = dict(logins)
    seen = scene.come_back(away)
    assert 'data-status="same"' in seen.body
    assert not set(scene.browser.cookies) - set(logins)


def test_without_a_session_nobody_is_asked() -> None:
    fresh = WatchScene()
    seen = fresh.ask(AGAIN, *OWN)
    assert 'data-status="gone"' in seen.body
    assert not fresh.login.began


def test_who_would_have_to_choose_a_provider_is_unknown(scene: WatchScene) -> None:
    scene.login.asks = Question(choices=(("A", "https://a.example"),))
    assert 'data-status="unknown"' in scene.ask(AGAIN, *OWN).body


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_no_page_of_others_begins_a_login(scene: WatchScene, site: str) -> None:
    before = len(scene.login.began)
    assert scene.ask(AGAIN, b"Sec-Fetch-Site: " + site.encode()).status == 403
    assert len(scene.login.began) == before
