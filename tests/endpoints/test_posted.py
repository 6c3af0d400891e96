"""What somebody sends who has to log in first; test_logins.py has the way there."""

import attrs
import pytest

from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.posted import Kept, give_posted, keep_posted
from sso_proxy.login import Finished, Wanted
from sso_proxy.specs.http.cookies import MARK
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.fake_login import FakeLogin
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
