"""A site with the page about one's own sessions, and browsers of several people."""

import html
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sso_proxy.endpoints.accounts import Accounts
from sso_proxy.endpoints.desks import Desk
from sso_proxy.model import Identity, Request, Response
from sso_proxy.pages import default_pages
from sso_proxy.session import Session
from tests.support.caching import now
from tests.support.login_scene import OWN_PAGE, LoginScene, Seen
from tests.support.sessions import Browser

FORM = b"Content-Type: application/x-www-form-urlencoded"
ROOT = "/.sso/"
SAME = b"Sec-Fetch-Site: same-origin"
CROSS = b"Sec-Fetch-Site: cross-site"


class AccountScene(LoginScene):
    """
    A site with the page, and browsers of several people.

    Attributes:
        names: What applications call people.
        document: What answers programs.
        desks: The ways to log in.
    """

    names: tuple[str, ...] | None = ("Alice B.",)
    document: Any = None

    def make_parts(self, desks: Mapping[str, Desk]) -> tuple[Any, ...]:
        self.desks: Any = desks

        async def names(host: str, endpoints: str, known: Identity) -> Any:  # noqa: ANN401
            assert (host, endpoints) == ("app.example.com", ROOT)
            assert known.subject in {"alice", "mallory"}
            return self.names

        def again(request: Request) -> Response | None:
            if request.head.values("sec-fetch-site") != ["cross-site"]:
                return None
            return Response(status=403, reason="device-again")

        accounts = Accounts(
            ROOT,
            desks,
            pages=default_pages(),
            clock=self.tools.clock,
            logins=self.begins,
            logouts=self.ends,
            names=names,
            stores=self.stores,
            ask_again=again,
            document=self.document,
        )
        return (accounts,)

    def another(self, user: str = "alice") -> Browser:
        """Log in with another browser, and go back to this one."""
        mine, self.browser = self.browser, Browser()
        self.log_in(user=user)
        theirs, self.browser = self.browser, mine
        return theirs

    def session(self, browser: Browser | None = None) -> Session:
        """Give the session of a browser."""
        browser = browser or self.browser
        session = now(self.store.load(browser.request())).session
        assert session is not None
        return session

    def has_session(self, browser: Browser | None = None) -> bool:
        """Say whether a browser has one."""
        browser = browser or self.browser
        return now(self.store.load(browser.request())).session is not None

    def post(self, *fields: bytes, **form: str) -> Seen:
        """Press a button of the page."""
        text = "&".join(f"{name}={quote(value)}" for name, value in form.items())
        fields = (*(fields or OWN_PAGE), FORM)
        return self.ask(ROOT, *fields, method="POST", body=text.encode())


def text_of(seen: Seen) -> str:
    """Give what people read."""
    text = re.sub(r"<(style|title)>.*?</\1>|<[^>]*>", " ", seen.body, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


def listed(seen: Seen) -> list[str]:
    """Give the sessions that a page lists."""
    found = re.findall(r"<li.*?</li>", seen.body, re.DOTALL)
    return [text_of(Seen(200, (), each)) for each in found]


def ids(seen: Seen) -> list[str]:
    """Give the sessions that a page has a button for."""
    return re.findall(r'name="session" value="([^"]*)"', seen.body)
