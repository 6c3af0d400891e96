"""What somebody sends who has to log in first."""

import attrs
import pytest

from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.posted import Kept, give_posted, keep_posted
from sso_proxy.login import Finished, Wanted
from sso_proxy.sessions.kept import MOST, PURPOSE
from sso_proxy.specs.http.cookies import MARK
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.fake_login import FakeLogin
from tests.support.login_scene import FORM, OWN_PAGE, PAGE, LoginScene, form_of
from tests.support.sessions import Browser, SessionTools, server_sessions


class Scene:
    """A browser that was not logged in, and what it has sent."""

    def __init__(self) -> None:
        self.store = server_sessions(SessionTools())
        self.desk = Desk(name="corp", login=FakeLogin(), sessions=self.store)
        self.browser = Browser()

    def keep(self, target: str = "/search?q=long") -> Kept:
        kept = now(keep_posted(self.browser.request(), self.desk, target, again=False))
        assert isinstance(kept, Kept)
        self.browser.take(kept.headers)
        return kept

    def is_given(self, kept: Kept, browser: Browser) -> bool:
        wanted = Wanted(target="/", restore=kept.name)
        finished = Finished(identity=make_identity(), wanted=wanted)
        request = browser.request()
        return now(give_posted(request, self.desk, finished, "session-1")) is not None


def test_the_browser_that_sent_it_gets_it() -> None:
    scene = Scene()

    assert scene.is_given(scene.keep(), scene.browser)


@pytest.mark.parametrize("mark", ["", "a" * 43, "short"])
def test_no_other_browser_gets_it(mark: str) -> None:
    scene = Scene()
    other = Browser(**({MARK: mark} if mark else {}))

    assert not scene.is_given(scene.keep(), other)


def test_a_browser_has_one_mark_for_all() -> None:
    """Whoever has several tabs open finishes each login with its own form."""
    scene = Scene()
    kept = [scene.keep(), scene.keep()]
    assert len(scene.browser.cookies) == 1

    assert all(scene.is_given(each, scene.browser) for each in kept)


def test_a_mark_that_is_none_is_not_kept() -> None:
    scene = Scene()
    scene.browser.cookies[MARK] = "x"
    scene.keep()

    assert len(scene.browser.cookies[MARK]) == 43


def test_the_mark_comes_along_with_a_form_of_the_provider() -> None:
    field = dict(Scene().keep().headers)["set-cookie"]

    assert field.startswith(MARK)
    assert {"Secure", "HttpOnly", "SameSite=None", "Path=/"} <= set(field.split("; "))
    assert "Domain" not in field


def test_what_is_kept_is_in_no_log() -> None:
    kept = Scene().keep()

    assert kept.name not in repr(kept)
    assert attrs.asdict(kept)["name"] == kept.name


def test_a_form_goes_on_after_the_login(kind: str) -> None:
    scene = LoginScene(kind)
    away = scene.ask("/orders?new=1", FORM, *OWN_PAGE, method="POST", body=b"a=1&b=%20")
    assert away.status == 302

    page = scene.come_back(away)
    assert page.status == 200
    action, sent = form_of(page)
    assert action == "/orders?new=1"
    assert scene.ask(action, FORM, *OWN_PAGE, method="POST", body=sent).status == 200
    head = scene.scene.backend.head
    assert head.startswith(b"POST /orders?new=1 HTTP/1.1\r\n")
    assert b"Content-Length: 9\r\n" in head
    assert head.endswith(b"\r\n\r\na=1&b=%20")
    assert b"X-Remote-User: alice\r\n" in head


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "text/plain", 'a/b;c="d"']
)
def test_a_body_of_any_type_goes_on_as_it_was(content_type: str) -> None:
    scene = LoginScene()
    octets = bytes(range(256))
    field = b"Content-Type: " + content_type.encode()
    away = scene.ask("/up", field, *OWN_PAGE, method="POST", body=octets)
    action, sent = form_of(scene.come_back(away))
    scene.ask(action, FORM, *OWN_PAGE, method="POST", body=sent)

    head = scene.scene.backend.head
    assert head.endswith(b"\r\n\r\n" + octets)
    assert head.count(b"Content-Type: ") == 1
    assert field + b"\r\n" in head


def test_a_form_is_not_sent_twice() -> None:
    scene = LoginScene()
    away = scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=b"a=1")
    action, sent = form_of(scene.come_back(away))
    scene.ask(action, FORM, *OWN_PAGE, method="POST", body=sent)

    again = scene.ask(action, FORM, *OWN_PAGE, method="POST", body=sent)
    assert (again.status, again.location) == (303, "/orders")
    assert len(scene.scene.backend.asked) == 1


def test_what_was_posted_is_sent_to_where_it_was_posted_only() -> None:
    scene = LoginScene()
    away = scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=b"a=1")
    _, sent = form_of(scene.come_back(away))

    scene.ask("/admin", FORM, *OWN_PAGE, method="POST", body=sent)
    assert scene.scene.backend.asked == []


def test_one_user_does_not_send_what_another_posted() -> None:
    """Else a page of others could have our users post what it must not."""
    scene, mallory = LoginScene(), LoginScene()
    mallory.tools.memory = scene.tools.memory
    away = scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=b"a=1")
    _, sent = form_of(scene.come_back(away))
    scene.browser.cookies.clear()
    scene.log_in("/", "bob")

    scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=sent)
    assert scene.scene.backend.asked == []


def test_a_form_that_is_as_long_arrives_as_it_is() -> None:
    scene = LoginScene()
    scene.log_in()
    body = b"__sso_restored=" + b"a" * 42
    scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=body)

    assert scene.scene.backend.head.endswith(b"\r\n\r\n" + body)


@pytest.mark.parametrize(
    "fields",
    [
        (*PAGE, b"Sec-Fetch-Site: cross-site", b"Origin: https://evil.example"),
        (*PAGE, b"Sec-Fetch-Site: same-site", b"Origin: https://b.example.com"),
        (*PAGE, b"Origin: null"),
        PAGE,
    ],
)
def test_a_form_of_another_site_does_not_go_on(fields: tuple[bytes, ...]) -> None:
    """It would get past ``SameSite``, which is there to stop it."""
    scene = LoginScene()

    seen = scene.ask("/orders", FORM, *fields, method="POST", body=b"a=1")
    assert (seen.status, scene.reason) == (401, "login-form-foreign")
    assert not scene.logins["corp"].began


def test_without_a_store_a_form_cannot_be_kept() -> None:
    scene = LoginScene("cookie", options={"cache": None})

    seen = scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=b"a=1")
    assert (seen.status, scene.reason) == (401, "login-form-not-kept")
    assert 'href="/orders"' in seen.body


def test_more_than_can_be_kept_is_said_to_be() -> None:
    scene = LoginScene()

    body = b"a" * (MOST + 1)
    seen = scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=body)
    assert (seen.status, scene.reason) == (413, "login-form-large")


def test_a_form_that_is_gone_is_said_to_be() -> None:
    scene = LoginScene()
    away = scene.ask("/orders", FORM, *OWN_PAGE, method="POST", body=b"a=1")
    name = scene.logins["corp"].began[0].restore
    now(scene.cache.delete(PURPOSE, name.encode()))

    seen = scene.come_back(away)
    assert (seen.status, scene.reason) == (410, "login-form-gone")
    assert 'href="/orders"' in seen.body
