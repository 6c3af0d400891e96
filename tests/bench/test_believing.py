"""What browsers of the benchmark log in with."""

import json

import attrs
import pytest

from sso_proxy.model import Authenticated, NotPresented, Outcome
from sso_proxy.testing.fakes import FakeTools
from tests.bench import provider
from tests.bench.believing import FIELD, Believing, BelievingConfig
from tests.support.caching import now
from tests.support.sessions import MAKERS, Browser, SessionTools, Store

PEOPLE = Believing.from_config(BelievingConfig(), FakeTools(name="people"))


def ask(store: Store, browser: Browser, **fields: str) -> Outcome:
    request = attrs.evolve(browser.request(**fields), sessions=store)
    session = now(store.load(request)).session
    outcome = now(PEOPLE.authenticate(attrs.evolve(request, session=session)))
    assert isinstance(outcome, Authenticated | NotPresented)
    return outcome


@pytest.mark.parametrize("kind", MAKERS)
def test_session_begins_with_tokens_and_goes_on_without(kind: str) -> None:
    store, browser = MAKERS[kind](SessionTools()), Browser()
    assert ask(store, browser) == NotPresented()
    shown = {FIELD: json.dumps(provider.tokens(7))}
    first = ask(store, browser, **shown)
    assert isinstance(first, Authenticated)
    browser.take(first.headers)
    again = ask(store, browser)
    assert isinstance(again, Authenticated)
    assert again.identity == first.identity
    assert again.identity.subject == "user-00007"


def test_tokens_have_the_nonce_that_was_asked_for() -> None:
    assert provider.tokens(3, "n")["id_token"] != provider.tokens(3)["id_token"]
