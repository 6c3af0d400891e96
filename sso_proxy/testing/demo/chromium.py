"""Chromium without a screen, driven through its DevTools protocol over pipes."""

import base64
import contextlib
import hashlib
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred, TimeoutError  # noqa: A004
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.pki import Issued

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
PATIENCE: Final = 20.0
"""Seconds that anything in a browser may take."""

_FEATURES: Final = (
    "DeviceBoundSessions:RefreshQuota/false",
    # A key for shows only: it is in a file.  A browser in use has a TPM.
    "EnableBoundSessionCredentialsSoftwareKeysForManualTesting",
)
_ARGUMENTS: Final = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--no-proxy-server",
    "--password-store=basic",
    "--use-mock-keychain",
    f"--enable-features={','.join(_FEATURES)}",
)


class BrowserError(SsoProxyError):
    """The browser did not do what it was asked for."""


def find_chromium() -> str:
    """Give the path of a browser that has device-bound sessions, or nothing."""
    return next(filter(None, map(shutil.which, PROGRAMS)), "")


class Chromium(ProcessProtocol):
    """
    One browser with one tab, and a profile that ends with it.

    Args:
        reactor: Runs processes and measures time.
        program: Its path.
        trusted: Whose keys it takes, whoever made their certificates.
        patience: Seconds that anything may take.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        program: str,
        trusted: Sequence[Issued],
        patience: float = PATIENCE,
    ) -> None:
        self._reactor = reactor
        self._program = program
        self._trusted = trusted
        self._patience = patience
        self._profile = ""
        self._transport: Any = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, Deferred[dict[str, Any]]] = {}
        self._buffer = b""
        self._tab = ""
        self._ended: Deferred[None] | None = None

    async def start(self) -> None:
        """Start it, and open its tab."""
        self._profile = tempfile.mkdtemp(prefix="sso-proxy-demo-")
        self._ended = Deferred()
        self._spawn()
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        self._tab = attached["sessionId"]

    def _spawn(self) -> None:
        keys = ",".join(map(_key_hash, self._trusted))
        arguments = [self._program, *_ARGUMENTS, f"--user-data-dir={self._profile}"]
        arguments.append(f"--ignore-certificate-errors-spki-list={keys}")
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # it refuses to have one as root
        with Path(os.devnull).open("r+b") as nothing:
            fd = nothing.fileno()
            self._transport = self._reactor.spawnProcess(
                self,
                self._program,
                arguments,
                env={**os.environ, "HOME": self._profile},
                childFDs={0: fd, 1: fd, 2: fd, 3: "w", 4: "r"},
            )

    def childDataReceived(self, fd: int, data: bytes) -> None:  # noqa: N802, ARG002
        """Read messages; only answers count."""
        *messages, self._buffer = (self._buffer + data).split(b"\0")
        for message in map(json.loads, messages):
            waiting = self._asked.pop(message.get("id", 0), None)
            if waiting is None:
                continue
            if "error" in message:
                waiting.errback(BrowserError(str(message["error"])))
            else:
                waiting.callback(message["result"])

    def processEnded(self, reason: Failure) -> None:  # noqa: N802, ARG002
        """Tell who waits."""
        asked, self._asked = self._asked, {}
        for waiting in asked.values():
            waiting.errback(BrowserError("the browser has ended"))
        if self._ended is not None:
            ended, self._ended = self._ended, None
            ended.callback(None)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """
        Have *method* done, and give its result.

        Raises:
            BrowserError: It cannot, takes too long, or the browser has ended.
        """
        if self._ended is None:
            raise BrowserError("the browser has ended")
        number = next(self._numbers)
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if self._tab and not method.startswith(("Target.", "Browser.", "Storage.")):
            message["sessionId"] = self._tab
        waiting: Deferred[dict[str, Any]] = Deferred()
        self._asked[number] = waiting
        self._transport.writeToChild(3, json.dumps(message).encode() + b"\0")
        try:
            return await waiting.addTimeout(self._patience, self._reactor)
        except TimeoutError:
            raise BrowserError(f"{method} is not done") from None

    async def go(self, url: str) -> None:
        """Begin to load *url*, as if somebody had typed it."""
        await self.call("Page.navigate", url=url)

    async def run(self, source: str) -> Any:  # noqa: ANN401 - JSON
        """Give the value of a JavaScript expression in the page, or of its promise."""
        result = await self.call(
            "Runtime.evaluate", expression=source, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise BrowserError(f"{source}: {result['exceptionDetails'].get('text')}")
        return result["result"].get("value")

    async def wait(self, source: str) -> None:
        """
        Wait until an expression is true, over pages that come and go.

        Raises:
            BrowserError: It never is.
        """
        deadline = self._reactor.seconds() + self._patience
        while self._reactor.seconds() < deadline:
            with contextlib.suppress(BrowserError):  # between two pages there is none
                if await self.run(f"Boolean({source})"):
                    return
            await deferLater(self._reactor, 0.05)
        raise BrowserError(f"never came true: {source}")

    async def follow(self, text: str) -> None:
        """Press the button that says *text*."""
        found = json.dumps(text)
        await self.wait(
            f"""document.readyState === 'complete' && (() => {{
              const all = [...document.querySelectorAll('a[href], button')];
              const one = all.find(each => each.innerText.includes({found}));
              if (one) setTimeout(() => one.click());
              return Boolean(one); }})()"""
        )

    async def cookies(self) -> dict[str, str]:
        """Give all cookies that it keeps."""
        found = await self.call("Storage.getCookies")
        return {cookie["name"]: cookie["value"] for cookie in found["cookies"]}

    async def stop(self) -> None:
        """End it, and remove what it kept."""
        if self._ended is not None:
            ended = self._ended
            with contextlib.suppress(ProcessExitedAlready):
                self._transport.signalProcess("KILL")
            await ended
        shutil.rmtree(self._profile, ignore_errors=True)


def _key_hash(issued: Issued) -> str:
    """Name a certificate's key as `Chromium` wants it."""
    key = x509.load_pem_x509_certificate(issued.cert_pem).public_key()
    octets = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(octets).digest()).decode("ascii")
