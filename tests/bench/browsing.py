"""Browsers that log in, for loads of requests that have a session."""

import http.client
import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs

from tests.bench import believing, provider
from tests.bench.client import TIMEOUT, context_for
from tests.bench.material import BROWSER_HEADERS, Material
from tests.bench.peers import OURS, OURS_2, SESSIONS, Target
from tests.bench.procs import BenchError
from tests.support.device_browser import make_key, sign

_NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
_ENDS = re.compile(r" *(max-age=0|expires=.*\b1970\b.*)", re.IGNORECASE)
"""An attribute that takes a cookie away."""


@attrs.frozen
class Answer:
    """
    What a browser was answered.

    Attributes:
        status: Of the answer.
        location: Where it leads to, or nothing.
        content: What it says.
    """

    status: int
    location: str
    content: bytes = attrs.field(repr=False)

    def __str__(self) -> str:
        """Tell it as an engineer wants to read it in a failure."""
        told = self.content[:300].decode("utf-8", "replace")
        return f"{self.status} {self.location} {told}"


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

    def get(self, path: str, more: Mapping[str, str] = _NAVIGATION) -> Answer:
        """Ask for *path* over a new connection."""
        return self._ask("GET", path, more)

    def bind(self) -> Answer:
        """Register a key, as was offered."""
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
        return self._ask("POST", told["path"], fields)

    def _ask(self, method: str, path: str, more: Mapping[str, str]) -> Answer:
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
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        for line in response.msg.get_all("Set-Cookie") or ():
            self.keep(line)
        self.offer = response.headers["Secure-Session-Registration"] or ""
        return Answer(response.status, response.headers["Location"] or "", content)

    def keep(self, line: str) -> None:
        """Do what ``Set-Cookie`` says."""
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        if value and not any(map(_ENDS.fullmatch, attributes)):
            self.cookies[name] = value
        else:
            self.cookies.pop(name, None)


def log_in(target: Target, things: Material, path: str, number: int = 0) -> str:
    """
    Log user *number* in at *target*, and give the ``Cookie`` of the session.

    Raises:
        BenchError: There is no session in the end; says what was answered instead.
    """
    browser = Browser(target, things)
    way = _show_tokens if target.name in {OURS, OURS_2} else _by_code
    answer = way(browser, path, number)
    if answer.status >= 400 or not browser.cookies:
        raise BenchError(f"{target.name}: {path}: no login: {answer}")
    if browser.offer:
        answer = browser.bind()
        if answer.status != 200:
            raise BenchError(f"{target.name}: {path}: no key: {answer}")
    answer = browser.get(path, {})
    if answer.status != 200:
        raise BenchError(f"{target.name}: {path}: with a session: {answer}")
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
            answer = Browser(target, things).get(path, more)
            if answer.status not in {302, 401}:
                raise BenchError(f"{target.name}: {path}: no session: {answer}")


def _show_tokens(browser: Browser, path: str, number: int) -> Answer:
    shown = json.dumps(provider.tokens(number))
    return browser.get(path, {believing.FIELD: shown})


def _by_code(browser: Browser, path: str, number: int) -> Answer:
    """Be sent to the provider, and come back with a code."""
    answer = browser.get(path)
    asked = parse_qs(urlsplit(answer.location).query)
    if answer.status != 302 or "state" not in asked:
        raise BenchError(f"{path}: no provider is named: {answer}")
    code = f"{number}.{asked['nonce'][0]}"
    back = urlencode({"code": code, "state": asked["state"][0]})
    return browser.get(f"{urlsplit(asked['redirect_uri'][0]).path}?{back}")
