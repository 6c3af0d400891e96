"""What browsers keep of logins that have begun."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.sessions.login_state import MOST, MOST_OCTETS, LoginStates
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools
from tests.support.sessions import Browser

STATE = {"nonce": "n", "verifier": "v" * 43, "target": "/x?y"}


def make(clock: SettableClock | None = None) -> LoginStates:
    return LoginStates(FakeTools().sealer("login"), clock or SettableClock(), 600)


def begin(states: LoginStates, browser: Browser, **state: object) -> str:
    login, headers = states.begin(browser.request(), state or STATE)
    browser.take(headers)
    return login


def test_what_was_kept_comes_back_once() -> None:
    states, browser = make(), Browser()
    login = begin(states, browser)
    state, headers = states.take(browser.request(), login)
    assert state == STATE
    browser.take(headers)
    assert browser.cookies == {}
    assert states.take(browser.request(), login) == (None, ())


def test_another_browser_does_not_have_it() -> None:
    """A callback that somebody was sent is none of theirs."""
    states = make()
    login = begin(states, Browser())
    other = Browser()
    begin(states, other)
    assert states.take(other.request(), login)[0] is None


def test_a_login_is_not_taken_for_another_one() -> None:
    states, browser = make(), Browser()
    first, second = begin(states, browser), begin(states, browser, other=1)
    one, two = f"__Host-sso-login-{first}", f"__Host-sso-login-{second}"
    browser.cookies[one], browser.cookies[two] = browser.cookies[two], "x"
    assert states.take(browser.request(), first)[0] is None
    assert states.take(browser.request(), second)[0] is None


@given(st.text(max_size=60))
def test_any_state_may_come_back(text: str) -> None:
    assert make().take(Browser(a="b").request(), text) == (None, ())


def test_a_login_takes_so_long_at_most() -> None:
    clock = SettableClock()
    states, browser = make(clock), Browser()
    login = begin(states, browser)
    clock.advance(600)
    assert states.take(browser.request(), login)[0] is None


def test_ten_tabs_all_come_back() -> None:
    """They are restored at once, and each begins a login (C30)."""
    states, browser = make(), Browser()
    logins = [begin(states, browser, tab=n) for n in range(10)]
    assert [states.take(browser.request(), each)[0] for each in logins] == [
        {"tab": n} for n in range(10)
    ]


def test_the_oldest_go_first() -> None:
    clock = SettableClock()
    states, browser = make(clock), Browser()
    logins = []
    for number in range(MOST + 3):
        logins.append(begin(states, browser, tab=number))
        clock.advance(1)
    assert len(browser.cookies) == MOST
    assert [states.take(browser.request(), each)[0] for each in logins[:3]] == [
        None
    ] * 3
    assert states.take(browser.request(), logins[3])[0] == {"tab": 3}


def test_all_of_them_fit_into_any_header_section() -> None:
    clock = SettableClock()
    states, browser = make(clock), Browser()
    for _ in range(MOST):
        begin(states, browser, big="x" * 2000)
        clock.advance(1)
        octets = sum(len(f"{n}={v}; ") for n, v in browser.cookies.items())
        assert octets <= MOST_OCTETS


def test_what_is_none_of_ours_is_taken_away() -> None:
    states = make()
    browser = Browser(**{"__Host-sso-login-forged": "x"})
    begin(states, browser)
    assert "__Host-sso-login-forged" not in browser.cookies


def test_what_is_too_much_for_a_cookie_is_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        make().begin(Browser().request(), {"big": "x" * 3000})


def test_a_form_from_elsewhere_brings_the_cookie_only_if_it_was_said() -> None:
    states = make()
    _, plain = states.begin(Browser().request(), STATE)
    _, posted = states.begin(Browser().request(), STATE, cross_site=True)
    assert plain[0][1].endswith("; Max-Age=600; Secure; HttpOnly; SameSite=Lax")
    assert posted[0][1].endswith("; Max-Age=600; Secure; HttpOnly; SameSite=None")


def finish(states: LoginStates, browser: Browser, target: str = "/x?y") -> str:
    """Begin a login, and finish it."""
    login = begin(states, browser)
    browser.take(states.finish(browser.request(), login, target))
    return login


def test_a_finished_login_says_where_it_went_on_and_nothing_else() -> None:
    states, browser = make(), Browser()
    login = finish(states, browser)
    assert states.take(browser.request(), login) == (None, ())
    target, headers = states.finished(browser.request(), login)
    assert target == "/x?y"
    browser.take(headers)
    assert browser.cookies == {}
    assert states.finished(browser.request(), login) == (None, ())


def test_a_login_that_waits_has_not_gone_on_anywhere() -> None:
    states, browser = make(), Browser()
    login = begin(states, browser)
    assert states.finished(browser.request(), login) == (None, ())
    assert states.take(browser.request(), login)[0] == STATE


def test_only_the_browser_that_finished_a_login_knows_that() -> None:
    states = make()
    login = finish(states, Browser())
    assert states.finished(Browser(a="b").request(), login) == (None, ())
    assert states.finish(Browser().request(), login, "/")[0][1].count("Max-Age=0") == 1


def test_a_finished_login_is_forgotten_when_it_would_have_been_too_old() -> None:
    clock = SettableClock()
    states, browser = make(clock), Browser()
    login = begin(states, browser)
    clock.advance(100)
    headers = states.finish(browser.request(), login, "/", cross_site=True)
    assert headers[0][1].endswith("; Max-Age=500; Secure; HttpOnly; SameSite=None")
    browser.take(headers)
    clock.advance(500)
    assert states.finished(browser.request(), login) == (None, ())


def test_finished_logins_go_before_those_that_wait() -> None:
    clock = SettableClock()
    states, browser = make(clock), Browser()
    waiting = begin(states, browser, tab=0)
    for _ in range(MOST + 3):
        clock.advance(1)
        finish(states, browser)
    assert len(browser.cookies) == MOST
    assert states.take(browser.request(), waiting)[0] == {"tab": 0}


@given(st.text(max_size=60))
def test_any_state_may_come_back_to_what_is_finished(text: str) -> None:
    assert make().finished(Browser(a="b").request(), text) == (None, ())


def test_of_a_finished_login_it_is_known_where_it_was() -> None:
    states, browser = make(), Browser()
    secret = {"nonce": "n", "pkce": "v"}
    login = begin(states, browser, by="people", iss="https://a.example", **secret)
    browser.take(states.finish(browser.request(), login, "/x"))
    where = {"by": "people", "iss": "https://a.example"}
    begin(states, browser, tab=1)
    assert states.known(browser.request()) == [{"tab": 1}, where]
    assert states.finished(browser.request(), login)[0] == "/x"


def test_those_that_wait_are_known_the_newest_first() -> None:
    clock = SettableClock()
    states, browser = make(clock), Browser(**{"__Host-sso-login-forged": "x"})
    begin(states, browser, tab=1)
    clock.advance(1)
    begin(states, browser, tab=2)
    finish(states, browser)
    for _ in range(2):
        assert states.known(browser.request()) == [{"tab": 2}, {"tab": 1}, {}]
    assert states.known(Browser().request()) == []
