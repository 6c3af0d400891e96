"""What operators should know of a configuration that can be served."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from sso_proxy.config.model import Config, ListenerConfig
from sso_proxy.config.private_file import is_open
from sso_proxy.interfaces import INoted
from sso_proxy.storage import DEFAULT

_RENEWED: Final = 120
"""Seconds that are left of a cookie when Chromium renews it (measured)."""


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

    And one where browsers have to prove their device all the time.

    Args:
        config: The configuration.
    """
    yield from _notes_of_devices(config)
    named = config.authenticator
    for number, route in enumerate(config.route):
        if route.map_user:
            continue
        for name in route.authenticate:
            if name in named and named[name].type == "openid2":
                who = f"who logs in by authenticator.{name}"
                problem = f"without it, the backend knows {who} by a URL"
                yield f"route[{number}].map_user: {problem}"


def _notes_of_devices(config: Config) -> Iterator[str]:
    """
    Give a line for each place where browsers prove their device all the time.

    And for each where keys of devices are forgotten before what is bound to them.
    """
    for name, session in config.session.items():
        table, binding = session.options.get("device"), session.options.get("binding")
        if isinstance(table, Mapping):
            yield from _often(f"session.{name}.device", table.get("lifetime"))
        bound = isinstance(binding, Mapping) and "device" in binding
        if bound and session.type == "cookie":  # others are forgotten, too
            cache = session.options.get("cache")
            yield from _forgotten(config, f"session.{name}", cache)
    for number, route in enumerate(config.route):
        cookies = route.binding.cookies
        if cookies is not None and cookies.device is not None:
            place = f"route[{number}].binding.cookies.device_options"
            yield from _often(place, cookies.device_options.lifetime)
            yield from _forgotten(config, place, cookies.device_options.cache)


def _often(place: str, lifetime: object) -> Iterator[str]:
    """Say so of a *lifetime* in seconds that has Chromium renew what it has."""
    if isinstance(lifetime, int) and lifetime <= _RENEWED:
        problem = f"browsers prove their device with every page; {_RENEWED + 1} or more"
        yield f"{place}.lifetime: {problem} spares that"


def _forgotten(config: Config, place: str, name: object) -> Iterator[str]:
    """Say so of the cache of this *name* that is gone with its process."""
    only = next(iter(config.cache)) if len(config.cache) == 1 else DEFAULT
    cache = config.cache.get(name if isinstance(name, str) else only)
    if cache is not None and cache.type == "memory":
        problem = "a restart forgets keys of devices, and not what is bound to them"
        yield f"{place}.cache: {problem}: whoever has a copy can go on then"


def _keys_of(listeners: Sequence[ListenerConfig]) -> Iterator[tuple[str, str]]:
    """Give the options that name private keys, and the files."""
    for number, listener in enumerate(listeners):
        place = f"listener[{number}]"
        if listener.key is not None:
            yield f"{place}.key", listener.key
        for index, name in enumerate(listener.name):
            if name.key is not None:
                yield f"{place}.name[{index}].key", name.key
