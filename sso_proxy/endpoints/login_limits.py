"""How many logins may begin: from one address, and by one browser that gets nowhere."""

from typing import Final

from sso_proxy.model import Headers, Request
from sso_proxy.net.address_limit import AddressLimit
from sso_proxy.specs.http.cookies import (
    TRIES,
    Scope,
    build_set_cookie,
    read_cookies,
)

__all__ = (
    "MOST_TRIES",
    "WITHIN",
    "AddressLimit",
    "count_try",
    "forget_tries",
    "is_going_round",
)

MOST_TRIES: Final = 3
"""Logins that one browser can have finished in `WITHIN` seconds, and need another."""
WITHIN: Final = 60


def is_going_round(request: Request, now: float) -> bool:
    """
    Say whether the browser of *request* has logged in again and again just now.

    It has if it does not keep the session that it gets, and a provider that knows its
    user would send it round for ever.
    """
    return len(_tries(request, now)) >= MOST_TRIES


def count_try(request: Request, now: float) -> Headers:
    """Have the browser remember that it has logged in *now*."""
    kept = (*_tries(request, now), int(now))[-MOST_TRIES:]
    text = ".".join(str(each) for each in kept)
    cookie = build_set_cookie(TRIES, text, Scope(), max_age=WITHIN)
    return (("set-cookie", cookie),)


def forget_tries() -> Headers:
    """Have the browser forget them, so that whoever asks can try again."""
    return (("set-cookie", build_set_cookie(TRIES, "", Scope(), max_age=0)),)


def _tries(request: Request, now: float) -> tuple[int, ...]:
    """Give when the browser has logged in; it may say what it likes."""
    fields = request.head.values("cookie")
    text = read_cookies(fields[0], TRIES).get(TRIES) if fields else None
    parts = (text or "").split(".")[:MOST_TRIES]
    times = (
        int(part)
        for part in parts
        if len(part) < 12 and part.isascii() and part.isdigit()
    )
    return tuple(each for each in times if 0 <= now - each < WITHIN)
