"""What operators should know of a configuration that can be served."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sso_proxy.config.model import ListenerConfig
from sso_proxy.config.private_file import is_open
from sso_proxy.interfaces import INoted


class Ending(Protocol):
    """Something with certificates that end."""

    def health(self, now: float) -> tuple[str, ...]:
        """Say what has ended, or is about to."""


def notes_of(
    listeners: Sequence[ListenerConfig],
    tls: Iterable[Ending | None],
    parts: Iterable[object],
    now: float,
) -> Iterator[str]:
    """
    Give a line for each thing that ends soon, or is less safe than it could be.

    Args:
        listeners: The options of the listeners.
        tls: What each listener shows, or None for a plain one.
        parts: Those of which some are `INoted`.
        now: Seconds since the epoch.
    """
    for place, key in _keys_of(listeners):
        if is_open(Path(key)):
            problem = "everybody on this machine can get at it; chmod o= it"
            yield f"{place}: {key!r}: {problem}"
    for each in tls:
        yield from () if each is None else each.health(now)
    for part in parts:
        yield from INoted(part).notes if INoted.providedBy(part) else ()


def _keys_of(listeners: Sequence[ListenerConfig]) -> Iterator[tuple[str, str]]:
    """Give the options that name private keys, and the files."""
    for number, listener in enumerate(listeners):
        place = f"listener[{number}]"
        if listener.key is not None:
            yield f"{place}.key", listener.key
        for index, name in enumerate(listener.name):
            if name.key is not None:
                yield f"{place}.name[{index}].key", name.key
