"""Sealed records of sessions in a cache."""

from collections import OrderedDict
from typing import Final

import attrs
from twisted.logger import Logger

from sso_proxy.errors import SessionTooLargeError
from sso_proxy.interfaces import ICache, IClock, ISealer
from sso_proxy.session import Session
from sso_proxy.sessions.lifetime import Lifetime
from sso_proxy.specs.session_record import read_record, write_record

_log = Logger()

PURPOSE: Final = "session"
NEEDS: Final = frozenset({"get", "put", "delete", "compare_and_set"})

MOST: Final = 500_000
"""Octets of a session: the smallest cache takes twice that."""


class Opener:
    """
    Opens sealed records, those that were opened lately without any work.

    What comes out depends on nothing but the octets that go in: there is nothing to be
    brought up to date.

    Args:
        sealer: Opens them.
        kept_in: What the configuration calls the sessions.
        size: Records to remember.
    """

    def __init__(self, sealer: ISealer, kept_in: str, size: int = 1024) -> None:
        self._sealer = sealer
        self._kept_in = kept_in
        self._size = size
        self._known: OrderedDict[tuple[bytes, bytes], Session] = OrderedDict()

    def open(self, sealed: bytes, context: bytes) -> Session | None:
        """Give the session; None if it is not ours, or not for this release to read."""
        key = (sealed, context)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        octets = self._sealer.open(sealed, context)
        if octets is None:
            return None
        try:
            session = attrs.evolve(read_record(octets), kept_in=self._kept_in)
        except ValueError as e:
            _log.warn("A session cannot be read: {why}", why=str(e))
            return None
        self._known[key] = session
        if len(self._known) > self._size:
            self._known.popitem(last=False)
        return session


class Records:
    """
    Sessions under their names.

    Args:
        cache: Where they are.
        sealer: Seals them.
        lifetime: How long they last.
        clock: The time.
        kept_in: What the configuration calls the sessions.
    """

    def __init__(
        self,
        cache: ICache,
        sealer: ISealer,
        lifetime: Lifetime,
        clock: IClock,
        kept_in: str = "",
    ) -> None:
        self._cache = cache
        self._sealer = sealer
        self._opener = Opener(sealer, kept_in)
        self._lifetime = lifetime
        self._clock = clock

    async def find(self, name: bytes) -> tuple[Session, bytes] | None:
        """Give a session that is not over, and its record."""
        sealed = await self._cache.get(PURPOSE, name)
        if sealed is None:
            return None
        session = self._opener.open(sealed, name)
        if session is None or not self._lifetime.is_alive(session, self._clock.time()):
            return None
        return session, sealed

    async def put(self, name: bytes, session: Session) -> None:
        """Write *session*, whatever is there."""
        ttl = self._lifetime.left(session, self._clock.time())
        await self._cache.put(PURPOSE, name, self._seal(name, session), ttl)

    async def swap(self, name: bytes, record: bytes, session: Session) -> bool:
        """Write *session* if *record* is what is there."""
        new, ttl = (
            self._seal(name, session),
            self._lifetime.left(session, self._clock.time()),
        )
        return await self._cache.compare_and_set(PURPOSE, name, record, new, ttl)

    async def delete(self, name: bytes) -> Session | None:
        """Delete a session and give what it was, if it could be read."""
        sealed = await self._cache.get(PURPOSE, name)
        if sealed is None:
            return None
        await self._cache.delete(PURPOSE, name)
        return self._opener.open(sealed, name)

    def _seal(self, name: bytes, session: Session) -> bytes:
        """
        Seal *session*.

        Raises:
            SessionTooLargeError: No cache has to take it.
        """
        octets = write_record(session)
        if len(octets) > MOST:
            raise SessionTooLargeError(len(octets), MOST)
        return self._sealer.seal(octets, name)
