"""
Connections to hosts that strangers name: never into the network that we stand in.

A name is resolved once, what is found is judged, and exactly that is connected to.  A
second look-up could give another answer, and that is how such checks are got around
(DNS rebinding).  The certificate is still compared with the name.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final, Self

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from zope.interface import implementer

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.oauth.urls import is_local_address

_TRIED: Final = 4
"""Addresses of one name that are tried."""

Endpoints = Callable[[str, int], IStreamClientEndpoint]
"""Gives what connects to an address."""


class AddressRefusedError(SsoProxyError):
    """A name leads where nothing that strangers name may lead."""


@attrs.frozen
class Guard:
    """
    Decides which addresses may be connected to.

    Those of single hosts of the Internet may; none of this machine, of private or
    link-local networks, multicast, or in IPv6 any that have an IPv4 address in them.

    Attributes:
        networks: Others that are allowed.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, networks: Sequence[str]) -> Self:
        """
        Make one that allows *networks* besides.

        Raises:
            ValueError: One is no network.
        """
        return cls(tuple(ip_network(network) for network in networks))

    def allows(self, address: str) -> bool:
        """Say whether *address* may be connected to."""
        parsed = ip_address(address)
        if any(parsed in network for network in self.networks):
            return True
        return not is_local_address(parsed)


@implementer(IStreamClientEndpoint)
class GuardedEndpoint:
    """
    Connects to *host*, if a guard allows all that its name leads to.

    One address that is not allowed refuses the name: who answers with a good one and a
    bad one is not to be trusted with either.

    Args:
        reactor: Resolves names.
        host: A name, or an address.
        port: The port.
        guard: Decides.
        endpoints: Connect to an address, through a proxy if there is one.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        host: str,
        port: int,
        guard: Guard,
        endpoints: Endpoints,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._guard = guard
        self._endpoints = endpoints

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect, and give the protocol that *protocolFactory* builds."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        found = await self._resolve()
        if not found:
            raise DNSLookupError(f"no address of {self._host}")
        if not all(map(self._guard.allows, found)):
            raise AddressRefusedError(f"{self._host} leads to a local address")
        *others, last = found[:_TRIED]
        for address in others:
            try:
                return await self._to(address, factory)
            except CancelledError:
                raise
            except Exception:  # noqa: BLE001, S112 - the last one says why
                continue
        return await self._to(last, factory)

    def _to(self, address: str, factory: IProtocolFactory) -> Deferred[IProtocol]:
        connected: Deferred[IProtocol] = self._endpoints(address, self._port).connect(
            factory
        )
        return connected

    async def _resolve(self) -> list[str]:
        """Give the addresses of the host, looked up once."""
        try:
            return [str(ip_address(self._host.strip("[]")))]
        except ValueError:
            pass
        found: Deferred[list[str]] = Deferred()
        self._reactor.nameResolver.resolveHostName(
            _Receiver(found), self._host, self._port, transportSemantics="TCP"
        )
        return await found


@implementer(IResolutionReceiver)
class _Receiver:
    """Collects what a resolver finds."""

    def __init__(self, done: Deferred[list[str]]) -> None:
        self._done = done
        self._found: dict[str, None] = {}

    def resolutionBegan(self, resolutionInProgress: object) -> None:  # noqa: N802, N803
        """Do nothing."""

    def addressResolved(self, address: object) -> None:  # noqa: N802
        """Keep *address*."""
        if isinstance(address, IPv4Address | IPv6Address):
            self._found[address.host] = None

    def resolutionComplete(self) -> None:  # noqa: N802
        """Pass on what was found."""
        self._done.callback([*self._found])
