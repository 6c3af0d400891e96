"""What operators should know of a configuration that can be served."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sso_proxy.config.model import Config, ListenerConfig
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


def notes_of_routes(config: Config) -> Iterator[str]:
    """
    Give a line for each route whose backend is told URLs that users have chosen.

    Args:
        config: The configuration.
    """
    named = config.authenticator
    for number, route in enumerate(config.route):
        if route.map_user:
            continue
        for name in route.authenticate:
            if name in named and named[name].type == "openid2":
                who = f"who logs in by authenticator.{name}"
                problem = f"without it, the backend knows {who} by a URL"
                yield f"route[{number}].map_user: {problem}"


def _keys_of(listeners: Sequence[ListenerConfig]) -> Iterator[tuple[str, str]]:
    """Give the options that name private keys, and the files."""
    for number, listener in enumerate(listeners):
        place = f"listener[{number}]"
        if listener.key is not None:
            yield f"{place}.key", listener.key
        for index, name in enumerate(listener.name):
            if name.key is not None:
                yield f"{place}.name[{index}].key", name.key
