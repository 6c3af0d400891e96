"""
How often one browser has been sent back to the same place just now.

A site that does not take our ticket sends its user here again at once, and without any
argument if nobody has told it where else to: they would go round for ever.  A place is
remembered by a part of its digest, in a cookie: one tab of several that are opened at a
time is no round.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from sso_proxy.model import Headers, Request
from sso_proxy.specs.http.cookies import (
    ROUNDS,
    Scope,
    build_set_cookie,
    read_cookies,
)

MOST: Final = 3
"""Times that a browser is sent back to one place in `WITHIN` seconds."""
WITHIN: Final = 60
_KEPT: Final = 20
_Round = tuple[str, int]


def is_going_round(request: Request, back: str, now: float) -> bool:
    """Say whether the browser of *request* comes from *back* again and again."""
    place = _name(back)
    return sum(1 for each, _ in _read(request, now) if each == place) >= MOST


def count_round(request: Request, back: str, now: float) -> Headers:
    """Have the browser remember that it is sent to *back* *now*."""
    return _write([*_read(request, now), (_name(back), int(now))])


def forget_rounds(request: Request, back: str, now: float) -> Headers:
    """Have it forget *back*, so that its user can try again."""
    place = _name(back)
    return _write(each for each in _read(request, now) if each[0] != place)


def _name(back: str) -> str:
    return sha256(back.encode()).hexdigest()[:8]


def _write(rounds: Iterable[_Round]) -> Headers:
    text = ".".join(f"{place}-{when}" for place, when in [*rounds][-_KEPT:])
    age = WITHIN if text else 0
    return (("set-cookie", build_set_cookie(ROUNDS, text, Scope(), max_age=age)),)


def _read(request: Request, now: float) -> list[_Round]:
    """Give what it remembers; it may say what it likes."""
    fields = request.head.values("cookie")
    text = read_cookies(fields[0], ROUNDS).get(ROUNDS) if fields else None
    found = []
    for part in (text or "").split(".")[:_KEPT]:
        place, _, when = part.partition("-")
        if len(when) < 12 and when.isascii() and when.isdigit():
            found.append((place, int(when)))
    return [each for each in found if 0 <= now - each[1] < WITHIN]
