"""etc/device-bound.toml runs: sessions are good on the device of who has logged in."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.support.chromium import PATIENCE, Chromium, Tab
from tests.support.device_site import (
    BOUND,
    HOST,
    LIFETIME,
    SESSION,
    DeviceSite,
    device_site,
    enter,
    fetch,
)
from tests.support.device_tab import WITHOUT_QUOTA, DeviceTab
from tests.support.page_checks import check_page
from tests.support.programs import RealProxy
from tests.support.recorder import Seen

SCREENSHOTS: Final = os.environ.get("SCREENSHOTS")
ASKING: Final = "document.title == 'Log in'"


@attrs.frozen
class Place:
    """The running example, and a browser whose contexts are people's."""

    site: DeviceSite
    proxy: RealProxy
    chromium: Chromium

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{HOST}:{self.proxy.port}"

    def seen(self, path: str) -> list[Seen]:
        """Give what the application got."""
        return [seen for seen in self.site.backend.seen if seen.path == path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with (
        device_site(tmp_path_factory.mktemp("site")) as site,
        site.proxy().serve() as proxy,
        Chromium(site.trusted, features=WITHOUT_QUOTA) as chromium,
    ):
        yield Place(site, proxy, chromium)


@attrs.frozen
class Theft:
    """
    Alice's browser, and who has copied all its cookies.

    Attributes:
        alice: Her browser, which has a key.
        thief: The other one.
        over: When the copies have to be worth nothing, at the latest.
    """

    alice: DeviceTab
    thief: Tab
    over: float = attrs.field(factory=lambda: time.monotonic() + LIFETIME + PATIENCE)

    def wait(self, url: str) -> None:
        """Wait until the thief has to log in to see the page at *url*."""
        while True:
            self.thief.go(url)
            if self.thief.run(ASKING):
                return
            assert time.monotonic() < self.over, self.thief.text


@pytest.fixture(scope="module")
def theft(place: Place) -> Iterator[Theft]:
    """Steal once: it takes seconds until a copy dies."""
    with place.chromium.tab() as tab, place.chromium.tab() as thief:
        device = place.site.log_in(tab, f"{place.url}/orders")
        assert set(device.cookies(place.url)) >= {SESSION, BOUND}
        device.copy_cookies(thief)
        yield Theft(device, thief)


def test_the_application_sees_a_user_and_nothing_of_proofs(place: Place) -> None:
    with place.chromium.tab() as tab:
        device = place.site.log_in(tab, f"{place.url}/orders")
        for lifetime in range(3):
            device.expire(place.url, BOUND)
            assert fetch(tab, f"/lifetime/{lifetime}") == 200
            device.wait_for("refresh", "Refreshed")
        (last,) = place.seen("/lifetime/2")
        assert last.values("X-Remote-User") == ["alice"]
        hidden = {"cookie", "secure-session-response", "sec-secure-session-id"}
        assert not hidden & last.names
        tab.go(f"{place.url}/admin/")
        assert tab.run("document.title") == "Application"
        place.proxy.wait_for_record('"bindings":["device"]')


def test_copied_cookies_die_while_their_owner_goes_on(
    place: Place, theft: Theft
) -> None:
    theft.wait(f"{place.url}/orders")
    place.proxy.wait_for_log("is registered, and not proved (device-missing)")
    # Nor can the thief take the session away.
    theft.thief.go(f"{place.url}/.sso/logout")
    assert fetch(theft.alice.tab, "/still-there") == 200
    (seen,) = place.seen("/still-there")
    assert seen.values("X-Remote-User") == ["alice"]


def test_links_elsewhere_lead_here_with_a_proof(place: Place, theft: Theft) -> None:
    """The browser proves nothing for other sites: it has to come once more."""
    theft.wait(f"{place.url}/orders")
    device, tab = theft.alice, theft.alice.tab
    go = f"location.href = '{place.url}/admin/'; 0"
    for clicked in (True, False):
        tab.go("data:text/html,elsewhere")
        device.expire(place.url, BOUND)
        tab.call("Runtime.evaluate", expression=go, userGesture=clicked)
        if not clicked:  # nor may other sites have a click made
            tab.follow("Continue")
        tab.wait("document.title == 'Application'")
        device.wait_for("refresh", "Refreshed")


def test_two_tabs_share_one_proof(place: Place) -> None:
    with place.chromium.tab() as first:
        device = place.site.log_in(first, f"{place.url}/orders")
        second = first.sibling()
        second.go(f"{place.url}/orders")
        device.expire(place.url, BOUND)
        for number, tab in enumerate((first, second)):
            tab.run(f"window.got = fetch('/tab/{number}').then(r => r.status); 0")
        assert [tab.value("window.got") for tab in (first, second)] == [200, 200]
        assert [len(place.seen(f"/tab/{number}")) for number in range(2)] == [1, 1]


def test_what_is_posted_waits_for_the_proof_and_arrives_whole(place: Place) -> None:
    with place.chromium.tab() as tab:
        device = place.site.log_in(tab, f"{place.url}/orders")
        device.expire(place.url, BOUND)
        assert fetch(tab, "/posted", "x" * 100_000) == 200
        device.wait_for("refresh", "Refreshed")
        (seen,) = place.seen("/posted")
        assert seen.body == b"x" * 100_000
        device.expire(place.url, BOUND)
        tab.run(
            "document.body.innerHTML = '<form method=post action=/orders>"
            "<input name=a value=b></form>'; document.forms[0].submit()"
        )
        device.wait_for("refresh", "Refreshed")
        tab.wait("document.body.innerText == 'Welcome'")
        assert place.seen("/orders")[-1].body == b"a=b"


def test_nothing_waits_where_nobody_needs_to_log_in(place: Place) -> None:
    with place.chromium.tab() as tab:
        device = place.site.log_in(tab, f"{place.url}/orders")
        device.expire(place.url, BOUND)
        told = len(device.story)
        assert fetch(tab, "/static/picture") == 200
        assert BOUND not in device.cookies(place.url)
        assert device.story[told:] == []


def test_another_login_in_the_same_browser_is_bound_by_itself(place: Place) -> None:
    """The browser has two for a moment, and is told that the first one is over."""
    with place.chromium.tab() as tab:
        device = place.site.log_in(tab, f"{place.url}/orders")
        first = device.cookies(place.url)
        enter(tab, f"{place.url}/.sso/login?to=/orders")
        device.wait_for("termination", "ServerRequested")
        while device.story.count(("creation", "Success")) < 2:
            device.wait_for("creation", "Success")
        device.expire(place.url, BOUND)
        assert fetch(tab, "/second-login") == 200
        second = device.cookies(place.url)
        assert all(second[name] != first[name] for name in (SESSION, BOUND))


def test_who_logs_out_takes_the_key_along(place: Place) -> None:
    with place.chromium.tab() as tab, place.chromium.tab() as thief:
        device = place.site.log_in(tab, f"{place.url}/orders")
        device.copy_cookies(thief)
        tab.run(
            "document.body.innerHTML = '<form method=post action=/.sso/logout></form>';"
            "document.forms[0].submit()"
        )
        tab.wait("document.title.startsWith('You are logged out')")
        assert not {SESSION, BOUND} & set(device.cookies(place.url))
        thief.go(f"{place.url}/orders")
        assert thief.run(ASKING)
        tab.go(f"{place.url}/orders")
        assert tab.run(ASKING)


def test_browsers_without_keys_are_told_what_is_missing(place: Place) -> None:
    with Chromium(place.site.trusted) as chromium, chromium.tab() as tab:
        enter(tab, f"{place.url}/admin/")  # the first page asks for no proof yet
        deadline = time.monotonic() + LIFETIME + PATIENCE
        while tab.run("document.title") == "Application":
            assert time.monotonic() < deadline
            tab.go(f"{place.url}/admin/")
        tab.look(width=360, height=740)
        if SCREENSHOTS:
            tab.screenshot(Path(SCREENSHOTS, "device-missing.png"))
        check_page(tab)
        # The rest of the application works as it does without.
        tab.go(f"{place.url}/orders")
        assert tab.run("document.title") == "Application"
