"""Logouts with a browser: who may, what ends, and what people are told."""

import json
from urllib.parse import quote

import pytest

from sso_proxy.endpoints.logout_report import Report
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Headers, RequestHead
from sso_proxy.specs.http.cookies import LOGOUT
from tests.support.caching import now
from tests.support.fake_login import LOGOUT as AWAY
from tests.support.fake_login import FakeLogin, FakeLogout
from tests.support.login_scene import FORM, OWN_PAGE, PAGE, LoginScene, Seen, form_of

SESSION = "__Host-sso"
HTML = b"Accept: text/html"
SITE = b"Sec-Fetch-Site: "
FRAME = (HTML, b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: iframe")


class LogoutScene(LoginScene):
    """A site whose provider logs people out, too."""

    def make_login(self, name: str) -> FakeLogin:
        return FakeLogout(name=name)

    @property
    def corp(self) -> FakeLogout:
        login = self.logins["corp"]
        assert isinstance(login, FakeLogout)
        return login

    def log_out(self, to: str = "", *fields: bytes) -> Seen:
        """Press a button of the application."""
        body = f"to={quote(to, safe='')}".encode() if to else b""
        fields = fields or OWN_PAGE
        return self.ask("/.sso/logout", *fields, FORM, method="POST", body=body)

    def done(self, state: str = "s-1") -> Seen:
        """Let the provider send the browser back."""
        cross = (*PAGE, SITE + b"cross-site")
        return self.ask(f"/.sso/logout/done?state={state}", *cross)

    @property
    def is_logged_in(self) -> bool:
        return now(self.store.load(self.browser.request())).session is not None


def test_who_logs_out_has_no_session_any_more(kind: str) -> None:
    scene = LoginScene(kind)
    scene.log_in()
    copy = dict(scene.browser.cookies)

    seen = scene.ask("/.sso/logout", *OWN_PAGE, FORM, method="POST", body=b"")
    assert (seen.status, scene.reason) == (200, "logged-out")
    assert "Your session at this site has ended." in seen.body
    assert ("cache-control", "no-store") in seen.headers
    assert SESSION not in scene.browser.cookies
    assert scene.page().status == 302

    scene.browser.cookies.update(copy)
    assert scene.page().status == 302


def test_all_pieces_of_a_long_session_go(kind: str) -> None:
    scene = LoginScene(kind)
    scene.logins["corp"].data = {"id_token": "x" * 4500}
    scene.log_in()
    assert len([n for n in scene.browser.cookies if n.startswith(SESSION)]) > (
        2 if kind.startswith("cookie") else 0
    )

    scene.ask("/.sso/logout", *OWN_PAGE, FORM, method="POST", body=b"")
    assert not [name for name in scene.browser.cookies if name.startswith(SESSION)]


def test_a_provider_without_logout_may_still_know_them() -> None:
    scene = LoginScene()
    scene.log_in()

    seen = scene.ask("/.sso/logout", *OWN_PAGE, FORM, method="POST", body=b"")
    assert "You may still be logged in at Corporate login" in seen.body
    assert "Confirmed" not in seen.body


def test_what_other_sites_go_by_is_taken_away_too() -> None:
    """Also from who has no session here any more, but not for another site."""

    class TicketScene(LoginScene):
        def clear(self, head: RequestHead) -> Headers:
            return (("set-cookie", f"ticket=; Domain={head.host}; Max-Age=0"),)

    scene, gone = TicketScene(), "ticket=; Domain=app.example.com; Max-Age=0"
    scene.log_in()
    for _ in range(2):
        seen = scene.ask("/.sso/logout", *OWN_PAGE, FORM, method="POST", body=b"")
        assert ("set-cookie", gone) in seen.headers
    foreign = (*PAGE, SITE + b"cross-site")
    seen = scene.ask("/.sso/logout", *foreign, FORM, method="POST", body=b"")
    assert ("set-cookie", gone) not in seen.headers


def test_who_was_not_logged_in_hears_that() -> None:
    scene = LogoutScene()

    seen = scene.log_out()
    assert (seen.status, scene.reason) == (200, "logged-out")
    assert "There was no session" in seen.body
    assert not scene.corp.ended


def test_the_browser_goes_to_the_provider_and_comes_back(kind: str) -> None:
    scene = LogoutScene(kind)
    scene.log_in()

    away = scene.log_out()
    assert (away.status, scene.reason, away.location) == (303, "logout", AWAY)
    assert ("cache-control", "no-store") in away.headers
    assert not scene.is_logged_in
    ((session, back),) = scene.corp.ended
    assert session.identity.subject == "alice"
    assert back == "https://app.example.com/.sso/logout/done"

    seen = scene.done()
    assert (seen.status, scene.reason) == (200, "logged-out")
    assert "Your session at this site has ended." in seen.body
    assert "Corporate login has dealt with your logout" in seen.body
    assert "Not known" not in seen.body
    assert LOGOUT not in scene.browser.cookies


def test_the_session_is_over_before_the_provider_is_asked(kind: str) -> None:
    scene = LogoutScene(kind)
    scene.log_in()
    request, seen = scene.browser.request(), []

    def look() -> None:
        seen.append(now(scene.store.load(request)).session)

    scene.corp.when_told = look
    scene.log_out()
    assert seen == [None]


@pytest.mark.parametrize("failure", [UnavailableError("x"), ValueError("x")])
def test_whatever_a_provider_does_nobody_stays_logged_in(failure: Exception) -> None:
    scene = LogoutScene()
    scene.log_in()
    scene.corp.fails = failure

    seen = scene.log_out()
    assert seen.status == 200
    assert "Your session at this site has ended." in seen.body
    assert "You may still be logged in at Corporate login" in seen.body
    assert "did not confirm" in seen.body
    assert not scene.is_logged_in


@pytest.mark.parametrize(
    ("revoked", "told"),
    [
        (True, "has taken back the access"),
        (False, "did not confirm that it has taken back the access"),
    ],
)
def test_people_hear_whether_tokens_were_taken_back(
    revoked: bool,  # noqa: FBT001
    told: str,
) -> None:
    scene = LogoutScene()
    scene.corp.revoked = revoked
    scene.log_in()
    scene.log_out()

    assert told in scene.done().body


@pytest.mark.parametrize("query", ["", "?state=s-2", "?state=s-1&state=s-1", "?x=1"])
def test_an_answer_without_our_state_is_unknown_and_no_error(query: str) -> None:
    scene = LogoutScene()
    scene.log_in()
    scene.log_out()

    seen = scene.page(f"/.sso/logout/done{query}")
    assert (seen.status, scene.reason) == (200, "logged-out")
    assert "Your session at this site has ended." in seen.body
    assert "You may still be logged in at Corporate login" in seen.body
    assert "has dealt with" not in seen.body


def test_another_site_cannot_finish_a_logout() -> None:
    """Who was sent there without a logout of their own hears nothing that is wrong."""
    scene = LogoutScene()
    scene.log_in()

    seen = scene.done()
    assert (seen.status, scene.reason) == (200, "logout-ask")
    assert scene.is_logged_in

    scene.browser.cookies.clear()
    seen = scene.done()
    assert (seen.status, scene.reason) == (200, "logged-out")
    assert "There was no session" in seen.body
    assert "belongs to no logout" in seen.body


def test_a_logout_is_finished_once() -> None:
    scene = LogoutScene()
    scene.log_in()
    scene.log_out()
    scene.done()

    assert "has dealt with" not in scene.done().body


@pytest.mark.parametrize(
    "fields",
    [
        (*OWN_PAGE[:3], SITE + b"same-origin"),
        (*OWN_PAGE[:3], SITE + b"same-origin", b"Origin: null"),
        (HTML, b"Origin: https://app.example.com"),
    ],
)
def test_a_form_of_ours_logs_out(fields: tuple[bytes, ...]) -> None:
    scene = LogoutScene()
    scene.log_in()

    assert scene.log_out("", *fields).status == 303
    assert not scene.is_logged_in


@pytest.mark.parametrize("site", [b"same-origin", b"none"])
def test_a_link_of_ours_logs_out_and_so_does_typing_it_in(site: bytes) -> None:
    scene = LogoutScene()
    scene.log_in()

    assert scene.ask("/.sso/logout", *PAGE, SITE + site).status == 303
    assert not scene.is_logged_in


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", (b"Accept: image/avif,image/*", b"Sec-Fetch-Dest: image")),
        (
            "GET",
            (
                b"Accept: image/*",
                SITE + b"same-origin",
                b"Sec-Fetch-Mode: no-cors",
                b"Sec-Fetch-Dest: image",
            ),
        ),
        ("GET", (*PAGE, SITE + b"cross-site")),
        ("GET", (*PAGE, SITE + b"same-site")),
        ("GET", (*FRAME, SITE + b"cross-site")),
        ("GET", (*FRAME, SITE + b"same-origin")),
        ("GET", (HTML,)),
        ("GET", ()),
        ("GET", (*PAGE, SITE + b"same-origin", b"Sec-Purpose: prefetch")),
        ("GET", (*PAGE, SITE + b"none", b"Sec-Purpose: prefetch;prerender")),
        ("HEAD", (*PAGE, SITE + b"same-origin")),
        ("POST", (*PAGE, SITE + b"cross-site", b"Origin: https://evil.example")),
        ("POST", (*PAGE, SITE + b"same-site", b"Origin: https://x.example.com")),
        ("POST", (*PAGE, SITE + b"cross-site", b"Origin: null")),
        ("POST", (*PAGE, SITE + b"none")),
        ("POST", (HTML, b"Origin: http://app.example.com")),
        ("POST", (HTML, b"Origin: null")),
        ("POST", (HTML,)),
        ("POST", ()),
    ],
)
def test_nothing_but_our_own_site_logs_anybody_out(
    method: str, fields: tuple[bytes, ...]
) -> None:
    """CVE-2020-5245 and its like: a page of others has an image of /logout (C40)."""
    scene = LogoutScene()
    scene.log_in()
    body = b"" if method == "POST" else None

    seen = scene.ask("/.sso/logout", *fields, method=method, body=body)
    assert (seen.status, scene.reason) in ((200, "logout-ask"), (403, "logout-foreign"))
    assert not [v for n, v in seen.headers if n == "set-cookie"]
    assert not scene.corp.ended
    assert scene.is_logged_in


def test_who_cannot_be_told_apart_gets_a_button() -> None:
    scene = LogoutScene()
    scene.log_in()

    asked = scene.ask("/.sso/logout?to=/bye%3Fa", HTML)
    assert ("referrer-policy", "strict-origin") in asked.headers
    action, fields = form_of(asked)
    assert (action, fields) == ("/.sso/logout", b"to=/bye?a")
    pressed = (HTML, b"Origin: https://app.example.com", FORM)
    away = scene.ask(action, *pressed, method="POST", body=b"to=%2Fbye%3Fa")
    assert away.location == AWAY
    assert scene.done().location == "/bye?a"


def test_a_program_without_a_page_hears_why() -> None:
    scene = LogoutScene()

    seen = scene.ask("/.sso/logout", b"Accept: */*", FORM, method="POST", body=b"")
    assert (seen.status, scene.reason) == (403, "logout-foreign")
    assert json.loads(seen.body)["detail"].startswith("Nobody is logged out")


@pytest.mark.parametrize("by", ["query", "form"])
def test_people_go_where_they_want_afterwards(by: str) -> None:
    scene = LogoutScene()
    scene.log_in()
    if by == "form":
        scene.log_out("/bye?x=1&y=2")
    else:
        to = quote("/bye?x=1&y=2", safe="")
        scene.ask(f"/.sso/logout?to={to}", *PAGE, SITE + b"same-origin")

    seen = scene.done()
    assert (seen.status, seen.location) == (303, "/bye?x=1&y=2")


def test_without_a_provider_they_go_there_at_once() -> None:
    scene = LogoutScene()
    scene.corp.url = ""
    scene.log_in()

    seen = scene.log_out("/bye")
    assert (seen.status, seen.location) == (303, "/bye")


@pytest.mark.parametrize("what", ["tokens", "state"])
def test_people_hear_what_went_wrong_before_they_go_on(what: str) -> None:
    scene = LogoutScene()
    scene.log_in()
    scene.corp.revoked = what == "state"
    scene.log_out("/bye")

    seen = scene.done("s-2" if what == "state" else "s-1")
    assert seen.status == 200
    assert "Not known" in seen.body
    assert 'href="/bye"' in seen.body


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/%09/evil.example",
        "\t//evil.example",
        "/%2F/evil.example",
        "javascript:alert(1)",
        "https://app.example.com.evil.example/",
        "http://app.example.com/",
        "/a#//evil.example",
        "/.sso/logout",
        "/.SSO/../.sso/login",
        "/x\r\nSet-Cookie: a=b",
        "/" + 1500 * "x",
    ],
)
@pytest.mark.parametrize("provider", [True, False])
def test_nobody_is_sent_to_another_site_afterwards(to: str, *, provider: bool) -> None:
    """CVE-2019-14857, CVE-2021-32786 and many others; they are logged out anyway."""
    scene = LogoutScene()
    scene.corp.url = AWAY if provider else ""
    scene.log_in()

    seen = scene.log_out(to)
    if provider:
        assert seen.location == AWAY
        seen = scene.done()
    assert (seen.status, scene.reason, seen.location) == (200, "logged-out", "")
    assert 'href="/"' in seen.body
    assert "evil" not in seen.body
    assert not scene.is_logged_in


def test_a_button_does_not_carry_a_target_of_others() -> None:
    seen = LogoutScene().ask("/.sso/logout?to=https://evil.example/", HTML)

    assert "evil" not in seen.body


@pytest.mark.parametrize("query", ["to=/a&to=/b", "to=%2Fa;to=/b"])
def test_two_targets_are_none(query: str) -> None:
    scene = LogoutScene()
    scene.corp.url = ""
    scene.log_in()

    seen = scene.ask(f"/.sso/logout?{query}", *PAGE, SITE + b"none")
    assert (seen.status, scene.reason) == (200, "logged-out")


def test_a_form_that_is_too_long_logs_out_all_the_same() -> None:
    scene = LogoutScene()
    scene.log_in()

    seen = scene.ask(
        "/.sso/logout", *OWN_PAGE, FORM, method="POST", body=b"a=" + b"x" * 5000
    )
    assert seen.location == AWAY
    assert not scene.is_logged_in


def test_a_store_that_is_down_is_not_taken_for_a_logout() -> None:
    """Whoever has a copy of the cookie could go on; the browser can try again."""
    scene = LogoutScene("server")
    scene.log_in()
    scene.cache.broken = frozenset({"get", "delete", "take", "compare_and_set"})

    seen = scene.log_out()
    assert (seen.status, scene.reason) == (503, "logout-failed")
    assert "You are not logged out" in seen.body
    assert 'href="/.sso/logout"' in seen.body
    assert SESSION in scene.browser.cookies

    scene.cache.broken = frozenset()
    assert scene.log_out().status == 303
    assert not scene.is_logged_in


def test_a_script_hears_where_the_browser_has_to_go() -> None:
    scene = LogoutScene()
    scene.corp.revoked = True
    scene.log_in()
    fetch = (
        b"Accept: */*",
        b"Sec-Fetch-Mode: cors",
        b"Sec-Fetch-Dest: empty",
        SITE + b"same-origin",
        b"Origin: https://app.example.com",
    )

    seen = scene.log_out("/bye", *fetch)
    assert (seen.status, scene.reason) == (200, "logout")
    assert json.loads(seen.body) == {
        "ended": True,
        "confirmed": [["tokens", "corp"]],
        "unknown": [],
        "location": AWAY,
    }
    assert not scene.is_logged_in
    assert scene.done().location == "/bye"


def test_a_script_hears_that_there_is_nowhere_to_go() -> None:
    scene = LogoutScene()
    fetch = (b"Accept: application/json", SITE + b"same-origin")

    assert json.loads(scene.log_out("", *fetch).body) == {
        "ended": False,
        "confirmed": [],
        "unknown": [],
        "location": None,
    }


def test_who_logs_in_and_out_is_in_no_loop() -> None:
    scene = LogoutScene()
    for _ in range(5):
        assert scene.log_in().status == 303
        assert scene.log_out().status == 303


def test_a_session_of_a_login_that_is_gone_ends_all_the_same() -> None:
    scene = LogoutScene("server", "corp", "other")
    away = scene.page("/.sso/login?with=other&to=/")
    scene.come_back(away, name="other")
    session = now(scene.store.load(scene.browser.request())).session
    assert session is not None
    scene.logins["other"].name = "renamed"
    identity = session.identity
    assert identity.authenticator == "other"

    assert scene.log_out().status == 303
    assert not scene.is_logged_in


@pytest.mark.parametrize("path", ["/.sso/logout/else", "/.sso/logout/done/else"])
def test_other_paths_are_nowhere(path: str) -> None:
    assert LogoutScene().page(path).status == 404


def test_what_the_browser_keeps_is_nobody_s_to_read() -> None:
    scene = LogoutScene()
    scene.log_in()
    scene.log_out("/bye")

    kept = scene.browser.cookies[LOGOUT]
    assert "bye" not in kept
    assert Report(ended=True).as_json() == {"ended": True}
