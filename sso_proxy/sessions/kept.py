"""
What somebody posted who had to log in first, kept until they have.

Anonymous visitors cause it: it takes the room of its own kind only, and the first to
go, if there is too much of it, is what would be over soonest anyway.
"""

import json
import secrets
from typing import Any, Final

import attrs

from sso_proxy.interfaces import ICache, ISealer
from sso_proxy.sessions.names import OCTETS, encode, read_name

PURPOSE: Final = "login-body"
"""Of kept bodies in a cache."""
NEEDS: Final = frozenset({"put", "take"})
"""The operations of a cache that can keep them."""

MOST: Final = 900_000
"""Octets of a body that is kept."""

WHILE: Final = 3600.0
"""Seconds that one is kept: as long as a login may take."""
SOON: Final = 600.0
"""Seconds that it is kept once its owner has logged in."""


@attrs.frozen(kw_only=True)
class KeptBody:
    """
    A body that was posted, or only where to.

    Attributes:
        target: Path and query that it was posted to.
        content_type: Its ``Content-Type``; empty if there was none.
        content: Its octets; None if nothing was posted, and the target is all.
    """

    target: str
    content_type: str = ""
    content: bytes | None = attrs.field(default=None, repr=False)


class KeptBodies:
    """
    Keeps bodies, sealed, each to be taken once.

    Args:
        cache: Where.
        sealer: Seals them.

    Attributes:
        most: Octets of a body that is kept.
    """

    most = MOST

    def __init__(self, cache: ICache, sealer: ISealer) -> None:
        self._cache = cache
        self._sealer = sealer

    async def keep(self, target: str, content_type: str, content: bytes | None) -> str:
        """
        Keep what was posted to *target*, and give its name, which nobody can guess.

        Raises:
            UnavailableError: The cache cannot answer.
            ValueError: There is more of it than can be kept.
        """
        if content is not None and len(content) > MOST:
            raise ValueError(f"{len(content)} octets are too many to keep")
        kept = KeptBody(target=target, content_type=content_type, content=content)
        name = encode(secrets.token_bytes(OCTETS))
        await self._put(name, kept, "", WHILE)
        return name

    async def give(self, name: str, session_id: str) -> KeptBody | None:
        """
        Have the body called *name* belong to the session that has begun.

        From then on nobody else can have it, whoever learns its name; else somebody
        could have others post what a page of another site must not post.

        Returns:
            The body, or None if it is not there any more.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        found = await self._take(name)
        if found is None or found[1]:
            return None
        await self._put(name, found[0], session_id, SOON)
        return found[0]

    async def take(self, name: str, session_id: str) -> KeptBody | None:
        """
        Give the body that belongs to a session, once.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        found = await self._take(name)
        if found is None or not session_id or found[1] != session_id:
            return None
        return found[0]

    async def _put(self, name: str, kept: KeptBody, owner: str, ttl: float) -> None:
        about = {
            "to": kept.target,
            "type": kept.content_type,
            "of": owner,
            "posted": kept.content is not None,
        }
        octets = json.dumps(about).encode()
        whole = len(octets).to_bytes(4, "big") + octets + (kept.content or b"")
        sealed = self._sealer.seal(whole, name.encode("ascii"))
        await self._cache.put(PURPOSE, name.encode("ascii"), sealed, ttl)

    async def _take(self, name: str) -> tuple[KeptBody, str] | None:
        if read_name(name) is None:
            return None
        sealed = await self._cache.take(PURPOSE, name.encode("ascii"))
        if sealed is None:
            return None
        whole = self._sealer.open(sealed, name.encode("ascii"))
        if whole is None:
            return None
        size = 4 + int.from_bytes(whole[:4], "big")
        about: dict[str, Any] = json.loads(whole[4:size])
        kept = KeptBody(
            target=about["to"],
            content_type=about["type"],
            content=whole[size:] if about["posted"] else None,
        )
        return kept, about["of"]
