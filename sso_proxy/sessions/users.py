"""Which sessions a user has, so that they can be listed and ended."""

import struct
from typing import Final

import attrs

from sso_proxy.interfaces import ICache
from sso_proxy.sessions.moments import read_moment, write_moment
from sso_proxy.sessions.names import digest

PURPOSE: Final = "session-user"
NEEDS: Final = frozenset({"index_add", "index_remove", "index_list"})

User = tuple[str, str]
"""Issuer and subject."""

_ENDED: Final = "session-user-ended"
_WHILE: Final = 600.0
"""Seconds that the end of a user's sessions is noted: longer than a login takes."""

_member = struct.Struct(">Q32s")


@attrs.frozen
class Member:
    """
    One session of a user.

    Attributes:
        created: Milliseconds since the epoch when the login was.
        name: 32 octets that say which.
    """

    created: int
    name: bytes

    @classmethod
    def of(cls, created: float, name: bytes) -> "Member":
        """Make the member of a session."""
        return cls(int(created * 1000), name)


class Users:
    """
    Sets of sessions by user.

    Args:
        store: What the configuration calls the sessions.
        cache: Keeps the sets.
    """

    def __init__(self, store: str, cache: ICache) -> None:
        self._store = store
        self._cache = cache

    async def add(self, user: User, member: Member, ttl: float) -> None:
        """Note a session, which lasts *ttl* seconds at most."""
        octets = _member.pack(member.created, member.name)
        await self._cache.index_add(PURPOSE, self._index(user), octets, ttl)

    async def remove(self, user: User, member: Member) -> None:
        """Forget a session."""
        octets = _member.pack(member.created, member.name)
        await self._cache.index_remove(PURPOSE, self._index(user), octets)

    async def list_of(self, user: User) -> list[Member]:
        """List sessions, the oldest first; some may be over."""
        found = await self._cache.index_list(PURPOSE, self._index(user))
        members = [
            Member(*_member.unpack(octets))
            for octets in found
            if len(octets) == _member.size
        ]
        return sorted(members, key=lambda member: member.created)

    async def end(self, user: User, before: float) -> None:
        """
        Note that all sessions are over that began no later than *before*.

        Has to be noted before they are listed: one that is not on the list yet is then
        written before its user is looked up here.
        """
        moment = write_moment(before)
        await self._cache.index_add(_ENDED, self._index(user), moment, _WHILE)

    async def has_ended(self, user: User, created: float) -> bool:
        """Say whether a session is over that began at *created*, a moment ago."""
        moments = await self._cache.index_list(_ENDED, self._index(user))
        return any(created <= read_moment(each) for each in moments)

    def _index(self, user: User) -> bytes:
        return digest(self._store, *user)
