"""
What somebody posted who had to log in first, kept until they have.

Anonymous visitors cause it: it takes the room of its own kind only, and the first to
go, if there is too much of it, is what would be over soonest anyway.
"""

import json
import secrets
from collections.abc import Mapping
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

    async def keep(
        self,
        target: str,
        content_type: str,
        content: bytes | None,
        *,
        browser: str = "",
        user: str = "",
    ) -> str:
        """
        Keep what was posted to *target*, and give its name, which nobody can guess.

        Args:
            target: Path and query.
            content_type: What is posted.
            content: Its octets, or None.
            browser: Names the browser; nobody else's gets it.
            user: Who posted it, if they were logged in already; nobody else gets it.

        Raises:
            UnavailableError: The cache cannot answer.
            ValueError: There is more of it than can be kept.
        """
        if content is not None and len(content) > MOST:
            raise ValueError(f"{len(content)} octets are too many to keep")
        kept = KeptBody(target=target, content_type=content_type, content=content)
        name = encode(secrets.token_bytes(OCTETS))
        await self._put(name, kept, {"browser": browser, "user": user}, WHILE)
        return name

    async def give(
        self, name: str, session_id: str, *, browser: str = "", user: str = ""
    ) -> KeptBody | None:
        """
        Have the body called *name* belong to the session that has begun.

        From then on nobody else can have it, whoever learns its name; else somebody
        could have others post what a page of another site must not post.

        Returns:
            The body, or None if it is not there any more, or is another's.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        kept, whose = await self._take(name) or (None, {})
        if (
            kept is None
            or whose.get("of")
            or whose.get("browser", "") != browser
            or whose.get("user", "") not in ("", user)
        ):
            return None
        await self._put(name, kept, {"of": session_id}, SOON)
        return kept

    async def take(self, name: str, session_id: str) -> KeptBody | None:
        """
        Give the body that belongs to a session, once.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        kept, whose = await self._take(name) or (None, {})
        return kept if session_id and whose.get("of") == session_id else None

    async def _put(
        self, name: str, kept: KeptBody, whose: Mapping[str, str], ttl: float
    ) -> None:
        about = {
            "to": kept.target,
            "type": kept.content_type,
            "posted": kept.content is not None,
            **whose,
        }
        octets = json.dumps(about).encode()
        whole = len(octets).to_bytes(4, "big") + octets + (kept.content or b"")
        sealed = self._sealer.seal(whole, name.encode("ascii"))
        await self._cache.put(PURPOSE, name.encode("ascii"), sealed, ttl)

    async def _take(self, name: str) -> tuple[KeptBody, dict[str, Any]] | None:
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
        return kept, about
