"""Who registers a key for a session: its own browser, first, and soon."""

from typing import Any

import pytest
from twisted.logger import capturedLogs

from sso_proxy.testing.fakes import NOW, make_identity
from tests.support.caching import now
from tests.support.device_keys import offered
from tests.support.device_person import ALICE, Person, bound, make
from tests.support.sessions import SessionTools

LEVELS = ("require", "prefer", "observe")


def test_the_first_key_wins_and_the_second_is_refused(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = make(maker, tools), Person()
    alice.log_in(store)
    thief = alice.stolen()
    assert alice.register(store).status == 200
    with capturedLogs() as logs:
        assert thief.register(store).status == 403  # the challenge is used up
    opened = now(store.load(alice.browser.request()))
    assert opened.session is not None
    assert store.devices is not None
    session = opened.session
    again = store.devices.offer(alice.browser.request(), session.id, session.created)
    thief.offer = offered(again)
    with capturedLogs() as logs:
        assert thief.register(store).status == 400
    (line,) = [e for e in logs if e.get("reason") == "device-proof"]
    assert "another key" in line["detail"]
    tools.clock.advance(300)
    assert alice.refresh(store).status == 200


def test_of_two_processes_one_registers(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, other = make(maker, tools), make(maker, tools.another())
    alice = Person()
    alice.log_in(store)
    thief = alice.stolen()
    session = alice.load(store).session
    assert session is not None
    assert other.devices is not None
    thief.offer = offered(
        other.devices.offer(thief.browser.request(), session.id, session.created)
    )
    assert thief.register(other).status == 200
    assert alice.register(store).status == 400


def test_a_key_that_is_there_already_is_registered_again(maker: Any) -> None:  # noqa: ANN401
    """The browser has not got the answer."""
    tools = SessionTools()
    store, alice = bound(maker, tools)
    session = alice.load(store).session
    assert session is not None
    assert store.devices is not None
    alice.offer = offered(
        store.devices.offer(alice.browser.request(), session.id, session.created)
    )
    assert alice.register(store).status == 200


def test_who_logs_in_again_ends_what_somebody_else_has_bound(maker: Any) -> None:  # noqa: ANN401
    """A thief was quicker; his victim knows no more than that it does not work."""
    tools = SessionTools()
    store, alice = make(maker, tools), Person()
    alice.log_in(store)
    thief = alice.stolen()
    assert thief.register(store).status == 200
    tools.clock.advance(61)
    assert alice.load(store).refused == "device-missing"
    bob = alice.stolen()
    now(store.start(bob.browser.request(), make_identity("bob"), {}))
    assert thief.load(store).session is not None
    alice.log_in(store)
    assert thief.load(store).session is None


@pytest.mark.parametrize("level", ["require", "prefer"])
def test_nobody_registers_long_after_the_login(
    maker: Any,  # noqa: ANN401
    level: str,
) -> None:
    """Else a thief does so with his key, and locks out whose session it is."""
    tools = SessionTools()
    store, alice = make(maker, tools, level), Person()
    alice.log_in(store)
    tools.clock.advance(600)
    assert alice.register(store).status == 400
    opened = alice.load(store)
    assert offered(opened.headers) == {}


def test_who_is_refused_may_register_for_a_while(maker: Any) -> None:  # noqa: ANN401
    """A first registration may have been lost."""
    tools = SessionTools()
    store, alice = make(maker, tools, "require"), Person()
    alice.log_in(store)
    tools.clock.advance(61)
    opened = alice.load(store)
    assert opened.refused == "device-missing"
    alice.offer = offered(opened.headers)
    assert alice.register(store).status == 200
    assert alice.load(store).session is not None
    del alice.browser.cookies["__Host-sso-bound"]
    opened = alice.load(store)
    assert opened.refused == "device-missing"
    assert opened.headers == ()  # there is a key


def test_nobody_is_asked_for_a_key_where_the_cookie_would_not_come_along(
    maker: Any,  # noqa: ANN401
) -> None:
    """Browsers register on behalf of the site that a login came back from."""
    tools = SessionTools()
    store, alice = make(maker, tools), Person()
    from_provider = alice.browser.request(**{"Sec-Fetch-Site": "cross-site"})
    opened = now(store.start(from_provider, ALICE, {}))
    assert offered(opened.headers) == {}
    alice.browser.take(opened)
    redirected = alice.browser.request(**{"Sec-Fetch-Site": "cross-site"})
    assert now(store.load(redirected)).headers == ()
    script = alice.load(store)
    alice.offer = offered(script.headers)
    assert alice.register(store).status == 200


def test_one_answer_at_a_time_asks_for_a_key_and_is_not_given_twice(
    maker: Any,  # noqa: ANN401
) -> None:
    """Else a browser makes a key for each script of a page."""
    tools = SessionTools()
    store, alice = make(maker, tools), Person()
    alice.log_in(store)
    assert alice.offer
    assert offered(alice.load(store).headers) == {}
    tools.clock.advance(20)
    first, second = alice.load(store), alice.load(make(maker, tools.another()))
    assert offered(first.headers)
    assert first.until == 0.0
    assert first.session is not None
    assert offered(second.headers) == {}
    assert second.until is not None
    assert second.until > NOW


def test_who_is_bound_is_asked_no_more(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = bound(maker, tools)
    tools.clock.advance(20)
    assert alice.load(store).headers == ()
    del alice.browser.cookies["__Host-sso-bound"]
    opened = alice.load(store)
    assert opened.session is not None
    assert opened.headers == ()


def test_a_session_that_ends_meanwhile_is_bound_to_nothing(maker: Any) -> None:  # noqa: ANN401
    tools = SessionTools()
    store, alice = make(maker, tools), Person()
    session = alice.log_in(store)
    assert now(store.revoke(session.id))
    assert alice.register(store).status == 400
    assert alice.load(store).session is None


def test_an_offer_is_good_for_its_login_only(maker: Any) -> None:  # noqa: ANN401
    """Whoever logs in somebody else cannot have them bind what is theirs."""
    tools = SessionTools()
    store, alice, mallory = make(maker, tools), Person(), Person()
    alice.log_in(store)
    mallory.log_in(store)
    alice.offer, mallory.offer = mallory.offer, alice.offer
    assert alice.register(store).status == 403
    mixed = {**mallory.offer, "challenge": alice.offer["challenge"]}
    mallory.offer = mixed
    assert mallory.register(store).status == 403
