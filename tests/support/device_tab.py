"""Device-bound sessions of the real Chromium, with keys made in software."""

import time
from typing import Any, Final, Literal

import attrs

from tests.support.chromium import PATIENCE, Tab

KEYS_IN_SOFTWARE: Final = "EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
"""Machines of tests have no TPM."""
WITH_QUOTA: Final = ("DeviceBoundSessions", KEYS_IN_SOFTWARE)
"""As people have it: a site gets six proofs in nine minutes."""
WITHOUT_QUOTA: Final = ("DeviceBoundSessions:RefreshQuota/false", KEYS_IN_SOFTWARE)

Kind = Literal["creation", "refresh", "challenge", "termination"]
"""What happens to a device-bound session, by the name of its details."""
_EVENT: Final = "Network.deviceBoundSessionEventOccurred"
_RESULTS: Final = ("deletionReason", "refreshResult", "challengeResult", "fetchResult")


@attrs.define
class DeviceTab:
    """
    A tab that tells what happens to the device-bound sessions of its site.

    Attributes:
        tab: The tab.
        story: What happened so far: a kind, and the browser's word for what came of it.
    """

    tab: Tab
    story: list[tuple[str, str]] = attrs.field(factory=list)
    _next: int = 0

    @classmethod
    def watch(cls, tab: Tab) -> "DeviceTab":
        """Have the browser tell it."""
        tab.call("Network.enableDeviceBoundSessions", enable=True)
        return cls(tab)

    def wait_for(self, kind: Kind, result: str) -> None:
        """Wait until something has happened that was not waited for before."""
        deadline = time.monotonic() + PATIENCE
        while True:
            while self._next == len(self.story):
                self._read(deadline)
            found, self._next = self.story[self._next], self._next + 1
            if found == (kind, result):
                return
            assert found[0] != "termination", self.story

    def _read(self, deadline: float) -> None:
        """Take what has been told from the browser's events, or wait for it."""
        events = self.tab.browser.events
        mine = [e for e in events if self._is_mine(e)]
        if not mine:
            events.append(self.tab.browser.next_message(deadline))
            return
        for event in mine:
            events.remove(event)
            self.story.append(_told(event["params"]))

    def _is_mine(self, event: dict[str, Any]) -> bool:
        here = event.get("sessionId") == self.tab.session
        return here and event.get("method") == _EVENT

    def expire(self, url: str, name: str) -> None:
        """Take a cookie away, as the browser does when its time is over."""
        self.tab.call("Network.deleteCookies", name=name, url=url)

    def cookies(self, url: str) -> dict[str, str]:
        """Give what would be sent to *url*."""
        found = self.tab.call("Network.getCookies", urls=[url])["cookies"]
        return {cookie["name"]: cookie["value"] for cookie in found}

    def copy_cookies(self, thief: Tab) -> None:
        """Give another profile all cookies of this one, with all that they say."""
        browser = self.tab.browser
        mine = {"browserContextId": self.tab.context} if self.tab.context else {}
        theirs = {"browserContextId": thief.context} if thief.context else {}
        cookies = browser.call("Storage.getCookies", **mine)["cookies"]
        copied = [{k: v for k, v in c.items() if k in _COPIED} for c in cookies]
        thief.browser.call("Storage.setCookies", cookies=copied, **theirs)


_COPIED: Final = (
    *("name", "value", "domain", "path", "secure", "httpOnly", "sameSite", "expires"),
)


def _told(params: dict[str, Any]) -> tuple[str, str]:
    """Say what happened, and what came of it."""
    ((name, details),) = (
        (name.removesuffix("EventDetails"), value)
        for name, value in params.items()
        if name.endswith("EventDetails")
    )
    return name, next(str(details[key]) for key in _RESULTS if key in details)
