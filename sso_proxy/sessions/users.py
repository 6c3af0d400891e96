"""Which sessions a user has, so that they can be listed and ended."""

import struct
from typing import Final

import attrs

from sso_proxy.interfaces import ICache
from sso_proxy.sessions.names import digest

PURPOSE: Final = "session-user"
NEEDS: Final = frozenset({"index_add", "index_remove", "index_list"})

User = tuple[str, str]
"""Issuer and subject."""

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

    def _index(self, user: User) -> bytes:
        return digest(self._store, *user)
