"""Somebody at a browser, for checks: keeps cookies, goes where answers lead."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.demo.call import Answer, ClientTls, Question, call

STEPS: Final = 8
"""Answers that may lead on to another, one after the other."""

PAGE: Final = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
"""What a browser says when somebody looks at a page."""


class NotAskedError(SsoProxyError):
    """Nobody asked who it is."""


@attrs.frozen(kw_only=True)
class Visitor:
    """
    One browser.

    Attributes:
        reactor: Connects and measures time.
        tls: Which authority it trusts.
        cookies: What it keeps; all of the demo is on one host.
    """

    reactor: Any
    tls: ClientTls
    cookies: dict[str, str] = attrs.field(factory=dict, repr=False)

    async def ask(
        self, url: str, fields: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> Answer:
        """Make one request, and keep the cookies that come back."""
        headers = dict(fields)
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            headers["Cookie"] = "; ".join(pairs)
        body = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(form).encode("ascii")
        method = "GET" if form is None else "POST"
        question = Question(url=url, method=method, headers=headers, body=body)
        answer = await call(self.reactor, self.tls, question)
        for cookie in answer.cookies:
            self._keep(cookie)
        return answer

    async def look(self, url: str) -> Answer:
        """Look at the page at *url*, and go where that leads."""
        return await self._follow(url, await self.ask(url, PAGE))

    async def log_in(self, url: str, person: str) -> Answer:
        """
        Look at the page at *url*, and say who it is when the provider asks.

        Args:
            url: The page.
            person: Who; a name that the provider does not know cancels.

        Raises:
            NotAskedError: Nobody asked.
        """
        asked = await self.ask(url, PAGE)
        place = urlsplit(urljoin(url, asked.headers.get("location", "")))
        if place.path != "/authorize":
            raise NotAskedError(f"{url} leads to no login: {asked.status}")
        fields = {**dict(parse_qsl(place.query)), "person": person}
        provider = place._replace(query="").geturl()
        return await self._follow(provider, await self.ask(provider, PAGE, fields))

    async def _follow(self, url: str, answer: Answer) -> Answer:
        """Go on while answers say so."""
        for _ in range(STEPS):
            if "location" not in answer.headers:
                break
            url = urljoin(url, answer.headers["location"])
            answer = await self.ask(url, PAGE)
        return answer

    def _keep(self, cookie: str) -> None:
        """Keep a cookie, or let go of it."""
        pair, _, rest = cookie.partition(";")
        name, _, value = pair.partition("=")
        if "max-age=0" in rest.lower().replace(" ", ""):
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value
