"""Chromium without a screen, driven through its DevTools protocol over pipes."""

import base64
import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.programs import program

PATIENCE: Final = 20.0
"""Seconds that anything in a browser may take."""

NAMES: Final = (
    "MAP *.example.com 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
)
"""Where names lead: to this machine, or nowhere."""

ARGUMENTS: Final = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--no-proxy-server",
    f"--host-resolver-rules={NAMES}",
    "--password-store=basic",
    "--use-mock-keychain",
]
_KEYS: Final[dict[str, dict[str, object]]] = {
    "Tab": {"windowsVirtualKeyCode": 9},
    "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"},
}
_LOADED: Final = "document.readyState === 'complete'"


class BrowserError(Exception):
    """The browser did not do what it was asked for."""


def key_hash(certificate: bytes) -> str:
    """Name the key of a certificate (PEM) as `Chromium` wants it."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(octets).digest()).decode()


class Chromium:
    """
    One browser; tests make contexts in it, which share nothing.

    Args:
        trusted: Hashes of public keys whose certificates are taken, whoever made them
            (base64 of SHA-256 over the SubjectPublicKeyInfo); empty: none.
        third_party: Whether frames of other sites may have cookies; by itself, it does
            not let them.
        ports: Where hosts listen here that are to be at the port of https.
        features: What is switched on that is not by itself.
        profile: Where it keeps what outlives it; unset, nothing does.
    """

    def __init__(
        self,
        *trusted: str,
        third_party: bool = False,
        ports: Mapping[str, int] | None = None,
        features: Sequence[str] = (),
        profile: Path | None = None,
    ) -> None:
        self._directory = tempfile.mkdtemp(prefix="chromium-")
        profile = profile or Path(self._directory, "profile")
        if third_party:
            wanted = {"block_third_party_cookies": False, "cookie_controls_mode": 0}
            preferences = Path(profile, "Default", "Preferences")
            preferences.parent.mkdir(parents=True)
            preferences.write_text(json.dumps({"profile": wanted}))
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []
        arguments = [program("chromium"), *ARGUMENTS]
        arguments.append(f"--user-data-dir={profile}")
        if features:
            arguments.append(f"--enable-features={','.join(features)}")
        if ports:
            rules = [f"MAP {h}:443 127.0.0.1:{port}" for h, port in ports.items()]
            arguments.append(f"--host-resolver-rules={', '.join([*rules, NAMES])}")
        if trusted:
            arguments.append(
                f"--ignore-certificate-errors-spki-list={','.join(trusted)}"
            )
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # it refuses to have one as root
        self._start(arguments)

    def _start(self, arguments: list[str]) -> None:
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # Away from 3 and 4, where the browser wants to find them.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]
        log = os.open(
            f"{self._directory}/log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600
        )
        self._pid = os.posix_spawn(
            arguments[0],
            arguments,
            {**os.environ, "HOME": self._directory},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
                (os.POSIX_SPAWN_DUP2, ends[0], 3),
                (os.POSIX_SPAWN_DUP2, ends[1], 4),
            ],
            setsid=True,
        )
        for fd in (theirs_in, theirs_out, *ends, log):
            os.close(fd)

    def call(self, method: str, session: str = "", **params: object) -> dict[str, Any]:
        """Have *method* done, and give its result."""
        number = next(self._numbers)
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.next_message(deadline)
            if answer.get("id") == number:
                break
            self.events.append(answer)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def next_message(self, deadline: float) -> dict[str, Any]:
        """Read one message."""
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise BrowserError(f"nothing came: {self.log()}")
            data = os.read(self._from, 1 << 20)
            if not data:
                raise BrowserError(f"the browser is gone: {self.log()}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def log(self) -> str:
        """Give the end of what it says about itself."""
        return Path(self._directory, "log").read_text(errors="replace")[-2000:]

    @contextlib.contextmanager
    def tab(self, **look: Any) -> Iterator["Tab"]:  # noqa: ANN401
        """Open a tab with cookies of its own; *look* is that of `Tab.look`."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        try:
            yield self.open_tab(context, **look)
        finally:
            self.call("Target.disposeBrowserContext", browserContextId=context)
            self.events.clear()

    def open_tab(self, context: str = "", **look: Any) -> "Tab":  # noqa: ANN401
        """Open a tab in *context*, whose tabs share cookies, or in the profile."""
        where = {"browserContextId": context} if context else {}
        target = self.call("Target.createTarget", url="about:blank", **where)[
            "targetId"
        ]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = Tab(browser=self, session=session["sessionId"], context=context)
        for domain in ("Page", "Network", "Log"):
            tab.call(f"{domain}.enable")
        tab.call("Page.setLifecycleEventsEnabled", enabled=True)
        tab.look(**look)
        return tab

    def leave(self) -> None:
        """Have it end as when a person closes it: its profile is written out."""
        with contextlib.suppress(BrowserError):  # it may be gone before it answers
            self.call("Browser.close")
            while True:
                self.next_message(time.monotonic() + PATIENCE)

    def close(self) -> None:
        """End it and all its processes, and remove what it kept."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            # Its other processes die a moment later, and still write.
            shutil.rmtree(self._directory, ignore_errors=True)
            if not Path(self._directory).exists():
                return
            time.sleep(0.05)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@attrs.frozen(kw_only=True)
class Tab:
    """
    One tab.

    Attributes:
        browser: The browser.
        session: Its name there.
        context: Those with whom it shares cookies.
    """

    browser: Chromium
    session: str
    context: str

    def sibling(self) -> "Tab":
        """Open another tab that shares this one's cookies."""
        return self.browser.open_tab(self.context)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Have *method* done in this tab."""
        return self.browser.call(method, self.session, **params)

    def look(
        self,
        *,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        script: bool = True,
        language: str = "en",
    ) -> None:
        """Set the size of the screen, the colours, and whether scripts run."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Network.setExtraHTTPHeaders", headers={"Accept-Language": language})

    def go(self, url: str) -> None:
        """Load *url* and wait until it is there, or where it leads at once."""
        self.browser.events.clear()
        result = self.call("Page.navigate", url=url)
        if "errorText" in result:
            raise BrowserError(f"{url}: {result['errorText']}")
        if "loaderId" in result:  # else it is on the same page
            frame, loader = result["frameId"], result["loaderId"]
            begun = self._wait_for(frame, "init", loader)
            self._wait_for(frame, "load", after=begun)

    def _wait_for(
        self, frame: str, stage: str, loader: str = "", after: int = 0
    ) -> int:
        """Wait for a stage of loading; gives the place after it among the events."""
        deadline = time.monotonic() + PATIENCE
        events, place = self.browser.events, after
        while True:
            while place == len(events):
                events.append(self.browser.next_message(deadline))
            event, place = events[place], place + 1
            told = event.get("params", {})
            if (
                event.get("method") == "Page.lifecycleEvent"
                and event.get("sessionId") == self.session
                and (told["frameId"], told["name"]) == (frame, stage)
                and loader in ("", told["loaderId"])
            ):
                return place

    def run(self, source: str) -> Any:  # noqa: ANN401 - JSON
        """Give the value of a JavaScript expression in the page."""
        return self._evaluate(source, returnByValue=True)

    def value(self, source: str) -> Any:  # noqa: ANN401 - JSON
        """Give the value of a promise in the page, when it has one."""
        return self._evaluate(source, returnByValue=True, awaitPromise=True)

    def _evaluate(self, source: str, **how: bool) -> Any:  # noqa: ANN401 - JSON
        result = self.call("Runtime.evaluate", expression=source, **how)
        if "exceptionDetails" in result:
            raise BrowserError(f"{source[:200]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait(self, source: str) -> None:
        """Wait until an expression is true, over pages that come and go."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(BrowserError):
                if self.run(f"Boolean({source})"):
                    return
            time.sleep(0.05)
        raise BrowserError(f"never came true: {source}; the page says: {self.text}")

    @property
    def url(self) -> str:
        """Where it is."""
        return str(self.run("location.href"))

    @property
    def text(self) -> str:
        """What a person reads when the page has been loaded."""
        self.wait(_LOADED)
        return str(self.run("document.body.innerText"))

    def press(self, key: str) -> None:
        """Press a key."""
        common: dict[str, object] = {"key": key, "code": key, **_KEYS[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def follow(self, text: str) -> None:
        """Click the link or button that says *text*, once it can be clicked."""
        found = json.dumps(text)
        self.wait(
            f"""{_LOADED} && (() => {{
              const all = [...document.querySelectorAll('a[href], button:enabled')];
              const one = all.find(
                e => e.checkVisibility() && e.innerText.includes({found}));
              if (one) setTimeout(() => one.click());
              return Boolean(one); }})()"""
        )

    def problems(self) -> list[str]:
        """Give what the browser complained about, such as a policy's refusals."""
        entries = (
            event["params"]["entry"]
            for event in self.browser.events
            if event.get("method") == "Log.entryAdded"
        )
        return [
            entry["text"]
            for entry in entries
            # It complains of each answer that is an error, too.
            if entry["level"] == "error" and entry["source"] != "network"
        ]

    def screenshot(self, path: Path) -> None:
        """Write what is seen as PNG."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))
