"""
What processes and nodes know of each other's tokens, by the cache that they share.

Under a key there is a token, and for a short time either the mark of who is getting
one, or a refusal.  All who find a mark wait.  Marks are compared and set, not added:
what anybody can cause by requests must not stay whatever happens.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, ISealer
from sso_proxy.token import NotIssued
from sso_proxy.tokens.keep_rules import KeepRules
from sso_proxy.tokens.kept_record import (
    Kept,
    read_refusal,
    read_token,
    write_refusal,
    write_token,
)

TOKENS: Final = "token"
WORK: Final = "token-work"
NEEDS: Final = frozenset({"get", "put", "delete", "compare_and_set"})
"""The operations of a cache that can be used."""
KIND: Final = "token"
"""Of the sealed records."""

MARK_LASTS: Final = 5.0
"""Seconds after which others go on if who was getting a token is dead."""
_BEAT: Final = 1.5
"""Seconds between signs of life."""
_MARK: Final = b"\0at work "
_MOST: Final = 900_000
"""Octets of a record: what every cache takes."""
_FIRST_LOOK: Final = 0.02
_LONGEST_LOOK: Final = 0.25
"""As long as messages of the ``local`` cache take, so that waiting needs none."""
_LOOKS: Final = 2000


@attrs.frozen
class Refused:
    """
    A refusal.

    Attributes:
        why: What was refused.
        left: Seconds that it is believed from now on.
    """

    why: NotIssued
    left: float


class Turn:
    """
    The right to get a token, which nobody else does meanwhile.

    Args:
        cache: Where the mark is.
        name: Its name.
        mark: What it is.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        cache: ICache,
        name: bytes,
        mark: bytes,
        sleep: Callable[[float], Deferred[Any]],
    ) -> None:
        self._cache = cache
        self._name = name
        self._mark = mark
        self._sleep = sleep
        self._alive = Deferred.fromCoroutine(self._live())
        self._alive.addErrback(lambda why: why.trap(CancelledError, UnavailableError))

    async def end(self, record: bytes | None = None, ttl: float = 0.0) -> None:
        """
        Let others have a look, who find *record* for *ttl* seconds if there is one.

        Raises:
            UnavailableError: The cache is down; the mark goes by itself.
        """
        self._alive.cancel()
        if record is not None:
            await self._cache.compare_and_set(WORK, self._name, self._mark, record, ttl)
        elif await self._cache.get(WORK, self._name) == self._mark:
            await self._cache.delete(WORK, self._name)

    async def _live(self) -> None:
        """Show that this process is alive, for as long as the mark is its own."""
        mark = self._mark
        lives = True
        while lives:
            await self._sleep(_BEAT)
            lives = await self._cache.compare_and_set(
                WORK, self._name, mark, mark, MARK_LASTS
            )


class SharedTokens:
    """
    The tokens that all processes keep together.

    Args:
        cache: Where.
        sealer: Seals them.
        clock: The time.
        sleep: Waits for so many seconds.
        rules: How tokens are kept.
        counts: What happens is counted here.
    """

    def __init__(  # noqa: PLR0913
        self,
        cache: ICache,
        sealer: ISealer,
        clock: IClock,
        *,
        sleep: Callable[[float], Deferred[Any]],
        rules: KeepRules,
        counts: Counter[str],
    ) -> None:
        self._cache = cache
        self._sealer = sealer
        self._clock = clock
        self._sleep = sleep
        self._rules = rules
        self._counts = counts

    async def seek(self, name: bytes, *, fresh: bool) -> Kept | Refused | Turn:
        """
        Give what is known of *name*, or the right to get it.

        Waits for who has this right, for as long as they live.

        Args:
            name: Its name.
            fresh: Whether a token counts only if it need not be renewed.

        Raises:
            UnavailableError: The cache is down, or nobody gets ready.
        """
        pause = _FIRST_LOOK
        for _ in range(_LOOKS):
            found = await self._look(name, fresh=fresh)
            if found is not None:
                return found
            await self._sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK)
        raise UnavailableError("a token that another process gets", status=504)

    async def put(self, name: bytes, kept: Kept) -> None:
        """
        Let others have a token.

        Raises:
            UnavailableError: The cache is down, or has no room for it.
        """
        sealed = self._sealer.seal(write_token(kept), _of(TOKENS, name))
        ttl = kept.span.ends - self._clock.time()
        if ttl > 0 and len(sealed) <= _MOST:
            await self._cache.put(TOKENS, name, sealed, ttl)

    async def drop(self, name: bytes) -> None:
        """
        Let nobody have a token any more.

        Raises:
            UnavailableError: The cache is down.
        """
        await self._cache.delete(TOKENS, name)

    async def refuse(self, turn: Turn, name: bytes, refusal: NotIssued) -> None:
        """
        End *turn*, and let others know of a refusal.

        Raises:
            UnavailableError: The cache is down.
        """
        negative = self._rules.negative
        record = write_refusal(refusal, self._clock.time() + negative)
        await turn.end(self._sealer.seal(record, _of(WORK, name)), negative)

    async def _look(self, name: bytes, *, fresh: bool) -> Kept | Refused | Turn | None:
        """Give what is known, or the right to get it; None if another has that."""
        kept = await self._find(name, fresh=fresh)
        if kept is not None:
            return kept
        mark = _MARK + secrets.token_bytes(16)
        if not await self._cache.compare_and_set(WORK, name, None, mark, MARK_LASTS):
            held = await self._cache.get(WORK, name)
            if held is None or held.startswith(_MARK):
                return None
            refused = self._read_refusal(name, held)
            if refused is not None:
                return refused
            # Nobody can read it: it has no more right to be here than nothing.
            if not await self._cache.compare_and_set(
                WORK, name, held, mark, MARK_LASTS
            ):
                return None
        turn = Turn(self._cache, name, mark, self._sleep)
        try:
            kept = await self._find(name, fresh=fresh)  # it may have come in between
        except (UnavailableError, CancelledError):
            await turn.end()
            raise
        if kept is not None:
            await turn.end()
        return kept or turn

    async def _find(self, name: bytes, *, fresh: bool) -> Kept | None:
        sealed = await self._cache.get(TOKENS, name)
        if sealed is None:
            return None
        now = self._clock.time()
        octets = self._sealer.open(sealed, _of(TOKENS, name))
        try:
            kept = read_token(octets or b"", now, self._rules)
        except ValueError:  # or sealed by somebody else
            self._counts["unreadable"] += 1
            return None
        if kept is None or (fresh and kept.span.renew <= now):
            return None
        return kept

    def _read_refusal(self, name: bytes, sealed: bytes) -> Refused | None:
        octets = self._sealer.open(sealed, _of(WORK, name))
        try:
            why, ends = read_refusal(octets or b"")
        except ValueError:  # or sealed by somebody else
            self._counts["unreadable"] += 1
            return None
        left = min(ends - self._clock.time(), self._rules.negative)
        return Refused(why, left) if left > 0 else None


def _of(purpose: str, name: bytes) -> bytes:
    """Say what a record is of: one of the one purpose is none of the other."""
    return purpose.encode() + b"\0" + name
