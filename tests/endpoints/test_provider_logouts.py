"""Sessions that end because their provider says so."""

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from sso_proxy.endpoints.desks import BrowserEndpoints, Desk
from sso_proxy.endpoints.provider_logouts import ProviderLogouts
from sso_proxy.errors import UnavailableError
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Response
from sso_proxy.testing.fakes import make_identity, make_request
from tests.support.caching import now
from tests.support.fake_login import FakeLogin
from tests.support.sessions import (
    MAKERS,
    Browser,
    SessionTools,
    Store,
    cookie_sessions,
    server_sessions,
)
from tests.support.told_login import REFUSED, ToldLogin

ALICE = make_identity("alice", authenticator="corp")
ISSUER = ALICE.issuer
OP = "https://login.example.com"
GONE = ("set-cookie", "ticket=; Max-Age=0")
"""Takes away what sites beside us go by."""


class Scene:
    """A provider that speaks for itself, and browsers."""

    def __init__(self, *stores: Store) -> None:
        self.stores: Sequence[Store] = stores
        self.login = ToldLogin()
        desk = Desk(name="corp", login=self.login, sessions=self.stores[0])
        plain = Desk(name="plain", login=FakeLogin(), sessions=self.stores[0])
        desks = {"corp": desk, "plain": plain}
        part = ProviderLogouts(desks, lambda _: self.stores, lambda _: (GONE,))
        nobody: Any = None
        self.endpoints = BrowserEndpoints("/.sso/", nobody, [part])

    def log_in(self, store: int = 0, **data: Any) -> Browser:  # noqa: ANN401
        browser = Browser()
        browser.take(now(self.stores[store].start(browser.request(), ALICE, data)))
        return browser

    def is_in(self, browser: Browser, store: int = 0) -> bool:
        return now(self.stores[store].load(browser.request())).session is not None

    def ask(
        self,
        method: str = "POST",
        path: str = "backchannel/corp",
        browser: Browser | None = None,
    ) -> Response | None:
        request = (browser or Browser()).request()
        head = make_request(method, path=f"/.sso/logout/{path}").head
        head = attrs.evolve(head, headers=request.head.headers)
        return now(self.endpoints.answer(attrs.evolve(request, head=head)))

    def tell(self, **notice: Any) -> Response:  # noqa: ANN401
        """Have the provider post a notice."""
        self.login.told = LogoutNotice(issuer=ISSUER, **notice)
        answer = self.ask()
        assert answer is not None
        return answer

    def frame(
        self,
        sid: str | None = "s-1",
        browser: Browser | None = None,
        issuer: str = ISSUER,
    ) -> Response:
        """Have a browser load the provider's frame."""
        self.login.told = LogoutNotice(issuer=issuer, sid=sid, frames=(OP,))
        answer = self.ask("GET", "frontchannel/corp", browser)
        assert answer is not None
        return answer


@pytest.fixture(params=sorted(MAKERS))
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(MAKERS[request.param](SessionTools()))


@pytest.fixture
def listed() -> Scene:
    return Scene(server_sessions(SessionTools()))


def test_the_session_at_the_provider_ends_here(scene: Scene) -> None:
    one, other = scene.log_in(sid="s-1"), scene.log_in(sid="s-2")
    answer = scene.tell(subject="alice", sid="s-1", mark="m")
    assert answer.status == 200
    assert ("cache-control", "no-store") in answer.headers
    assert answer.body
    assert not scene.is_in(one)
    assert scene.is_in(other)
    assert scene.login.settles == ["m"]


def test_all_sessions_of_a_user_end_where_none_is_named(scene: Scene) -> None:
    """Section 2.4: "all sessions at the RP for the End-User identified by iss, sub"."""
    browsers = [scene.log_in(sid="s-1"), scene.log_in(sid="s-2"), scene.log_in()]
    assert scene.tell(subject="alice").status == 200
    assert not any(map(scene.is_in, browsers))


def test_logout_unknown_sid_is_200(scene: Scene) -> None:
    assert scene.tell(sid="unknown").status == 200
    assert scene.tell(subject="nobody", mark="2").status == 200


def test_sessions_of_other_hosts_end_too() -> None:
    """A provider knows one place to tell of one client."""
    tools = SessionTools(name="other")
    scene = Scene(server_sessions(SessionTools()), cookie_sessions(tools))
    one, other = scene.log_in(0, sid="s-1"), scene.log_in(1, sid="s-1")
    assert scene.tell(sid="s-1").status == 200
    assert not scene.is_in(one)
    assert not scene.is_in(other, 1)


def test_what_the_provider_did_not_send_ends_nothing(scene: Scene) -> None:
    browser = scene.log_in(sid="s-1")
    assert scene.ask() is REFUSED
    assert scene.is_in(browser)


def test_a_notice_that_came_at_the_same_time_is_refused(scene: Scene) -> None:
    assert scene.tell(sid="s-1", mark="m").status == 200
    assert scene.tell(sid="s-1", mark="m").status == 400


@pytest.mark.parametrize(
    "store",
    [
        cookie_sessions(SessionTools(), cache=None),
        server_sessions(SessionTools(), listed=False),
    ],
    ids=["cookie", "server"],
)
def test_a_provider_is_not_told_that_sessions_ended_which_nobody_can_end(
    store: Store,
) -> None:
    tools = SessionTools(name="other")
    scene = Scene(store, server_sessions(tools))
    browser = scene.log_in(1, sid="s-1")
    answer = scene.tell(sid="s-1", mark="m")
    assert answer.status == 400
    assert not scene.login.settles
    assert not scene.is_in(browser, 1), "what can be ended is"


def test_a_store_that_is_down_is_no_fault_of_the_provider(scene: Scene) -> None:
    async def fail(*_: str) -> None:
        raise UnavailableError("the store")

    store: Any = scene.stores[0]
    store.revoke_sid = fail
    with pytest.raises(UnavailableError):
        scene.tell(sid="s-1", mark="m")
    assert not scene.login.settles, "the provider may say it again"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "backchannel/corp"),
        ("HEAD", "backchannel/corp"),
        ("POST", "frontchannel/corp"),
        ("HEAD", "frontchannel/corp"),
    ],
)
def test_get_instead_of_post(scene: Scene, method: str, path: str) -> None:
    answer = scene.ask(method, path)
    assert answer is not None
    assert answer.status == 405


@pytest.mark.parametrize("name", ["", "other", "plain", "corp/x", "corp/"])
def test_who_has_no_such_provider_has_no_such_endpoint(scene: Scene, name: str) -> None:
    assert scene.ask("POST", f"backchannel/{name}") is None
    assert scene.ask("GET", f"frontchannel/{name}") is None


def test_a_frame_ends_the_session_of_its_browser(scene: Scene) -> None:
    browser = scene.log_in(sid="s-1")
    answer = scene.frame("s-1", browser)
    assert answer.status == 200
    assert not scene.is_in(browser)
    assert any(name == "set-cookie" for name, _ in answer.headers)


def test_a_frame_without_a_cookie_ends_the_session_that_it_names(listed: Scene) -> None:
    """Browsers send no cookies with frames of other sites."""
    browser, other = listed.log_in(sid="s-1"), listed.log_in(sid="s-2")
    assert listed.frame("s-1").status == 200
    assert not listed.is_in(browser)
    assert listed.is_in(other)


@pytest.mark.parametrize("sid", ["s-2", None])
def test_a_frame_of_another_session_leaves_this_one(
    scene: Scene, sid: str | None
) -> None:
    """Without a name it is not the provider's: that has named the session."""
    browser = scene.log_in(sid="s-1")
    assert scene.frame(sid, browser).status == 200
    assert scene.is_in(browser)


def test_a_frame_of_another_provider_leaves_this_one(scene: Scene) -> None:
    browser = scene.log_in(sid="s-1")
    assert scene.frame("s-1", browser, "https://other.example").status == 200
    assert scene.is_in(browser)


def test_where_sessions_have_no_names_the_browsers_own_ends(scene: Scene) -> None:
    browser = scene.log_in()
    assert scene.frame(None, browser).status == 200
    assert not scene.is_in(browser)


def test_a_frame_that_names_nobody_leaves_nothing_behind(listed: Scene) -> None:
    """Anybody can have thousands of browsers ask that."""
    store: Any = listed.stores[0]
    cache = store._records._cache  # noqa: SLF001
    for number in range(10):
        assert listed.frame(f"made-up-{number}").status == 200
    assert not any(kind._members for kind in cache._kinds.values())  # noqa: SLF001


def test_tickets_are_taken_away_by_a_frame_of_the_session_that_ends(
    scene: Scene,
) -> None:
    browser = scene.log_in(sid="s-1")
    assert GONE in scene.frame("s-1", browser).headers
    assert GONE not in scene.frame("s-1", browser).headers, "it is over"


def test_so_they_are_where_no_cookie_came_along(listed: Scene) -> None:
    listed.log_in(sid="s-1")
    assert GONE in listed.frame("s-1").headers


@pytest.mark.parametrize("sid", ["s-2", "s-3", None])
def test_no_frame_takes_tickets_away_from_who_stays(
    listed: Scene, sid: str | None
) -> None:
    """A page of anybody's may have it, with the name of a session of its own."""
    browser, _ = listed.log_in(sid="s-1"), listed.log_in(sid="s-2")
    assert GONE not in listed.frame(sid, browser).headers
    assert listed.is_in(browser)


def test_no_frame_takes_tickets_away_that_names_nobody(listed: Scene) -> None:
    for sid in ("s-1", None):
        assert GONE not in listed.frame(sid).headers


def test_the_provider_itself_gets_no_cookies(scene: Scene) -> None:
    """There is no browser at the back channel: its tickets are good until they end."""
    scene.log_in(sid="s-1")
    assert GONE not in scene.tell(sid="s-1", mark="m").headers


def test_only_the_provider_can_frame_the_answer_and_it_does_nothing(
    scene: Scene,
) -> None:
    fields = dict(scene.frame().headers)
    policy = fields["content-security-policy"]
    assert policy == f"default-src 'none'; frame-ancestors {OP}"
    assert fields["cache-control"] == "no-store"
    assert "x-frame-options" not in fields
    assert b"script" not in scene.frame().body
