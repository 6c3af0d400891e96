"""People log in with a password, on a page of ours."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IAuthenticator, ILogin, ILoginWishes
from sso_proxy.login import Wanted, Wishes
from sso_proxy.model import Refusal
from sso_proxy.session import Session
from sso_proxy.testing.passwords import FakeChecker
from tests.support.caching import now
from tests.support.login_scene import PAGE
from tests.support.password_scene import CALLBACK, FORM, PasswordScene


def _session(scene: PasswordScene) -> Session:
    """Give the session of the browser."""
    opened = now(scene.store.load(scene.browser.request()))
    assert opened.session is not None
    return opened.session


def test_it_is_an_authenticator_and_a_login() -> None:
    form = PasswordScene().logins["form"]
    for interface in (IAuthenticator, ILogin, ILoginWishes):
        verifyObject(interface, form)


def test_who_knows_the_password_goes_on_where_they_wanted() -> None:
    scene = PasswordScene()
    done = scene.enter("alice", "wonderland", "/orders?open=1")
    assert (done.status, done.location) == (303, "/orders?open=1")
    assert scene.page(done.location).status == 200
    assert scene.asked == 1


def test_the_page_is_one_that_password_managers_know() -> None:
    page = PasswordScene().begin()
    assert page.status == 200
    assert 'autocomplete="username"' in page.body
    assert 'type="password"' in page.body
    assert 'autocomplete="current-password"' in page.body
    headers = dict(page.headers)
    assert headers["cache-control"] == "no-store"
    assert "script-src" not in headers["content-security-policy"]
    assert "<script" not in page.body


def test_a_wrong_password_and_an_unknown_user_look_alike() -> None:
    pages = []
    for user in ("alice", "nobody"):
        page = PasswordScene().enter(user, "wrong")
        assert page.status == 200
        assert "do not go together" in page.body
        body = re.sub(r'name="login" value="[^"]*"', "", page.body)
        body = re.sub(r"<code>[^<]*</code>", "", body)
        pages.append(body.replace(f'value="{user}"', ""))
    assert pages[0] == pages[1]


def test_after_a_wrong_password_the_right_one_is_still_good() -> None:
    scene = PasswordScene()
    again = scene.enter("alice", "looking-glass")
    assert 'value="alice"' in again.body
    assert "looking-glass" not in again.body
    assert scene.submit(again, "alice", "wonderland").status == 303


def test_an_empty_password_asks_no_checker() -> None:
    """A directory would take it for a bind of nobody, which succeeds."""
    scene = PasswordScene()
    assert scene.enter("alice", "").status == 200
    assert scene.checker.asked == []


def test_what_is_typed_is_escaped() -> None:
    page = PasswordScene().enter('"><script>', "x")
    assert "<script" not in page.body


@pytest.mark.parametrize(
    "lines",
    [
        (
            *PAGE,
            FORM[-1],
            b"Origin: https://evil.example",
            b"Sec-Fetch-Site: cross-site",
        ),
        (*PAGE, FORM[-1], b"Origin: https://evil.example"),
        (*PAGE, FORM[-1]),
    ],
)
def test_the_page_of_another_site_logs_nobody_in(lines: tuple[bytes, ...]) -> None:
    """Login CSRF: the victim would go on as the attacker."""
    scene = PasswordScene()
    answer = scene.submit(scene.begin(), "alice", "wonderland", *lines)
    assert answer.status == 403
    assert scene.checker.asked == []


def test_a_login_of_another_browser_is_none() -> None:
    scene = PasswordScene()
    page = scene.begin()
    scene.browser.cookies.clear()
    assert scene.submit(page, "alice", "wonderland").status == 400
    assert scene.checker.asked == []


def test_a_login_that_was_begun_at_another_form_is_none_here() -> None:
    """Whose users are others, perhaps with the same names."""
    scene = PasswordScene()
    state = {"by": "other", "for": Wanted(target="/").as_json()}
    login, headers = scene.store.logins.begin(scene.browser.request(), state)
    scene.browser.take(headers)
    fields = {"login": login, "user": "alice", "password": "wonderland"}
    assert scene.post(CALLBACK, fields, *FORM).status == 400
    assert scene.checker.asked == []


@pytest.mark.parametrize("kind", ["server", "cookie"])
def test_sessions_of_both_types_begin(kind: str) -> None:
    scene = PasswordScene(kind=kind)
    assert scene.enter("alice", "wonderland").status == 303
    assert scene.page().status == 200


@pytest.mark.parametrize(
    "fields",
    [{}, {"login": "x", "user": "alice"}, {"user": "alice", "password": "wonderland"}],
)
def test_half_a_form_is_none(fields: dict[str, str]) -> None:
    scene = PasswordScene()
    scene.begin()
    assert scene.post(CALLBACK, fields, *FORM).status == 400
    assert scene.checker.asked == []


def test_a_form_that_is_sent_twice_goes_on_all_the_same() -> None:
    scene = PasswordScene()
    page = scene.begin("/a")
    scene.submit(page, "alice", "wonderland")
    second = scene.submit(page, "alice", "wonderland")
    assert (second.status, second.location) == (303, "/a")
    assert scene.checker.asked == ["alice"]


def test_each_login_begins_a_session_of_its_own() -> None:
    scene = PasswordScene()
    scene.enter("alice", "wonderland")
    first = dict(scene.browser.cookies)
    page = scene.page("/.sso/login?with=form&to=/")
    scene.submit(scene.page(page.location), "bob", "builder")
    shared = first.items() & scene.browser.cookies.items()
    assert not [name for name, _ in shared if "session" in name.lower()]


def test_a_session_says_how_and_when_somebody_logged_in() -> None:
    scene = PasswordScene(both={"acr": "pwd-1"})
    scene.enter("alice", "wonderland")
    identity = _session(scene).identity
    assert identity.issuer == "checker:users"
    assert identity.subject == "alice"
    since = int(scene.tools.clock.time())
    assert identity.claims == {"amr": ["pwd"], "acr": "pwd-1", "auth_time": since}


def test_too_many_wrong_passwords_make_people_wait() -> None:
    scene = PasswordScene(both={"tries": 2, "first_pause": 10.0})
    page = scene.enter("alice", "wrong")
    page = scene.submit(page, "alice", "wrong")
    page = scene.submit(page, "alice", "wonderland")
    assert page.status == 429
    assert dict(page.headers)["retry-after"] == "10"
    assert "too many tries" in page.body
    assert len(scene.checker.asked) == 2
    scene.tools.clock.now += 11
    assert scene.submit(page, "alice", "wonderland").status == 303


def test_a_checker_that_is_down_is_no_wrong_password() -> None:
    scene = PasswordScene(FakeChecker({}, error=UnavailableError("ldap")))
    page = scene.begin()
    for _ in range(9):
        assert scene.submit(page, "alice", "wonderland").status == 503


def test_a_program_is_not_sent_to_the_page() -> None:
    answer = PasswordScene().ask("/")
    assert answer.status == 401
    assert dict(answer.headers)["www-authenticate"].startswith("Basic ")


def test_the_form_can_be_the_body_of_the_401() -> None:
    """Programs read the challenge, people the page."""
    scene = PasswordScene(form={"in_answer": True})
    page = scene.page("/a")
    assert page.status == 401
    assert dict(page.headers)["www-authenticate"].startswith("Basic ")
    done = scene.submit(page, "alice", "wonderland")
    assert (done.status, done.location) == (303, "/a")


def test_without_a_challenge_the_form_is_the_body_of_a_403() -> None:
    """A 401 has to have one (RFC 9110 section 15.5.2)."""
    quiet = {"challenge": "programs"}
    scene = PasswordScene(form={"in_answer": True}, programs=quiet)
    page = scene.page("/a")
    assert page.status == 403
    assert "www-authenticate" not in dict(page.headers)
    done = scene.submit(page, "alice", "wonderland")
    assert (done.status, done.location) == (303, "/a")


def test_who_logs_in_on_purpose_gets_the_page_alone() -> None:
    scene = PasswordScene(form={"in_answer": True})
    answer = scene.page("/.sso/login?with=form&to=/")
    assert answer.status == 303
    assert "www-authenticate" not in dict(answer.headers)


def test_a_session_that_is_too_old_is_renewed_by_another_login() -> None:
    scene = PasswordScene()
    scene.enter("alice", "wonderland")
    form, session = scene.logins["form"], _session(scene)
    assert form.lacks(session, Wishes(max_age=60)) is None
    scene.tools.clock.now += 121
    refusal = form.lacks(session, Wishes(max_age=60))
    assert refusal is not None
    assert refusal.max_age == 60


def test_a_route_that_wants_a_fresh_login_has_the_password_typed_again() -> None:
    """Step-up: and then it goes on where it was."""

    def check(session: Session) -> Refusal | None:
        found: Refusal | None = scene.logins["form"].lacks(session, Wishes(max_age=60))
        return found

    scene = PasswordScene(login_checks={"form": check})
    scene.enter("alice", "wonderland")
    assert scene.page("/pay").status == 200
    scene.tools.clock.now += 200
    scene.scene.client, scene.scene.connection = scene.scene.connect()
    again = scene.enter("alice", "wonderland", "/pay")
    assert (again.status, again.location) == (303, "/pay")
    assert scene.page("/pay").status == 200


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_whatever_is_posted_logs_nobody_in(body: bytes) -> None:
    scene = PasswordScene()
    scene.begin()
    path = f"{CALLBACK}?login=x"
    answer = scene.ask(path, *FORM, method="POST", body=body)
    assert answer.status == 400
    assert scene.checker.asked == []


def test_a_context_that_no_password_is_ends_at_once() -> None:
    """Another login would not help, and the browser would go round for ever."""
    scene = PasswordScene()
    answer = scene.page("/.sso/login?with=form&to=/&acr=mfa")
    assert answer.status == 403


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(acr_values=("mfa",)),
        Wishes(claims={"a": None}),
        Wishes(resource=("https://api.example",)),
        Wishes(prompt=("none",)),
    ],
)
def test_a_route_cannot_wish_what_no_password_is(wishes: Wishes) -> None:
    form = PasswordScene(both={"acr": "pwd-1"}).logins["form"]
    form.check_wishes(Wishes(acr_values=("pwd-1",), max_age=5, prompt=("login",)))
    with pytest.raises(ValueError, match=r"password|OpenID"):
        form.check_wishes(wishes)


def test_logging_out_ends_the_session() -> None:
    scene = PasswordScene()
    scene.enter("alice", "wonderland")
    asked = scene.page("/.sso/logout")
    assert asked.status == 200
    scene.post("/.sso/logout", {}, *FORM)
    assert scene.page("/").status == 303
