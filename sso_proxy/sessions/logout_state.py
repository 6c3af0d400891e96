"""
What is known of a logout while the browser is at the provider, in the browser itself.

One sealed cookie: whoever has two logouts under way hears of the one that began last,
and nothing of it is worth keeping longer.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.interfaces import IClock, ISealer
from sso_proxy.model import Headers, Request
from sso_proxy.sessions.jar import NO_STORE, cookies_of
from sso_proxy.sessions.lifetime import SKEW
from sso_proxy.sessions.names import decode, encode
from sso_proxy.specs.http.cookies import CHUNK, LOGOUT, Scope, build_set_cookie

LIFETIME: Final = 600.0
"""Seconds that a logout may take: providers may ask the user first."""


class LogoutStates:
    """
    Begins logouts, and knows them again.

    Args:
        sealer: Seals what is in the browser.
        clock: The time.
    """

    def __init__(self, sealer: ISealer, clock: IClock) -> None:
        self._sealer = sealer
        self._clock = clock

    def begin(self, state: Mapping[str, Any]) -> Headers:
        """
        Have the browser keep *state*, which is of the types of JSON.

        Raises:
            ValueError: There is too much of it for a cookie.
        """
        octets = json.dumps({"at": self._clock.time(), "state": dict(state)}).encode()
        value = encode(self._sealer.seal(octets))
        if len(LOGOUT) + 1 + len(value) > CHUNK:
            raise ValueError(f"{len(value)} octets are too many to keep of a logout")
        cookie = build_set_cookie(LOGOUT, value, Scope(), max_age=int(LIFETIME))
        return (("set-cookie", cookie), NO_STORE)

    def take(self, request: Request) -> tuple[dict[str, Any] | None, Headers]:
        """
        Give what was kept, and take it from the browser.

        None if this browser has begun no logout, or too long ago.
        """
        cookies = cookies_of(request, LOGOUT)
        if LOGOUT not in cookies:
            return None, ()
        removal = build_set_cookie(LOGOUT, "", Scope(), max_age=0)
        return self._open(cookies[LOGOUT]), (("set-cookie", removal), NO_STORE)

    def _open(self, value: str | None) -> dict[str, Any] | None:
        sealed = None if value is None else decode(value)
        octets = None if sealed is None else self._sealer.open(sealed)
        if octets is None:
            return None
        record = json.loads(octets)
        age = self._clock.time() - record["at"]
        state: dict[str, Any] = record["state"]
        return state if -SKEW <= age < LIFETIME else None
