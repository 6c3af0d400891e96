"""Tokens that were signed here, to be given again: a signature takes its time."""

from collections.abc import Hashable
from typing import Final, NamedTuple

from sso_proxy.token import Token

MOST: Final = 4096
"""Tokens that are kept at most."""


class _Minted(NamedTuple):
    """
    A token that may be given again.

    Attributes:
        token: The token.
        again: Until when.
        exp: When it stops being good.
    """

    token: Token
    again: float
    exp: float


class MintedTokens:
    """Keeps tokens by all that they say but their times.  No more than `MOST`."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Minted] = {}

    def __len__(self) -> int:
        """Count them."""
        return len(self._kept)

    def get(self, key: Hashable, *, now: float, end: float) -> Token | None:
        """
        Give the token of *key*, if it is good for a while and over by *end*.

        Args:
            key: What it says.
            now: The time.
            end: When what it says stops being true.
        """
        kept = self._kept.get(key)
        if kept is None or now >= kept.again or kept.exp > end:
            return None
        return kept.token

    def keep(
        self, key: Hashable, token: Token, *, now: float, again: float, exp: float
    ) -> None:
        """
        Keep a token; the oldest ones, which are over first, make room for it.

        Args:
            key: What it says.
            token: It.
            now: The time.
            again: Until when it may be given again.
            exp: When it stops being good.
        """
        kept = self._kept
        kept.pop(key, None)
        while kept:
            oldest = next(iter(kept))
            if len(kept) < MOST and kept[oldest].exp > now:
                break
            del kept[oldest]
        kept[key] = _Minted(token, again, exp)
