"""What somebody gains who has copied all cookies of a session bound to a device."""

from typing import Any, Final

import attrs
from twisted.internet.task import deferLater

from sso_proxy.testing.demo.call import Answer, ClientTls
from sso_proxy.testing.demo.checks import Check, Result
from sso_proxy.testing.demo.chromium import PATIENCE, BrowserError, Chromium
from sso_proxy.testing.demo.login_checks import see_greeting
from sso_proxy.testing.demo.scene import DEVICE_LIFETIME, Scene
from sso_proxy.testing.demo.thief import see_no_session, see_the_thief_greeted
from sso_proxy.testing.demo.visitor import PAGE, Visitor

BOUND: Final = "__Host-sso-bound-browser"
"""The cookie that Alice's browser gets for proving its key."""

_ALICE: Final = see_greeting("alice")
_LOADED: Final = """document.readyState === 'complete' && (
  location.search === '?look={look}' || document.title === 'Who are you?')"""
_PAGE: Final = """[performance.getEntriesByType('navigation')[0].responseStatus,
  document.documentElement.outerHTML]"""


@attrs.frozen(kw_only=True)
class DeviceTheft:
    """
    Somebody looks at a page with what Alice's browser has.

    Attributes:
        check: Who, and what has to come of it.
        stolen: Whether it is a copy of her cookies, on another machine.
        later: Whether her latest proof is no longer good.
    """

    check: Check
    stolen: bool = False
    later: bool = False


DEVICE_THEFTS: Final = (
    DeviceTheft(
        check=Check(
            title="Alice's browser, which has made a key",
            status=200,
            expected="a greeting",
            see=_ALICE,
        ),
    ),
    DeviceTheft(
        check=Check(
            title="All her cookies, copied, at once",
            status=200,
            expected="a greeting: the proof is still good",
            see=see_the_thief_greeted,
        ),
        stolen=True,
    ),
    DeviceTheft(
        check=Check(
            title=f"The same copy, {DEVICE_LIFETIME} seconds later",
            status=303,
            expected="a login: no session",
            see=see_no_session,
        ),
        stolen=True,
        later=True,
    ),
    DeviceTheft(
        check=Check(
            title="Alice goes on: her browser has proved its key again",
            status=200,
            expected="a greeting",
            see=_ALICE,
        ),
        later=True,
    ),
)


class DeviceThefts:
    """
    Alice's browser, and who has copied its cookies.

    Args:
        reactor: Connects and measures time.
        scene: The demo.
        browser: Her browser, which runs.
    """

    def __init__(self, reactor: Any, scene: Scene, browser: Chromium) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._scene = scene
        self._browser = browser
        self._copy: dict[str, str] = {}
        self._proved = 0.0
        self._looks = 0

    async def log_in(self) -> None:
        """
        Have Alice log in, wait until her browser has a key, and copy its cookies.

        Raises:
            BrowserError: It makes none.
        """
        await self._browser.go(self._scene.device_url)
        await self._browser.wait("document.title === 'Who are you?'")
        await self._browser.follow("Alice")
        await self._browser.wait("document.title === 'Hello, Alice Archer'")
        deadline = self._reactor.seconds() + PATIENCE
        while BOUND not in await self._browser.cookies():
            if self._reactor.seconds() > deadline:
                raise BrowserError("the browser has registered no key")
            await deferLater(self._reactor, 0.05)

    async def run(self, theft: DeviceTheft) -> Result:
        """Look at the page, and at what comes of it."""
        if theft.later:
            await self._wait_until_over()
        answer = await (self._steal() if theft.stolen else self._look())
        return Result(check=theft.check, answer=answer, seen=theft.check.see(answer))

    async def _look(self) -> Answer:
        """Have Alice's browser look at the page, which proves its key if it has to."""
        self._looks += 1
        await self._browser.go(f"{self._scene.device_url}?look={self._looks}")
        await self._browser.wait(_LOADED.format(look=self._looks))
        status, page = await self._browser.run(_PAGE)
        if not self._copy:
            self._copy = await self._browser.cookies()
            self._proved = self._reactor.seconds()
        return Answer(status=status, headers={}, body=page.encode())

    async def _steal(self) -> Answer:
        """Look at the page from another machine, with the copy of her cookies."""
        thief = Visitor(
            reactor=self._reactor, tls=ClientTls(trust=self._scene.authority)
        )
        thief.cookies.update(self._copy)
        return await thief.ask(self._scene.device_url, PAGE)

    async def _wait_until_over(self) -> None:
        """Wait until what was proved when the cookies were copied is good no more."""
        left = self._proved + DEVICE_LIFETIME + 1.5 - self._reactor.seconds()
        if left > 0:
            await deferLater(self._reactor, left)
