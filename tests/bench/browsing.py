"""Browsers that log in, for loads of requests that have a session."""

import http.client
import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.bench import believing, provider
from tests.bench.client import TIMEOUT, context_for
from tests.bench.material import BROWSER_HEADERS, Material
from tests.bench.peers import OURS, OURS_2, SESSIONS, Target
from tests.bench.procs import BenchError
from tests.support.device_browser import make_key, sign

_NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


class Browser:
    """
    Keeps the cookies of one proxy.

    Attributes:
        cookies: Values by name.
        offer: What the last answer has offered to bind a session with.
    """

    def __init__(self, target: Target, things: Material) -> None:
        self._target = target
        self._things = things
        self.cookies: dict[str, str] = {}
        self.offer = ""

    @property
    def field(self) -> str:
        """Give what it says in ``Cookie``."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def get(self, path: str, more: Mapping[str, str] = _NAVIGATION) -> tuple[int, str]:
        """Ask for *path* over a new connection; gives status and ``Location``."""
        answer = self._ask("GET", path, more)
        return answer.status, answer.headers["Location"] or ""

    def bind(self) -> int:
        """Register a key, as was offered; gives the status."""
        told = dict(re.findall(r';([a-z]+)="([^"]*)"', self.offer))
        key, jwk = make_key("ES256")
        proof = sign(
            key,
            "ES256",
            {"alg": "ES256", "jwk": jwk, "typ": "dbsc+jwt"},
            {"jti": told["challenge"], "authorization": told["authorization"]},
        )
        fields = {
            "Origin": f"https://localhost:{self._target.port}",
            "Sec-Fetch-Mode": "no-cors",
            "Secure-Session-Response": proof,
        }
        return self._ask("POST", told["path"], fields).status

    def _ask(
        self, method: str, path: str, more: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(
            "localhost",
            self._target.port,
            timeout=TIMEOUT,
            context=context_for(self._things),
        )
        headers = {**dict(BROWSER_HEADERS), **more}
        if self.cookies:
            headers["Cookie"] = self.field
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        for line in answer.msg.get_all("Set-Cookie") or ():
            self._set(line)
        self.offer = answer.headers["Secure-Session-Registration"] or ""
        return answer

    def _set(self, line: str) -> None:
        name, _, value = line.partition(";")[0].partition("=")
        if value and "max-age=0" not in line.lower() and "1970" not in line:
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)


def log_in(target: Target, things: Material, path: str, number: int = 0) -> str:
    """
    Log user *number* in at *target*, and give the ``Cookie`` of the session.

    Raises:
        BenchError: There is no session in the end, or there is one without it.
    """
    browser = Browser(target, things)
    way = _show_tokens if target.name in {OURS, OURS_2} else _by_code
    if way(browser, path, number) >= 400 or not browser.cookies:
        raise BenchError(f"{target.name}: {path}: nobody can log in")
    if browser.offer and browser.bind() != 200:
        raise BenchError(f"{target.name}: {path}: no key can be registered")
    status, _ = browser.get(path, {})
    if status != 200:
        raise BenchError(f"{target.name}: {path}: {status} with a session")
    return browser.field


def check_sessions(target: Target, things: Material) -> None:
    """
    See that each kind of session opens its own path, and nothing else does.

    Raises:
        BenchError: Somebody else gets in.
    """
    paths = SESSIONS.get(target.name, ())
    cookies = {path: log_in(target, things, path) for path in paths}
    for path in paths:
        others = [cookie for other, cookie in cookies.items() if other != path]
        pairs = cookies[path].split("; ")
        broken = "; ".join(f"{pair[:-5]}AAAA{pair[-1]}" for pair in pairs)
        for cookie in ("", broken, *others):
            more = {"Cookie": cookie} if cookie else {}
            status, _ = Browser(target, things).get(path, more)
            if status not in {302, 401}:
                raise BenchError(f"{target.name}: {path}: {status} without a session")


def _show_tokens(browser: Browser, path: str, number: int) -> int:
    shown = json.dumps(provider.tokens(number))
    return browser.get(path, {believing.FIELD: shown})[0]


def _by_code(browser: Browser, path: str, number: int) -> int:
    """Be sent to the provider, and come back with a code."""
    status, location = browser.get(path)
    asked = parse_qs(urlsplit(location).query)
    if status != 302 or "state" not in asked:
        raise BenchError(f"{path}: {status} {location!r} instead of a login")
    code = f"{number}.{asked['nonce'][0]}"
    back = urlencode({"code": code, "state": asked["state"][0]})
    return browser.get(f"{urlsplit(asked['redirect_uri'][0]).path}?{back}")[0]
