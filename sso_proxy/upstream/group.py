"""A backend that is several servers."""

from collections.abc import Mapping

from zope.interface import implementer

from sso_proxy.interfaces import IUpstream
from sso_proxy.upstream import Exchange
from sso_proxy.upstream.http import HttpUpstream
from sso_proxy.upstream.request import Outgoing
from sso_proxy.upstream.servers import Member, Servers
from sso_proxy.upstream.target import place_of
from sso_proxy.upstream.way import Way


@implementer(IUpstream)
class GroupUpstream:
    """
    Connections to the servers of an upstream, with the patience of some routes.

    Attributes:
        name: As routes write it.
        servers: Which server gets what; routes with other limits share it.
        places: Where they are.

    Args:
        pools: Connections to each server.
    """

    inside = False

    def __init__(
        self, name: str, servers: Servers, pools: Mapping[Member, HttpUpstream]
    ) -> None:
        self.name = name
        self.servers = servers
        self._pools = pools
        self.state = servers.state
        self.places = frozenset(place_of(each.target) for each in servers.members)

    def forward(self, exchange: Exchange, outgoing: Outgoing) -> Way:
        """Send *outgoing* to one of the servers, as soon as one has room."""
        way = Way(self, exchange, outgoing)
        self.servers.place(way)
        return way

    def pool(self, member: Member) -> HttpUpstream:
        """Give the connections to *member*."""
        return self._pools[member]

    def close(self) -> None:
        """Drop idle connections now, and all others as they become idle."""
        self.servers.close()
        for pool in self._pools.values():
            pool.close()

    def counts(self) -> tuple[int, int]:
        """Give the number of connections in use and idle."""
        counts = [pool.counts() for pool in self._pools.values()]
        return sum(busy for busy, _ in counts), sum(idle for _, idle in counts)
