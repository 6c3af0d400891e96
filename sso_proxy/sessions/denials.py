"""Cookie sessions that are over before their time, although their cookies are good."""

from typing import Final

from sso_proxy.interfaces import ICache
from sso_proxy.session import Session
from sso_proxy.sessions.groups import Group, groups_of, is_older
from sso_proxy.sessions.moments import read_moment, write_moment
from sso_proxy.sessions.names import digest

PURPOSE: Final = "session-denied"
NEEDS: Final = frozenset({"get", "add", "index_add", "index_list"})


class Denials:
    """
    The list of them, kept until they would be over anyway.

    What is on it stays: a list that forgets would let somebody in again.

    Args:
        store: What the configuration calls the sessions.
        cache: Keeps the list.
        lifetime: Seconds that a session lasts at most.
    """

    def __init__(self, store: str, cache: ICache, lifetime: float) -> None:
        self._store = store
        self._cache = cache
        # Cookies from clocks that are ahead of ours last as much longer.
        self._ttl = lifetime + 600.0

    async def deny(self, session_id: str) -> bool:
        """Put one session on the list; False if it is there already."""
        name = digest(self._store, "id", session_id)
        return await self._cache.add(PURPOSE, name, b"1", self._ttl)

    async def deny_group(self, group: Group, before: float) -> None:
        """Put all of *group* on the list that began no later than *before*."""
        index, moment = self._index(group), write_moment(before)
        await self._cache.index_add(PURPOSE, index, moment, self._ttl)

    async def has(self, session: Session) -> bool:
        """Say whether *session* is on the list."""
        name = digest(self._store, "id", session.id)
        if await self._cache.get(PURPOSE, name) is not None:
            return True
        for group in groups_of(session):
            moments = await self._cache.index_list(PURPOSE, self._index(group))
            if any(is_older(session, group, read_moment(each)) for each in moments):
                return True
        return False

    def _index(self, group: Group) -> bytes:
        kind, issuer, name = group
        return digest(self._store, "user" if kind == "sub" else kind, issuer, name)
