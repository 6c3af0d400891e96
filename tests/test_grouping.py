"""What is made of the options of an upstream."""

from sso_proxy.config.upstream_parts import (
    HealthOptions,
    ServerOptions,
    UpstreamOptions,
)
from sso_proxy.grouping import Groups, build_rules
from sso_proxy.net.ticker import Ticker
from sso_proxy.testing.clock import SettableClock
from sso_proxy.upstream.standing import Judging
from sso_proxy.upstream.target import Patience, Target
from tests.support.upstream_lab import Lab


def test_options_become_rules() -> None:
    options = UpstreamOptions(
        server=(ServerOptions(url="http://a"),),
        balance="user",
        connections=2,
        queue=3,
        queue_timeout=4.0,
        tries=5,
        failures=6,
        failure=("closed",),
        failure_status=(503,),
        pause=7.0,
        health=HealthOptions(rises=8, falls=9),
    )
    rules = build_rules(options)
    assert (rules.balance, rules.connections, rules.queue) == ("user", 2, 3)
    assert (rules.queue_timeout, rules.tries) == (4.0, 5)
    assert (set(rules.failure), set(rules.failure_status)) == ({"closed"}, {503})
    assert rules.judging == Judging(
        failures=6, pause=7.0, checked=True, rises=8, falls=9
    )


def test_routes_with_other_limits_share_servers_and_no_connections() -> None:
    lab = Lab()
    first = lab.groups.make(lab.target, Patience())
    second = lab.groups.make(lab.target, Patience(response_timeout=1.0))
    assert first.servers is second.servers
    member = first.servers.members[0]
    assert first.pool(member) is not second.pool(member)
    lab.close()


def test_nobody_is_asked_before_the_start() -> None:
    """What is built may yet be thrown away."""
    made: list[Target] = []
    clock = SettableClock()
    lab = Lab()
    groups = Groups(
        lambda _, make: make(),
        lambda target, _: made.append(target),
        Ticker(lab.reactor, clock),
    )
    groups.make(lab.target, Patience())
    assert len(made) == 2
    groups.close()
    lab.close()
