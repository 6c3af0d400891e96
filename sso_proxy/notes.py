"""What operators should know of a configuration that can be served."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from sso_proxy.interfaces import INoted


class Ending(Protocol):
    """Something with certificates that end."""

    def health(self, now: float) -> tuple[str, ...]:
        """Say what has ended, or is about to."""


def notes_of(
    tls: Iterable[Ending | None], parts: Iterable[object], now: float
) -> Iterator[str]:
    """
    Give a line for each thing that ends soon, or is less safe than it could be.

    Args:
        tls: What each listener shows, or None for a plain one.
        parts: Those of which some are `INoted`.
        now: Seconds since the epoch.
    """
    for each in tls:
        yield from () if each is None else each.health(now)
    for part in parts:
        yield from INoted(part).notes if INoted.providedBy(part) else ()
