"""What one process tells about itself, for the status page of all of them."""

from typing import TYPE_CHECKING, Any

from sso_proxy.session_log import SESSIONS, SessionLog

if TYPE_CHECKING:
    from sso_proxy.assembly import Gateway
    from sso_proxy.parts import Parts


async def describe_gateway(gateway: "Gateway") -> dict[str, Any]:
    """
    Give what *gateway* does and has done lately, in the types of JSON.

    The member ``logins`` names users; nothing else does.
    """
    now = gateway.clock.time()
    begun: SessionLog = gateway.shared.get(SESSIONS) or SessionLog()
    sites = [listener.site for listener in gateway.listeners]
    parts = gateway.parts
    return {
        "time": now,
        "traffic": gateway.traffic.document(now),
        "decisions": gateway.decisions.document(),
        "listeners": [[site.name, len(site.connections)] for site in sites],
        "logins": begun.latest(now),
        "parts": {} if parts is None else await _states(parts),
        "upstreams": [] if parts is None else _upstreams(parts),
        "certificates": [] if parts is None else _certificates(parts),
    }


async def _states(parts: "Parts") -> dict[str, list[str]]:
    """Give what each part misses, by its place in the configuration."""
    return {place: [*await part.probe()] for place, part in parts.named}


def _upstreams(parts: "Parts") -> list[dict[str, Any]]:
    """Give the connections to each backend, and what it tells of its servers."""
    found: dict[str, dict[str, Any]] = {}
    for upstream in parts.upstreams:
        known = found.setdefault(
            upstream.name, {"name": upstream.name, "busy": 0, "idle": 0, "servers": []}
        )
        busy, idle = upstream.counts()
        known["busy"] += busy
        known["idle"] += idle
        # Routes with limits of their own share the servers of an upstream.
        state = getattr(upstream, "state", None)
        known["servers"] = known["servers"] if state is None else state()
    return list(found.values())


def _certificates(parts: "Parts") -> list[list[Any]]:
    ends = dict(
        expiry for tls in parts.tls if tls is not None for expiry in tls.expiries
    )
    return [[what, end] for what, end in sorted(ends.items(), key=lambda e: e[1])]
