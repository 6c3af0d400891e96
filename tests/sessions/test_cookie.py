"""Sessions in browsers."""

import attrs
import pytest

from sso_proxy.config.key_ring import KeyRing, RingKey
from sso_proxy.errors import SessionTooLargeError, UnavailableError
from sso_proxy.sealing import RingSealer
from sso_proxy.session import Session
from sso_proxy.sessions.cookie import CookieSessions
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.sessions import Browser, SessionTools, cookie_sessions

ALICE = make_identity("alice")


def begin(store: CookieSessions, **data: object) -> tuple[Browser, Session]:
    browser = Browser()
    opened = now(store.start(browser.request(), ALICE, data or {"t": 1}))
    browser.take(opened)
    assert opened.session is not None
    return browser, opened.session


def load(store: CookieSessions, browser: Browser) -> Session | None:
    opened = now(store.load(browser.request()))
    browser.take(opened)
    return opened.session


def test_nothing_is_stored() -> None:
    tools = SessionTools()
    store = cookie_sessions(tools, cache=None)
    browser, session = begin(store)
    assert load(store, browser) == session
    assert not tools.memory._kinds  # noqa: SLF001


def test_a_large_session_takes_several_cookies() -> None:
    store = cookie_sessions(SessionTools())
    browser, session = begin(store, token="x" * 5000)
    assert sorted(browser.cookies) == ["__Host-sso", "__Host-sso.1"]
    assert load(store, browser) == session


def test_pieces_of_two_sessions_are_none() -> None:
    store = cookie_sessions(SessionTools())
    one, _ = begin(store, token="x" * 5000)
    two, _ = begin(store, token="x" * 5000)
    one.cookies["__Host-sso.1"] = two.cookies["__Host-sso.1"]
    assert load(store, one) is None


def test_a_session_that_would_not_pass_is_refused_at_login() -> None:
    """Not by some server between here and the browser, at every request."""
    store = cookie_sessions(SessionTools(), max_bytes=3000)
    with pytest.raises(SessionTooLargeError) as caught:
        begin(store, token="x" * 3000)
    assert caught.value.most == 3000
    browser, session = begin(store)
    with pytest.raises(SessionTooLargeError):
        now(store.replace(browser.request(), session, ALICE, {"token": "x" * 3000}))
    assert load(store, browser) == session


def test_use_makes_a_new_cookie_now_and_then() -> None:
    tools = SessionTools()
    store = cookie_sessions(tools)
    browser, session = begin(store)
    tools.clock.advance(59)
    assert not now(store.load(browser.request())).headers
    tools.clock.advance(1)
    opened = now(store.load(browser.request()))
    assert opened.headers
    assert opened.until == tools.clock.time()
    assert opened.session == attrs.evolve(session, used=tools.clock.time())


@attrs.define(kw_only=True)
class RotatingTools(SessionTools):
    """Tools with keys that may be changed."""

    keys: list[RingKey] = attrs.field(factory=list)

    def rotate(self) -> None:
        number = len(self.keys)
        key = RingKey(kid=f"k{number}", created=number, secret=bytes([number]) * 32)
        self.keys.insert(0, key)

    def sealer(self, kind: str) -> RingSealer:
        return RingSealer(kind, KeyRing(tuple(self.keys)))


def test_new_keys_log_nobody_out() -> None:
    tools = RotatingTools()
    tools.rotate()
    browser, _ = begin(cookie_sessions(tools))
    tools.rotate()
    store = cookie_sessions(tools)
    tools.clock.advance(60)
    assert load(store, browser) is not None
    tools.keys.pop()
    assert load(cookie_sessions(tools), browser) is not None, "it has the new key"


def test_without_its_key_a_session_is_over() -> None:
    tools = RotatingTools()
    tools.rotate()
    browser, _ = begin(cookie_sessions(tools))
    tools.rotate()
    tools.keys.pop()
    assert load(cookie_sessions(tools), browser) is None


def test_a_request_that_was_under_way_goes_by_the_new_tokens() -> None:
    """And it does not bring the old ones back to the browser."""
    tools = SessionTools()
    store, elsewhere = cookie_sessions(tools), cookie_sessions(tools.another())
    browser, session = begin(store)
    before = dict(browser.cookies)
    tools.clock.advance(61)
    opened = now(store.replace(browser.request(), session, ALICE, {"t": 2}))
    assert opened is not None
    browser.take(opened)
    for process in (store, elsewhere):
        late = Browser(**before)
        found = load(process, late)
        assert found is not None
        assert found.data == {"t": 2}
        assert now(process.load(late.request())).session == found


def test_a_new_cookie_has_what_another_process_has_changed() -> None:
    tools = SessionTools()
    store, elsewhere = cookie_sessions(tools), cookie_sessions(tools.another())
    browser, session = begin(store)
    now(store.replace(browser.request(), session, ALICE, {"t": 2}))

    async def work(_: Session) -> tuple[object, dict[str, object]]:
        raise AssertionError

    opened = now(elsewhere.renew(browser.request(), session, work))  # type: ignore[arg-type]
    assert opened.session is not None
    assert opened.session.data == {"t": 2}


def test_without_a_cache_only_the_browser_can_forget() -> None:
    store = cookie_sessions(SessionTools(), cache=None)
    browser, session = begin(store)
    with pytest.raises(UnavailableError):
        now(store.revoke(session.id))
    with pytest.raises(UnavailableError):
        now(store.revoke_user(ALICE.issuer, "alice"))
    with pytest.raises(UnavailableError):
        now(store.revoke_sid(ALICE.issuer, "s-1"))
    assert not store.revocable
    browser.take(now(store.end(browser.request())))
    assert browser.cookies == {}


def test_nobody_can_list_what_browsers_have() -> None:
    with pytest.raises(UnavailableError):
        now(cookie_sessions(SessionTools()).sessions_of(ALICE.issuer, "alice"))


def test_a_copy_is_over_for_as_long_as_it_would_last() -> None:
    tools = SessionTools()
    store = cookie_sessions(tools, inactivity=28800.0)
    browser, _ = begin(store)
    copy = Browser(**browser.cookies)
    now(store.end(browser.request()))
    restarted = cookie_sessions(tools, inactivity=28800.0)
    for _ in range(28):
        tools.clock.advance(1000)
        assert load(restarted, copy) is None
