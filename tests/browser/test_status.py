"""The status page of a proxy with two workers, in a browser."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from sso_proxy.cli import main
from tests.support.chromium import Chromium, Tab
from tests.support.forwarding import forwarded
from tests.support.session_traffic import TYPES, Desk
from tests.support.sessions import Browser

SCREENSHOTS = os.environ.get("SCREENSHOTS")  # a directory to keep what was seen
MOST: Final = 120
"""Presses of Tab that lead anywhere on the page."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(tmp_path_factory.mktemp("status"), TYPES["server"]) as running:
        yield running


def link(desk: Desk, capsys: pytest.CaptureFixture[str]) -> str:
    """Have a link made as an operator does, by the command."""
    assert main(["status", "--config", str(desk.proxies[0].config)]) == 0
    said = capsys.readouterr().out
    assert f"ssh -L 127.0.0.1:9901:{desk.proxies[0].admin_socket} " in said
    found: str = re.findall(r"http://localhost:9901(\S+)", said)[0]
    return found


def traffic(desk: Desk, *names: str) -> list[Browser]:
    """Log people in, and have some requests refused."""
    people = [Browser() for _ in names]

    async def talk(at: Desk) -> None:
        connection = at.connect()
        for browser, name in zip(people, names, strict=True):
            assert (await connection.ask(browser, X_Login=name)).status == 200
        for _ in range(3):
            assert (await connection.ask(Browser())).status == 401

    desk.run(talk)
    return people


def statuses(desk: Desk, *browsers: Browser) -> list[int]:
    found: list[int] = []

    async def talk(_: Desk) -> None:
        found.extend([(await desk.connect().ask(each)).status for each in browsers])

    desk.run(talk)
    return found


def keep(tab: Tab, name: str) -> None:
    if SCREENSHOTS:
        tab.screenshot(Path(SCREENSHOTS, f"status-{name}.png"))


def test_an_operator_sees_what_goes_on_and_ends_a_session(
    desk: Desk, chromium: Chromium, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, bob = traffic(desk, "alice", "bob")
    with forwarded(desk.proxies[0].admin_socket) as port, chromium.tab() as tab:
        tab.go(f"http://localhost:{port}{link(desk, capsys)}")
        assert "2 of 2 workers" in tab.text
        logins = "document.querySelector('#logins')"
        assert "app.example.com" in tab.run(f"{logins}.innerText")
        refused = "[...document.querySelectorAll('#decisions a')].length"
        assert tab.run(refused) >= 3
        tab.wait("document.querySelector('#traffic .bar.refused')")  # by itself
        assert tab.run("Boolean(document.querySelector('#latency .line.p99'))")
        keep(tab, "light")
        rows = f"[...{logins}.querySelectorAll('tr')]"
        row = f"{rows}.find(r => /alice/.test(r.innerText))"
        tab.run(f"{row}.querySelector('button.end').click()")
        tab.wait("/The session of alice/.test(document.body.innerText)")
        keep(tab, "question")
        assert statuses(desk, alice) == [200]
        tab.follow("Yes, revoke")
        tab.wait("/The session of alice.*: revoked/.test(document.body.innerText)")
        tab.wait(f"!{row}")
        assert "bob" in tab.text
        assert statuses(desk, alice, bob) == [401, 200]
        assert tab.problems() == []


def test_a_refusal_leads_to_its_trace(
    desk: Desk, chromium: Chromium, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(desk)
    with forwarded(desk.proxies[0].admin_socket) as port, chromium.tab() as tab:
        tab.go(f"http://localhost:{port}{link(desk, capsys)}")
        tab.run("document.querySelector('#decisions a').click()")
        tab.wait("/^Answered 401/m.test(document.body.innerText)")
        tab.follow("Back to the status")
        tab.wait("document.querySelector('#traffic')")


def test_the_page_is_used_without_a_mouse(
    desk: Desk, chromium: Chromium, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(desk, "carol")
    with (
        forwarded(desk.proxies[0].admin_socket) as port,
        chromium.tab(dark=True) as tab,
    ):
        tab.go(f"http://localhost:{port}{link(desk, capsys)}")
        keep(tab, "dark")
        reached = []
        for _ in range(MOST):
            tab.press("Tab")
            reached.append(tab.run("document.activeElement.innerText.trim()"))
            if reached[-1] == "Revoke":
                break
        assert reached[0] == "Skip to the content"
        assert {"Pause", "Leave", "Filter", "User", "Revoke"} <= set(reached)
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert tab.run(outline) == "solid"
        whose = "document.activeElement.getAttribute('aria-label')"
        assert tab.run(whose).startswith("Revoke the session of ")
        tab.press("Enter")
        tab.wait("document.activeElement.innerText === 'Keep'")
        tab.press("Tab")
        assert tab.run("document.activeElement.innerText") == "Yes, revoke"
        tab.press("Enter")
        tab.wait("/: revoked/.test(document.activeElement.innerText)")


def test_a_phone_shows_all_of_a_session_and_its_button(
    desk: Desk, chromium: Chromium, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "nobody-has-a-longer-name-" * 8 + "than-dave"
    traffic(desk, long, "<b>erin</b>")
    with (
        forwarded(desk.proxies[0].admin_socket) as port,
        chromium.tab(width=320, height=640, script=False) as tab,
    ):
        tab.go(f"http://localhost:{port}{link(desk, capsys)}")
        tab.go(tab.url + "?find=dave&by=user")
        keep(tab, "phone")
        assert tab.run("document.documentElement.scrollWidth") <= 320
        rows = "[...document.querySelectorAll('#logins tbody tr')]"
        assert tab.run(f"{rows}.map(row => row.querySelector('th').innerText)") == [
            long
        ]
        box = f"{rows}[0].querySelector('button.end').getBoundingClientRect()"
        assert 0 < tab.run(f"{box}.right") <= 320
        tab.go(tab.url.replace("dave", "%3Cb%3E"))
        assert tab.run(f"{rows}[0].querySelector('th').innerText") == "<b>erin</b>"


def test_who_has_left_sees_nothing_any_more(
    desk: Desk, chromium: Chromium, capsys: pytest.CaptureFixture[str]
) -> None:
    with forwarded(desk.proxies[0].admin_socket) as port, chromium.tab() as tab:
        tab.go(f"http://localhost:{port}{link(desk, capsys)}")
        place = tab.url
        other = tab.sibling()
        other.go(place)
        assert "2 of 2 workers" in other.text
        tab.follow("Leave")
        tab.wait("/may not look any more/.test(document.body.innerText)")
        other.wait("/get a new link/.test(document.querySelector('#state').innerText)")
        tab.go(place)
        assert "get a link by" in tab.text


def test_another_server_of_this_machine_is_not_sent_the_cookie(
    desk: Desk, chromium: Chromium, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cookies do not heed ports: the place that nobody knows keeps it away."""
    with (
        forwarded(desk.proxies[0].admin_socket) as port,
        forwarded(desk.proxies[0].admin_socket) as other,
        chromium.tab() as tab,
    ):
        tab.go(f"http://localhost:{port}{link(desk, capsys)}")
        cookies = tab.call(
            "Network.getCookies", urls=[f"http://localhost:{other}/status/"]
        )
        assert cookies["cookies"] == []
        assert tab.run("document.cookie") == ""
