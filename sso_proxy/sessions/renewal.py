"""
One change of a session at a time, whoever asks for it, in whichever process.

An authorization server takes a refresh token once.  Of many requests that find theirs
nearly over, one gets new ones, and the others wait for what it got.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache
from sso_proxy.model import Identity
from sso_proxy.net.once import Once
from sso_proxy.session import Session

PURPOSE: Final = "session-renewal"
NEEDS: Final = frozenset({"compare_and_set", "get", "delete"})

PATIENCE: Final = 30.0
"""Seconds that a change may take; then another process may try."""
_LOOK_AGAIN: Final = 0.1
_LOOKS: Final = int(PATIENCE / _LOOK_AGAIN) + 10
"""More than fit into a change that was broken off with its process."""
_ATTEMPTS: Final = 4

Work = Callable[[Session], Awaitable[tuple[Identity, Mapping[str, Any]]]]
"""Gives what a session is to hold from now on.  Bounded in time by itself."""


class Kept(Protocol):
    """Where sessions are, as far as a change needs it."""

    async def newest(self, session: Session) -> Session | None:
        """Give *session* as it is now, None if it is over."""

    async def write(
        self, session: Session, identity: Identity, data: Mapping[str, Any]
    ) -> Session | None:
        """Write the next revision of *session*; None if it has changed or is over."""


class Renewals:
    """
    Changes that are under way.

    Args:
        kept: The sessions.
        cache: Has a mark for each change; None if no other process has to know.
        name_of: Names a session in the cache.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        kept: Kept,
        cache: ICache | None,
        name_of: Callable[[Session], bytes],
        sleep: Callable[[float], Any],
    ) -> None:
        self._kept = kept
        self._cache = cache
        self._name_of = name_of
        self._sleep = sleep
        self._running: dict[tuple[str, int], Once[Session | None]] = {}

    async def renew(self, session: Session, work: Work) -> Session | None:
        """
        Give what *work* makes of *session*, or somebody else made of it; None if over.

        Raises:
            UnavailableError: Another process does not get ready, or the store is down.
            Exception: Whatever *work* raises; the session is as it was.
        """
        key = (session.id, session.revision)
        once = self._running.get(key)
        if once is None:
            once = self._running[key] = Once(lambda: self._renew(session, work))
        try:
            return await once.join()
        finally:
            if not once.running:
                self._running.pop(key, None)

    async def _renew(self, session: Session, work: Work) -> Session | None:
        cache = self._cache
        if cache is None:
            return await self._change(session, work)
        name, mine = self._name_of(session), secrets.token_bytes(16)
        for _ in range(_LOOKS):
            # Not `add`: that is only for what must never be lost.
            if await cache.compare_and_set(PURPOSE, name, None, mine, PATIENCE):
                try:
                    return await self._change(session, work)
                finally:
                    if await cache.get(PURPOSE, name) == mine:
                        await cache.delete(PURPOSE, name)
            await self._sleep(_LOOK_AGAIN)
            newest = await self._kept.newest(session)
            if newest is None or newest.revision != session.revision:
                return newest
        raise UnavailableError("a session's new tokens, which another process gets")

    async def _change(self, session: Session, work: Work) -> Session | None:
        newest = await self._kept.newest(session)
        if newest is None or newest.revision != session.revision:
            return newest
        identity, data = await work(newest)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._kept.write(newest, identity, data)
            except UnavailableError:
                # What the old tokens were exchanged for exists nowhere but here.
                if attempt == _ATTEMPTS:
                    raise
                await self._sleep(attempt * _LOOK_AGAIN)
        raise AssertionError
