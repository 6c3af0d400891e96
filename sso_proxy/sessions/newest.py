"""
The newest form of cookie sessions that have changed a moment ago.

Requests that were under way come with the cookie from before.  They must go by what
came after it, and must not bring the old one back to the browser.
"""

from typing import Final

from sso_proxy.interfaces import ICache, IClock, ISealer
from sso_proxy.session import Session
from sso_proxy.sessions.names import digest
from sso_proxy.sessions.records import Opener
from sso_proxy.specs.session_record import write_record

PURPOSE: Final = "session-newest"
NEEDS: Final = frozenset({"get", "put"})

GRACE: Final = 120.0
"""Seconds after a change in which the cookie from before may come."""
_MOST: Final = 1000


class Newest:
    """
    Remembers changed sessions for a while.

    Args:
        store: What the configuration calls the sessions.
        cache: Tells other processes; None if there are none that have to know.
        sealer: Seals what they are told.
        clock: The time.
    """

    def __init__(
        self, store: str, cache: ICache | None, sealer: ISealer, clock: IClock
    ) -> None:
        self._store = store
        self._cache = cache
        self._sealer = sealer
        self._opener = Opener(sealer, store, 64)
        self._clock = clock
        self._known: dict[str, tuple[float, Session]] = {}

    def here(self, session: Session) -> Session:
        """Give the newest form of *session* that this process knows."""
        known = self._known.get(session.id)
        if known is None or known[0] < self._clock.monotonic():
            return session
        return known[1] if known[1].revision > session.revision else session

    async def anywhere(self, session: Session) -> Session:
        """Give the newest form of *session* that any process knows."""
        newest = self.here(session)
        if self._cache is None:
            return newest
        name = self._name(session)
        sealed = await self._cache.get(PURPOSE, name)
        other = None if sealed is None else self._opener.open(sealed, name)
        if other is None or other.id != session.id:
            return newest
        return other if other.revision > newest.revision else newest

    async def remember(self, session: Session) -> None:
        """Note that *session* has changed into this."""
        now = self._clock.monotonic()
        self._known.pop(session.id, None)
        self._known[session.id] = (now + GRACE, session)
        for known, (until, _) in [*self._known.items()][:8]:
            if until < now or len(self._known) > _MOST:
                del self._known[known]
        if self._cache is not None:
            name = self._name(session)
            sealed = self._sealer.seal(write_record(session), name)
            await self._cache.put(PURPOSE, name, sealed, GRACE)

    def _name(self, session: Session) -> bytes:
        return digest(self._store, "newest", session.id)
