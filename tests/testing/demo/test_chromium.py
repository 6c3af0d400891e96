"""The demo's browser: the real one, and none."""

from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.testing.demo import chromium
from sso_proxy.testing.demo.chromium import BrowserError, Chromium, find_chromium
from sso_proxy.testing.pki import Pki

PAGE = "data:text/html,<button onclick='document.title=42'>Press me</button>"


def test_browser_is_found_where_programs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Path(find_chromium()).name in chromium.PROGRAMS
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_chromium() == ""


class ChromiumTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor

    def make(self, program: str, patience: float = 20.0) -> Chromium:
        own = Pki.create().issue("proxy", ips=["127.0.0.1"], server=True)
        browser = Chromium(self.reactor, program, [own], patience)
        self.addCleanup(browser.stop)
        return browser

    async def test_it_goes_to_pages_and_presses_buttons(self) -> None:
        browser = self.make(find_chromium())
        await browser.start()
        await browser.go(PAGE)
        await browser.follow("Press me")
        await browser.wait("document.title === '42'")
        assert await browser.run("Promise.resolve([1, 'x'])") == [1, "x"]
        assert await browser.cookies() == {}
        with pytest.raises(BrowserError, match="nothing_is_called_so"):
            await browser.run("nothing_is_called_so")
        with pytest.raises(BrowserError):
            await browser.call("Page.doesNotExist")
        await browser.stop()
        with pytest.raises(BrowserError, match="ended"):
            await browser.go(PAGE)

    async def test_browser_that_ends_at_once_is_no_browser(self) -> None:
        with pytest.raises(BrowserError, match="ended"):
            await self.make("/bin/false").start()

    async def test_browser_that_says_nothing_is_given_up(self) -> None:
        silent = self.make(write_silent(self.mktemp()), patience=0.1)
        with pytest.raises(BrowserError, match="not done"):
            await silent.start()


def write_silent(path: str) -> str:
    """Write a program that says nothing."""
    program = Path(path).absolute()
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    return str(program)
