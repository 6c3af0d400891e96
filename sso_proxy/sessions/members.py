"""Which sessions a group has, so that they can be listed and ended."""

import struct
from typing import Final

import attrs

from sso_proxy.interfaces import ICache
from sso_proxy.session import Session
from sso_proxy.sessions.groups import Group, is_older
from sso_proxy.sessions.moments import read_moment, write_moment
from sso_proxy.sessions.names import digest

PURPOSES: Final = {"sub": "session-user", "sid": "session-sid"}
NEEDS: Final = frozenset({"index_add", "index_remove", "index_list"})

_WHILE: Final = 600.0
"""Seconds that the end of a group is noted: longer than a login takes."""

_member = struct.Struct(">Q32s")


@attrs.frozen
class Member:
    """
    One session of a group.

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


class Members:
    """
    Sets of sessions by group.

    Args:
        store: What the configuration calls the sessions.
        cache: Keeps the sets.
    """

    def __init__(self, store: str, cache: ICache) -> None:
        self._store = store
        self._cache = cache

    async def add(self, group: Group, member: Member, ttl: float) -> None:
        """Note a session, which lasts *ttl* seconds at most."""
        octets = _member.pack(member.created, member.name)
        await self._cache.index_add(PURPOSES[group[0]], self._index(group), octets, ttl)

    async def remove(self, group: Group, member: Member) -> None:
        """Forget a session."""
        octets = _member.pack(member.created, member.name)
        await self._cache.index_remove(PURPOSES[group[0]], self._index(group), octets)

    async def list_of(self, group: Group) -> list[Member]:
        """List sessions, the oldest first; some may be over."""
        found = await self._cache.index_list(PURPOSES[group[0]], self._index(group))
        members = [
            Member(*_member.unpack(octets))
            for octets in found
            if len(octets) == _member.size
        ]
        return sorted(members, key=lambda member: member.created)

    async def end(self, group: Group, before: float) -> None:
        """
        Note that all sessions are over that began no later than *before*.

        Has to be noted before they are listed: one that is not on the list yet is then
        written before its groups are looked up here.
        """
        moment = write_moment(before)
        await self._cache.index_add(_ended(group), self._index(group), moment, _WHILE)

    async def has_ended(self, group: Group, session: Session) -> bool:
        """Say whether *session*, which began a moment ago, is over with its group."""
        moments = await self._cache.index_list(_ended(group), self._index(group))
        return any(is_older(session, group, read_moment(each)) for each in moments)

    def _index(self, group: Group) -> bytes:
        return digest(self._store, *group[1:])


def _ended(group: Group) -> str:
    return PURPOSES[group[0]] + "-ended"
