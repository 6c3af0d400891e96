"""How many logins may begin: from one address, and by one browser that gets nowhere."""

from ipaddress import IPv6Address, ip_address
from typing import Final

from sso_proxy.interfaces import IClock
from sso_proxy.model import Headers, Request
from sso_proxy.specs.http.cookies import (
    TRIES,
    Scope,
    build_set_cookie,
    read_cookies,
)

MOST_TRIES: Final = 3
"""Logins that one browser can have finished in `WITHIN` seconds, and need another."""
WITHIN: Final = 60

_MOST_ADDRESSES: Final = 10_000
_NETWORK: Final = 64
"""Bits of an IPv6 address that one customer has for all their machines."""


class AddressLimit:
    """
    Counts the logins that begin from each address, in this process.

    Each may begin a minute's worth at once, and after that as many as time brings.
    What is kept is bounded: of more addresses than that, the quietest are forgotten.

    Args:
        clock: The time.
        per_minute: Logins that may begin in a minute.
    """

    def __init__(self, clock: IClock, per_minute: int) -> None:
        self._clock = clock
        self._most = per_minute
        self._left: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        """Say how many addresses are known."""
        return len(self._left)

    def allows(self, address: str) -> bool:
        """Count one more, unless there were too many."""
        now = self._clock.monotonic()
        key = _network_of(address)
        left, since = self._left.pop(key, (float(self._most), now))
        left = min(self._most, left + (now - since) * self._most / 60)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        if len(self._left) > _MOST_ADDRESSES:
            del self._left[next(iter(self._left))]
        return allowed


def _network_of(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:  # ``unix``
        return address
    if isinstance(parsed, IPv6Address):
        return parsed.exploded[: _NETWORK // 4 + 3]
    return address


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
