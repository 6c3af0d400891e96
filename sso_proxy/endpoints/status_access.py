"""
Who may see the status page in a browser: whoever was given a link by an operator.

A browser cannot send the operators' secret, and must not keep it.  So a program that
knows it gets a link that is good once and for a minute, and the browser that follows it
gets a cookie.

Cookies are not kept apart by ports: any other server on this machine that the browser
is lured to would be sent the cookie, and could set one.  So the pages are at a place
that nobody else knows, the cookie is for that place alone, and both have to fit.
"""

import secrets
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from typing import Final

import attrs

from sso_proxy.interfaces import IClock

LINK_LIFE: Final = 60.0
"""Seconds within which a link has to be followed."""
LIFE: Final = 28800.0
"""Seconds for which a browser may come back."""
MOST: Final = 16
"""Links, and browsers."""


@attrs.define(kw_only=True, eq=False)
class Pass:
    """
    A browser that may see the pages.

    Attributes:
        place: Names the place where its pages are.
        digest: SHA-256 of its cookie.
        token: Has to come with what it posts: only our pages have it.
        until: Monotonic time when it is over.
        said: What the next page has to say; empty for nothing.
        look: How it looks: ``ok``, ``refused`` or ``failed``.
    """

    place: str = attrs.field(repr=False)
    digest: bytes = attrs.field(repr=False)
    token: str = attrs.field(repr=False)
    until: float
    said: str = ""
    look: str = "ok"


class StatusAccess:
    """
    Gives links, and knows the browsers that have followed one.

    Args:
        clock: The time.
    """

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._links: OrderedDict[bytes, float] = OrderedDict()
        self._passes: OrderedDict[str, Pass] = OrderedDict()

    def make_link(self) -> str:
        """Give what is good for one `enter` in the next minute."""
        link = secrets.token_urlsafe(32)
        self._links[_digest(link)] = self._clock.monotonic() + LINK_LIFE
        while len(self._links) > MOST:
            self._links.popitem(last=False)
        return link

    def enter(self, link: str) -> tuple[Pass, str] | None:
        """Give a pass and its cookie for *link*; None if it is not good any more."""
        now = self._clock.monotonic()
        until = self._links.pop(_digest(link), None)
        if until is None or until <= now:
            return None
        cookie = secrets.token_urlsafe(32)
        entered = Pass(
            place=secrets.token_urlsafe(24),
            digest=_digest(cookie),
            token=secrets.token_urlsafe(24),
            until=now + LIFE,
        )
        self._passes[entered.place] = entered
        while len(self._passes) > MOST:
            self._passes.popitem(last=False)
        return entered, cookie

    def find(self, place: str, cookies: Iterable[str]) -> Pass | None:
        """Give the pass for *place*, if one of *cookies* fits and it is not over."""
        found = self._passes.get(place)
        if found is None:
            return None
        if found.until <= self._clock.monotonic():
            del self._passes[place]
            return None
        fits = [compare_digest(found.digest, _digest(cookie)) for cookie in cookies]
        return found if any(fits) else None

    def leave(self, entered: Pass) -> None:
        """Let *entered* be good no more."""
        self._passes.pop(entered.place, None)


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
