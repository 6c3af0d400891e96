"""What holds for sessions of both types."""

from contextlib import suppress
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.interfaces import ISessionStore
from sso_proxy.model import Identity
from sso_proxy.registry import provided_problems
from sso_proxy.session import Session
from sso_proxy.sessions.options import CookieConfig
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.sessions import MAKERS, BrokenCache, Browser, SessionTools, Store

ALICE = make_identity("alice", claims={"email": "a@example.com"})
BOB = make_identity("bob")
TOKENS = {"access_token": "at-1", "refresh_token": "rt-1"}


@pytest.fixture
def tools() -> SessionTools:
    return SessionTools()


@pytest.fixture
def store(kind: str, tools: SessionTools) -> Store:
    return MAKERS[kind](tools)


def log_in(
    store: Store,
    browser: Browser,
    identity: Identity = ALICE,
    **data: Any,  # noqa: ANN401
) -> Session:
    opened = now(store.start(browser.request(), identity, data or TOKENS))
    browser.take(opened)
    assert opened.session is not None
    return opened.session


def who(store: Store, browser: Browser) -> Session | None:
    opened = now(store.load(browser.request()))
    browser.take(opened)
    return opened.session


def test_it_is_what_the_interface_says(store: Store) -> None:
    assert verifyObject(ISessionStore, store)
    assert not provided_problems("ISessionStore", store)


def test_whoever_logs_in_is_known_afterwards(store: Store) -> None:
    browser = Browser()
    begun = log_in(store, browser)
    found = who(store, browser)
    assert found == begun
    assert found.identity == ALICE
    assert found.data == TOKENS


def test_no_number_of_sessions_fills_the_memory(store: Store) -> None:
    browsers = [Browser() for _ in range(1030)]
    for number, browser in enumerate(browsers):
        log_in(store, browser, make_identity(f"user-{number}"))
        assert who(store, browser) is not None
    assert 0 < len(store._settled) <= 1024  # noqa: SLF001
    assert who(store, browsers[0]) is not None


def test_whoever_has_no_cookie_is_nobody(store: Store) -> None:
    assert who(store, Browser()) is None


def test_a_login_gives_a_new_session(store: Store) -> None:
    """Nobody can have given the browser a session before (C8)."""
    browser = Browser()
    first = log_in(store, browser)
    before = Browser(**browser.cookies)
    second = log_in(store, browser, BOB)
    assert first.id != second.id
    assert browser.cookies["__Host-sso"] != before.cookies["__Host-sso"]
    assert who(store, before) is None
    found = who(store, browser)
    assert found is not None
    assert found.identity == BOB


def test_an_id_that_we_did_not_give_is_nobody(store: Store) -> None:
    browser = Browser(**{"__Host-sso": "1." + "A" * 43})
    assert who(store, browser) is None
    log_in(store, browser)
    assert browser.cookies["__Host-sso"] != "1." + "A" * 43


def test_the_id_in_lists_and_logs_is_no_cookie(store: Store) -> None:
    session = log_in(store, Browser())
    assert who(store, Browser(**{"__Host-sso": f"1.{session.id}"})) is None


def test_logging_out_ends_the_session_and_takes_the_cookies(store: Store) -> None:
    """A copy of the cookie is worth nothing afterwards (C22)."""
    browser = Browser()
    log_in(store, browser, big="x" * 4000)
    copy = Browser(**browser.cookies)
    browser.take(now(store.end(browser.request())))
    assert browser.cookies == {}
    assert who(store, copy) is None


def test_ending_what_there_is_not_says_nothing(store: Store) -> None:
    assert now(store.end(Browser().request())) == ()


def test_a_session_ends_without_use(store: Store, tools: SessionTools) -> None:
    browser = Browser()
    log_in(store, browser)
    tools.clock.advance(1799)
    assert who(store, Browser(**browser.cookies)) is not None
    tools.clock.advance(1800)
    assert who(store, browser) is None


def test_use_keeps_a_session_but_not_for_ever(
    store: Store, tools: SessionTools
) -> None:
    browser = Browser()
    log_in(store, browser)
    for _ in range(28800 // 1000):
        tools.clock.advance(1000)
        assert who(store, browser) is not None
    tools.clock.advance(800)
    assert who(store, browser) is None


def test_a_session_ends_with_its_identity(store: Store, tools: SessionTools) -> None:
    browser = Browser()
    expires = tools.clock.time() + 60
    log_in(store, browser, attrs.evolve(ALICE, expires=expires))
    tools.clock.advance(59)
    assert who(store, browser) is not None
    tools.clock.advance(1)
    assert who(store, browser) is None


@pytest.mark.parametrize("jump", [86400.0, -86400.0])
def test_a_clock_that_jumps_ends_sessions(
    store: Store, tools: SessionTools, jump: float
) -> None:
    """Rather that than one that lasts as much longer."""
    browser = Browser()
    log_in(store, browser)
    tools.clock.now += jump
    assert who(store, browser) is None


def test_a_decision_holds_until_use_has_to_be_noted_again(
    store: Store, tools: SessionTools
) -> None:
    browser = Browser()
    log_in(store, browser)
    opened = now(store.load(browser.request()))
    assert opened.until == tools.clock.time() + 60
    assert not opened.headers


def test_sessions_of_other_names_are_not_ours(kind: str, tools: SessionTools) -> None:
    """What may do little somewhere must not be taken for what may do much."""
    weak = MAKERS[kind](attrs.evolve(tools, name="weak"))
    strong = MAKERS[kind](attrs.evolve(tools, name="strong"))
    browser = Browser()
    log_in(weak, browser)
    assert who(strong, browser) is None
    assert who(weak, browser) is not None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_changed_cookie_is_nobody(data: st.DataObject) -> None:
    tools = SessionTools()
    store = MAKERS[data.draw(st.sampled_from(sorted(MAKERS)))](tools)
    browser = Browser()
    log_in(store, browser)
    value = browser.cookies["__Host-sso"]
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.sampled_from("ABCxyz059-_.").filter(lambda c: c != value[at]))
    changed = value[:at] + other + value[at + 1 :]
    assert who(store, Browser(**{"__Host-sso": changed})) is None


def test_tokens_are_changed_for_everybody(store: Store) -> None:
    browser = Browser()
    session = log_in(store, browser)
    opened = now(store.replace(browser.request(), session, ALICE, {"at": 2}))
    assert opened is not None
    browser.take(opened)
    found = who(store, browser)
    assert found is not None
    assert found.data == {"at": 2}
    assert (found.id, found.revision) == (session.id, 1)


def test_a_change_of_what_has_changed_is_refused(store: Store) -> None:
    browser = Browser()
    session = log_in(store, browser)
    assert now(store.replace(browser.request(), session, ALICE, {"at": 2})) is not None
    assert now(store.replace(browser.request(), session, ALICE, {"at": 3})) is None
    found = who(store, browser)
    assert found is not None
    assert found.data == {"at": 2}


def test_a_change_of_what_is_over_is_refused(store: Store) -> None:
    browser = Browser()
    session = log_in(store, browser)
    now(store.end(browser.request()))
    assert now(store.replace(browser.request(), session, ALICE, {})) is None


def test_one_session_can_be_ended_by_its_id(store: Store) -> None:
    one, other = Browser(), Browser()
    session = log_in(store, one)
    log_in(store, other)
    assert now(store.revoke(session.id))
    assert not now(store.revoke(session.id))
    assert not now(store.revoke("nonsense"))
    assert who(store, one) is None
    assert who(store, other) is not None


def test_all_sessions_of_a_user_can_be_ended(store: Store, tools: SessionTools) -> None:
    one, other, bobs = Browser(), Browser(), Browser()
    log_in(store, one)
    log_in(store, other)
    log_in(store, bobs, BOB)
    now(store.revoke_user(ALICE.issuer, "alice"))
    assert who(store, one) is None
    assert who(store, other) is None
    assert who(store, bobs) is not None
    tools.clock.advance(1)
    log_in(store, one)
    assert who(store, one) is not None


def test_all_that_come_from_a_session_at_the_provider_can_be_ended(
    store: Store, tools: SessionTools
) -> None:
    one, other, bobs = Browser(), Browser(), Browser()
    log_in(store, one, sid="s-1")
    log_in(store, other, sid="s-2")
    log_in(store, bobs, BOB)
    now(store.revoke_sid(ALICE.issuer, "s-1"))
    now(store.revoke_sid("https://other.example", "s-2"))
    assert who(store, one) is None
    assert who(store, other) is not None
    assert who(store, bobs) is not None
    tools.clock.advance(200)
    assert who(MAKERS["cookie"](tools), one) is None
    assert who(MAKERS["server"](tools), one) is None


def test_what_still_runs_for_them_is_to_be_closed_in_every_process(
    kind: str, tools: SessionTools
) -> None:
    here, there = MAKERS[kind](tools), MAKERS[kind](tools.another())
    there.take_ended()
    ours = log_in(here, Browser(), sid="s-1")
    others = log_in(here, Browser(), sid="s-2")
    now(here.revoke_sid(ALICE.issuer, "s-1"))
    for store in (here, there):
        ended = store.take_ended()
        assert ended is not None
        assert ended.has(ours)
        assert not ended.has(others)
        assert store.is_over(ours)
        assert not store.is_over(others)


def test_a_login_that_the_provider_has_vouched_for_before_does_not_count(
    store: Store, tools: SessionTools
) -> None:
    """Its code was redeemed, and then the provider told us that all is over."""
    late = attrs.evolve(ALICE, claims={"iat": tools.clock.time()})
    tools.clock.advance(1)
    now(store.revoke_sid(ALICE.issuer, "s-1"))
    tools.clock.advance(1)
    browser = Browser()
    with suppress(UnavailableError):
        log_in(store, browser, late, sid="s-1")
    assert who(store, browser) is None
    again = attrs.evolve(ALICE, claims={"iat": tools.clock.time()})
    log_in(store, browser, again, sid="s-1")
    assert who(store, browser) is not None


def test_sessions_at_a_provider_are_found_where_they_are_listed(
    kind: str, store: Store
) -> None:
    """Who has not proved to be the provider must not have anything written."""
    browser = Browser()
    log_in(store, browser, sid="s-1")
    assert now(store.find_sid(ALICE.issuer, "s-1")) == (kind == "server")
    assert not now(store.find_sid(ALICE.issuer, "s-2"))
    now(store.end(browser.request()))
    assert not now(store.find_sid(ALICE.issuer, "s-1"))


def test_another_process_hears_of_an_end(kind: str, tools: SessionTools) -> None:
    here, there = MAKERS[kind](tools), MAKERS[kind](tools.another())
    browser = Browser()
    session = log_in(here, browser)
    assert who(there, browser) is not None
    now(here.revoke(session.id))
    assert there.is_over(session)
    ended = there.take_ended()
    assert ended is not None
    assert ended.has(session)
    assert there.take_ended() is None


def test_a_process_that_nobody_asks_hears_of_an_end(
    kind: str, tools: SessionTools
) -> None:
    """It may have a tunnel from before it read its configuration anew."""
    here, there = MAKERS[kind](tools), MAKERS[kind](tools.another())
    assert there.take_ended() is None
    session = log_in(here, Browser())
    now(here.revoke(session.id))
    ended = there.take_ended()
    assert ended is not None
    assert ended.has(session)


def test_what_has_ended_is_known_to_who_has_loaded_it_before(store: Store) -> None:
    """A decision may take a while; the end may come in between."""
    browser = Browser()
    session = log_in(store, browser)
    assert not store.is_over(session)
    now(store.revoke_user(ALICE.issuer, "alice"))
    assert store.is_over(session)


def failing(tools: SessionTools) -> BrokenCache:
    cache = BrokenCache(MemoryCacheConfig(), tools.clock)
    tools.memory = cache
    return cache


@pytest.mark.parametrize("operation", ["get"])
def test_a_store_that_is_down_lets_nobody_in(
    kind: str, tools: SessionTools, operation: str
) -> None:
    cache = failing(tools)
    refusing = MAKERS[kind](tools)
    lenient = MAKERS[kind](tools, on_store_failure="login")
    browser = Browser()
    log_in(refusing, browser)
    cache.broken = frozenset({operation})
    with pytest.raises(UnavailableError):
        now(refusing.load(browser.request()))
    assert now(lenient.load(browser.request())).session is None
    assert now(refusing.load(Browser().request())).session is None
    cache.broken = frozenset()
    assert who(refusing, browser) is not None


def test_a_logout_that_cannot_be_kept_is_no_logout(
    kind: str, tools: SessionTools
) -> None:
    cache = failing(tools)
    store = MAKERS[kind](tools)
    browser = Browser()
    log_in(store, browser)
    cache.broken = frozenset({"delete", "add"})
    with pytest.raises(UnavailableError):
        now(store.end(browser.request()))


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"cookie": CookieConfig(name="session")}, "cookie.name"),
        ({"cookie": CookieConfig(domain="example.com")}, "cookie.domain"),
        ({"cookie": CookieConfig(path="/app/")}, "cookie.path"),
        ({"inactivity": 100.0, "lifetime": 50.0}, "inactivity"),
    ],
)
def test_what_cannot_work_is_refused(
    kind: str, tools: SessionTools, options: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        MAKERS[kind](tools, **options)
    assert [mistake.path for mistake in caught.value.mistakes] == [path]


def test_a_browser_may_keep_it_when_it_closes(kind: str, tools: SessionTools) -> None:
    store = MAKERS[kind](tools, cookie=CookieConfig(persistent=True))
    opened = now(store.start(Browser().request(), ALICE, {}))
    assert "; Max-Age=28800; " in opened.headers[0][1]


def test_no_shared_cache_may_keep_an_answer_with_a_session(store: Store) -> None:
    opened = now(store.start(Browser().request(), ALICE, {}))
    assert ("cache-control", "no-store") in opened.headers


def test_a_cookie_that_goes_elsewhere_is_known(kind: str, tools: SessionTools) -> None:
    cookie = CookieConfig(name="__Secure-sso", domain="example.com", path="/app/")
    store = MAKERS[kind](tools, cookie=cookie)
    assert store.covers("a.example.com", "/app/x")
    assert not store.covers("a.example.com", "/")
    assert not store.covers("a.example.org", "/app/x")
