"""People log in to the demo with a browser."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.page_checks import check_page

SCREENSHOTS = os.environ.get("SCREENSHOTS")
PHONE: Final = {"width": 360, "height": 740}


@attrs.frozen
class Demo:
    """
    The running demo.

    Attributes:
        url: Where browsers reach the web application.
        chromium: A browser that trusts its certificates.
    """

    url: str
    chromium: Chromium


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    state = tmp_path_factory.mktemp("demo")
    arguments = ["-m", "sso_proxy.testing.demo", "--state", str(state), "--port", "0"]
    arguments += ["--browser", ""]
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            _, _, people = "".join(_until_ready(process)).partition("In your browser")
            url = people.split(maxsplit=1)[0].rstrip("/")
            names = ("proxy.crt", "issuer.crt")
            keys = [key_hash((state / name).read_bytes()) for name in names]
            with Chromium(*keys) as chromium:
                yield Demo(url, chromium)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _until_ready(process: "subprocess.Popen[str]") -> Iterator[str]:
    assert process.stdout is not None
    for line in process.stdout:
        yield line
        if "until Ctrl-C" in line:
            break


def log_in(tab: Tab, url: str, person: str) -> None:
    tab.go(url)
    tab.wait("document.title == 'Who are you?'")
    tab.follow(person)


def keep(tab: Tab, name: str) -> None:
    if SCREENSHOTS:
        tab.screenshot(Path(SCREENSHOTS, f"demo-{name}.png"))


def test_alice_logs_in_and_comes_to_where_she_wanted(demo: Demo) -> None:
    with demo.chromium.tab() as tab:
        log_in(tab, f"{demo.url}/reports/?year=2026", "Alice")
        tab.wait("document.title == 'Reports for Alice Archer'")
        assert tab.url == f"{demo.url}/reports/?year=2026"
        assert "No token, and no cookie of the proxy." in tab.text
        assert tab.run("document.cookie") == ""  # no script reads the session
        tab.follow("Application")
        tab.wait("document.title == 'Hello, Alice Archer'")
        keep(tab, "application")


def test_every_page_of_a_login_is_good_on_a_phone_and_by_keyboard(demo: Demo) -> None:
    with demo.chromium.tab(**PHONE) as tab:
        tab.go(demo.url)
        keep(tab, "provider")
        check_page(tab)
        tab.go(demo.url)
        tab.press("Tab")
        tab.press("Tab")
        tab.press("Enter")  # Bob
        tab.wait("document.title == 'Hello, Bob Baker'")
        keep(tab, "application-phone")
        check_page(tab)


def test_mallory_is_refused_and_may_be_somebody_else(demo: Demo) -> None:
    with demo.chromium.tab(**PHONE, dark=True) as tab:
        log_in(tab, demo.url, "Mallory")
        tab.wait("document.title.startsWith('Forbidden')")
        keep(tab, "refused")
        check_page(tab)
        tab.follow("Log in as somebody else")
        tab.wait("document.title == 'Who are you?'")
        tab.follow("Alice")
        tab.wait("document.title == 'Hello, Alice Archer'")


def test_who_cancels_can_begin_again(demo: Demo) -> None:
    with demo.chromium.tab(**PHONE, dark=True) as tab:
        log_in(tab, demo.url, "Cancel")
        tab.wait("document.title.startsWith('The login was cancelled')")
        keep(tab, "cancelled")
        tab.follow("Log in again")
        tab.wait("document.title == 'Who are you?'")
        tab.follow("Alice")
        tab.wait("document.title == 'Hello, Alice Archer'")


def test_the_back_button_leads_to_the_page_and_not_into_an_error(demo: Demo) -> None:
    with demo.chromium.tab() as tab:
        log_in(tab, demo.url, "Alice")
        tab.wait("document.title == 'Hello, Alice Archer'")
        tab.run("setTimeout(() => history.back(), 50)")  # it takes the page away
        tab.wait("document.title == 'Who are you?'")
        tab.follow("Bob")  # in a login that is over
        tab.wait("document.title == 'Hello, Alice Archer'")


def test_somebody_else_can_log_in(demo: Demo) -> None:
    with demo.chromium.tab() as tab:
        log_in(tab, demo.url, "Alice")
        tab.wait("document.title == 'Hello, Alice Archer'")
        tab.follow("Be somebody else")
        tab.wait("document.title == 'Who are you?'")
        tab.follow("Bob")
        tab.wait("document.title == 'Hello, Bob Baker'")


def test_the_single_page_application_of_the_docs_knows_its_user(demo: Demo) -> None:
    """It is the page as it is printed there."""
    with demo.chromium.tab() as tab:
        tab.go(f"{demo.url}/single-page/")
        tab.wait("document.body.innerText.includes('You are logged out.')")
        tab.follow("Log in")
        tab.wait("document.title == 'Who are you?'")
        tab.follow("Alice")
        tab.wait("document.body.innerText.includes('You are Alice Archer.')")
        assert tab.url == f"{demo.url}/single-page/"
        tab.follow("Load orders")
        tab.wait("document.getElementById('orders').textContent !== ''")
        keep(tab, "single-page")
        assert "X-Remote-User: 24400320" in tab.text
        assert "Cookie" not in tab.text
        tab.value("fetch('/.sso/logout', {method: 'POST'}).then(r => r.status)")
        tab.run("document.dispatchEvent(new Event('visibilitychange'))")
        tab.wait("document.body.innerText.includes('You are logged out.')")
        assert tab.problems() == []


def test_the_button_of_the_application_logs_out(demo: Demo) -> None:
    """Its page has no referrer, so that the browser says ``Origin: null``."""
    with demo.chromium.tab(**PHONE) as tab:
        log_in(tab, demo.url, "Alice")
        tab.wait("document.title == 'Hello, Alice Archer'")
        tab.follow("Log out")
        tab.wait("document.title.startsWith('You are logged out here')")
        keep(tab, "logged-out")
        assert "Your session at this site has ended." in tab.text
        check_page(tab)
        tab.follow("Log in again")
        tab.wait("document.title == 'Who are you?'")


def test_people_see_their_sessions_and_end_them(demo: Demo) -> None:
    with demo.chromium.tab() as lost, demo.chromium.tab(**PHONE, dark=True) as tab:
        for each in (lost, tab):
            log_in(each, demo.url, "Alice")
            each.wait("document.title == 'Hello, Alice Archer'")
        tab.follow("Your sessions")
        tab.wait("document.title.startsWith('Your sessions')")
        assert "You are logged in as\nAlice Archer" in tab.text
        before = tab.run("document.querySelectorAll('li').length")
        keep(tab, "sessions")
        check_page(tab)
        tab.follow("End")  # the first: the one that was used last
        tab.wait("document.body.innerText.includes('That session has ended.')")
        assert tab.run("document.querySelectorAll('li').length") == before - 1
        lost.go(demo.url)
        lost.wait("document.title == 'Who are you?'")
        lost.follow("Alice")
        lost.wait("document.title == 'Hello, Alice Archer'")
        tab.follow("Log out everywhere")
        tab.wait("document.title.startsWith('You are logged out here')")
        lost.go(demo.url)
        lost.wait("document.title == 'Who are you?'")
        assert tab.problems() == []


def test_who_comes_from_elsewhere_is_asked_before_they_are_logged_out(
    demo: Demo,
) -> None:
    with demo.chromium.tab(**PHONE, dark=True, language="de") as tab:
        log_in(tab, demo.url, "Alice")
        tab.wait("document.title == 'Hello, Alice Archer'")
        tab.go("data:text/html,elsewhere")
        tab.run(f"location.href = '{demo.url}/.sso/logout?to=/.sso/x'; 0")
        tab.wait("document.title.startsWith('Abmelden?')")
        keep(tab, "logout")
        check_page(tab)
        tab.follow("Abmelden")
        tab.wait("document.title.startsWith('Sie sind hier abgemeldet')")
        tab.go(demo.url)
        tab.wait("document.title == 'Who are you?'")


def test_two_tabs_of_one_browser_both_end_logged_in(demo: Demo) -> None:
    with demo.chromium.tab() as first:
        second = first.sibling()
        first.go(f"{demo.url}/reports/?tab=1")
        second.go(f"{demo.url}/reports/?tab=2")
        for number, tab in enumerate((first, second), 1):
            tab.wait("document.title == 'Who are you?'")
            tab.follow("Alice")
            tab.wait("document.title == 'Reports for Alice Archer'")
            assert tab.url.endswith(f"?tab={number}")


def test_a_callback_out_of_nowhere_says_the_likely_cause(demo: Demo) -> None:
    with demo.chromium.tab(**PHONE, language="de") as tab:
        tab.go(f"{demo.url}/.sso/callback/people?code=x&state={'y' * 43}")
        keep(tab, "callback")
        assert "Cookie" in tab.text
        assert tab.run("document.documentElement.lang") == "de"
        check_page(tab)
        tab.follow("Neu anmelden")
        tab.wait("document.title == 'Who are you?'")


def test_a_browser_that_keeps_no_cookie_is_told_so(demo: Demo) -> None:
    with demo.chromium.tab() as tab:
        for _ in range(2):
            tab.call("Network.clearBrowserCookies")
            tab.go(demo.url)
            tab.wait("document.title == 'Who are you?'")
            tab.call("Network.clearBrowserCookies")
            tab.follow("Alice")
            tab.wait("document.title != 'Who are you?' && document.querySelector('h1')")
            assert "cookie" in tab.text
