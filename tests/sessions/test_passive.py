"""A request that is no use of its session, for both types."""

from collections.abc import Mapping
from typing import Any

import attrs
import pytest

from sso_proxy.model import Identity, Request
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.sessions import MAKERS, Browser, SessionTools, Store

INACTIVITY = 600.0


@pytest.fixture(params=sorted(MAKERS))
def store(request: pytest.FixtureRequest) -> Store:
    return MAKERS[request.param](SessionTools(), inactivity=INACTIVITY)


def begin(store: Store) -> tuple[Browser, float]:
    browser = Browser()
    opened = now(store.start(browser.request(), make_identity(), {"n": 0}))
    browser.take(opened)
    assert opened.session is not None
    return browser, opened.session.used


def passive(browser: Browser) -> Request:
    return attrs.evolve(browser.request(), passive=True)


async def work(session: Session) -> tuple[Identity, Mapping[str, Any]]:
    return session.identity, {"n": session.data["n"] + 1}


def test_it_moves_nothing_and_sets_nothing(store: Store) -> None:
    browser, begun = begin(store)
    for _ in range(5):
        store._clock.advance(100)  # type: ignore[attr-defined]  # noqa: SLF001
        opened = now(store.load(passive(browser)))
        assert opened.headers == ()
        assert opened.session is not None
        assert opened.session.used == begun
        assert store.inactive_at(opened.session) == begun + INACTIVITY
    store._clock.advance(100)  # type: ignore[attr-defined]  # noqa: SLF001
    assert now(store.load(passive(browser))).session is None


def test_any_other_request_is_a_use(store: Store) -> None:
    browser, begun = begin(store)
    store._clock.advance(100)  # type: ignore[attr-defined]  # noqa: SLF001
    opened = now(store.load(browser.request()))
    assert opened.session is not None
    assert store.inactive_at(opened.session) == begun + 100 + INACTIVITY


def test_what_it_changes_is_kept_for_as_long_as_before(store: Store) -> None:
    browser, begun = begin(store)
    for number in range(1, 4):
        store._clock.advance(150)  # type: ignore[attr-defined]  # noqa: SLF001
        request = passive(browser)
        session = now(store.load(request)).session
        assert session is not None
        opened = now(store.renew(request, session, work))
        browser.take(opened)
        assert opened.session is not None
        assert (opened.session.data, opened.session.used) == ({"n": number}, begun)
        again = now(store.load(passive(browser))).session
        assert again is not None
        assert (again.data, again.used) == ({"n": number}, begun)
    store._clock.advance(150)  # type: ignore[attr-defined]  # noqa: SLF001
    assert now(store.load(browser.request())).session is None


def test_what_any_other_request_changes_is_a_use(store: Store) -> None:
    browser, begun = begin(store)
    store._clock.advance(150)  # type: ignore[attr-defined]  # noqa: SLF001
    request = browser.request()
    session = now(store.load(request)).session
    assert session is not None
    opened = now(store.renew(request, session, work))
    assert opened.session is not None
    assert opened.session.used == begun + 150
