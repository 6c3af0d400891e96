"""Backends of several servers, made of what one configuration says of them."""

from collections.abc import Callable, Mapping
from typing import Any

from sso_proxy.config.upstream_parts import HealthOptions, UpstreamOptions
from sso_proxy.net.ticker import Ticker
from sso_proxy.upstream.group import GroupUpstream
from sso_proxy.upstream.health_check import HealthChecks
from sso_proxy.upstream.servers import Member, Rules, Server, Servers
from sso_proxy.upstream.standing import Judging
from sso_proxy.upstream.target import Patience, Target

Share = Callable[[tuple[Any, ...], Callable[[], Any]], Any]


class Groups:
    """
    Makes what forwards to upstreams; routes that lead to the same one share it.

    Args:
        share: Gives what the configuration before had by a key, or makes it.
        make_pool: Makes connections to one server.
        ticker: Tells the time.
    """

    def __init__(
        self, share: Share, make_pool: Callable[[Target, Patience], Any], ticker: Ticker
    ) -> None:
        self._share = share
        self._make_pool = make_pool
        self._ticker = ticker
        self._servers: dict[str, tuple[Servers, HealthOptions | None]] = {}
        self._checks: list[HealthChecks] = []

    def make(self, target: Target, patience: Patience) -> GroupUpstream:
        """Make what forwards to the servers of *target*."""
        if target.name not in self._servers:
            self._servers[target.name] = self._make_servers(target)
        servers, _ = self._servers[target.name]
        pools: Mapping[Member, Any] = {
            member: self._make_pool(member.target, patience)
            for member in servers.members
        }
        return GroupUpstream(target.name, servers, pools)

    def start(self) -> None:
        """Begin to ask servers whether they are well."""
        for servers, options in self._servers.values():
            if options is not None:
                checks = HealthChecks(servers, options, self._make_pool, self._ticker)
                self._checks.append(checks)
                checks.start()

    def close(self) -> None:
        """Ask no more."""
        for checks in self._checks:
            checks.close()

    def _make_servers(self, target: Target) -> tuple[Servers, HealthOptions | None]:
        options = target.options
        assert options is not None  # noqa: S101
        members = [
            Member(self._server(target.name, each.name), each, written.weight)
            for each, written in zip(target.servers, options.server, strict=True)
        ]
        name = target.name.partition(":")[2]
        servers = Servers(name, members, build_rules(options), self._ticker)
        return servers, options.health

    def _server(self, upstream: str, name: str) -> Server:
        """Give what is known of a server already, if it stays."""
        found: Server = self._share(
            ("server", upstream, name), lambda: Server(name, self._ticker.now())
        )
        return found


def build_rules(options: UpstreamOptions) -> Rules:
    """Give how requests are shared out by *options*."""
    health = options.health or HealthOptions()
    return Rules(
        balance=options.balance,
        connections=options.connections,
        queue=options.queue,
        queue_timeout=options.queue_timeout,
        tries=options.tries,
        failure=frozenset(options.failure),
        failure_status=frozenset(options.failure_status),
        judging=Judging(
            failures=options.failures,
            pause=options.pause,
            checked=options.health is not None,
            rises=health.rises,
            falls=health.falls,
            slow_start=options.slow_start,
        ),
    )
