"""What browsers keep of a logout while they are at the provider."""

import pytest

from sso_proxy.sessions.logout_state import LIFETIME, LogoutStates
from sso_proxy.specs.http.cookies import LOGOUT
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools
from tests.support.sessions import Browser

STATE = {"by": "corp", "to": "/x?y", "revoked": None}


def make(clock: SettableClock | None = None) -> LogoutStates:
    return LogoutStates(FakeTools().sealer("logout"), clock or SettableClock())


def test_what_was_kept_comes_back_once() -> None:
    states, browser = make(), Browser()
    browser.take(states.begin(STATE))

    state, headers = states.take(browser.request())
    assert state == STATE
    assert ("cache-control", "no-store") in headers
    browser.take(headers)
    assert browser.cookies == {}
    assert states.take(browser.request()) == (None, ())


def test_the_cookie_goes_to_this_host_alone_and_to_no_script() -> None:
    field = dict(make().begin(STATE))["set-cookie"]

    assert field.startswith("__Host-sso-logout=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"):
        assert attribute in field.split("; ")
    assert "corp" not in field


def test_it_is_good_for_a_while_only() -> None:
    clock, browser = SettableClock(), Browser()
    states = make(clock)
    browser.take(states.begin(STATE))
    clock.advance(LIFETIME)

    state, headers = states.take(browser.request())
    assert state is None
    browser.take(headers)
    assert browser.cookies == {}


@pytest.mark.parametrize("value", ["", "x", "a.b", "QUJD"])
def test_nobody_but_us_can_make_one(value: str) -> None:
    browser = Browser()
    browser.cookies[LOGOUT] = value

    assert make().take(browser.request())[0] is None


def test_what_does_not_fit_is_not_cut() -> None:
    with pytest.raises(ValueError, match="octets"):
        make().begin({"to": "/" + "x" * 4000})
