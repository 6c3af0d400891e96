"""People who log in and out while somebody else interferes."""

from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import attrs
import pytest

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.login import Finished, InFragment, Question, Wanted
from sso_proxy.model import Request, Response
from tests.support.caching import now
from tests.support.endpoints_scene import GOOD, EndpointsScene
from tests.support.fake_login import FakeLogin
from tests.support.login_scene import FORM, OWN_PAGE, PAGE, LoginScene, Seen, form_of
from tests.support.oidc_scene import ISSUER
from tests.support.sessions import Browser

POSTED = b"amount=1000&to=mallory"


def post(scene: LoginScene, path: str = "/pay") -> Seen:
    return scene.ask(path, FORM, *OWN_PAGE, method="POST", body=POSTED)


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"none", b"same-origin"])
def test_nobody_sends_what_another_browser_has_posted(site: bytes) -> None:
    """
    Whoever posts a form themselves learns its name where there is a choice of logins.

    A link with that name would have everybody who follows it, and logs in, post it.
    """
    scene = LoginScene("server", "corp", "partner")
    choice = post(scene)
    href = choice.body.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "body=" in href
    scene.browser.cookies.clear()  # from here on, it is another's

    away = scene.ask(href, *PAGE, b"Sec-Fetch-Site: " + site)
    back = scene.come_back(away)
    assert "__sso_restore" not in back.body
    assert (back.status, scene.reason) == (410, "login-form-gone")


def test_who_has_to_log_in_again_may_be_another(kind: str) -> None:
    """What Alice has posted is not sent in the name of Bob, who logs in instead."""
    requirements = Requirements((compile_condition("acr == 'gold'", "require[0]"),))
    scene = LoginScene(kind, requirements=requirements)
    scene.logins["corp"].claims = {"acr": "silver"}
    scene.log_in()
    away = post(scene)
    scene.logins["corp"].claims = {"acr": "gold"}

    back = scene.come_back(away, "bob")
    assert (back.status, scene.reason) == (410, "login-form-gone")
    assert "__sso_restore" not in back.body
    assert scene.page().status == 200
    assert b"X-Remote-User: bob\r\n" in scene.scene.backend.head


def test_who_logs_in_again_goes_on_with_what_they_posted(kind: str) -> None:
    requirements = Requirements((compile_condition("acr == 'gold'", "require[0]"),))
    scene = LoginScene(kind, requirements=requirements)
    scene.logins["corp"].claims = {"acr": "silver"}
    scene.log_in()
    away = post(scene)
    scene.logins["corp"].claims = {"acr": "gold"}

    action, sent = form_of(scene.come_back(away))
    assert scene.ask(action, FORM, *OWN_PAGE, method="POST", body=sent).status == 200
    assert scene.scene.backend.head.endswith(POSTED)


def test_who_chooses_a_login_goes_on_with_what_they_posted(kind: str) -> None:
    scene = LoginScene(kind, "corp", "partner")
    choice = post(scene)
    href = choice.body.partition('href="')[2].partition('"')[0].replace("&amp;", "&")
    scene.ask(href, *PAGE, b"Sec-Fetch-Site: same-origin")
    # The Back button, and the other choice.
    away = scene.ask(href.replace("corp", "partner"), *PAGE)

    action, sent = form_of(scene.come_back(away, name="partner"))
    assert scene.ask(action, FORM, *OWN_PAGE, method="POST", body=sent).status == 200
    assert scene.scene.backend.head.endswith(POSTED)


def test_a_store_that_fails_when_a_login_is_done_does_not_undo_it(kind: str) -> None:
    scene = LoginScene(kind)
    away = post(scene)
    scene.cache.broken = frozenset({"take"})

    back = scene.come_back(away)
    assert (back.status, scene.reason) == (410, "login-form-gone")
    scene.cache.broken = frozenset()
    assert scene.page().status == 200


class FailingLogin(FakeLogin):
    """
    A login at a provider that fails.

    Attributes:
        fails: Whether it does now.
    """

    fails = False

    async def begin(self, request: Request, wanted: Wanted) -> Response | Question:
        """Begin a login, if it can."""
        if self.fails:
            return Response(status=502, reason="provider-error")
        return await super().begin(request, wanted)


class FailingScene(LoginScene):
    """A site whose only provider fails."""

    def make_login(self, name: str) -> FailingLogin:
        """Make the way to log in."""
        self.login = FailingLogin(name=name)
        return self.login


def test_a_login_that_cannot_begin_ends_no_session(kind: str) -> None:
    """Whoever chose it is where they were before, and not locked out."""
    scene = FailingScene(kind)
    scene.log_in()
    scene.login.fails = True
    failed = scene.ask("/.sso/login", *PAGE, b"Sec-Fetch-Site: same-origin")

    assert failed.status == 502
    assert scene.page().status == 200


# At a provider that answers as OpenID Connect says


@pytest.mark.parametrize(
    ("seconds", "status", "reason"),
    [
        (3500, 303, "login-done"),
        (3700, 400, "login-expired"),
        (-200, 303, "login-done"),
        (-400, 400, "login-expired"),
    ],
)
def test_a_login_survives_what_clocks_do_and_no_more(
    seconds: float, status: int, reason: str
) -> None:
    site, browser = EndpointsScene(), Browser()
    state = site.begin(browser)
    site.oidc.clock.now += seconds

    back = site.page(f"/.sso/callback/corp?state={state}&code={GOOD}", browser)
    assert (back.status, site.scene.reasons()[-1]) == (status, reason)


def test_an_answer_that_comes_to_the_wrong_door_is_given_to_nobody() -> None:
    """A code must not be redeemed by a way to log in that did not ask for it (D18)."""
    site, browser = EndpointsScene(), Browser()
    state = site.begin(browser, "corp")

    back = site.page(f"/.sso/callback/asking?state={state}&code={GOOD}", browser)
    assert (back.status, site.scene.reasons()[-1]) == (400, "login-state")
    assert site.provider.redeemed == []


def test_what_a_login_of_another_type_has_kept_is_nobody_s_answer() -> None:
    """The logins of a host, ours and those of plugins, keep what they like."""
    site, browser = EndpointsScene(), Browser()
    state, headers = site.store.logins.begin(browser.request(), {"theirs": 1})
    browser.take(headers)

    back = site.page(f"/.sso/callback/corp?state={state}&code={GOOD}", browser)
    assert (back.status, site.scene.reasons()[-1]) == (400, "login-state")


def test_an_answer_is_taken_once_even_from_a_copy_of_all_cookies() -> None:
    site, browser = EndpointsScene(), Browser()
    state = site.begin(browser)
    thief = Browser(**browser.cookies)
    callback = f"/.sso/callback/corp?state={state}&code={GOOD}"
    assert site.page(callback, browser).status == 303

    assert site.page(callback, thief).status == 400
    assert "__Host-sso" not in thief.cookies
    assert len(site.provider.redeemed) == 1


def test_cookies_of_one_kind_are_none_of_another() -> None:
    """All are sealed, each for what it is."""
    site, browser = EndpointsScene("cookie"), Browser()
    site.log_in(browser)
    session = browser.cookies["__Host-sso"].partition(".")[2]
    site.page("/.sso/logout", browser, b"Sec-Fetch-Site: same-origin")
    logout = browser.cookies["__Host-sso-logout"]
    state = site.begin(browser)
    login = browser.cookies[f"__Host-sso-login-{state}"]

    for value in (login, logout):
        forged = Browser(**{"__Host-sso": f"1.{value}"})
        assert site.page("/", forged).status == 200
        assert site.scene.reasons()[-1] == "login-choice"
    for value in (session, logout):
        forged = Browser(**{f"__Host-sso-login-{state}": value})
        target = f"/.sso/callback/corp?state={state}&code={GOOD}"
        assert site.page(target, forged).status == 400
    for value in (session, login):
        forged = Browser(**{"__Host-sso-logout": value})
        assert "confirmed" not in site.page("/.sso/logout/done", forged).body
        assert site.scene.reasons()[-1] == "logged-out"


@pytest.mark.parametrize(
    "target", ["/?" + '"' * 1490, "/?" + "\\" * 1490, "/" + "\u00e9" * 240]
)
def test_a_long_target_does_not_keep_anybody_logged_in(target: str) -> None:
    """What does not fit into a cookie with all the rest is left out."""
    site, browser = EndpointsScene(), Browser()
    site.log_in(browser)
    own = b"Sec-Fetch-Site: same-origin"

    seen = site.page(f"/.sso/logout?to={quote(target, safe='')}", browser, own)
    assert seen.location.startswith(f"{ISSUER}/logout?")
    assert "__Host-sso" not in browser.cookies


@pytest.mark.parametrize(
    "target",
    [
        "/.sso/logout",
        "/%2esso/logout",
        "/%2Esso%2Flogout",
        "/x/../.sso/login?with=corp",
        "//.sso/logout",
        "/./.sso/callback/corp?state=x",
        "https://app.example.com/.sso/logout",
    ],
)
def test_nobody_is_sent_to_an_endpoint_of_ours(target: str) -> None:
    """A login that leads to a logout, or to another login, would be somebody's trap."""
    site, browser = EndpointsScene(), Browser()
    to = quote(target, safe="")
    own = b"Sec-Fetch-Site: same-origin"

    seen = site.page(f"/.sso/login?with=corp&to={to}", browser, own)
    if seen.status == 303:  # a path of the application's, for all that we know
        assert "%2F" in target
        return
    assert (seen.status, seen.location) == (400, "")
    site.log_in(browser)
    state = parse_qs(
        urlsplit(site.page(f"/.sso/logout?to={to}", browser, own).location).query
    )["state"][0]
    done = site.page(f"/.sso/logout/done?state={state}", browser)
    assert (done.status, done.location) == (200, "")


# Logins that nobody sees


@attrs.define
class QuietLogin(FakeLogin):
    """
    A login in a frame, to see whether Alice is still there.

    Attributes:
        quiet: Whether it is one now.
        meanwhile: Called while the provider is asked.
    """

    quiet: bool = False
    meanwhile: Callable[[], object] = lambda: None

    async def finish(self, request: Request) -> Finished | Response | InFragment:
        """Believe whoever came back, after a while."""
        found = await super().finish(request)
        if not self.quiet:
            return found
        assert isinstance(found, Finished)
        self.meanwhile()
        alice = (found.identity.issuer, "alice")
        return attrs.evolve(found, wanted=attrs.evolve(found.wanted, silent_for=alice))


class QuietScene(LoginScene):
    """A site that sees whether Alice is still there."""

    def make_login(self, name: str) -> QuietLogin:
        """Make the way to log in."""
        self.login = QuietLogin(name=name)
        return self.login

    def look(self) -> Seen:
        """See whether she is, in a frame of a page."""
        self.login.quiet = True
        seen = self.come_back(self.page("/.sso/login?with=corp"))
        self.login.quiet = False
        return seen


def test_who_logs_out_meanwhile_is_not_logged_in_by_a_frame(kind: str) -> None:
    scene = QuietScene(kind)
    scene.log_in()
    scene.login.meanwhile = lambda: now(scene.store.end(scene.browser.request()))

    assert scene.look().status == 200
    assert scene.reason == "login-silent-same"
    assert scene.page().status == 302


def test_frames_in_many_tabs_are_no_loop(kind: str) -> None:
    """Each of them asks when something changes at the provider."""
    scene = QuietScene(kind)
    scene.log_in()
    for _ in range(5):
        scene.look()
        assert scene.reason == "login-silent-same"
    del scene.browser.cookies["__Host-sso"]

    assert scene.page().status == 302
