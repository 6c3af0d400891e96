"""How often somebody has tried a password, counted for all processes together."""

import json
import unicodedata
from hashlib import sha256
from typing import Final

import attrs

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, ISealer

PURPOSE: Final = "password-tries"
NEEDS: Final = frozenset({"get", "compare_and_set", "delete"})
"""What the cache has to be able to do."""

_ATTEMPTS: Final = 20
_AT_ONCE: Final = 1.0


@attrs.frozen(kw_only=True)
class Pace:
    """
    How often tries may follow each other.

    Attributes:
        free: Tries without a pause.
        first: Seconds of the first pause; each further one is twice as long.
        longest: Seconds of the longest.
        memory: Seconds after which all is forgotten, from the last try on.
    """

    free: int
    first: float
    longest: float
    memory: float

    def pause(self, tries: int) -> float:
        """Give the seconds to wait after so many *tries*."""
        if tries < self.free:
            return 0.0
        return min(self.longest, self.first * 2.0 ** min(tries - self.free, 30))


def fold(user: str) -> str:
    """
    Give what typed names have in common that could be the same account.

    Many directories take ``Bob``, ``bob`` and ``bob`` with a blank for the same.
    """
    return " ".join(unicodedata.normalize("NFKC", user).casefold().split())


class Tries:
    """
    Counts tries by what they are about: a user, or an address.

    A try counts before it is known to be wrong, so that nobody gets many at once; one
    that was right is taken back.  Counts are in a cache, for all processes and machines
    that have it; without it, nobody can try.

    Args:
        cache: Where counts are.
        sealer: Seals them.
        clock: The time.
        pace: How often tries may follow each other.
    """

    def __init__(
        self, cache: ICache, sealer: ISealer, clock: IClock, pace: Pace
    ) -> None:
        self._cache = cache
        self._sealer = sealer
        self._clock = clock
        self._pace = pace

    async def begin(self, *about: str) -> float:
        """
        Count a try.

        Returns:
            How many seconds to wait, if it comes too soon and is not counted; else 0.

        Raises:
            UnavailableError: The cache is down.
        """
        return await self._change(_key(about), 1, check=True)

    async def add(self, *about: str) -> None:
        """
        Count a try that has happened.

        Raises:
            UnavailableError: The cache is down.
        """
        await self._change(_key(about), 1, check=False)

    async def take_back(self, *about: str) -> None:
        """
        Count one less.

        Raises:
            UnavailableError: The cache is down.
        """
        await self._change(_key(about), -1, check=False)

    async def forget(self, *about: str) -> None:
        """
        Begin anew.

        Raises:
            UnavailableError: The cache is down.
        """
        await self._cache.delete(PURPOSE, _key(about))

    async def wait(self, *about: str) -> float:
        """
        Give the seconds to wait, and count nothing.

        Raises:
            UnavailableError: The cache is down.
        """
        key = _key(about)
        tries, last = self._read(key, await self._cache.get(PURPOSE, key))
        return self._left(tries, last)

    async def _change(self, key: bytes, by: int, *, check: bool) -> float:
        for _ in range(_ATTEMPTS):
            old = await self._cache.get(PURPOSE, key)
            tries, last = self._read(key, old)
            left = self._left(tries, last) if check else 0.0
            if left:
                return left
            now, count = self._clock.time(), max(0, tries + by)
            record = json.dumps([count, now if by > 0 else last]).encode()
            new = self._sealer.seal(record, key)
            if await self._cache.compare_and_set(
                PURPOSE, key, old, new, self._pace.memory
            ):
                return 0.0
        if not check:
            raise UnavailableError(f"a count of {PURPOSE}")
        return _AT_ONCE  # so many try at once that this one can wait

    def _left(self, tries: int, last: float) -> float:
        # Of a clock that was set back, no more than the pause itself.
        pause = self._pace.pause(tries)
        return min(pause, max(0.0, last + pause - self._clock.time()))

    def _read(self, key: bytes, sealed: bytes | None) -> tuple[int, float]:
        text = None if sealed is None else self._sealer.open(sealed, key)
        if text is None:
            return 0, 0.0
        tries, last = json.loads(text)
        return tries, last


def _key(about: tuple[str, ...]) -> bytes:
    return sha256("\0".join(about).encode()).digest()
