"""
What a device is asked to sign, so that its proof is about us, this holder and now.

A challenge is sealed and says all that has to be known of it: any process that has the
same key ring knows its own, and several are good at a time, such as those of two tabs.
What is kept is only that it was used.
"""

import struct
from typing import Final, Literal

from sso_proxy.interfaces import ICache, IClock, ISealer
from sso_proxy.sessions.lifetime import SKEW
from sso_proxy.sessions.names import decode, digest, encode

PURPOSE: Final = "device-proof"

Use = Literal["register", "authorize", "refresh"]
"""What a proof is for; ``authorize`` stands beside the challenge of a registration."""

_FORM: Final = struct.Struct(">d")


class Challenges:
    """
    Makes challenges, and knows them again.

    Args:
        sealer: Seals them.
        cache: Marks those that were used.
        clock: The time.
        good_for: Seconds that one is good for.
        name: Names the kind of holders.
    """

    def __init__(
        self,
        sealer: ISealer,
        cache: ICache,
        clock: IClock,
        good_for: float = 900.0,
        name: str = "",
    ) -> None:
        self._sealer = sealer
        self._cache = cache
        self._clock = clock
        self._good_for = good_for
        self._name = name

    def make(self, use: Use, holder: str, host: str) -> str:
        """Make a challenge for one *use* of the key of *holder* at *host*."""
        octets = _FORM.pack(self._clock.time())
        return encode(self._sealer.seal(octets, self._context(use, holder, host)))

    def check(self, text: str, use: Use, holder: str, host: str) -> bool:
        """Say whether *text* is such a challenge, made not too long ago."""
        sealed = decode(text)
        if sealed is None:
            return False
        octets = self._sealer.open(sealed, self._context(use, holder, host))
        if octets is None:
            return False
        (made,) = _FORM.unpack(octets)
        age: float = self._clock.time() - made
        return -SKEW <= age < self._good_for

    async def spend(self, text: str) -> bool:
        """
        Use up a challenge that is good; False if it was used before.

        Raises:
            UnavailableError: The cache cannot answer, or has no room.
        """
        # A machine whose clock is behind would still take it for a while.
        ttl = self._good_for + 2 * SKEW
        return await self._cache.mark(PURPOSE, digest(self._name, text), ttl)

    def _context(self, use: Use, holder: str, host: str) -> bytes:
        return digest(self._name, use, holder, host)
