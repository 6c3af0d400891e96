"""The page for somebody who is logged in: who they are, and their sessions."""

import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import attrs
import pytest

from sso_proxy.endpoints.accounts import Accounts, Moment, moment
from sso_proxy.endpoints.desks import Desk
from sso_proxy.model import Identity, Request, Response
from sso_proxy.pages import default_pages
from sso_proxy.session import Session
from tests.support.caching import now
from tests.support.fake_login import LOGOUT as AWAY
from tests.support.fake_login import FakeLogin, FakeLogout
from tests.support.login_scene import OWN_PAGE, PAGE, LoginScene, Seen
from tests.support.sessions import Browser, server_sessions

FORM = b"Content-Type: application/x-www-form-urlencoded"
ROOT = "/.sso/"
SAME = b"Sec-Fetch-Site: same-origin"
CROSS = b"Sec-Fetch-Site: cross-site"


class AccountScene(LoginScene):
    """
    A site with the page, and browsers of several people.

    Attributes:
        names: What applications call people.
        document: What answers programs.
        desks: The ways to log in.
    """

    names: tuple[str, ...] | None = ("Alice B.",)
    document: Any = None

    def make_parts(self, desks: Mapping[str, Desk]) -> tuple[Any, ...]:
        self.desks: Any = desks

        async def names(host: str, endpoints: str, known: Identity) -> Any:  # noqa: ANN401
            assert (host, endpoints) == ("app.example.com", ROOT)
            assert known.subject in {"alice", "mallory"}
            return self.names

        def again(request: Request) -> Response | None:
            if request.head.values("sec-fetch-site") != ["cross-site"]:
                return None
            return Response(status=403, reason="device-again")

        accounts = Accounts(
            ROOT,
            desks,
            pages=default_pages(),
            clock=self.tools.clock,
            logins=self.begins,
            logouts=self.ends,
            names=names,
            stores=self.stores,
            ask_again=again,
            document=self.document,
        )
        return (accounts,)

    def another(self, user: str = "alice") -> Browser:
        """Log in with another browser, and go back to this one."""
        mine, self.browser = self.browser, Browser()
        self.log_in(user=user)
        theirs, self.browser = self.browser, mine
        return theirs

    def session(self, browser: Browser | None = None) -> Session:
        """Give the session of a browser."""
        browser = browser or self.browser
        session = now(self.store.load(browser.request())).session
        assert session is not None
        return session

    def has_session(self, browser: Browser | None = None) -> bool:
        """Say whether a browser has one."""
        browser = browser or self.browser
        return now(self.store.load(browser.request())).session is not None

    def post(self, *fields: bytes, **form: str) -> Seen:
        """Press a button of the page."""
        text = "&".join(f"{name}={quote(value)}" for name, value in form.items())
        fields = (*(fields or OWN_PAGE), FORM)
        return self.ask(ROOT, *fields, method="POST", body=text.encode())


def text_of(seen: Seen) -> str:
    """Give what people read."""
    text = re.sub(r"<(style|title)>.*?</\1>|<[^>]*>", " ", seen.body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


def listed(seen: Seen) -> list[str]:
    """Give the sessions that a page lists."""
    found = re.findall(r"<li.*?</li>", seen.body, re.DOTALL)
    return [text_of(Seen(200, (), each)) for each in found]


def ids(seen: Seen) -> list[str]:
    """Give the sessions that a page has a button for."""
    return re.findall(r'name="session" value="([^"]*)"', seen.body)


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


def test_whatever_people_are_called_is_text() -> None:
    scene = AccountScene()
    scene.names = ("<b>x</b>&{time}",)
    scene.log_in()
    assert "&lt;b&gt;x&lt;/b&gt;&amp;{time}" in scene.page(ROOT).body


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


def test_a_link_of_another_site_cannot_say_that_something_has_happened() -> None:
    scene = AccountScene()
    scene.log_in()
    for fields in ((*PAGE, CROSS), PAGE):
        assert "has ended" not in scene.ask("/.sso/?ended", *fields).body


def test_nobody_ends_a_session_of_somebody_else() -> None:
    """The answer is the same as for a session that never was."""
    scene = AccountScene()
    scene.log_in(user="mallory")
    alice = scene.another()
    theirs = scene.session(alice).id

    seen = scene.post(do="end", session=theirs)
    assert scene.has_session(alice)
    nothing = scene.post(do="end", session="A" * len(theirs))
    assert (seen.status, seen.location) == (nothing.status, nothing.location)
    assert scene.post(do="end", session="../x\x00").location == nothing.location


def test_the_same_name_at_another_provider_is_somebody_else() -> None:
    scene = AccountScene("server", "corp", "other")
    scene.logins["other"].issuer = "https://elsewhere.example"
    theirs = Identity(
        issuer="https://elsewhere.example", subject="alice", authenticator="other"
    )
    begun = now(scene.store.start(Browser().request(), theirs, {})).session
    assert begun is not None
    begun_by = scene.page("/.sso/login?with=corp")
    scene.come_back(begun_by)

    assert len(listed(scene.page(ROOT))) == 1
    scene.post(do="end", session=begun.id)
    assert now(scene.store.newest(begun)) is not None
    scene.post(do="everywhere")
    assert now(scene.store.newest(begun)) is not None


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


@pytest.mark.parametrize(
    "fields",
    [
        (*PAGE, CROSS, b"Origin: https://evil.example"),
        (*PAGE, b"Sec-Fetch-Site: same-site", b"Origin: https://evil.example.com"),
        (*PAGE, SAME, b"Origin: https://evil.example"),
        (*PAGE, b"Origin: null"),
        PAGE,
        (b"Accept: text/html", SAME, b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: i"),
        (b"Accept: */*", SAME, b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Dest: empty"),
        (*PAGE, SAME, b"X-Requested-With: XMLHttpRequest"),
    ],
)
@pytest.mark.parametrize("do", ["end", "everywhere"])
def test_no_form_of_others_and_no_frame_ends_anything(
    fields: tuple[bytes, ...], do: str
) -> None:
    scene = AccountScene()
    scene.log_in()
    other = scene.another()
    seen = scene.post(*fields, do=do, session=scene.session(other).id)
    assert (seen.status, scene.reason) == (403, "logout-foreign")
    assert scene.has_session(other)
    assert scene.has_session()


@pytest.mark.parametrize(
    "body",
    [b"", b"do=", b"do=end&do=everywhere", b"do=all", b"do=end;do=everywhere", b"\xff"],
)
def test_what_says_nothing_does_nothing(body: bytes) -> None:
    scene = AccountScene()
    scene.log_in()
    seen = scene.ask(ROOT, *OWN_PAGE, FORM, method="POST", body=body)
    assert seen.status == 400
    assert scene.has_session()


def test_a_form_that_never_ends_is_not_read() -> None:
    scene = AccountScene()
    scene.log_in()
    body = b"do=everywhere&x=" + b"x" * 5000
    seen = scene.ask(ROOT, *OWN_PAGE, FORM, method="POST", body=body)
    assert seen.status == 413
    assert scene.has_session()


def test_what_is_asked_for_in_a_query_does_nothing() -> None:
    scene = AccountScene()
    scene.log_in()
    other = scene.another()
    path = f"{ROOT}?do=end&session={scene.session(other).id}"
    assert scene.ask(path, *PAGE, SAME).status == 200
    seen = scene.ask(path, *OWN_PAGE, FORM, method="POST", body=b"")
    assert seen.status == 400
    assert scene.has_session(other)


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


@pytest.mark.parametrize("logged_in", [True, False])
@pytest.mark.parametrize(
    "fields",
    [
        (b"Accept: */*",),
        (b"Accept: text/html", b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: iframe"),
        (b"Accept: text/html", b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Dest: empty"),
    ],
)
def test_scripts_and_frames_see_nothing(
    fields: tuple[bytes, ...],
    logged_in: bool,  # noqa: FBT001
) -> None:
    scene = AccountScene()
    if logged_in:
        scene.log_in()
    seen = scene.ask(ROOT, *fields, SAME)
    assert (seen.status, scene.reason) == (401, "no-navigation")
    assert "Alice" not in seen.body


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


def test_whose_session_is_over_ends_nothing_and_logs_in() -> None:
    """Nothing that was posted is done after the login either."""
    scene = AccountScene()
    scene.log_in()
    other = scene.another()
    now(scene.store.revoke(scene.session().id))
    seen = scene.post(do="everywhere")
    assert (seen.status, seen.location) == (303, ROOT)
    scene.log_in(ROOT)
    assert scene.has_session(other)


def test_a_session_that_no_login_of_this_host_has_begun_is_not_shown() -> None:
    scene = AccountScene()
    elsewhere = Identity(issuer="https://x.example", subject="a", authenticator="no")
    begun = now(scene.store.start(scene.browser.request(), elsewhere, {}))
    scene.browser.take(begun)
    assert scene.page(ROOT).status == 302
    assert scene.post(do="everywhere").location == ROOT


def test_a_session_counts_only_where_its_login_begins_such_sessions() -> None:
    """Another host may have begun it by the same login, in a store of both."""
    scene = AccountScene("server", "corp", "other")
    elsewhere = server_sessions(attrs.evolve(scene.tools, name="elsewhere"))
    scene.desks["corp"] = attrs.evolve(scene.desks["corp"], sessions=elsewhere)
    theirs = Identity(issuer="https://x.example", subject="x", authenticator="corp")
    scene.browser.take(now(scene.store.start(scene.browser.request(), theirs, {})))
    scene.page(ROOT)
    assert scene.reason == "login-choice"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [(PAGE, "device-missing"), ((*PAGE, CROSS), "device-again")],
)
def test_who_has_a_copied_cookie_sees_nothing(
    fields: tuple[bytes, ...], reason: str
) -> None:
    scene = AccountScene()
    scene.log_in()

    class Thief(type(scene.store)):  # type: ignore[misc]
        async def load(self, request: Request) -> Any:  # noqa: ANN401
            opened = await super().load(request)
            return attrs.evolve(opened, session=None, refused="device-missing")

    scene.store.__class__ = Thief
    seen = scene.ask(ROOT, *fields)
    assert (seen.status, scene.reason) == (403, reason)
    assert "Alice" not in seen.body
    assert scene.post(do="everywhere").location == ROOT
    scene.store.__class__ = Thief.__mro__[1]
    assert scene.has_session()


def test_where_nobody_can_say_whose_session_it_is_nobody_sees_anything() -> None:
    scene = AccountScene()
    scene.log_in()
    scene.cache.broken = frozenset({"get"})
    assert scene.page(ROOT).status == 503


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
