"""
What has to be known when somebody comes back from logging in, in the browser itself.

A sealed cookie for each login that has begun: anonymous visitors, and whoever makes
them come, cause nothing to be stored here.  A browser keeps a few of them, so that ten
tabs that are restored at once all end logged in; the oldest go first.

Of a login that is finished, its browser keeps at which provider it was, and where it
went on: who comes back to the answer, mostly by the Back button, is sent there once
more.  Who has copied the answer, or the cookie from before, has nothing of that.
"""

import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.interfaces import IClock, ISealer
from sso_proxy.model import Headers, Request
from sso_proxy.sessions.jar import NO_STORE, cookies_of
from sso_proxy.sessions.keys import Keys
from sso_proxy.sessions.lifetime import SKEW
from sso_proxy.sessions.names import OCTETS, decode, encode, read_name
from sso_proxy.specs.http.cookies import (
    CHUNK,
    Scope,
    build_set_cookie,
    login_name,
)

MOST: Final = 12
"""Logins that one browser can have begun."""
WHERE: Final[tuple[str, ...]] = ("by", "iss")
"""Members of a state that say where a login is: they are kept when it is finished."""
MOST_OCTETS: Final = 12000
"""Octets of all their cookies: servers in front of us may take no more than 16,384."""


@attrs.frozen
class _Begun:
    """
    A login that has begun.

    Attributes:
        created: Seconds since the epoch.
        state: What is kept of it; None if it is finished.
        target: Where it went on then; empty before.
        where: What is kept then of where it was.
        keys: Hashes of the keys that it is bound to, by kind.
    """

    created: float
    state: dict[str, Any] | None = attrs.field(repr=False)
    target: str = ""
    where: dict[str, Any] = attrs.field(factory=dict)
    keys: dict[str, str] = attrs.field(factory=dict)


class LoginStates:
    """
    Begins logins, and knows them again.

    Args:
        sealer: Seals what is in the browser.
        clock: The time.
        lifetime: Seconds that a login may take.
        keys: Keys that logins are bound to: who began one finishes it.
    """

    def __init__(
        self,
        sealer: ISealer,
        clock: IClock,
        lifetime: float = 3600.0,
        keys: Keys | None = None,
    ) -> None:
        self._keys = keys or Keys()
        self._sealer = sealer
        self._clock = clock
        self._lifetime = lifetime

    def begin(
        self, request: Request, state: Mapping[str, Any], *, cross_site: bool = False
    ) -> tuple[str, Headers]:
        """
        Keep *state* in the browser.

        Args:
            request: Whose browser.
            state: What to keep, in the types of JSON.
            cross_site: Whether the browser comes back by a form that another site
                posts: only a cookie with ``SameSite=None`` comes along then.

        Returns:
            The login's id, to be found in ``state`` again, and fields for the answer.

        Raises:
            ValueError: There is too much of it for a cookie.
        """
        login = encode(secrets.token_bytes(OCTETS))
        record: dict[str, Any] = {"at": self._clock.time(), "state": dict(state)}
        if keys := self._keys.of(request):
            record["keys"] = keys
        octets = json.dumps(record).encode()
        value = encode(self._sealer.seal(octets, login.encode()))
        name, scope = login_name(login), _scope(cross_site=cross_site)
        if len(name) + 1 + len(value) > CHUNK:
            raise ValueError(f"{len(value)} octets are too many to keep of a login")
        fields = [build_set_cookie(name, value, scope, max_age=int(self._lifetime))]
        room = MOST_OCTETS - len(name) - len(value)
        fields += self._evict(request, MOST - 1, room)
        return login, (*(("set-cookie", field) for field in fields), NO_STORE)

    def take(
        self, request: Request, login: str
    ) -> tuple[dict[str, Any] | None, Headers]:
        """
        Give what was kept of *login*, and take it from the browser.

        None if this browser has not begun it, or too long ago, or has finished it.
        """
        if read_name(login) is None:  # whatever came back as ``state``
            return None, ()
        name = login_name(login)
        value = cookies_of(request, name).get(name)
        if value is None:
            return None, ()
        begun = self._open(request, login, value)
        if begun is not None and begun.state is None:
            return None, ()
        fields = (("set-cookie", _removal(name)), NO_STORE)
        return (None if begun is None else begun.state), fields

    def known(self, request: Request) -> list[dict[str, Any]]:
        """
        Give what is kept of all logins: of those that wait, and then of the finished.

        Of these it is where they were (`WHERE`); the newest come first, and all stay.
        """
        begin = login_name("")
        found = [
            self._open(request, name.removeprefix(begin), value)
            for name, value in cookies_of(request, begin).items()
            if value
        ]
        ordered = sorted(
            (b for b in found if b is not None),
            key=lambda b: (b.state is not None, b.created),
            reverse=True,
        )
        return [b.where if b.state is None else b.state for b in ordered]

    def finish(
        self, request: Request, login: str, target: str, *, cross_site: bool = False
    ) -> Headers:
        """
        Have the browser keep nothing of *login* but where it was and where it went on.

        Args:
            request: Whose browser, as it brought the answer.
            login: The login, which `take` has given.
            target: Path and query on the same host.
            cross_site: As for `begin`.
        """
        name = login_name(login)
        value = cookies_of(request, name).get(name)
        begun = None if value is None else self._open(request, login, value)
        if begun is None:
            return (("set-cookie", _removal(name)), NO_STORE)
        state: dict[str, Any] = begun.state or {}
        where = {name: state[name] for name in WHERE if name in state}
        record: dict[str, Any] = {"at": begun.created, "to": target, **where}
        if begun.keys:
            record["keys"] = begun.keys
        sealed = encode(self._sealer.seal(json.dumps(record).encode(), login.encode()))
        age = max(0.0, self._clock.time() - begun.created)
        field = build_set_cookie(
            name,
            sealed,
            _scope(cross_site=cross_site),
            max_age=max(1, int(self._lifetime - age)),
        )
        return (("set-cookie", field), NO_STORE)

    def finished(self, request: Request, login: str) -> tuple[str | None, Headers]:
        """
        Give where *login* went on that this browser has finished.

        None if it has not, or too long ago.  The fields have the browser forget it.
        """
        if read_name(login) is None:
            return None, ()
        name = login_name(login)
        value = cookies_of(request, name).get(name)
        begun = None if value is None else self._open(request, login, value)
        if begun is None or begun.state is not None:
            return None, ()
        return begun.target, (("set-cookie", _removal(name)), NO_STORE)

    def _open(self, request: Request, login: str, value: str) -> _Begun | None:
        sealed = decode(value)
        octets = None if sealed is None else self._sealer.open(sealed, login.encode())
        if octets is None:
            return None
        record = json.loads(octets)
        where = {name: record[name] for name in WHERE if name in record}
        begun = _Begun(
            record["at"],
            record.get("state"),
            record.get("to", ""),
            where,
            record.get("keys", {}),
        )
        age = self._clock.time() - begun.created
        if not -SKEW <= age < self._lifetime:
            return None
        return begun if self._keys.fit(request, begun.keys, "a login") else None

    def _evict(self, request: Request, most: int, room: int) -> list[str]:
        """Take the oldest away, finished ones first, until so few are left."""
        begin = login_name("")
        found = []
        for name, value in cookies_of(request, begin).items():
            begun = (
                self._open(request, name.removeprefix(begin), value) if value else None
            )
            created = begun.created if begun is not None else 0.0
            waits = begun is not None and begun.state is not None
            found.append((waits, created, name, len(name) + len(value or "") + 3))
        removals = []
        found.sort(reverse=True)
        for number, (_, created, name, octets) in enumerate(found):
            room -= octets
            if not created or number >= most or room < 0:
                removals.append(_removal(name))
        return removals


def _scope(*, cross_site: bool) -> Scope:
    return Scope(same_site="none" if cross_site else "lax")


def _removal(name: str) -> str:
    return build_set_cookie(name, "", Scope(), max_age=0)
