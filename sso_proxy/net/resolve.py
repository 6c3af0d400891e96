"""Names to addresses, by the system's resolver and remembered for a moment."""

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IResolutionReceiver
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.interfaces import IClock
from sso_proxy.net.connect import Address

_log = Logger()

_REMEMBERED = 10.0
"""Seconds that an answer is used; the system's resolver tells us no lifetime."""

_MOST_NAMES = 1024


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects what the resolver finds."""

    def __init__(self, done: Callable[[list[Address]], None]) -> None:
        self._done = done
        self._found: list[Address] = []

    def resolutionBegan(self, resolutionInProgress: object) -> None:  # noqa: N802, N803
        """Do nothing."""

    def addressResolved(self, address: object) -> None:  # noqa: N802
        """Keep *address*."""
        if isinstance(address, IPv4Address):
            self._found.append((socket.AF_INET, (address.host, address.port)))
        elif isinstance(address, IPv6Address):
            self._found.append((socket.AF_INET6, (address.host, address.port)))

    def resolutionComplete(self) -> None:  # noqa: N802
        """Pass on what was found."""
        self._done(self._found)


class Resolver:
    """Looks up hosts; IP addresses need no looking up."""

    def __init__(self, reactor: Any, clock: IClock) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._asking: dict[tuple[str, int], list[Callable[[list[Address]], None]]] = {}

    def lookup(
        self, host: str, port: int, done: Callable[[list[Address]], None]
    ) -> None:
        """
        Call *done* with the addresses of *host*, at once if they are known.

        Who asks for what is being looked up waits for the same answer: the threads
        that ask the system are few.
        """
        key = (host, port)
        known = self._known.get(key)
        if known is not None and known[0] > self._clock.monotonic():
            done(known[1])
            return
        literal = _literal(host, port)
        if literal is not None:
            done([literal])
            return
        waiting = self._asking.get(key)
        if waiting is not None:
            waiting.append(done)
            return
        self._asking[key] = [done]

        def found(addresses: list[Address]) -> None:
            if addresses:
                if len(self._known) >= _MOST_NAMES:
                    self._known.clear()
                until = self._clock.monotonic() + _REMEMBERED
                self._known[key] = (until, addresses)
            for each in self._asking.pop(key, ()):
                try:
                    each(addresses)
                except Exception:  # noqa: BLE001
                    _log.failure("A connection to {host} failed to begin.", host=host)

        self._reactor.nameResolver.resolveHostName(_Receiver(found), host, port)


def _literal(host: str, port: int) -> Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return family, (str(address), port)
