"""
Keys of browsers' devices, and what they are good for.

A holder is what a key is bound to: a session of ours, or a cookie of an application.
The first key that is registered for a holder stays; who comes later with the holder's
cookie and another key is somebody else.
"""

import json
from collections.abc import Mapping
from typing import Final

import attrs

from sso_proxy.interfaces import ICache, ISealer
from sso_proxy.sessions.names import digest

PURPOSE: Final = "device-key"
OFFERS: Final = "device-offer"


@attrs.frozen(kw_only=True)
class DeviceKey:
    """
    A key that a browser has registered.

    Attributes:
        jwk: The public key.
        thumbprint: Names it (RFC 7638).
        algorithm: What it signs with.
        since: Seconds since the epoch when it was registered.
    """

    jwk: Mapping[str, str]
    thumbprint: str
    algorithm: str
    since: float


class DeviceKeys:
    """
    The keys of the holders of one kind.

    Args:
        cache: Where they are.
        sealer: Seals them: nobody who can write to the cache has one of their own.
        name: Names the kind of holders.
    """

    def __init__(self, cache: ICache, sealer: ISealer, name: str = "") -> None:
        self._cache = cache
        self._sealer = sealer
        self._name = name

    async def register(self, holder: str, key: DeviceKey, ttl: float) -> bool:
        """
        Bind *holder* to *key* for *ttl* seconds; False if there is a key already.

        It is never forgotten before, or a copied cookie would be good again.

        Raises:
            UnavailableError: The cache cannot answer, or has no room.
        """
        record = {
            "jwk": dict(key.jwk),
            "jkt": key.thumbprint,
            "alg": key.algorithm,
            "at": key.since,
        }
        name = self._digest(holder)
        sealed = self._sealer.seal(json.dumps(record).encode(), name)
        return await self._cache.add(PURPOSE, name, sealed, max(ttl, 0.001))

    async def has(self, holder: str) -> bool:
        """
        Say whether *holder* is bound, also to a key that cannot be read any more.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        return await self._cache.get(PURPOSE, self._digest(holder)) is not None

    async def find(self, holder: str) -> DeviceKey | None:
        """
        Give the key of *holder*; None if there is none, or it cannot be read.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        name = self._digest(holder)
        sealed = await self._cache.get(PURPOSE, name)
        octets = None if sealed is None else self._sealer.open(sealed, name)
        if octets is None:
            return None
        record = json.loads(octets)
        return DeviceKey(
            jwk=record["jwk"],
            thumbprint=record["jkt"],
            algorithm=record["alg"],
            since=record["at"],
        )

    async def mark_offer(self, holder: str, ttl: float) -> bool:
        """
        Note that a key is asked for; False if it was in the last *ttl* seconds.

        Raises:
            UnavailableError: The cache cannot answer, or has no room.
        """
        return await self._cache.mark(OFFERS, self._digest(holder), ttl)

    async def forget(self, holder: str) -> None:
        """
        Forget the key of *holder*, which is over.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        await self._cache.delete(PURPOSE, self._digest(holder))

    def _digest(self, holder: str) -> bytes:
        return digest("device", self._name, holder)
