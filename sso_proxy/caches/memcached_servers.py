"""Which memcached servers there are, and which of them has a record."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from ipaddress import ip_address
from typing import Any, Final

import attrs
from twisted.internet.endpoints import (
    HostnameEndpoint,
    UNIXClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from sso_proxy.caches.memcached_link import Link
from sso_proxy.interfaces import IClosable
from sso_proxy.net.tls.client import ClientTls, client_options
from sso_proxy.traffic import Histogram

PORT: Final = 11211

_SERVER = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?")


@attrs.frozen
class Address:
    """
    Where a server is.

    Attributes:
        host: A name or an IP address; for a unix socket its path.
        port: 0 for a unix socket.
    """

    host: str
    port: int

    @property
    def name(self) -> str:
        """Give its only name: machines have to agree on who has a record."""
        if not self.port:
            return f"unix:{self.host}"
        return (
            f"[{self.host}]:{self.port}"
            if ":" in self.host
            else f"{self.host}:{self.port}"
        )

    @property
    def stays_here(self) -> bool:
        """Say whether what is sent there never leaves the machine."""
        if not self.port:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:  # a name is what a resolver says it is
            return False


def read_address(text: str) -> Address:
    """
    Read ``host``, ``host:port``, ``[address]:port`` or ``unix:/path``.

    Raises:
        ValueError: It is none of these.
    """
    if text.startswith("unix:/") and len(text) < 100:
        return Address(text.removeprefix("unix:"), 0)
    found = _SERVER.fullmatch(text)
    port = int(found[3] or PORT) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError(f"{text!r} is no host:port, [address]:port or unix:/path")
    return Address((found[1] or found[2]).lower(), port)


@implementer(IClosable)
class Servers:
    """
    Links to all servers.  Outlives a reload.

    A record is on the server that its key and the server's name choose together
    (rendezvous hashing), so that a server more or less moves only what it has.  There
    is no other server for a record while its own is down: what was deleted there would
    be back as soon as that server is.

    Attributes:
        links: In the order of the file.
    """

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = tuple(links)
        self._seeds = [
            (blake2b(link.name.encode(), digest_size=8).digest(), link)
            for link in self.links
        ]

    @property
    def durations(self) -> Histogram:
        """Give how long they took for what was asked of them."""
        total = Histogram()
        for link in self.links:
            total.add(link.durations)
        return total

    def open(self) -> None:
        """Begin to connect; may be done again."""
        for link in self.links:
            link.open()

    def close(self) -> None:
        """End all connections."""
        for link in self.links:
            link.close()

    def of(self, key: bytes) -> Link:
        """Give the link to the server that has *key*."""
        if len(self.links) == 1:
            return self.links[0]
        return max(
            self._seeds,
            key=lambda each: blake2b(key, digest_size=8, key=each[0]).digest(),
        )[1]


def build_servers(
    names: Sequence[str],
    tls: ClientTls | None,
    *,
    reactor: Any,  # noqa: ANN401
    timeout: float,
) -> Servers:
    """
    Make links to the servers that are called *names* in the file.

    Args:
        names: As `read_address` reads them.
        tls: Whom to trust, and our certificate; None for no TLS.
        reactor: Connects and measures time.
        timeout: Seconds for a command.
    """
    return Servers(
        [
            Link(
                address.name,
                _endpoint(address, tls, reactor, timeout),
                reactor=reactor,
                timeout=timeout,
            )
            for address in map(read_address, names)
        ]
    )


def _endpoint(
    address: Address,
    tls: ClientTls | None,
    reactor: Any,  # noqa: ANN401
    timeout: float,
) -> IStreamClientEndpoint:
    endpoint: Any
    if not address.port:
        endpoint = UNIXClientEndpoint(reactor, address.host, timeout=timeout)
    else:
        endpoint = HostnameEndpoint(
            reactor, address.host, address.port, timeout=timeout
        )
    if tls is not None:
        endpoint = wrapClientTLS(client_options(address.host, tls=tls), endpoint)
    made: IStreamClientEndpoint = endpoint
    return made
